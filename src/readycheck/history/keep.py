"""Store a run after its verdict: whatever goes wrong here is told, and changes no verdict."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from readycheck.errors import ReadycheckError
from readycheck.history import spool
from readycheck.history.connection import attach, prepare, told
from readycheck.history.place import Place, RefusedRunError, StoreError
from readycheck.history.record import Recorder, is_current
from readycheck.history.spool import Spool
from readycheck.report import Report

PATIENCE_S = 60.0
"""For what waits, after one run: whoever waits for the program should not wait for ever."""


def keep(report: Report, place: Place, site: str | None = None, queue: Spool | None = None) -> list[str]:
    """Store it, after those that wait for the same database. What went wrong, in lines."""
    queue = queue or spool.of(place)
    try:
        waits = queue.waiting()
    except OSError:
        waits = []
    if waits:
        return _behind(report, place, site, queue)
    try:
        with recording(place) as recorder:
            recorder.record(report, site)
        return []
    except StoreError as error:
        return [_put_aside(report, site, queue, error)]


def _behind(report: Report, place: Place, site: str | None, queue: Spool) -> list[str]:
    """It takes its turn."""
    try:
        queue.put(report, site)
    except (OSError, ReadycheckError) as error:
        return [f"this run is not kept: {_said(error)}"]
    return deliver(place, queue)


def _put_aside(report: Report, site: str | None, queue: Spool, why: StoreError) -> str:
    try:
        path = queue.put(report, site)
        if isinstance(why, RefusedRunError):
            return _refused(path, why)
    except (OSError, ReadycheckError) as error:
        return f"{why}; this run is not kept ({_said(error)})"
    return f"{why}; this run waits in {path.parent} until it can be stored"


def deliver(place: Place, queue: Spool) -> list[str]:
    """Store what waits, oldest first, until it is done, or takes too long, or the database fails again."""
    troubles: list[str] = []
    try:
        with queue.delivering() as mine:
            if mine:
                with recording(place) as recorder:
                    troubles.extend(_deliver(recorder, queue))
    except (OSError, StoreError) as error:
        troubles.append(f"{_said(error)}; {queue.told()} until they can be stored")
    return troubles


def _deliver(recorder: Recorder, queue: Spool) -> Iterator[str]:
    until = monotonic() + PATIENCE_S
    for path in queue.waiting():
        if monotonic() > until:
            yield f"{queue.told()}; the next run takes them along"
            return
        try:
            one = spool.read(path)
        except FileNotFoundError:
            continue
        except ReadycheckError as error:
            yield f"{error}; set aside as {spool.set_aside(path, spool.DAMAGED, str(error)).name}"
            continue
        try:
            recorder.record(one.report, one.site)
        except RefusedRunError as error:
            yield _refused(path, error)
            continue
        path.unlink(missing_ok=True)


def _refused(path: Path, why: RefusedRunError) -> str:
    """Told once: it would be refused again, and must not hold up those behind it."""
    aside = spool.set_aside(path, spool.REFUSED, str(why))
    return f"{why}; this run will never be taken as it is, and is set aside as {aside}"


@contextmanager
def recording(place: Place) -> Iterator[Recorder]:
    """A database that is missing is made. Raises `StoreError`; what is foreign is left as it is."""
    prepare(place, writing=True)
    with _attached(place) as connection:
        with told(place):
            ready = is_current(connection)
        if ready:
            yield Recorder(connection, place, {})
            return
    _upgrade(place)
    with _attached(place) as connection:
        yield Recorder(connection, place, {})


@contextmanager
def _attached(place: Place) -> Iterator[Any]:
    with told(place):
        connection = attach(place, writing=True)
    try:
        yield connection
    finally:
        # One that broke cannot be closed either, and why it broke is what is to be told.
        with suppress(Exception):
            connection.close()


def _upgrade(place: Place) -> None:
    from readycheck.history.store import opened

    with opened(place, writing=True):
        pass


def _said(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
