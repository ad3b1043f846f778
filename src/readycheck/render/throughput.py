"""What filling the line showed, as label and text; for every kind of reader."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from readycheck.plan import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from readycheck.probe import MetricValue
    from readycheck.report import Report
    from readycheck.score import Capacity

TITLE = "Capacity"
_WHEN = {
    "idle": "idle",
    "loaded_up": "full up",
    "loaded_down": "full down",
    "loaded_together": "full both ways",
}


def facts(report: "Report") -> Iterator[tuple[str, str]]:
    """Nothing where it was not measured."""
    found = report.score.capacity
    if found is None:
        return
    least = " (the responder lets no more through)" if found.at_least else ""
    yield "one way at a time", f"{_rate(found.up)} up, {_rate(found.down)} down{least}"
    yield "both at once", f"{_rate(found.up_together)} up, {_rate(found.down_together)} down"
    yield "round trip", _trips(_metrics(report))
    yield "calls at once", ", ".join(_calls(found))


def _metrics(report: "Report") -> "Mapping[str, MetricValue]":
    far = (check.metrics for check in report.checks if check.scope is Scope.FAR_END)
    return next((m for m in far if m.get("throughput_capped") is not None), {})


def _rate(value: float | None) -> str:
    return "not measured" if value is None else f"{value / 1e6:.3g} Mbit/s"


def _trips(metrics: "Mapping[str, MetricValue]") -> str:
    parts = [
        f"{words} {usual:.1f} ms ({late:.1f} ms)"
        for name, words in _WHEN.items()
        if (usual := metrics.get(f"{name}_trip_ms")) is not None
        and (late := metrics.get(f"{name}_trip_p95_ms")) is not None
    ]
    return f"{', '.join(parts)}: median (95th percentile)" if parts else "not measured"


def _calls(found: "Capacity") -> Iterator[str]:
    """The estimate with both of its assumptions, CScan's figure, and what was tried."""
    more = "at least " if found.at_least else ""
    if found.calls_line is not None:
        both = f"{found.calls_both_legs} if both legs of each cross the line"
        yield f"{more}{found.calls_line} with a reserve of a quarter ({both})"
    if found.calls_cscan is not None:
        yield f"{more}{found.calls_cscan} as CScan reckons"
    if found.calls_loaded is not None:
        yield f"{found.calls_loaded} of {found.calls_wanted} played and in order"
    elif found.calls_wanted is not None:
        yield f"none of {found.calls_wanted} could be played"
