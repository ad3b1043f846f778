"""The stored runs: written whole, listed by their summaries."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, delete, exists, func, select

from readycheck.errors import UsageError
from readycheck.history import migration, schema
from readycheck.history.connection import PATIENCE_S, told
from readycheck.history.engine import connect
from readycheck.history.packing import PackingError, number_in, unpack, unpack_numbers
from readycheck.history.place import Place, StoreError
from readycheck.history.record import Recorder
from readycheck.history.summary import Summary
from readycheck.report import Report, load

_SHORTEST_PREFIX = 4
_AT_ONCE = 500
_PAUSE_S = 0.02


class NoSuchRunError(UsageError):
    """No stored run has that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs: of a site, of a profile, begun from `since_ms` to before `until_ms`."""

    site: str | None = None
    profile: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def narrow(self, query: Select[Any]) -> Select[Any]:
        run = schema.run.c
        if self.site is not None:
            query = query.where(run.site == self.site)
        if self.profile is not None:
            query = query.where(run.profile == self.profile)
        if self.since_ms is not None:
            query = query.where(run.started_ms >= self.since_ms)
        return query if self.until_ms is None else query.where(run.started_ms < self.until_ms)


class Store:
    """An opened database with the schema of this version."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self.place = place
        self._engine = engine
        self._bases: dict[str, tuple[str, bytes]] = {}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with told(self.place), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with told(self.place), self._engine.connect() as connection:
            with connection.execution_options(writes=True).begin():
                yield connection

    def record(self, report: Report, site: str | None = None) -> bool:
        """Keep a run; False when it was there already. `site` stands in for the one that the report names."""
        with self._recorder() as recorder:
            return recorder.record(report, site)

    def adopt(self, summary: Summary) -> bool:
        """Keep the summary of a run whose report is gone; False when it was there already."""
        with self._recorder() as recorder:
            return recorder.adopt(summary)

    @contextmanager
    def _recorder(self) -> Iterator[Recorder]:
        with self.reading() as connection:
            yield Recorder(connection.connection.dbapi_connection, self.place, self._bases)

    def recent(self, wanted: Wanted, count: int) -> Sequence[Summary]:
        """The last runs to arrive, the newest first."""
        query = wanted.narrow(_SUMMARIES).order_by(schema.run.c.place.desc()).limit(count)
        with self.reading() as connection:
            return [_summary(row) for row in connection.execute(query)]

    def series(self, wanted: Wanted, number: str) -> Sequence[tuple[int, float | None]]:
        """One number over time, oldest first; None where a run did not measure it."""
        run = schema.run.c
        plain = number == "score"
        column = run.score if plain else run.numbers
        query = wanted.narrow(select(run.started_ms, column)).order_by(run.place)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        if plain:
            return [(moment, None if value is None else float(value)) for moment, value in rows]
        return [(moment, number_in(body, number)) for moment, body in rows]

    def find(self, name: str) -> Summary:
        """By `last`, or by the beginning of its id. Raises `NoSuchRunError`, and `UsageError` for more than one."""
        if name == "last":
            found = self.recent(Wanted(), 1)
        else:
            if len(name) < _SHORTEST_PREFIX or not name.isalnum():
                raise NoSuchRunError(
                    f"{name}: not 'last', nor {_SHORTEST_PREFIX} or more letters of a run's id"
                )
            query = _SUMMARIES.where(schema.run.c.id.like(f"{name.lower()}%")).limit(2)
            with self.reading() as connection:
                found = [_summary(row) for row in connection.execute(query)]
        if not found:
            raise NoSuchRunError(f"{name}: no such run in {self.place.shown}")
        if len(found) > 1:
            raise UsageError(f"{name}: more than one run begins so")
        return found[0]

    def report(self, summary: Summary) -> Report:
        """Raises `UsageError` when it was pruned, and `StoreError` when it is damaged."""
        if not summary.kept:
            raise UsageError(f"run {summary.id[:8]}: its report was pruned; its summary is in 'history list'")
        return load(self.document(summary), f"{self.place.shown}: run {summary.id[:8]}")

    def document(self, summary: Summary) -> bytes:
        kept = schema.report.c
        query = (
            select(kept.body, schema.basis.c.body)
            .join(schema.basis, kept.basis == schema.basis.c.id)
            .where(kept.place == summary.place)
        )
        with self.reading() as connection:
            row = connection.execute(query).first()
        try:
            if row is None:
                raise PackingError("its basis is missing")
            return unpack(row[0], unpack(row[1]))
        except PackingError as error:
            raise StoreError(f"{self.place.shown}: run {summary.id[:8]} is damaged ({error})") from None

    def prune(self, wanted: Wanted) -> int:
        """Drop the reports of these runs; their summaries stay. Says how many went."""
        places = wanted.narrow(select(schema.run.c.place)).order_by(schema.run.c.place)
        gone = 0
        while True:
            some = places.where(exists().where(schema.report.c.place == schema.run.c.place)).limit(_AT_ONCE)
            with self.writing() as connection:  # in portions, between which others have their turn
                dropped = connection.execute(delete(schema.report).where(schema.report.c.place.in_(some)))
            if not dropped.rowcount:
                break
            gone += dropped.rowcount
        self._tidy()
        return gone

    def _tidy(self) -> None:
        """What no report needs any more goes too, and SQLite gives the room back to the disk."""
        unused = ~exists().where(schema.report.c.basis == schema.basis.c.id)
        with self.writing() as connection:
            connection.execute(delete(schema.basis).where(unused))
        if self.place.file is not None:
            with told(self.place), self._engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.executescript("PRAGMA incremental_vacuum")  # a statement of its own would free one page
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def counts(self) -> tuple[int, int]:
        """Runs, and those of them whose report is kept."""
        with self.reading() as connection:
            runs = connection.scalar(select(func.count()).select_from(schema.run))
            kept = connection.scalar(select(func.count()).select_from(schema.report))
        return int(runs or 0), int(kept or 0)

    def every(self) -> Iterator[Summary]:
        """All runs in the order of their arrival, a few at a time."""
        last = 0
        while True:
            query = _SUMMARIES.where(schema.run.c.place > last).order_by(schema.run.c.place).limit(_AT_ONCE)
            with self.reading() as connection:
                some = [_summary(row) for row in connection.execute(query)]
            yield from some
            if len(some) < _AT_ONCE:
                return
            last = some[-1].place


