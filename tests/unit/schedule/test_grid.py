"""Slots of the wall clock: clocks that jump, runs that last, machines that sleep."""

from collections import Counter
from itertools import pairwise

import pytest

from readycheck.errors import UsageError
from readycheck.schedule.grid import GRACE_S, Grid, Step, interval, offset

EVERY = 900
GRID = Grid(EVERY, 437)
SLOT = float(1_700_000_000 // EVERY * EVERY + 437)


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900), ("1h", 3600), ("90s", 90), ("1d", 86_400)])
def test_an_interval(text: str, seconds: int) -> None:
    assert interval("--every", text) == seconds


@pytest.mark.parametrize("text", ["", "15", "0m", "59s", "25h", "1.5h", "-15m", "m", "15 m", "9999999m"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(UsageError, match=r"--every .*: not an interval"):
        interval("--every", text)


def test_a_slot_is_after_now_and_on_the_grid() -> None:
    assert GRID.after(SLOT - 0.5) == SLOT
    assert GRID.after(SLOT) == SLOT + EVERY
    assert GRID.after(SLOT + EVERY - 0.001) == SLOT + EVERY
    assert Grid(EVERY, 437).after(SLOT + 5) == GRID.after(SLOT + 800), "a restart keeps the rhythm"


def test_sites_are_spread_evenly_and_each_stays_where_it_is() -> None:
    drawn = [offset(f"site-{number}", "webex-calling", EVERY) for number in range(1000)]
    assert all(0 <= each < EVERY for each in drawn)
    assert max(Counter(drawn).values()) < 10
    assert all(40 < sum(low <= each < low + 60 for each in drawn) < 100 for low in range(0, EVERY, 60))
    assert offset("north", "webex-calling", EVERY) == 888, "for ever: a new version must not move a site"
    assert offset("north", "starface", EVERY) != offset("north", "webex-calling", EVERY)


@pytest.mark.parametrize(
    ("why", "after_due_s", "expected"),
    [
        ("early", -100, Step(SLOT)),
        ("on time", 0.2, Step(SLOT + EVERY, starts=True)),
        ("a little late", GRACE_S, Step(SLOT + EVERY, starts=True)),
        ("the run before lasted too long", 100, Step(SLOT + EVERY, missed=1)),
        ("suspended over three slots", 2 * EVERY + 100, Step(SLOT + 3 * EVERY, missed=3)),
        ("resumed just at a slot", 2 * EVERY + 1, Step(SLOT + 3 * EVERY, starts=True, missed=2)),
        ("set forward by a year", 35_040 * EVERY + 400, Step(SLOT + 35_041 * EVERY, missed=35_041)),
        ("set back a little: no slot twice", -EVERY - 2, Step(SLOT)),
        ("set back by an hour", -3600 - 100, Step(SLOT - 3600)),
    ],
)
def test_a_step(why: str, after_due_s: float, expected: Step) -> None:
    assert GRID.step(SLOT, SLOT + after_due_s) == expected, why


def test_a_quarter_of_slots_in_seconds_of_a_clock_that_drifts() -> None:
    due, now, starts = GRID.after(SLOT - 1), SLOT - 1, []
    while len(starts) < 2000:
        step = GRID.step(due, now)
        if step.starts:
            starts.append(now)
            now += 15 if len(starts) % 10 else 1200  # every tenth run lasts longer than the interval
        due, now = step.due, max(now, step.due - 0.001 if now < step.due - 1 else now + 0.7)
    assert all((start - SLOT) % EVERY <= GRACE_S for start in starts)
    assert min(later - start for start, later in pairwise(starts)) > EVERY - GRACE_S
