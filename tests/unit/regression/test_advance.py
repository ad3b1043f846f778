"""Runs taken in one by one: what is told, once, and what is not."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.comparison.figures import Figure
from readycheck.diagnose.finding import Severity
from readycheck.regression.advance import advance, step
from readycheck.regression.policy import DAY_S, HOUR_S, Policy
from readycheck.regression.sighting import Sighting, Trouble
from readycheck.regression.state import MOST_TRACKS, Event, Kind, State
from tests.unit.builders import World
from tests.unit.regression.test_state import FORM
from tests.unit.test_report import report

POLICY = Policy()
BEGAN, EVERY_S = 1_800_000_000.0, 900.0
BAD = {"cause:udp-blocked": Trouble(key="cause:udp-blocked", title="No UDP.", severity=Severity.BLOCKING)}


def play(
    seen: Iterable[Sighting], state: State | None = None, began: float = BEGAN
) -> tuple[State, list[Event]]:
    state, told = state or State(), []
    for number, each in enumerate(seen):
        now = began + number * EVERY_S
        state, events = step(state, replace(each, run=f"{began}-{number}"), POLICY, now)
        told += events
    return state, told


def runs(pattern: str) -> list[Sighting]:
    """`x` has the cause, `.` has not, `0` has no network, `?` was cut off."""
    kinds = {
        "x": Sighting(run="", troubles=BAD),
        ".": Sighting(run=""),
        "0": Sighting(run="", dead=True),
        "?": Sighting(run="", judged=False),
    }
    return [kinds[letter] for letter in pattern]


def kinds(events: Sequence[Event]) -> list[Kind]:
    return [event.kind for event in events]


def values(*numbers: float, higher: bool = False) -> list[Sighting]:
    return [Sighting(run="", figures=(Figure("media", "rtt_ms", n, higher),)) for n in numbers]


def test_a_cause_is_told_once_and_once_when_it_is_over() -> None:
    _, told = play(runs("...xxxxxxxx......."))
    assert kinds(told) == [Kind.RAISED, Kind.OVER]
    assert told[0].since == BEGAN + 4 * EVERY_S
    assert told[1].since == told[0].since
    assert told[1].moment - told[0].moment == 10 * EVERY_S


def test_one_run_alone_is_nothing() -> None:
    assert play(runs("...x...x...?x..."))[1] == []


def test_what_comes_and_goes_is_one_trouble() -> None:
    _, told = play(runs("xxx......" * 10))
    assert 2 <= len(told) <= 8


def test_a_dead_network_is_told_when_it_is_back_and_nothing_else_is() -> None:
    state, told = play(runs("..00000"))
    assert told == [] and state.outage
    _, after = play(runs("..."), state, BEGAN + 7 * EVERY_S)
    assert [(e.kind, e.key, e.since) for e in after] == [(Kind.OUTAGE, "network", BEGAN + 2 * EVERY_S)]
    assert play(runs("..0..0.."))[1] == []


def test_a_cause_outlives_an_outage() -> None:
    _, told = play(runs("xxx000000xx"))
    assert kinds(told) == [Kind.RAISED, Kind.OUTAGE]


def test_a_figure_that_becomes_worse_and_recovers() -> None:
    normal, worse = [40.0, 42.0] * 350, [90.0] * 20
    _, told = play(values(*normal, *worse, *normal[:40]))
    assert kinds(told) == [Kind.RAISED, Kind.OVER]
    assert (told[0].key, told[0].normal, told[0].value) == ("figure:media/rtt_ms", 41.0, 90.0)


def test_a_figure_of_which_more_is_better() -> None:
    _, told = play(values(*[4.4] * 700, *[3.1] * 20, higher=True))
    assert kinds(told) == []  # rtt_ms has a floor of 10
    moss = [Sighting(run="", figures=(Figure("media", "mos", n, True),)) for n in [4.4] * 700 + [3.1] * 20]
    assert [(e.kind, e.normal, e.value) for e in play(moss)[1]] == [(Kind.RAISED, 4.4, 3.1)]


def test_what_lasts_is_the_new_normal() -> None:
    _, told = play(values(*[40.0] * 700, *[90.0] * 1000))
    assert kinds(told) == [Kind.RAISED, Kind.ADOPTED]


def test_in_the_first_week_only_what_is_much_worse_is_told() -> None:
    assert kinds(play(values(*[40.0] * 200, *[90.0] * 20))[1]) == []
    assert kinds(play(values(*[40.0] * 200, *[120.0] * 20))[1]) == [Kind.RAISED]


def days(number: int, first: int, busy: float) -> list[float]:
    """40 at night and at the weekend, else `busy` from 8 to 17; 0 is a Monday."""
    return [
        busy if day % 7 < 5 and 32 <= quarter < 68 else 40.0
        for day in range(first, first + number)
        for quarter in range(96)
    ]


MIDNIGHT = BEGAN - BEGAN % DAY_S


def test_who_begins_on_a_saturday_is_told_nothing_on_monday() -> None:
    assert kinds(play(values(*days(21, 5, 60.0)), began=MIDNIGHT)[1]) == []


def test_what_comes_every_day_is_the_new_normal_after_a_week() -> None:
    _, told = play(values(*days(14, 0, 40.0), *days(28, 0, 60.0)), began=MIDNIGHT)
    assert kinds(told) == [Kind.RAISED, Kind.OVER] * 5 + [Kind.RAISED, Kind.ADOPTED]
    assert told[-1].moment - told[-1].since >= POLICY.adopt_s


def test_a_few_faults_within_a_week_are_no_new_normal() -> None:
    calm, bad = [40.0] * 280, [90.0] * 16
    _, told = play(values(*[40.0] * 700, *(bad + calm) * 4))
    assert kinds(told) == [Kind.RAISED, Kind.OVER] * 4


def test_a_run_that_was_taken_in_changes_nothing() -> None:
    state, _ = step(State(), Sighting(run="r1", troubles=BAD), POLICY, BEGAN)
    assert step(state, Sighting(run="r1", troubles=BAD), POLICY, BEGAN + 900) == (state, ())


def test_long_ago_is_not_lately() -> None:
    state, _ = play(runs("....x"))
    assert play(runs("x"), state, BEGAN + DAY_S)[1] == []


def test_a_clock_that_goes_back_holds_nothing_up() -> None:
    state, told = play(runs("xxx"), began=BEGAN + 365 * DAY_S)
    assert kinds(told) == [Kind.RAISED]
    _, after = play(runs("......"), state)
    assert kinds(after) == [Kind.OVER]
    assert after[0].since <= after[0].moment < BEGAN + HOUR_S * 2


def test_whole_reports_are_taken_in() -> None:
    blocked = World(wall=lambda t: "drop" if t.port == 8934 else None)
    state, told = State(), []
    for number, world in enumerate([World(), blocked, blocked, blocked]):
        found = report(world, id=f"r{number}")
        state, events = advance(state, found, POLICY, BEGAN + number * EVERY_S)
        told += events
    assert [(e.kind, e.key, e.run) for e in told] == [(Kind.RAISED, "cause:port-blocked", "r2")]


LETTERS = st.text("x.0?", max_size=60)


@settings(max_examples=60, deadline=None)
@given(LETTERS, st.lists(st.floats(-2 * DAY_S, 2 * DAY_S), max_size=60))
def test_however_runs_come_beginnings_and_ends_take_turns(pattern: str, jumps: list[float]) -> None:
    state, told = State(), []
    for number, seen in enumerate(runs(pattern)):
        now = BEGAN + number * EVERY_S + (jumps[number] if number < len(jumps) else 0.0)
        before = state
        state, events = step(state, replace(seen, run=str(number)), POLICY, now)
        assert all(event.since <= event.moment == now for event in events)
        assert FORM.validate_json(FORM.dump_json(state)) == state
        assert step(before, replace(seen, run=str(number)), POLICY, now) == (state, events)
        told += [event.kind for event in events if event.key.startswith("cause")]
    assert told[:1] in ([], [Kind.RAISED])
    assert all(one is not other for one, other in pairwise(told))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80))
def test_figures_of_any_size_are_taken_in(numbers: list[float]) -> None:
    state, _ = play(values(*numbers))
    assert FORM.validate_json(FORM.dump_json(state)) == state


def test_the_state_stays_small() -> None:
    state = State()
    for number in range(1200):
        many = tuple(Figure(f"r{(number * 7 + n) % 600}", "rtt_ms", 12.345) for n in range(20))
        seen = Sighting(run=str(number), figures=many)
        state, _ = step(state, seen, POLICY, BEGAN + number * 3 * HOUR_S)
    assert len(state.tracks) == MOST_TRACKS
    assert len(FORM.dump_json(state)) < 1_000_000
