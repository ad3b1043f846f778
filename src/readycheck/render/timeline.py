"""Where the checks lie in time, as the geometry of one drawing: a lane for each requirement. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readycheck.render.wording import WORST_FIRST

if TYPE_CHECKING:
    from readycheck.report import CheckReport, Report

WIDTH, LABELS, LANE, TOP = 960.0, 250.0, 16.0, 22.0
THINNEST = 1.5
MOST_LANES, MOST_BARS = 150, 1000
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One check."""

    check: "CheckReport"
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The checks of one requirement, or those that serve the diagnosis."""

    name: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of it; `ticks` are places and milliseconds."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, float], ...]
    height: float
    hidden: int


def timeline(report: "Report") -> Timeline:
    """Lanes in the order in which they begin; what is beyond the bounds is counted, not drawn."""
    by_name: dict[str, list[CheckReport]] = {}
    for check in sorted(report.checks, key=lambda c: (c.started_ms, c.id)):
        by_name.setdefault(check.requirement or "controls and survey", []).append(check)
    drawn = list(by_name.items())[:MOST_LANES]
    span = max((c.started_ms + c.duration_ms for c in report.checks), default=0.0) or 1.0
    each = MOST_BARS if len(report.checks) <= MOST_BARS else max(1, MOST_BARS // max(1, len(drawn)))
    lanes = tuple(
        Lane(name, TOP + index * LANE, tuple(_bars(checks[:each], span)))
        for index, (name, checks) in enumerate(drawn)
    )
    hidden = len(report.checks) - sum(len(lane.bars) for lane in lanes)
    return Timeline(lanes, tuple(_ticks(span)), TOP + len(lanes) * LANE + 4, hidden)


def _bars(checks: Sequence["CheckReport"], span: float) -> Iterator[Bar]:
    """The worst is painted last, over the others."""
    for check in sorted(checks, key=lambda c: -WORST_FIRST.index(c.status)):
        width = max(THINNEST, _x(check.duration_ms, span) - LABELS)
        yield Bar(check, round(min(_x(check.started_ms, span), WIDTH - THINNEST), 1), round(width, 1))


def _ticks(span: float) -> Iterator[tuple[float, float]]:
    """At round times, eight at most."""
    magnitude = 10 ** math.floor(math.log10(span / 8)) if span > 0 else 1
    step = next(m * magnitude for m in _STEPS if m * magnitude * 8 >= span)
    yield from ((round(_x(n * step, span), 1), n * step) for n in range(int(span / step) + 1))


def _x(milliseconds: float, span: float) -> float:
    return LABELS + max(0.0, min(1.0, milliseconds / span)) * (WIDTH - LABELS)
