"""The figures of media streams as a small table, a row for each stream and direction; for text and page."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from readycheck.plan import Scope
from readycheck.render.clean import clean

if TYPE_CHECKING:
    from readycheck.probe import MetricValue
    from readycheck.report import CheckReport, Report

HEAD = ("stream", "way", "packets", "lost", "in 200 ms", "jitter", "overtaken", "twice", "trip", "MOS")
_WAYS = {"up": ("there", "sent"), "down": ("back", "reached")}


def rows(report: "Report") -> Iterator[tuple[str, ...]]:
    """Nothing when no stream was played. Round trip and MOS are of both directions and stand in the first row."""
    for check in report.checks:
        if check.scope is Scope.FAR_END and check.metrics.get("reached") is not None:
            yield from _rows(check)


def _rows(check: "CheckReport") -> Iterator[tuple[str, ...]]:
    metrics = check.metrics
    for way, (words, of) in _WAYS.items():
        first = way == "up"
        yield (
            clean(check.id, 40) if first else "",
            words,
            _number(metrics.get(of)),
            _share(metrics.get(f"loss_{way}_ratio")),
            _share(metrics.get(f"worst_200_ms_{way}_ratio")),
            _time(metrics.get(f"jitter_{way}_ms")),
            _share(metrics.get(f"reordering_{way}_ratio")),
            _share(metrics.get(f"duplicates_{way}_ratio")),
            _time(metrics.get("rtt_ms")) if first else "",
            _mos(metrics.get("mos")) if first else "",
        )


def _number(value: "MetricValue") -> str:
    return "-" if value is None else f"{value:.0f}"


def _share(value: "MetricValue") -> str:
    return "-" if value is None else f"{100 * value:.3g} %"


def _time(value: "MetricValue") -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _mos(value: "MetricValue") -> str:
    return "-" if value is None else f"{value:.2f}"
