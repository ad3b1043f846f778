"""Numbers against the limits of a profile: within, beyond, or not to be judged by them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from readycheck.media.stream import wilson
from readycheck.probe import MetricValue
from readycheck.profile import Limit, Requirement


class Judgement(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


RANK = {Judgement.PASS: 0, Judgement.WARN: 1, Judgement.FAIL: 2}


@dataclass(frozen=True, slots=True)
class Band:
    """A number against its limits; `blur` says why it cannot be judged by them, if it cannot."""

    name: str
    value: float
    limit: Limit
    status: Judgement
    text: str
    blur: str


def bands_of(requirement: Requirement, metrics: Mapping[str, MetricValue]) -> Iterator[Band]:
    """What was measured of what the requirement limits."""
    for name, limit in requirement.limits.items():
        if (value := metrics.get(name)) is not None:
            status, text = against(name, value, limit)
            yield Band(name, value, limit, status, text, blur(name, value, limit, status, metrics))


_FEWEST = 5
"""Events that show a ratio beyond its band where packets are few: one or two are lost by chance, be it of three."""

_FINEST = 0.1
"""The share of an edge that the instrument's own error may have."""


def blur(name: str, value: float, limit: Limit, status: Judgement, metrics: Mapping[str, MetricValue]) -> str:
    """Why a number cannot be judged by this band: too few packets, too coarse an instrument, too short a wait."""
    met = {Judgement.FAIL: (limit.fail,), Judgement.WARN: (limit.warn,)}.get(status, (limit.warn, limit.fail))
    edges = [edge for edge in met if edge]
    of, error = metrics.get(limit.of), metrics.get(limit.error)
    beyond = (
        status is not Judgement.PASS
        and not limit.higher
        and _least(value, of, error) >= min(edges, default=0)
    )
    if limit.of and edges and not beyond and (not of or 3 / of > min(edges)):
        return f"{name}: {of or 0:g} are too few to show less than {min(edges):g}"
    if edges and not beyond and error is not None and error > _FINEST * min(edges):
        late = f"this host itself is {error:g} ms late where the limit is {min(edges):g}"
        return f"{name}: not judged, because {late} (self-limited)"
    if limit.ended_by and status is not Judgement.PASS and metrics.get(limit.ended_by) is None:
        return f"{name}: at least {value:g}, and whether it reaches {max(edges):g} was not seen"
    return ""


def _least(value: float, of: MetricValue, error: MetricValue) -> float:
    """What it is surely: what cannot show that it is within may still show that it is not.

    Of a ratio the low end of its interval; of a difference of two times what the error of both cannot make.
    """
    if error is not None:
        return value - 2 * error
    events = round(value * of) if of else 0
    return wilson(events, round(of))[0] if of and events >= _FEWEST else 0.0


def against(name: str, value: MetricValue, limit: Limit) -> tuple[Judgement, str]:
    """A number against its band."""
    for status, edge in ((Judgement.FAIL, limit.fail), (Judgement.WARN, limit.warn)):
        if edge is not None and value is not None and (value < edge if limit.higher else abs(value) >= edge):
            relation = "below" if limit.higher else "at or above"
            return status, f"{name} {shown(value)} is {relation} {shown(edge)}"
    return Judgement.PASS, ""


def shown(value: float) -> str:
    """Six digits, and never an exponent."""
    return f"{value:.0f}" if abs(value) >= 1e6 else f"{value:g}"


def margin(value: MetricValue, limit: Limit) -> float | None:
    """Distance to the nearest edge as a share of the edge; negative beyond it."""
    edge = limit.warn if limit.warn is not None else limit.fail
    if not edge or value is None:
        return None
    return round((value - edge) / edge if limit.higher else (edge - abs(value)) / edge, 3)
