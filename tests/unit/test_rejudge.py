"""A report judged again gives the same report: nothing that judging needs is missing from it."""

import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.engine import RunState, Status
from readycheck.errors import UsageError
from readycheck.failure import Failure, Step
from readycheck.plan import Scope
from readycheck.rejudge import outcome_of, plan_of, rejudge
from readycheck.report import Report, dump, load
from readycheck.verdict import Judgement, Readiness

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


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.CRASHED])
@pytest.mark.parametrize("too_busy", [False, True])
def test_why_a_check_did_not_run_stays(report: Report, status: Status, too_busy: bool) -> None:
    silent = tuple(replace(o, failure=Failure.TIMED_OUT) for o in report.checks[0].observations)
    lost = replace(report.checks[0], measured=status, because="the reason", observations=silent)
    run = replace(report.run, self_limited=too_busy)
    once = rejudge(replace(report, run=run, checks=(lost, *report.checks[1:])))
    assert once.checks[0].requirement and silent
    assert once.checks[0].because == f"{'not run: ' * (status is Status.SKIPPED)}the reason"
    assert rejudge(once).checks[0].because == once.checks[0].because


def test_what_was_asked_in_part_stays_unknown(report: Report) -> None:
    passed = [r.id for r in rejudge(report).requirements if r.status == "pass"]
    partly = tuple(replace(r, partly="1 of 9 asked" if r.id in passed else "") for r in report.requirements)
    judged = {r.id: r for r in rejudge(replace(report, requirements=partly)).requirements}
    assert passed
    for name in passed:
        assert (judged[name].status, judged[name].strength) == ("inconclusive", None)
        assert judged[name].because.startswith("1 of 9 asked; ")
        assert judged[name].partly == "1 of 9 asked"


def test_a_run_that_was_interrupted_stays_without_a_grade(report: Report) -> None:
    ended = replace(report, run=replace(report.run, state=RunState.INTERRUPTED))
    judged = rejudge(ended)
    assert (judged.verdict, judged.score.overall) == (Readiness.UNKNOWN, None)


def _busy(name: str) -> Report:
    """A stored run without its hop-limited packets, for those were compared with controls, too busy or not."""
    stored = load(lzma.decompress((STORED / f"{name}.json.xz").read_bytes()), name)
    kept = tuple(check for check in stored.checks if check.scope is not Scope.PATH)
    return replace(stored, run=replace(stored.run, self_limited=True), checks=kept)


@pytest.mark.parametrize("name", ["dns-unreachable", "dns-tcp-blocked", "all-dropped"])
def test_a_host_too_busy_to_look_in_time_blames_nobody_for_silence(name: str) -> None:
    in_time = replace(_busy(name), run=replace(_busy(name).run, self_limited=False))
    assert [r.id for r in rejudge(in_time).requirements if r.status is Judgement.FAIL]
    judged = rejudge(_busy(name))
    assert not [r.id for r in judged.requirements if r.status is Judgement.FAIL]
    assert not judged.findings
    assert any("too busy" in check.because for check in judged.checks)


def test_a_host_too_busy_to_hear_media_blames_no_firewall_for_it() -> None:
    """TCP answered, and of the media nobody knows."""
    busy = _busy("udp-blocked")
    in_time = rejudge(replace(busy, run=replace(busy.run, self_limited=False)))
    assert [f.cause for f in in_time.findings] == ["udp-blocked"]
    assert not rejudge(busy).findings


def test_what_a_busy_host_was_told_still_counts() -> None:
    assert [f.cause for f in rejudge(_busy("sip-port-rejected")).findings] == ["port-rejected"]


def test_evidence_that_is_none_is_refused_in_one_line(report: Report) -> None:
    first = report.checks[0]
    odd = replace(first.observations[0], step=Step.TLS_HANDSHAKE, facts={"tls": 1, "purpose": "\x1b[31m\n"})
    damaged = replace(report, checks=(replace(first, observations=(odd,)), *report.checks[1:]))
    with pytest.raises(UsageError, match=r"^the report cannot be judged again: ") as refused:
        rejudge(replace(damaged, run=replace(damaged.run, options={"effort": "\x1b[31m\n"})))
    assert str(refused.value).isprintable()
