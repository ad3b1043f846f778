"""What of a report a series remembers."""

from dataclasses import replace

import pytest

from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.engine import RunState
from readycheck.regression.sighting import series_of, sight
from readycheck.verdict import Readiness
from tests.unit.builders import World
from tests.unit.test_report import report

RUN = replace(report(), verdict=Readiness.READY, findings=())
FOUND = Finding(
    cause="udp-blocked",
    where=Where.SITE,
    confidence=Confidence.LIKELY,
    severity=Severity.BLOCKING,
    owner=Owner.NETWORK,
    summary="No UDP.",
    affects=(),
    evidence=(),
)


def test_one_trouble_for_a_cause_wherever_it_is() -> None:
    both = replace(RUN, findings=(FOUND, replace(FOUND, where=Where.ISP)))
    assert [t.title for t in sight(both).troubles.values()] == ["No UDP."]
    assert list(sight(both).troubles) == ["cause:udp-blocked"]


@pytest.mark.parametrize(
    "finding",
    [
        replace(FOUND, severity=Severity.NOTE),
        replace(FOUND, severity=Severity.DEGRADING, confidence=Confidence.POSSIBLE),
    ],
)
def test_notes_and_guesses_are_none(finding: Finding) -> None:
    assert not sight(replace(RUN, findings=(finding,))).troubles


def test_what_is_unknown_by_a_cause_is_told_once() -> None:
    made = report(World(mute=lambda t: t.transport == "udp" and t.port not in (53, 123)))
    assert made.verdict is Readiness.UNKNOWN
    assert list(sight(made).troubles) == ["cause:udp-return-blocked"]
    (found,) = made.findings
    of_another = replace(made, findings=(replace(found, affects=("web",)),))
    assert list(sight(of_another).troubles) == ["cause:udp-return-blocked", "verdict:unknown"]


def test_a_verdict_that_no_cause_explains() -> None:
    assert list(sight(replace(RUN, verdict=Readiness.NOT_READY)).troubles) == ["verdict:not-ready"]


def test_without_a_network_nothing_else_counts() -> None:
    seen = sight(replace(RUN, findings=(replace(FOUND, cause="site-offline"), FOUND)))
    assert seen.dead and not seen.troubles and not seen.figures


def test_a_run_that_was_cut_off_shows_nothing() -> None:
    assert not sight(replace(RUN, run=replace(RUN.run, state=RunState.INTERRUPTED))).judged


def test_only_like_runs_make_a_series() -> None:
    other = replace(RUN, run=replace(RUN.run, options={**RUN.run.options, "effort": "quick"}))
    again = replace(RUN, run=replace(RUN.run, id="r9", started_at="2027-01-01T00:00:00.000Z"))
    assert series_of(again) == series_of(RUN) != series_of(other)
