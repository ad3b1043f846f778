"""Runs on their way into the database: what is written is what the tables have, and little is imported for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from readycheck.history import schema
from readycheck.history.keep import recording
from readycheck.history.place import Place, place_of
from readycheck.history.record import RUN
from readycheck.history.store import Wanted, opened
from readycheck.history.summary import summarize
from tests.unit.history.runs import small


def test_every_column_of_a_run_is_written() -> None:
    assert set(RUN) == {column.name for column in schema.run.columns} - {"place"}


def test_what_is_recorded_is_what_is_read(place: Place) -> None:
    with recording(place) as recorder:
        assert recorder.record(small(1), "north")
        assert recorder.record(small(2))
        assert not recorder.record(small(2))
    with opened(place) as store:
        assert store.report(store.find(small(1).run.id)) == small(1)
        assert [(run.id, run.site) for run in store.recent(Wanted(site="north"), 9)] == [
            (small(1).run.id, "north")
        ]
        assert store.counts() == (2, 2)


def test_a_summary_is_adopted_once(place: Place) -> None:
    with recording(place) as recorder:
        assert recorder.adopt(summarize(small(1)))
        assert not recorder.adopt(summarize(small(1)))
    with opened(place) as store:
        assert store.counts() == (1, 0)


def test_a_run_that_fails_half_way_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(place) as recorder:
        recorder.record(small(1))
        monkeypatch.setattr("readycheck.history.record._ADD_REPORT", "SELECT ?, ?, nothing FROM run WHERE ?")
        with pytest.raises(Exception, match="nothing"):
            recorder.record(small(2))
        monkeypatch.undo()
        assert recorder.record(small(3))
    with opened(place) as store:
        assert [run.id for run in store.recent(Wanted(), 9)] == [small(3).run.id, small(1).run.id]


def test_sqlalchemy_is_not_imported_to_store_in_a_database_that_is_there(tmp_path: Path) -> None:
    place = place_of(str(tmp_path / "runs.db"))
    with recording(place):
        pass
    command = [sys.executable, "-c", _KEPT, str(place.file)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[] []\n"


_KEPT = """
import sys
from readycheck.history.keep import keep
from readycheck.history.place import place_of
from tests.unit.history.runs import small

print(keep(small(1), place_of(sys.argv[1])), sorted({"sqlalchemy", "alembic"} & set(sys.modules)))
"""
