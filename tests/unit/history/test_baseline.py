"""Stored runs as baselines, of both databases."""

from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.cli.baseline import find
from readycheck.engine import RunState
from readycheck.errors import UsageError
from readycheck.history.baseline import Kept
from readycheck.history.place import Place, place_of
from readycheck.history.store import Wanted, opened
from readycheck.report import Report
from readycheck.verdict import Readiness
from tests.unit.history.runs import small


def of(
    number: int, verdict: Readiness, *, site: str | None = None, state: RunState = RunState.COMPLETE
) -> Report:
    made = small(number)
    return replace(made, verdict=verdict, run=replace(made.run, site=site, state=state))


def test_the_last_and_the_last_good_run_of_a_site(place: Place) -> None:
    runs = [
        of(1, Readiness.READY),
        of(2, Readiness.WARNINGS),
        of(3, Readiness.NOT_READY),
        of(4, Readiness.UNKNOWN, state=RunState.INTERRUPTED),
        of(5, Readiness.READY, site="twin"),
    ]
    with opened(place, writing=True) as store:
        for run in runs:
            store.record(run)
    kept, profile = Kept(place), runs[0].run.profile
    last, good = kept.last(None, profile), kept.last_good(None, profile)
    assert last is not None and last.run.id == runs[2].run.id
    assert good is not None and good.run.id == runs[1].run.id
    assert kept.last(None, "another") is None and kept.last("attic", profile) is None
    found = kept.run(runs[0].run.id[:8])
    assert found is not None and found.run.id == runs[0].run.id
    assert kept.run("nosuchrun") is None


def test_a_name_that_is_not_enough_and_a_report_that_is_gone_are_told(tmp_path: Path) -> None:
    place = place_of(str(tmp_path / "history.db"))
    with opened(place, writing=True) as store:
        for number in (1, 2):
            store.record(of(number, Readiness.READY))
        store.prune(Wanted())
    for name, told in (("0000", "more than one run begins so"), ("00000001", "its report was pruned")):
        with pytest.raises(UsageError, match=f"--baseline .*{name}.*: {told}"):
            find(name, site=None, profile="example", place=place)


def test_before_the_first_run_there_is_none(tmp_path: Path) -> None:
    kept = Kept(place_of(str(tmp_path / "history.db")))
    assert kept.last(None, "example") is None and kept.last_good(None, "example") is None
    assert kept.run("abcdef") is None
    assert not any(tmp_path.iterdir())


def test_the_last_good_run_may_be_long_ago(tmp_path: Path) -> None:
    place = place_of(str(tmp_path / "history.db"))
    with opened(place, writing=True) as store:
        store.record(of(1, Readiness.READY))
        for number in range(2, 25):
            store.record(of(number, Readiness.NOT_READY))
    good = Kept(place).last_good(None, of(1, Readiness.READY).run.profile)
    assert good is not None and good.run.id == of(1, Readiness.READY).run.id
