"""SQLAlchemy on connections to either database."""

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from readycheck.history.connection import attach, prepare
from readycheck.history.place import Place


def connect(place: Place, *, writing: bool) -> Engine:
    """Raises `StoreError`; a file that is no database is refused, and left as it is."""
    prepare(place, writing=writing)
    kind = "postgresql+pg8000" if place.file is None else "sqlite"
    engine = create_engine(
        f"{kind}://",
        creator=lambda: attach(place, writing=writing),
        poolclass=QueuePool,
        hide_parameters=True,
    )
    if place.file is not None:
        event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """A writer takes its turn at once: a reader that becomes one could be refused half-way."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
