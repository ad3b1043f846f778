"""The numbers of a run as gauges, by the names that Prometheus gives them when a collector hands them on. Pure."""

from collections.abc import Iterator, Mapping

from readycheck.render.exposition import Family
from readycheck.render.prometheus import families
from readycheck.report import Report
from readycheck.telemetry.attribute import CONVENTIONS, Json, attributes, nanoseconds, resource, scope

_UNITS = {"_seconds": "s", "_ratio": "1"}
"""Endings that a collector makes of the unit."""


def metrics(report: Report, given: Mapping[str, str]) -> Json:
    """The body of an `ExportMetricsServiceRequest`; `given` are more attributes of its resource."""
    scoped = {"scope": scope(report), "metrics": list(_gauges(report)), "schemaUrl": CONVENTIONS}
    return {
        "resourceMetrics": [
            {"resource": resource(report, given), "scopeMetrics": [scoped], "schemaUrl": CONVENTIONS}
        ]
    }


def _gauges(report: Report) -> Iterator[Json]:
    common = {"profile": report.run.profile, "site": report.run.site or ""}
    ended = nanoseconds(report.run.started_at, report.run.duration_ms)
    for family in families(report):
        points = [
            {"timeUnixNano": ended, "asDouble": value, "attributes": attributes({**common, **labels})}
            for labels, value in family.samples
        ]
        if points:
            yield {**_named(family), "gauge": {"dataPoints": points}}


def _named(family: Family) -> Json:
    for ending, unit in _UNITS.items():
        if family.name.endswith(ending):
            name = family.name.removesuffix(ending)
            return {"name": f"readycheck.{name}", "description": family.meaning, "unit": unit}
    return {"name": f"readycheck.{family.name}", "description": family.meaning}
