"""How soon regressions are told, and how often for nothing: long made-up series through the real `step`.

`python -m bench.regressions > docs/regressions.md` publishes it; the same series come of the same seeds.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from readycheck.comparison.figures import Figure
from readycheck.regression.advance import step
from readycheck.regression.policy import DAY_S, HOUR_S, Policy
from readycheck.regression.sighting import Sighting
from readycheck.regression.state import Event, Kind, State

EVERY_S = 900.0
BEGAN = 1_788_220_800.0  # a Tuesday at midnight, UTC
DAYS, FAULT_DAY = 28, 20.3
SEEDS = 3
NORMAL_MS = 40.0

Value = Callable[[Random, float], float]
"""A figure at a moment, in seconds since the series began."""
Clock = Callable[[Random, float], float | None]
"""What the clock shows at a moment; None where there is no run."""


def _noise(draw: Random, share: float = 0.08) -> float:
    return max(0.05, draw.gauss(1.0, share))


def steady(draw: Random, t: float) -> float:
    return NORMAL_MS * _noise(draw)


def long_tailed(draw: Random, t: float) -> float:
    return NORMAL_MS * draw.lognormvariate(0.0, 0.35)


def rhythm(draw: Random, t: float) -> float:
    """Twice as slow in office hours, on five days of the week."""
    hour, day = t % DAY_S / HOUR_S, int(t // DAY_S) % 7
    busy = 7.5 <= hour < 17.5 and day not in (4, 5)  # the series begin on a Tuesday
    return NORMAL_MS * (2.0 if busy else 1.0) * _noise(draw)


def from_saturday(draw: Random, t: float) -> float:
    """The rhythm of those who begin on a Saturday."""
    return rhythm(draw, t + 4 * DAY_S)


def outliers(draw: Random, t: float) -> float:
    return steady(draw, t) * (10.0 if draw.random() < 0.05 else 1.0)


class Wander:
    """Noise that remembers: each value is mostly the one before."""

    def __init__(self) -> None:
        self._at = 0.0

    def __call__(self, draw: Random, t: float) -> float:
        self._at = 0.9 * self._at + draw.gauss(0.0, 0.05)
        return NORMAL_MS * math.exp(self._at)


def losses(draw: Random, t: float) -> float:
    """None lost in most runs, two percent in one of twenty."""
    return 0.02 * draw.random() if draw.random() < 0.05 else 0.0


def from_fault(before: Value, after: Value, until: float = DAYS * DAY_S) -> Value:
    def value(draw: Random, t: float) -> float:
        return after(draw, t) if FAULT_DAY * DAY_S <= t < until else before(draw, t)

    return value


def times(factor: float, of: Value) -> Value:
    return lambda draw, t: factor * of(draw, t)


def creeping(draw: Random, t: float) -> float:
    """More each day, from the first day on."""
    return steady(draw, t) * (1.0 + 0.03 * t / DAY_S)


def by_turns(draw: Random, t: float) -> float:
    """Two hours bad and two hours good, for two days."""
    lasting = FAULT_DAY * DAY_S <= t < (FAULT_DAY + 2) * DAY_S
    return steady(draw, t) * (3.0 if lasting and int(t // (2 * HOUR_S)) % 2 else 1.0)


def on_time(draw: Random, t: float) -> float | None:
    return t


def with_gaps(draw: Random, t: float) -> float | None:
    """Three in ten are missed, and half a day each week."""
    return None if draw.random() < 0.3 or 2.0 <= t / DAY_S % 7 < 2.5 else t


def jumping(draw: Random, t: float) -> float | None:
    """A day ahead on the fifth, an hour behind on the ninth, right again on the twelfth."""
    day = t / DAY_S
    return t + (DAY_S if 5 <= day < 9 else -HOUR_S if 9 <= day < 12 else 0.0)


@dataclass(frozen=True, slots=True)
class Series:
    """`faulty` is what must be told; `alarms` the most that one fault may raise."""

    name: str
    what: str
    value: Callable[[], Value]
    clock: Clock = on_time
    metric: str = "rtt_ms"
    faulty: bool = False


def _always(value: Value) -> Callable[[], Value]:
    return lambda: value


SERIES = (
    Series("steady", "40 ms, 8 % of noise", _always(steady)),
    Series("long tail", "lognormal noise: one run of twenty is 80 % slower", _always(long_tailed)),
    Series("wandering", "each value is mostly the one before", Wander),
    Series("daily rhythm", "twice as slow in office hours of five days", _always(rhythm)),
    Series("from a Saturday", "the same, and the first two days are quiet", _always(from_saturday)),
    Series("outliers", "one run of twenty takes ten times as long", _always(outliers)),
    Series("gaps", "three runs of ten are missed, and half a day each week", _always(steady), with_gaps),
    Series(
        "clock jumps", "in the rhythm, a day ahead, then an hour behind, then right", _always(rhythm), jumping
    ),
    Series("losses", "up to 2 % in one run of twenty", _always(losses), metric="loss_ratio"),
    Series(
        "two bad runs",
        "five times as slow for half an hour",
        _always(from_fault(steady, times(5, steady), FAULT_DAY * DAY_S + 1800)),
    ),
    Series("half slower", "40 to 60 ms", _always(from_fault(steady, times(1.5, steady))), faulty=True),
    Series("twice as slow", "40 to 80 ms", _always(from_fault(steady, times(2, steady))), faulty=True),
    Series(
        "in a long tail",
        "lognormal, twice as slow",
        _always(from_fault(long_tailed, times(2, long_tailed))),
        faulty=True,
    ),
    Series(
        "in a rhythm",
        "daily rhythm, 60 % slower",
        _always(from_fault(rhythm, times(1.6, rhythm))),
        faulty=True,
    ),
    Series(
        "with gaps",
        "as gaps, twice as slow",
        _always(from_fault(steady, times(2, steady))),
        with_gaps,
        faulty=True,
    ),
    Series(
        "loss",
        "5 % from one run to the next",
        _always(from_fault(losses, lambda draw, t: max(0.0, draw.gauss(0.05, 0.02)))),
        metric="loss_ratio",
        faulty=True,
    ),
    Series(
        "by turns",
        "three times as slow for two hours of four, two days long",
        _always(by_turns),
        faulty=True,
    ),
    Series("creeping", "3 % of 40 ms more each day", _always(creeping), faulty=True),
)


@dataclass(frozen=True, slots=True)
class Result:
    """Of all seeds of a series: what was raised for nothing, the faults that were told, after how long, how often."""

    series: Series
    false: int
    found: int
    delays_s: tuple[float, ...]
    told: int

    @property
    def days_each(self) -> float:
        """How many days of one figure pass for one false alarm, infinite for none."""
        quiet = SEEDS * (FAULT_DAY if self.series.faulty else DAYS)
        return quiet / self.false if self.false else math.inf


def play(series: Series, policy: Policy) -> Result:
    """Each seed is a figure of its own in one series of runs."""
    events = list(_events(series, policy))
    begins = 0.0 if series.name == "creeping" else FAULT_DAY * DAY_S
    raised = [(t, e) for t, e in events if e.kind in (Kind.RAISED, Kind.DRIFTED)]
    if not series.faulty:
        return Result(series, len(raised), 0, (), 0)
    after = [(t, e) for t, e in raised if t >= begins]
    firsts = {e.key: t - begins for t, e in reversed(after)}
    told = sum(t >= begins for t, _ in events)
    return Result(series, len(raised) - len(after), len(firsts), tuple(firsts.values()), told)


def _events(series: Series, policy: Policy) -> Iterator[tuple[float, Event]]:
    draws = [Random(f"{series.name} {seed}") for seed in range(SEEDS)]
    values = [series.value() for _ in draws]
    clock = Random(series.name)
    state = State()
    for run in range(int(DAYS * DAY_S / EVERY_S)):
        t = run * EVERY_S
        shown = series.clock(clock, t)
        if shown is None:
            continue
        figures = tuple(
            Figure(f"seed-{seed}", series.metric, round(value(draw, t), 4))
            for seed, (draw, value) in enumerate(zip(draws, values, strict=True))
        )
        state, events = step(state, Sighting(run=str(run), figures=figures), policy, BEGAN + shown)
        yield from ((t, event) for event in events)


# --- the page ------------------------------------------------------------------------------------------


def document(results: Sequence[Result]) -> str:
    """The page of docs/."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Sequence[Result]) -> Iterator[str]:
    policy = Policy()
    yield from (
        "# Regressions: how soon they are told, and how often for nothing",
        "",
        "Made by `python -m bench.regressions`; do not edit. Each row are "
        f"{SEEDS} made-up figures with seeds of their own, measured every {EVERY_S / 60:.0f} minutes for {DAYS} days.",
        "",
        "A **cause** that a report names is told after "
        f"{policy.seen} of {policy.sightings} runs. A **figure** (a round trip, a loss, a MOS) is told when "
        f"{policy.needed} of the last {policy.recent} runs, and their median, are worse than the median of the same "
        f"time of day of the last {policy.days} days by {policy.spreads:g} times its spread (the median absolute "
        f"deviation, scaled), by {policy.share:.0%} of it, and by 10 ms or 1 % lost at least. It is over when "
        f"{policy.needed} of {policy.recent} are back halfway and nothing was worse for {policy.hold_s / 60:.0f} "
        "minutes; each time that it comes back within a day doubles that. What lasts for "
        f"{policy.adopt_s / DAY_S:.0f} days, or comes {policy.adopt_times} times in them, is the new normal, which "
        "is told too. In the first week of a figure, when no workday is known, it must be "
        f"{policy.first_share:.0%} worse. What creeps is told when a week is "
        f"{policy.drift_share:.0%} worse than the best of the last {policy.weeks}.",
        "",
        "## Nothing is wrong",
        "",
        "| series | what it is | figures and days | false alarms |",
        "| --- | --- | ---: | ---: |",
    )
    for one in results:
        if not one.series.faulty:
            yield f"| {one.series.name} | {one.series.what} | {SEEDS} x {DAYS} | {one.false} |"
    yield from (
        "",
        "## Something is",
        "",
        f"The fault begins on day {FAULT_DAY:.0f}, and lasts; `creeping` begins at once.",
        "",
        "| series | what it is | false before | found | median delay | longest delay | messages for each |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    )
    yield from (_fault(one) for one in results if one.series.faulty)
    yield from ("", _summary(results))


def _fault(one: Result) -> str:
    middle = _long(median(one.delays_s)) if one.delays_s else "-"
    longest = _long(max(one.delays_s)) if one.delays_s else "-"
    cells = (one.series.name, one.series.what, one.false, f"{one.found} of {SEEDS}", middle, longest)
    return f"| {' | '.join(map(str, cells))} | {one.told / SEEDS:.1f} |"


def _long(seconds: float) -> str:
    return f"{seconds / DAY_S:.1f} days" if seconds >= 2 * DAY_S else f"{seconds / HOUR_S:.2g} h"


def _summary(results: Sequence[Result]) -> str:
    days = sum(SEEDS * (FAULT_DAY if one.series.faulty else DAYS) for one in results)
    false = sum(one.false for one in results)
    each = f"one in {days / false:.0f}" if false else "none in all"
    return f"Over all of it {false} false alarms in {days:.0f} days of a figure: {each}."


def measure() -> list[Result]:
    return [play(series, Policy()) for series in SERIES]


if __name__ == "__main__":
    sys.stdout.write(document(measure()))
