"""What changed from one run to another, by the real judgement of small worlds."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.comparison.change import Aspect, Change, Comparison, Direction
from readycheck.comparison.compare import compare, is_another
from readycheck.comparison.figures import Figure
from readycheck.report import Report, dump, load
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import World
from tests.unit.test_report import report

HEALTHY = report()
BLOCKED = report(World(wall=lambda t: "drop" if t.port == 8934 else None), id="r2")


def of(comparison: Comparison, aspect: Aspect) -> list[Change]:
    return [change for change in comparison.changes if change.aspect is aspect]


def test_a_run_is_as_it_was() -> None:
    found = compare(HEALTHY, HEALTHY)
    assert (found.changes, found.differences, found.suspects) == ((), (), ())
    assert (found.baseline.id, found.baseline.verdict) == ("r1", HEALTHY.verdict.value)


def test_a_block_is_a_verdict_a_finding_and_a_requirement() -> None:
    found = compare(HEALTHY, BLOCKED)
    assert [(c.after, c.direction) for c in of(found, Aspect.VERDICT)] == [("not-ready", Direction.WORSE)]
    assert ["port-blocked"] == [c.of.partition("@")[0] for c in of(found, Aspect.FINDING)]
    assert [(c.of, c.after) for c in of(found, Aspect.REQUIREMENT) if c.of == "sip"] == [("sip", "fail")]
    assert of(found, Aspect.SCORE)[0].direction is Direction.WORSE


def test_back_again_all_of_it_is_better() -> None:
    found = compare(BLOCKED, HEALTHY)
    assert {c.direction for c in found.changes} == {Direction.BETTER}
    assert [(c.before, c.after) for c in of(found, Aspect.FINDING)] == [("blocking, certain", "")]
    assert found.suspects == ()


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        (Judgement.PASS, Judgement.WARN, Direction.WORSE),
        (Judgement.INCONCLUSIVE, Judgement.FAIL, Direction.WORSE),
        (Judgement.FAIL, Judgement.PASS, Direction.BETTER),
        (Judgement.PASS, Judgement.SKIPPED, Direction.OTHER),
    ],
)
def test_what_a_requirement_has_become(before: Judgement, after: Judgement, direction: Direction) -> None:
    found = compare(_with(before), _with(after))
    assert [c.direction for c in of(found, Aspect.REQUIREMENT)] == [direction]


def _with(status: Judgement) -> Report:
    first, *others = HEALTHY.requirements
    return replace(HEALTHY, requirements=(replace(first, status=status, strength=None), *others))


def test_a_requirement_that_is_new_is_neither_worse_nor_better() -> None:
    found = compare(replace(HEALTHY, requirements=HEALTHY.requirements[1:]), HEALTHY)
    (change,) = of(found, Aspect.REQUIREMENT)
    assert (change.of, change.before, change.direction) == ("sip", "", Direction.OTHER)


def test_a_figure_that_has_moved() -> None:
    found = compare(HEALTHY, _slower(HEALTHY, 60.0))
    moved = of(found, Aspect.FIGURE)
    assert [c.of for c in moved] == ["stun/rtt_ms"]
    assert (moved[0].after, moved[0].direction) == ("60", Direction.WORSE)


def _slower(report: Report, rtt_ms: float) -> Report:
    checks = [
        replace(c, metrics={**c.metrics, "rtt_ms": rtt_ms}) if c.requirement == "stun" else c
        for c in report.checks
    ]
    return replace(report, checks=tuple(checks))


@pytest.mark.parametrize(
    ("was", "became", "moved"),
    [(20.0, 31.0, True), (20.0, 29.0, False), (100.0, 120.0, False), (100.0, 130.0, True), (0.0, 10.0, True)],
)
def test_what_is_worth_a_word(was: float, became: float, moved: bool) -> None:
    assert is_another(Figure("stun", "rtt_ms", was), Figure("stun", "rtt_ms", became)) is moved


def test_it_is_in_the_document_and_comes_back() -> None:
    whole = replace(BLOCKED, comparison=compare(HEALTHY, BLOCKED))
    assert load(dump(whole), "it").comparison == whole.comparison


@given(st.sampled_from(Readiness), st.sampled_from(Readiness))
def test_the_way_back_is_the_other_way(one: Readiness, other: Readiness) -> None:
    there, back = (
        compare(replace(HEALTHY, verdict=a), replace(HEALTHY, verdict=b)).changes
        for a, b in ((one, other), (other, one))
    )
    opposite: dict[Any, Any] = {Direction.WORSE: Direction.BETTER, Direction.BETTER: Direction.WORSE}
    assert [opposite[c.direction] for c in there] == [c.direction for c in back]
    assert bool(there) is (one is not other)
