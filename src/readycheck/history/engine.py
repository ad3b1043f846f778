"""Connections to either database, and what their errors mean to a person."""

import os
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from readycheck.history.place import Place, StoreError

PATIENCE_S = 30.0
"""How long one writer waits for the others."""
CONNECT_S = 10.0
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_MAGIC = b"SQLite format 3\0"
_CHECK = "'readycheck history check --salvage FILE' saves what can be read"


def connect(place: Place, *, writing: bool) -> Engine:
    """Raises `StoreError`; a file that is no database is refused, and left as it is."""
    if place.file is None:
        return _server(place)
    return _file(place, place.file, writing)


def _file(place: Place, file: Path, writing: bool) -> Engine:
    with _readable(place):
        refuse_foreign(place, file)
        if writing:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not file.exists():  # reports tell much of a network
                file.touch(mode=0o600)
        elif not file.exists():
            raise StoreError(f"{place.shown}: no runs are stored there")
    mode = "mode=rwc" if writing else _reading(file)
    target = f"file:{quote(str(file))}?{mode}"

    def attach() -> sqlite3.Connection:
        return sqlite3.connect(target, uri=True, timeout=PATIENCE_S, check_same_thread=False)

    engine = create_engine("sqlite://", creator=attach, poolclass=QueuePool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _reading(file: Path) -> str:
    """Where the folder cannot be written, nobody else can write there either: nothing has to be locked."""
    if os.access(file.parent, os.W_OK) and os.access(file, os.W_OK):
        return "mode=rw"
    waiting = file.with_name(f"{file.name}-wal")
    return "mode=ro" if waiting.exists() and waiting.stat().st_size else "mode=ro&immutable=1"


def refuse_foreign(place: Place, file: Path) -> None:
    """Before anything is written to it."""
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_MAGIC))
    except FileNotFoundError:
        return
    if head and head != _MAGIC:
        raise StoreError(f"{place.shown}: not a database, or a damaged one; {_CHECK}")


def _set_up(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin as `_begin` says
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """A writer takes its turn at once: a reader that becomes one could be refused half-way."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _server(place: Place) -> Engine:
    told = place.server
    arguments: dict[str, Any] = {"timeout": CONNECT_S, "application_name": "readycheck"}
    host: str | None = told["host"]
    if told["host"].startswith("/"):
        arguments["unix_sock"], host = f"{told['host']}/.s.PGSQL.{told['port']}", None
    elif (context := _tls(place)) is not None:
        arguments["ssl_context"] = context
    url = URL.create(
        "postgresql+pg8000",
        username=told["user"],
        password=told.get("password"),
        host=host,
        port=int(told["port"]) if host else None,
        database=told["dbname"],
    )
    try:
        return create_engine(url, connect_args=arguments, hide_parameters=True)
    except ImportError:
        raise StoreError(
            f"{place.shown}: needs the extra 'postgres' (pip install readycheck[postgres])"
        ) from None


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
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _readable(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{place.shown}: {error.strerror or error}") from None


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Errors of the driver as one line."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{place.shown}: {_reason(place, error)}") from None
    except OSError as error:
        raise StoreError(f"{place.shown}: {error.strerror or error}") from None


def _reason(place: Place, error: Exception) -> str:
    said: Any = error.orig if isinstance(error, DBAPIError) else error
    first = said.args[0] if said is not None and said.args else said
    text = str(first.get("M", first) if isinstance(first, dict) else first)
    words = " ".join(place.clean(text).split())[:300]
    if "malformed" in words or "not a database" in words:
        return f"the database is damaged ({words}); {_CHECK}"
    return words
