"""What is normal for a figure: medians of parts of the day, and how far they spread. Pure, smaller is better.

Many figures have a daily rhythm. A day is cut into eight parts; each run is compared with the same parts of
earlier days. The history is the median of each part of each day, so that it stays small however often there is a
run, and one bad afternoon is one value of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot
from statistics import median

from readycheck.regression.policy import DAY_S, WEEK_S, Policy

PARTS = 8
_PART_S = DAY_S / PARTS
_AHEAD_S = 7200.0  # when clocks go back, the rhythm comes earlier
_MOST_OPEN = 32
_NORMAL = 1.4826  # a standard deviation, in median absolute deviations of a normal distribution
_OF_A_MEDIAN = 1.2533  # how much wider medians spread than means do
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Level:
    """`parts` are the medians of earlier days, newest last; `values` those of part `open`, which goes on.

    `normals` are the medians of the parts, and `within` how far values lay apart in each of the last ones. By all of
    that `spread` is how far the median of a few runs lies from what is normal.
    """

    parts: tuple[tuple[float, ...], ...] = ((),) * PARTS
    open: int = -1
    values: tuple[float, ...] = ()
    normals: tuple[float, ...] = (0.0,) * PARTS
    within: tuple[float, ...] = ()
    spread: float = 0.0
    weeks: tuple[float, ...] = ()
    week: int = -1


@dataclass(frozen=True, slots=True)
class Reference:
    """What is normal; from where on a value is worse; and below what it has recovered.

    That is halfway back, so that what wavers about the limit does not flap.
    """

    normal: float
    limit: float
    over: float


def feed(level: Level, value: float, now: float, policy: Policy) -> Level:
    """Take in a value of now. Any other part of the day than the open one closes that, earlier ones too."""
    part = int(now // _PART_S)
    if part == level.open:
        return replace(level, values=(*level.values, value)[-_MOST_OPEN:])
    closed = _closed(level, policy)
    week = int(now // WEEK_S)
    if week != level.week:
        closed = replace(closed, week=week, weeks=_weeks(closed, policy))
    return replace(closed, open=part, values=(value,))


def _closed(level: Level, policy: Policy) -> Level:
    if not level.values:
        return level
    index = level.open % PARTS
    grown = (*level.parts[index], round(median(level.values), _DIGITS))[-policy.days :]
    parts = (*level.parts[:index], grown, *level.parts[index + 1 :])
    within = (*level.within, round(_deviation(level.values), _DIGITS))[-policy.days :]
    normals = tuple(median(part) if part else 0.0 for part in parts)
    spread = _spread(parts, normals, within, policy)
    return replace(level, parts=parts, normals=normals, within=within, spread=spread)


def _deviation(values: Sequence[float]) -> float:
    """The standard deviation of what is normal among them (from the median absolute deviation)."""
    middle = median(values)
    return _NORMAL * median(abs(value - middle) for value in values)


def _spread(
    parts: Sequence[Sequence[float]], normals: Sequence[float], within: Sequence[float], policy: Policy
) -> float:
    """Of days between each other, and of the median of a few runs; the rhythm of the day is no spread."""
    pairs = [(part, normal) for part, normal in zip(parts, normals, strict=True) if len(part) > 1]
    apart = [abs(value - normal) for part, normal in pairs for value in part]
    between = _NORMAL * median(apart) if apart else 0.0
    return round(hypot(between, _OF_A_MEDIAN * median(within) / policy.recent**0.5), _DIGITS)


def knows_a_week(level: Level) -> bool:
    """Before that, nobody can tell a workday from a fault."""
    return max(map(len, level.parts)) >= 7


def renewed(level: Level, new: Level, policy: Policy) -> Level:
    """With the parts of the day that the new one knows well; the others are as they were."""
    pairs = zip(level.parts, new.parts, strict=True)
    parts = tuple(b if len(b) >= policy.least else (*a, *b)[-policy.days :] for a, b in pairs)
    normals = tuple(median(part) if part else 0.0 for part in parts)
    within = new.within or level.within
    spread = _spread(parts, normals, within, policy) if within else level.spread
    return replace(new, parts=parts, normals=normals, within=within, spread=spread)


def _weeks(level: Level, policy: Policy) -> tuple[float, ...]:
    """The median of the last seven days is the week's, if there were as many days as that."""
    last = [value for part in level.parts for value in part[-7:]]
    known = knows_a_week(level)
    return (*level.weeks, round(median(last), _DIGITS))[-policy.weeks :] if known else level.weeks


def reference(level: Level, now: float, recent_s: float, floor: float, policy: Policy) -> Reference | None:
    """What the runs of the last `recent_s` are compared with; None as long as too little is known.

    The worst of the parts of the day that they fall into is what they may be, and the best of them is what they
    must come back to.
    """
    steps = range(min(PARTS, int(recent_s // _PART_S) + 1))
    moments = (now + _AHEAD_S, now - recent_s, *(now - step * _PART_S for step in steps))
    touched = {int(moment // _PART_S) % PARTS for moment in moments}
    known = [part for part in touched if level.parts[part]]
    if known and all(len(level.parts[part]) >= policy.least for part in known):
        normals = [level.normals[part] for part in known]
    else:  # the rhythm is not known yet: as bad as it has been at any time is normal
        normals = [value for part in level.parts for value in part]
        if len(normals) < PARTS:
            return None
    worst, best = max(normals), min(normals)
    if not knows_a_week(level):
        policy = replace(policy, share=policy.first_share)
    return Reference(
        worst, worst + _margin(level, worst, floor, policy), best + _margin(level, best, floor, policy) / 2
    )


def _margin(level: Level, normal: float, floor: float, policy: Policy) -> float:
    return max(policy.spreads * level.spread, policy.share * abs(normal), floor)


def drifted(level: Level, floor: float, policy: Policy) -> tuple[float, float] | None:
    """The best week and the last one, where little by little it has become much worse."""
    if len(level.weeks) < 2:
        return None
    best, last = min(level.weeks), level.weeks[-1]
    margin = max(policy.drift_share * abs(best), floor)
    return (best, last) if last - best >= margin else None
