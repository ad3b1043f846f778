"""Older and newer schemas, and databases that are somebody else's."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from readycheck.history import migration, schema
from readycheck.history.engine import connect
from readycheck.history.place import Place, StoreError, place_of
from readycheck.history.record import HEAD, REVISIONS
from readycheck.history.store import Wanted, opened
from tests.unit.history.runs import small


def test_the_migrations_make_the_tables_that_the_program_uses(place: Place) -> None:
    with opened(place, writing=True) as store, store.writing() as connection:
        assert migration.revision(connection) == HEAD
        with migration.steps() as script:
            assert tuple(reversed([step.revision for step in script.walk_revisions()])) == REVISIONS
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_an_older_schema_is_brought_up_to_date_and_loses_nothing(place: Place) -> None:
    with opened(place, writing=True) as store:
        store.record(small(1))
        with store.writing() as connection:
            connection.execute(text("ALTER TABLE run DROP COLUMN failed"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with opened(place) as store:
        assert store.find("last").id == small(1).run.id
        assert store.find("last").failed == ()
        with store.reading() as connection:
            assert migration.revision(connection) == HEAD


@pytest.mark.parametrize("writing", [False, True])
def test_a_newer_schema_is_left_as_it_is(place: Place, writing: bool) -> None:
    with opened(place, writing=True) as store, store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    with (
        pytest.raises(StoreError, match=r"made by a newer readycheck \(schema 0099, known here up to 0002\)"),
        opened(place, writing=writing),
    ):
        pass


@pytest.mark.parametrize("writing", [False, True])
def test_a_database_of_something_else_is_left_as_it_is(place: Place, writing: bool) -> None:
    engine = connect(place, writing=True)
    with engine.connect() as connection, connection.execution_options(writes=True).begin():
        connection.execute(text("CREATE TABLE addresses (name TEXT)"))
    engine.dispose()
    with pytest.raises(StoreError, match="a database of something else"), opened(place, writing=writing):
        pass


def test_a_migration_that_fails_changes_nothing(place: Place) -> None:
    """The column that the second step adds is there already."""
    with opened(place, writing=True) as store:
        store.record(small(1))
        with store.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(StoreError, match=r"already exists|duplicate column"), opened(place):
        pass
    engine = connect(place, writing=True)
    with engine.connect() as connection:
        assert migration.revision(connection) == "0001"
        assert connection.scalar(text("SELECT count(*) FROM run")) == 1
    engine.dispose()


def test_readers_and_writers_of_a_file_do_not_stop_each_other(tmp_path: Path) -> None:
    place = place_of(str(tmp_path / "runs.db"))
    assert place.file is not None
    with opened(place, writing=True) as store:
        store.record(small(1))
    with closing(sqlite3.connect(place.file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("BEGIN IMMEDIATE")
        with opened(place) as store:
            assert len(store.recent(Wanted(), 5)) == 1
    assert place.file.stat().st_mode & 0o777 == 0o600