_SUMMARIES = select(schema.run, exists().where(schema.report.c.place == schema.run.c.place).label("kept"))


@contextmanager
def opened(place: Place, *, writing: bool = False) -> Iterator[Store]:
    """A database that is missing is made by whoever writes. Raises `StoreError`; what is foreign is left as it is."""
    engine = connect(place, writing=writing)
    try:
        _ready(engine, place, writing)
        yield Store(engine, place)
    finally:
        with suppress(Exception):
            engine.dispose()


def _ready(engine: Engine, place: Place, writing: bool) -> None:
    with told(place):
        with engine.connect() as connection:
            current = migration.is_current(connection, place)
            empty = not current and migration.revision(connection) is None
        if current:
            return
        if empty and not writing:
            raise StoreError(f"{place.shown}: no runs are stored there")
        if place.file is not None:
            _prepare(engine)
        with engine.connect() as connection, connection.execution_options(writes=True).begin():
            migration.upgrade(connection, place)


def _prepare(engine: Engine) -> None:
    """Outside of any transaction: room that is freed can be given back, and readers do not stop writers."""
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA auto_vacuum=INCREMENTAL")
        until = monotonic() + PATIENCE_S
        while True:
            try:
                raw.execute("PRAGMA journal_mode=WAL").fetchall()
                return
            except sqlite3.OperationalError:  # SQLite itself does not wait here for those who do the same
                if monotonic() > until:
                    raise
                sleep(_PAUSE_S)


def _summary(row: Row[Any]) -> Summary:
    values = dict(row._mapping)
    del values["started_ms"]
    values["causes"] = tuple(values["causes"].split())
    values["failed"] = tuple(values["failed"].split())
    values["numbers"] = _numbers(values["numbers"])
    values["kept"] = bool(values["kept"])
    return Summary(**values)


def _numbers(body: bytes) -> dict[str, float]:
    """Empty where they are damaged: `check` tells."""
    try:
        return unpack_numbers(body)
    except PackingError:
        return {}
