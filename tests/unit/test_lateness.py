"""How late an event loop is, told by a clock that the test moves."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from readycheck.lateness import TICK_S, TOO_LATE_S, Lateness


class Clock:
    """As much of an event loop as a timer needs; it runs what is due when time is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., None], *arguments: Any) -> Any:
        entry = when, call, arguments
        self.due.append(entry)
        return type("Handle", (), {"cancel": lambda handle: entry in self.due and self.due.remove(entry)})()

    def move(self, seconds: float) -> None:
        self.now += seconds
        for entry in [e for e in self.due if e[0] <= self.now]:
            self.due.remove(entry)
            entry[1](*entry[2])


def felt(*moves: float) -> Lateness:
    clock, lateness = Clock(), Lateness()
    with lateness.felt(clock):  # type: ignore[arg-type]
        for seconds in moves:
            clock.move(seconds)
    assert clock.due == []
    return lateness


def test_a_loop_on_time_is_not_late() -> None:
    assert felt(*[TICK_S] * 20).worst_s == pytest.approx(0)


def test_the_worst_delay_counts() -> None:
    late = felt(TICK_S, TICK_S + 0.4, TICK_S, TICK_S + 0.2)
    assert late.worst_s == pytest.approx(0.4)
    assert not late.too_late


def test_a_loop_that_stood_still_is_too_late() -> None:
    assert felt(TICK_S, TICK_S + TOO_LATE_S + 0.1, TICK_S).too_late


def test_it_is_added_up_over_several_rounds() -> None:
    clock, lateness = Clock(), Lateness()
    for seconds in (TICK_S + 2.0, TICK_S + 1.0):
        with lateness.felt(clock):  # type: ignore[arg-type]
            clock.move(seconds)
    assert lateness.worst_s == pytest.approx(2.0)


def test_blocks_that_overlap_leave_no_timer_behind() -> None:
    clock, lateness = Clock(), Lateness()
    with ExitStack() as blocks:
        blocks.enter_context(lateness.felt(clock))  # type: ignore[arg-type]
        clock.move(TICK_S / 2)
        blocks.enter_context(lateness.felt(clock))  # type: ignore[arg-type]
        clock.move(TICK_S / 2)  # the first one's timer, and not the second's
        assert len(clock.due) == 2
    assert clock.due == []
