"""Runs on their way into either database, in plain SQL: to import SQLAlchemy takes many times what storing does."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from readycheck.history.connection import is_of_driver, told
from readycheck.history.packing import PackingError, digest, pack, pack_numbers, unpack
from readycheck.history.place import Place
from readycheck.history.summary import Summary, epoch_ms, summarize
from readycheck.report import Report, compact

REVISIONS = ("0001", "0002")
"""Of the schema, oldest first."""
HEAD = REVISIONS[-1]

RUN = (
    "id",
    "site",
    "profile",
    "revision",
    "profile_hash",
    "started_at",
    "started_ms",
    "duration_ms",
    "state",
    "verdict",
    "score",
    "grade",
    "coverage",
    "causes",
    "tool",
    "failed",
    "numbers",
)
"""The columns of a run that are written; its place is the database's to give."""
_VERSION = "SELECT version_num FROM alembic_version"
_ADD_RUN = (
    f"INSERT INTO run ({', '.join(RUN)}) VALUES ({', '.join('?' * len(RUN))}) ON CONFLICT (id) DO NOTHING"
)
_PLACE = "SELECT place FROM run WHERE id = ?"
_BASES = "SELECT id, body FROM basis WHERE profile_hash = ?"
_ADD_BASIS = "INSERT INTO basis (id, profile_hash, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_ADD_REPORT = "INSERT INTO report (place, basis, body) VALUES (?, ?, ?)"


def is_current(connection: Any) -> bool:
    """Whether it has the tables of this version; what else it may be is no question of writing."""
    cursor = connection.cursor()
    try:
        cursor.execute(_VERSION)
        return [version for (version,) in cursor.fetchall()] == [HEAD]
    except Exception as error:
        if not is_of_driver(error):
            raise
        return False
    finally:
        connection.rollback()


class Recorder:
    """Writes runs over a connection outside of any transaction. `bases` are those that are known of by now."""

    def __init__(self, connection: Any, place: Place, bases: dict[str, tuple[str, bytes]]) -> None:
        self._connection, self._place, self._bases = connection, place, bases

    def record(self, report: Report, site: str | None = None) -> bool:
        """Keep a run; False when it was there already. `site` stands in for the one that the report names."""
        document = compact(report)
        summary = summarize(report, site)
        known = self._basis(summary.profile_hash)
        basis, against = known or (digest(document), document)
        body = pack(document, against)

        def add(place: int, execute: Callable[..., Any]) -> None:
            if known is None:
                execute(_ADD_BASIS, basis, summary.profile_hash, pack(document))
            execute(_ADD_REPORT, place, basis, body)

        return self._add(summary, add)

    def adopt(self, summary: Summary) -> bool:
        """Keep the summary of a run whose report is gone; False when it was there already."""
        return self._add(summary, lambda place, execute: None)

    def _add(self, summary: Summary, add_more: Callable[[int, Callable[..., Any]], None]) -> bool:
        with self._writing() as execute:
            row = _row_of(summary)
            if not execute(_ADD_RUN, *(row[name] for name in RUN)).rowcount:
                return False
            ((place,),) = execute(_PLACE, summary.id).fetchall()
            add_more(place, execute)
        return True

    def _basis(self, profile_hash: str) -> tuple[str, bytes] | None:
        """What runs of this profile are compressed against; one that is damaged serves no more."""
        if profile_hash not in self._bases:
            with told(self._place):
                rows = self._execute(_BASES, profile_hash).fetchall()
            for name, body in rows:
                with suppress(PackingError):
                    self._bases[profile_hash] = name, unpack(body)
        return self._bases.get(profile_hash)

    @contextmanager
    def _writing(self) -> Iterator[Callable[..., Any]]:
        """All of it or nothing; whoever writes to a file takes its turn at once."""
        with told(self._place):
            try:
                if self._place.file is not None:
                    self._execute("BEGIN IMMEDIATE")
                yield self._execute
                self._connection.commit()
            except BaseException:
                with suppress(Exception):
                    self._connection.rollback()
                raise

    def _execute(self, statement: str, *values: object) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement if self._place.file else statement.replace("?", "%s"), values)
        return cursor


def _row_of(summary: Summary) -> Mapping[str, Any]:
    return {
        "id": summary.id,
        "site": summary.site,
        "profile": summary.profile,
        "revision": summary.revision,
        "profile_hash": summary.profile_hash,
        "started_at": summary.started_at,
        "started_ms": epoch_ms(summary.started_at),
        "duration_ms": summary.duration_ms,
        "state": summary.state,
        "verdict": summary.verdict,
        "score": summary.score,
        "grade": summary.grade,
        "coverage": summary.coverage,
        "causes": " ".join(summary.causes),
        "tool": summary.tool,
        "failed": " ".join(summary.failed),
        "numbers": pack_numbers(summary.numbers),
    }
