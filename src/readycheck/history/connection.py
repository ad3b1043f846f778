"""Plain connections to either database (PEP 249), and what their errors mean to a person."""

import os
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from readycheck.history.place import Place, RefusedRunError, StoreError
from readycheck.patience import within

PATIENCE_S = 30.0
"""How long one writer waits for the others."""
CONNECT_S, LOGIN_S = 10.0, 30.0
"""For each step, and for all of them: the look-up of a name has no bound of its own."""
_DRIVERS = ("sqlalchemy", "sqlite3", "pg8000", "scramp")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_OF_CONTENT = ("22", "23", "54")
"""Classes of SQLSTATE: what a row holds is not allowed, or too much."""
_OF_ORDER = "23503"
"""A foreign key: the row that it names was pruned in between, and is made anew the next time."""
_MAGIC = b"SQLite format 3\0"
_CHECK = "'readycheck history check --salvage FILE' saves what can be read"


def attach(place: Place, *, writing: bool) -> Any:
    """Raises `StoreError` for what cannot be a database of runs, and what its driver raises for the rest."""
    if place.file is None:
        return _server(place)
    mode = "mode=rwc" if writing else _reading(place.file)
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(place.file))}?{mode}",
        uri=True,
        timeout=PATIENCE_S,
        check_same_thread=False,
        isolation_level=None,  # transactions begin where the program says so
    )
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def prepare(place: Place, *, writing: bool) -> None:
    """Raises `StoreError`; a file that is no database is refused, and left as it is."""
    if place.file is None:
        _driver(place)
        return
    with told(place):
        _refuse_foreign(place, place.file)
        if writing:
            place.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not place.file.exists():  # reports tell much of a network
                place.file.touch(mode=0o600)
        elif not place.file.exists():
            raise StoreError(f"{place.shown}: no runs are stored there")


def _reading(file: Path) -> str:
    """Who cannot make the files of a log beside it reads it as it stands; another's write may spoil that reading."""
    if os.access(file.parent, os.W_OK) and os.access(file, os.W_OK):
        return "mode=rw"
    waiting = file.with_name(f"{file.name}-wal")
    return "mode=ro" if waiting.exists() and waiting.stat().st_size else "mode=ro&immutable=1"


def _refuse_foreign(place: Place, file: Path) -> None:
    """Before anything is written to it."""
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_MAGIC))
    except FileNotFoundError:
        return
    if head and head != _MAGIC:
        raise StoreError(f"{place.shown}: not a database, or a damaged one; {_CHECK}")


def _server(place: Place) -> Any:
    settings = place.server
    port, given = int(settings["port"]), {"timeout": CONNECT_S, "application_name": "readycheck"}
    where: dict[str, Any] = {"host": settings["host"], "port": port}
    if settings["host"].startswith("/"):
        where = {"unix_sock": f"{settings['host']}/.s.PGSQL.{port}"}
    elif (context := _tls(place)) is not None:
        where["ssl_context"] = context
    driver, who = _driver(place), {"password": settings.get("password"), "database": settings["dbname"]}
    try:
        return within(LOGIN_S, lambda: driver.connect(settings["user"], **who, **where, **given))
    except TimeoutError:
        raise StoreError(f"{place.shown}: no connection within {LOGIN_S:.0f} s") from None


def _driver(place: Place) -> Any:
    try:
        import pg8000
    except ImportError:
        raise StoreError(
            f"{place.shown}: needs the extra 'postgres' (pip install readycheck[postgres])"
        ) from None
    return pg8000


def _tls(place: Place) -> "ssl.SSLContext | bool | None":
    here = place.server["host"] in _THIS_MACHINE
    mode = place.server.get("sslmode", "disable" if here else "prefer")
    if mode in ("allow", "prefer"):
        return None
    if mode == "disable":
        return False
    try:
        context = ssl.create_default_context(cafile=place.server.get("sslrootcert"))
    except OSError as error:
        raise StoreError(f"{place.shown}: sslrootcert: {error.strerror or error}") from None
    context.check_hostname = mode == "verify-full"
    if mode == "require" and "sslrootcert" not in place.server:  # with one it is verify-ca, as libpq has it
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Errors of a driver, and those of files, as one line."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{place.shown}: {error.strerror or error}") from None
    except Exception as error:
        if not is_of_driver(error):
            raise
        kind = RefusedRunError if _is_of_content(_original(error)) else StoreError
        raise kind(f"{place.shown}: {_reason(place, error)}") from None


def is_of_driver(error: Exception) -> bool:
    """By name: none of them is imported where another is used."""
    return type(error).__module__.partition(".")[0] in _DRIVERS


def _original(error: Exception) -> Exception:
    """SQLAlchemy wraps them."""
    return getattr(error, "orig", None) or error


def _is_of_content(error: Exception) -> bool:
    """Whether it is the row that is refused: another would be taken."""
    if isinstance(error, sqlite3.Error):
        is_of_order = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
        return isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)) and not is_of_order
    first = error.args[0] if error.args else None
    state = str(first.get("C", "")) if isinstance(first, dict) else ""
    return state.startswith(_OF_CONTENT) and state != _OF_ORDER


def _reason(place: Place, error: Exception) -> str:
    said = _original(error)
    if isinstance(said.__cause__, OSError):  # of a connection that could not be made: pg8000 says less
        return said.__cause__.strerror or str(said.__cause__)
    first: Any = said.args[0] if said.args else said
    text = str(first.get("M", first) if isinstance(first, dict) else first)
    words = " ".join(place.clean(text).split())[:300]
    if "malformed" in words or "not a database" in words:
        return f"the database is damaged ({words}); {_CHECK}"
    return words
