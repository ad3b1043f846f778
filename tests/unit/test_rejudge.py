"""A report judged again gives the same report: nothing that judging needs is missing from it."""

import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.engine import RunState
from readycheck.rejudge import outcome_of, plan_of, rejudge
from readycheck.report import Report, dump, load
from readycheck.verdict import Readiness

STORED = Path(__file__).parents[1] / "cases" / "reports"


@pytest.fixture(scope="module", params=["none", "sip-port-dropped"])
def report(request: pytest.FixtureRequest) -> Report:
    return load(lzma.decompress((STORED / f"{request.param}.json.xz").read_bytes()), request.param)


def test_judging_twice_changes_nothing(report: Report) -> None:
    once = rejudge(report)
    assert rejudge(once) == once


def test_the_written_document_judges_like_the_one_in_memory(report: Report) -> None:
    assert rejudge(load(dump(report), "again")) == rejudge(report)


def test_every_check_keeps_what_was_seen(report: Report) -> None:
    assert [outcome_of(c).observations for c in report.checks] == [c.observations for c in report.checks]


def test_the_plan_keeps_what_was_left_out(report: Report) -> None:
    made = plan_of(report)
    assert set(made.untested) == {r.id for r in report.requirements if not r.testable}
    assert made.roles == report.run.roles


def test_what_was_not_measured_does_not_pass(report: Report) -> None:
    blind = replace(report, checks=tuple(replace(c, observations=(), metrics={}) for c in report.checks))
    judged = rejudge(blind)
    assert judged.verdict in (Readiness.UNKNOWN, Readiness.NOT_READY)
    assert not [r.id for r in judged.requirements if r.status == "pass"]


def test_a_run_that_was_interrupted_stays_without_a_grade(report: Report) -> None:
    ended = replace(report, run=replace(report.run, state=RunState.INTERRUPTED))
    judged = rejudge(ended)
    assert (judged.verdict, judged.score.overall) == (Readiness.UNKNOWN, None)
