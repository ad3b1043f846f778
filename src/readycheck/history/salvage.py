"""Whether stored runs can all be read, and how those that can are saved from a database that is damaged."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from readycheck.errors import ReadycheckError
from readycheck.history.connection import told
from readycheck.history.packing import PackingError, unpack, unpack_numbers
from readycheck.history.place import Place, StoreError, place_of
from readycheck.history.store import Store, opened
from readycheck.history.summary import Summary
from readycheck.report import load

_MOST_TOLD = 20
_SMALLEST_ROW = 64
"""Bytes of a run; those of real ones are hundreds."""
PAGE = 4096
"""Bytes of a page: SQLite's default, which nothing here changes."""


@dataclass(frozen=True, slots=True)
class Health:
    """`troubles` in words, of them no more than a few."""

    runs: int
    kept: int
    troubles: tuple[str, ...]


def examine(store: Store) -> Health:
    """Read every run, and have SQLite examine its file. Raises `StoreError` where not even that can be done."""
    troubles = list(_structure(store.place))
    runs, kept = store.counts()
    try:
        for summary in store.every():
            if len(troubles) >= _MOST_TOLD:
                break
            troubles += _examined(store, summary)
    except StoreError as error:
        troubles.append(str(error))
    return Health(runs, kept, tuple(troubles[:_MOST_TOLD]))


def _examined(store: Store, summary: Summary) -> Iterator[str]:
    if summary.kept:
        try:
            store.report(summary)
        except ReadycheckError as error:
            yield str(error)


def _structure(place: Place) -> Iterator[str]:
    if place.file is None:
        return
    try:
        with closing(_raw(place.file)) as connection:
            for (said,) in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})"):
                if said != "ok":
                    yield f"{place.shown}: {' '.join(str(said).split())}"
    except sqlite3.DatabaseError as error:
        yield f"{place.shown}: {error}"


@dataclass(frozen=True, slots=True)
class Saved:
    """`lost` are rows that were seen and could not be read; what was never seen nobody can count."""

    reports: int
    summaries: int
    lost: int


def salvage(damaged: Path, to: Place) -> Saved:
    """Copy what can be read into a database of its own. The damaged file is only read.

    Raises `StoreError` when the new one cannot be written, or is there already.
    """
    if to.file is None or to.file.exists():
        raise StoreError(f"{to.shown}: name a new file for what is saved")
    if not damaged.exists():
        raise StoreError(f"{damaged}: no runs are stored there")
    with told(to), opened(to, writing=True) as store, _mended(damaged, to.file.parent) as file:
        return _copied(file, store)


def _copied(file: Path, store: Store) -> Saved:
    reports = summaries = lost = 0
    with closing(_raw(file)) as connection:
        bases = dict(_bases(connection))
        for place in _places(connection, most=_size(file) // _SMALLEST_ROW):
            document = _document(connection, place, bases)
            summary = _summary(connection, place)
            if document is not None and _recorded(store, document, summary):
                reports += 1
            elif summary is not None:
                summaries += store.adopt(summary)
            else:
                lost += 1
    return Saved(reports, summaries, lost)


def _size(file: Path) -> int:
    """With what has been written and not yet taken into it."""
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


@contextmanager
def _mended(damaged: Path, folder: Path) -> Iterator[Path]:
    """The file itself, or where its first page is gone a copy with that of an empty database.

    All of them are made by the same steps: what lies where is the same.
    """
    if _is_readable(damaged):
        yield damaged
        return
    with TemporaryDirectory(prefix="readycheck-", dir=folder) as name:
        copy, empty = Path(name) / "copy.db", Path(name) / "empty.db"
        with opened(place_of(str(empty)), writing=True):
            pass
        page = bytearray(empty.read_bytes()[:PAGE])
        shutil.copyfile(damaged, copy)
        with copy.open("r+b") as file:
            # The size in pages, and no list of free ones (file format, section 1.3).
            page[28:40] = (file.seek(0, os.SEEK_END) // PAGE).to_bytes(4, "big") + bytes(8)
            file.seek(0)
            file.write(page)
        yield copy


def _is_readable(file: Path) -> bool:
    try:
        with closing(_raw(file)) as connection:
            connection.execute("SELECT place FROM run LIMIT 1")
    except sqlite3.Error:
        return False
    return True


def _recorded(store: Store, document: bytes, summary: Summary | None) -> bool:
    try:
        store.record(load(document, "run"), summary.site if summary else None)
    except StoreError:
        raise
    except ReadycheckError:
        return False
    return True


def _raw(file: Path) -> sqlite3.Connection:
    """Not through the layer above, which wants to know the tables; nor is it to write there."""
    connection = sqlite3.connect(f"file:{quote(os.fsencode(file))}?mode=ro", uri=True)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.row_factory = sqlite3.Row
    return connection


def _places(connection: sqlite3.Connection, most: int) -> Iterator[int]:
    """Every number up to the highest that either table or any index of them shows.

    A damaged page shows any number at all: there are no more than `most`, and one beyond is looked at by itself.
    """
    found: set[int] = set()
    for query in (
        "SELECT place FROM run ORDER BY place",
        "SELECT place FROM run ORDER BY place DESC",
        "SELECT place FROM run INDEXED BY run_of_site",
        "SELECT place FROM report ORDER BY place",
        "SELECT place FROM report ORDER BY place DESC",
        "SELECT seq AS place FROM sqlite_sequence WHERE name = 'run'",
    ):
        with suppress(sqlite3.Error):  # one that fails half-way has shown half of them
            for row in connection.execute(query):
                found.add(row["place"])
    seen = [place for place in found if isinstance(place, int) and place > 0]
    highest = max((place for place in seen if place <= most), default=0)
    yield from range(1, highest + 1)
    yield from sorted(place for place in seen if place > highest)


def _bases(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    with suppress(sqlite3.Error):
        for (name,) in connection.execute("SELECT id FROM basis").fetchall():
            with suppress(sqlite3.Error, PackingError, TypeError):
                row = connection.execute("SELECT body FROM basis WHERE id = ?", (name,)).fetchone()
                yield name, unpack(row["body"])


def _document(connection: sqlite3.Connection, place: int, bases: dict[str, bytes]) -> bytes | None:
    with suppress(sqlite3.Error, PackingError, TypeError, KeyError):
        row = connection.execute("SELECT basis, body FROM report WHERE place = ?", (place,)).fetchone()
        return unpack(row["body"], bases[row["basis"]]) if row else None
    return None


def _summary(connection: sqlite3.Connection, place: int) -> Summary | None:
    with suppress(sqlite3.Error, PackingError, TypeError, AttributeError):
        row = connection.execute("SELECT * FROM run WHERE place = ?", (place,)).fetchone()
        if row is None:
            return None
        values: dict[str, Any] = {name: row[name] for name in row.keys() if name != "started_ms"}
        values |= {
            "causes": tuple(row["causes"].split()),
            "failed": tuple(str(values.get("failed", "")).split()),  # older schemas have none
            "numbers": unpack_numbers(row["numbers"]),
        }
        return Summary(**values)
    return None
