"""Runs, their reports, and what those are compressed against."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column(
            "place",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("site", "profile", "revision")),
        sa.Column("profile_hash", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(40), nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("duration_ms", sa.Float, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("score", sa.Integer),
        sa.Column("grade", sa.String(20), nullable=False),
        sa.Column("coverage", sa.Float, nullable=False),
        sa.Column("causes", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("numbers", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("run_of_site", "run", ["site", "profile", "place"])
    op.create_index("run_of_profile", "run", ["profile", "place"])
    op.create_index("run_started", "run", ["started_ms"])
    op.create_table(
        "basis",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("profile_hash", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_basis_profile_hash", "basis", ["profile_hash"])
    op.create_table(
        "report",
        sa.Column(
            "place",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("run.place", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("basis", sa.String(64), sa.ForeignKey("basis.id"), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_report_basis", "report", ["basis"])
