"""Storing, listing and pruning runs, in SQLite and in PostgreSQL."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from readycheck.errors import UsageError
from readycheck.history.place import Place, StoreError, place_of
from readycheck.history.store import Wanted, opened
from readycheck.history.summary import epoch_ms, summarize
from readycheck.report import Report, compact, dump
from tests.unit.history.runs import case, small


def fill(place: Place, *reports: Report, site: str | None = None) -> None:
    with opened(place, writing=True) as store:
        for report in reports:
            assert store.record(report, site)


def ids(place: Place, count: int = 100, **wanted: Any) -> list[int]:
    with opened(place) as store:
        return [int(run.id[:8], 16) for run in store.recent(Wanted(**wanted), count)]


def test_a_run_is_kept_whole(place: Place) -> None:
    reports = [case("dns-slow"), case("sni-required"), case("sni-filter")]
    fill(place, *reports)
    with opened(place) as store:
        for report in reports:
            found = store.find(report.run.id[:10])
            assert store.document(found) == compact(report)
            assert dump(store.report(found)) == dump(report)


def test_a_run_is_stored_once(place: Place) -> None:
    fill(place, small(1))
    with opened(place, writing=True) as store:
        assert not store.record(small(1))
        assert store.counts() == (1, 1)


def test_the_summary_is_the_reports(place: Place) -> None:
    report = case("sni-required")
    fill(place, report)
    with opened(place) as store:
        found = store.find("last")
    made = summarize(report)
    assert {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "place"} == {
        name: getattr(made, name) for name in made.__dataclass_fields__ if name != "place"
    }
    assert "sni-required" in found.causes
    assert found.numbers["device-activation.handshake_ms"] > 0


def test_the_newest_to_arrive_comes_first_whatever_the_clock_said(place: Place) -> None:
    fill(place, small(1), small(9), small(2))
    assert ids(place) == [2, 9, 1]
    assert ids(place, count=2) == [2, 9]


def test_runs_are_found_by_site_profile_and_time(place: Place) -> None:
    fill(place, small(1, site="north"), small(2, site="south"), small(3, site="north", profile="other"))
    assert ids(place, site="north") == [3, 1]
    assert ids(place, site="north", profile="other") == [3]
    assert ids(place, site="") == []
    assert ids(place, since_ms=epoch_ms(small(2).run.started_at)) == [3, 2]
    assert ids(place, until_ms=epoch_ms(small(2).run.started_at)) == [1]


def test_another_site_may_stand_in_for_the_reports(place: Place) -> None:
    fill(place, small(1, site="office"), site="twin")
    assert ids(place, site="twin") == [1]
    assert ids(place, site="office") == []


def test_a_series_has_a_gap_where_nothing_was_measured(place: Place) -> None:
    fill(place, small(1, score=90), small(2, score=40))
    with opened(place) as store:
        assert [value for _, value in store.series(Wanted(), "score")] == [90.0, 40.0]
        assert [value for _, value in store.series(Wanted(), "nothing.rtt_ms")] == [None, None]
        assert all(value for _, value in store.series(Wanted(), "duration_ms"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("0000", "more than one run begins so"),
        ("ffff", "no such run in "),
        ("000", "not 'last', nor 4 or more letters"),
        ("%%%%", "not 'last', nor 4 or more letters"),
    ],
)
def test_a_run_that_cannot_be_told(place: Place, name: str, told: str) -> None:
    fill(place, small(1), small(2))
    with opened(place) as store, pytest.raises(UsageError, match=told):
        store.find(name)


def test_a_summary_stays_when_the_report_is_pruned(place: Place) -> None:
    fill(place, *(small(number) for number in range(6)))
    with opened(place, writing=True) as store:
        assert store.prune(Wanted(until_ms=epoch_ms(small(4).run.started_at))) == 4
        assert store.counts() == (6, 2)
        assert [run.kept for run in store.recent(Wanted(), 6)] == [True, True, False, False, False, False]
        assert store.report(store.find("last")).run.id == small(5).run.id
        with pytest.raises(UsageError, match="its report was pruned"):
            store.report(store.find(small(0).run.id))
        assert len(store.series(Wanted(), "score")) == 6
    fill(place, small(7))  # the basis of those that are left is still there


def test_pruning_all_leaves_no_basis_and_gives_the_room_back(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    place = place_of(str(file))
    fill(place, case("dns-slow"), case("sni-required"), case("pmtu-blackhole"))
    before = file.stat().st_size
    with opened(place, writing=True) as store:
        assert store.prune(Wanted()) == 3
        with store.reading() as connection:
            assert connection.scalar(text("SELECT count(*) FROM basis")) == 0
    assert file.stat().st_size < before / 2


def test_many_write_at_once_into_a_database_that_none_of_them_finds(place: Place) -> None:
    failures: list[BaseException] = []
    together = threading.Barrier(6)

    def agent(number: int) -> None:
        try:
            together.wait()
            for run in range(4):
                fill(place, small(number * 100 + run, site=f"site {number}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=agent, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with opened(place) as store:
        assert store.counts() == (24, 24)
        assert all(store.report(run) for run in store.recent(Wanted(), 24))


def test_reading_what_is_not_there(place: Place) -> None:
    with pytest.raises(StoreError, match="no runs are stored there"), opened(place):
        pass
    assert place.file is None or not place.file.exists()
