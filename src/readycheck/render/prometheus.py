"""The report for Prometheus, by the exporter or a text-file collector: gauges, and no time stamps."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from readycheck.render.exposition import END, Family, Sample, expose
from readycheck.verdict import Judgement, Readiness

if TYPE_CHECKING:
    from readycheck.report import Report

_STATUS = {Readiness.READY: 0, Readiness.WARNINGS: 1, Readiness.NOT_READY: 2, Readiness.UNKNOWN: 3}


def render(report: "Report") -> str:
    """All gauges, each labelled with profile and site; they are OpenMetrics as they stand."""
    common = {"profile": report.run.profile, "site": report.run.site or ""}
    return expose(families(report), "readycheck_", common) + f"{END}\n"


def families(report: "Report") -> Iterator[Family]:
    """What a run is in gauges."""
    run, score, tool = report.run, report.score, report.tool
    began = datetime.fromisoformat(run.started_at)
    ended = began.timestamp() + run.duration_ms / 1000
    about = {"version": tool.version, "revision": run.profile_revision}
    yield Family("info", "What was run.", [(about, 1)])
    yield Family("last_run_timestamp_seconds", "When the last run ended.", [({}, round(ended, 3))])
    yield Family("run_duration_seconds", "How long it took.", [({}, run.duration_ms / 1000)])
    yield Family("run_state", "How it ended: 1 for the state.", [({"state": run.state.value}, 1)])
    yield Family(
        "exit_status", "0 ready, 1 warnings, 2 not ready, 3 unknown.", [({}, _STATUS[report.verdict])]
    )
    yield Family("verdict", "1 for the verdict, 0 for the others.", _verdicts(report))
    overall: list[Sample] = [] if score.overall is None else [({}, float(score.overall))]
    yield Family("score", "0 to 100; absent when not graded.", overall)
    yield Family("coverage_ratio", "Measured share of what is testable.", [({}, score.confidence_ratio)])
    yield Family("area_score", "0 to 100; absent when not measured.", _areas(report))
    yield Family(
        "requirement_status", "1 for the status of a requirement, 0 for the others.", _statuses(report)
    )
    yield Family("finding", "1 for each cause found.", _findings(report))
    yield Family("check_rtt_seconds", "Median round trip of a check.", _round_trips(report))


def _verdicts(report: "Report") -> Iterator[Sample]:
    yield from (({"verdict": v.value}, float(v is report.verdict)) for v in Readiness)


def _areas(report: "Report") -> Iterator[Sample]:
    yield from (({"area": a.name.value}, a.score) for a in report.score.areas if a.score is not None)


def _statuses(report: "Report") -> Iterator[Sample]:
    for requirement in report.requirements:
        about = {
            "requirement": requirement.id,
            "importance": requirement.importance.value,
            "area": requirement.area.value,
        }
        for status in Judgement:
            yield {**about, "status": status.value}, float(status is requirement.status)


def _findings(report: "Report") -> Iterator[Sample]:
    """One cause may be found at several places, and then differs in `where` or not at all."""
    seen = {
        (f.cause, f.where.value, f.severity.value, f.confidence.value, f.owner.value): None
        for f in report.findings
    }
    names = ("cause", "where", "severity", "confidence", "owner")
    yield from ((dict(zip(names, values, strict=True)), 1.0) for values in seen)


def _round_trips(report: "Report") -> Iterator[Sample]:
    for check in report.checks:
        value = check.metrics.get("rtt_ms")
        if value is not None:
            about = {"check": check.id, "requirement": check.requirement or "", "probe": check.probe}
            yield about, value / 1000
