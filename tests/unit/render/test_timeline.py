"""The geometry of the timings."""

import pytest

from readycheck.render.timeline import LABELS, MOST_BARS, WIDTH, timeline

from . import factory


@pytest.mark.parametrize("state", list(factory.STATES))
def test_everything_lies_within_the_drawing(state: str) -> None:
    drawn = timeline(factory.STATES[state]())
    for lane in drawn.lanes:
        assert 0 < lane.y < drawn.height
        assert all(LABELS <= bar.x and bar.width > 0 for bar in lane.bars)
        assert all(bar.x + bar.width <= WIDTH + 2 for bar in lane.bars)
    assert all(LABELS <= x <= WIDTH for x, _ in drawn.ticks)


@pytest.mark.parametrize("span", [0.0, 0.002, 1.0, 7.3, 800.0, 6212.0, 14_999.0, 3_600_000.0])
def test_ticks_are_few_and_round(span: float) -> None:
    report = factory.ready(checks=(factory.check(started_ms=0.0, duration_ms=span),))
    ticks = timeline(report).ticks
    assert 2 <= len(ticks) <= 9
    assert ticks[0] == (LABELS, 0)


def test_a_lane_for_each_requirement_in_the_order_of_time() -> None:
    checks = (
        factory.check("b", "late", started_ms=500.0),
        factory.check("a", "early", started_ms=0.0),
        factory.check("c", None, started_ms=100.0),
    )
    lanes = timeline(factory.ready(checks=checks)).lanes
    assert [lane.name for lane in lanes] == ["early", "controls and survey", "late"]


def test_what_is_not_drawn_is_counted() -> None:
    drawn = timeline(factory.large(checks=4000, observations=4000, text="x"))
    shown = sum(len(lane.bars) for lane in drawn.lanes)
    assert shown <= MOST_BARS
    assert drawn.hidden == 4000 - shown


def test_nothing_measured_draws_nothing() -> None:
    assert timeline(factory.nothing()).lanes == ()


def test_the_worst_of_a_lane_is_painted_last() -> None:
    checks = (factory.failed_check("a", "x"), factory.check("b", "x"))
    (lane,) = timeline(factory.ready(checks=checks)).lanes
    assert [bar.check.id for bar in lane.bars] == ["b", "a"]
