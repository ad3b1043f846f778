"""The tables. What they were before, and how they became this, is in `migrations`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# Rows of a few hundred bytes, apart from the reports: lists and trends never read those.
run = Table(
    "run",
    metadata,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("site", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("profile_hash", String(64), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("state", String(20), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("score", Integer),
    Column("grade", String(20), nullable=False),
    Column("coverage", Float, nullable=False),
    Column("causes", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
    Column("failed", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
Index("run_of_site", run.c.site, run.c.profile, run.c.place)
Index("run_of_profile", run.c.profile, run.c.place)
Index("run_started", run.c.started_ms)

# A whole report, against which those of the same profile are compressed: they have most of their text in common.
basis = Table(
    "basis",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("profile_hash", String(64), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)

report = Table(
    "report",
    metadata,
    Column("place", ForeignKey("run.place", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("basis", ForeignKey("basis.id"), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
