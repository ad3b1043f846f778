"""The schema that a database has, and how it gets the one that this version wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from readycheck.history.place import Place, StoreError
from readycheck.history.record import HEAD, REVISIONS

_VERSION = "alembic_version"
_LOCK = 0x7265616479  # any number that is ours alone


def revision(connection: Connection) -> str | None:
    """None where there are no tables yet."""
    try:
        with connection.begin_nested():
            found = connection.scalar(text(f"SELECT version_num FROM {_VERSION}"))
    except DBAPIError:  # most databases have it: only where it is missing all tables are asked for
        names = inspect(connection).get_table_names()
        if _VERSION in names:
            raise
        return "" if names else None
    return None if found is None else str(found)


def is_current(connection: Connection, place: Place) -> bool:
    """Raises `StoreError` for a database of something else, or of a version that is yet to come."""
    found = revision(connection)
    if found == "":
        raise StoreError(f"{place.shown}: a database of something else; it is left as it is")
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"{place.shown}: made by a newer readycheck (schema {found}, known here up to {HEAD}); "
            "it is left as it is"
        )
    return found == HEAD


def upgrade(connection: Connection, place: Place) -> None:
    """In the transaction of the caller, who is the only writer. Raises `StoreError` as `is_current` does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if is_current(connection, place):  # somebody else was first
        return
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    with steps() as script:

        def further(found: Any, _: Any) -> Any:
            return script._upgrade_revs("head", found)  # as alembic's own `upgrade` does

        with EnvironmentContext(Config(), script, fn=further) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()


@contextmanager
def steps() -> Iterator[Any]:
    """The migrations, as Alembic reads them."""
    from importlib.resources import as_file, files

    from alembic.script import ScriptDirectory

    with as_file(files("readycheck.history").joinpath("migrations")) as folder:
        yield ScriptDirectory(str(folder))
