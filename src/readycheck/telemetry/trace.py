"""A run as a trace: a span for it, one below it for each check, and in that an event for each step. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from readycheck.diagnose.finding import Finding, Severity
from readycheck.failure import Step
from readycheck.observation import Observation, Target
from readycheck.report import CheckReport, Report
from readycheck.telemetry.attribute import (
    CONVENTIONS,
    Json,
    attributes,
    nanoseconds,
    resource,
    scope,
    span_id,
    trace_id,
)
from readycheck.verdict import Judgement, Readiness

_INTERNAL, _CLIENT = 1, 3
_ERROR = 2
_MOST_EVENTS = 128
"""In a span, as the limit of the OpenTelemetry SDKs is; how many more there were is said."""
_ROOT = "run"


def trace(report: Report, given: Mapping[str, str]) -> Json:
    """The body of an `ExportTraceServiceRequest`; `given` are more attributes of its resource."""
    spans = [_run(report), *(_check(report, check) for check in report.checks)]
    scoped = {"scope": scope(report), "spans": spans, "schemaUrl": CONVENTIONS}
    return {
        "resourceSpans": [
            {"resource": resource(report, given), "scopeSpans": [scoped], "schemaUrl": CONVENTIONS}
        ]
    }


def _run(report: Report) -> Json:
    run, score = report.run, report.score
    causes = tuple(dict.fromkeys(f.cause for f in report.findings if f.severity is not Severity.NOTE))
    failed = report.verdict is Readiness.NOT_READY
    about = {
        "readycheck.run": run.id,
        "readycheck.profile": run.profile,
        "readycheck.profile.revision": run.profile_revision,
        "readycheck.roles": run.roles,
        "readycheck.state": run.state.value,
        "readycheck.verdict": report.verdict.value,
        "readycheck.score": score.overall,
        "readycheck.grade": score.grade.value,
        "readycheck.coverage": score.confidence_ratio,
        "readycheck.causes": causes,
        "error.type": (causes[0] if causes else "not-ready") if failed else None,
    }
    span = _span(report, _ROOT, f"{report.tool.name} {run.profile}", _INTERNAL, 0.0, run.duration_ms)
    span["attributes"] = attributes(about)
    span["events"] = [_finding(report, finding) for finding in report.findings]
    return _with_status(span, ", ".join(causes) if failed else None)


def _finding(report: Report, finding: Finding) -> Json:
    about = {
        "readycheck.cause": finding.cause,
        "readycheck.where": finding.where.value,
        "readycheck.owner": finding.owner.value,
        "readycheck.confidence": finding.confidence.value,
        "readycheck.severity": finding.severity.value,
        "readycheck.summary": finding.summary,
        "readycheck.affects": finding.affects,
    }
    return _event(report, "readycheck.finding", report.run.duration_ms, about)


def _check(report: Report, check: CheckReport) -> Json:
    kind = check.requirement or check.scope.value
    span = _span(report, check.id, f"{check.probe} {kind}", _CLIENT, check.started_ms, check.duration_ms)
    target = check.target
    port = int(target.ports) if target.ports.isdecimal() else None
    about: dict[str, object] = {
        "readycheck.check": check.id,
        "readycheck.probe": check.probe,
        "readycheck.scope": check.scope.value,
        "readycheck.requirement": check.requirement,
        "readycheck.status": check.status.value,
        "readycheck.strength": check.strength.value if check.strength else None,
        "readycheck.because": check.because,
        "readycheck.step": check.step.value if check.step else None,
        "server.address": target.host or target.address,
        "server.port": port,
        "readycheck.network": target.network,
        "network.transport": target.transport,
        "error.type": check.failure.value if check.failure else None,
    }
    measured = {f"readycheck.metric.{name}": value for name, value in check.metrics.items()}
    span["attributes"] = attributes({**about, **measured})
    seen = check.observations[:_MOST_EVENTS]
    span["parentSpanId"] = span_id(report, _ROOT)
    span["events"] = [_event(report, one.step.value, one.started_ms, _step(one)) for one in seen]
    span["droppedEventsCount"] = len(check.observations) - len(seen)
    return _with_status(span, check.because if check.status is Judgement.FAIL else None)


def _span(report: Report, part: str, name: str, kind: int, started_ms: float, duration_ms: float) -> Json:
    return {
        "traceId": trace_id(report),
        "spanId": span_id(report, part),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanoseconds(report.run.started_at, started_ms),
        "endTimeUnixNano": nanoseconds(report.run.started_at, started_ms + duration_ms),
    }


def _with_status(span: Json, error: str | None) -> Json:
    return span if error is None else {**span, "status": {"code": _ERROR, "message": error}}


def _event(report: Report, name: str, at_ms: float, about: Mapping[str, object]) -> Json:
    return {
        "name": name,
        "timeUnixNano": nanoseconds(report.run.started_at, at_ms),
        "attributes": attributes(about),
    }


def _step(seen: Observation) -> dict[str, object]:
    return {
        **_place(seen.target),
        "readycheck.elapsed_ms": seen.elapsed_ms,
        "error.type": seen.failure.value if seen.failure else None,
        "readycheck.detail": seen.detail,
        **dict(_facts(seen)),
    }


def _place(target: Target) -> dict[str, object]:
    peer = target.address if target.via is None else None  # the peer of a tunnel is the proxy
    return {
        "server.address": target.host or target.address,
        "server.port": target.port,
        "network.transport": target.transport,
        "network.peer.address": peer,
        "network.peer.port": target.port if peer else None,
        "network.type": ("ipv6" if ":" in peer else "ipv4") if peer else None,
        "readycheck.via": target.via,
    }


def _facts(seen: Observation) -> Iterator[tuple[str, object]]:
    """Those that the conventions know by their names, and plain ones by ours."""
    if seen.step is Step.RESOLVE:
        yield "dns.question.name", seen.target.host
        yield "dns.answers", tuple(seen.facts.get("addresses") or ())
    if seen.step is Step.TLS_HANDSHAKE:
        yield "readycheck.sni", seen.target.sni  # the conventions have one name for it and the host
        yield from _tls(seen.facts.get("tls") or {})
    for name, value in seen.facts.items():
        if isinstance(value, str | int | float):
            yield f"readycheck.fact.{name}", value


def _tls(facts: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    name, _, version = str(facts.get("version") or "").partition("v")
    yield "tls.protocol.name", name.lower()
    yield "tls.protocol.version", version
    yield "tls.cipher", facts.get("cipher")
    yield "tls.next_protocol", facts.get("alpn")
    for first in (facts.get("chain") or ())[:1]:
        yield "tls.server.subject", first.get("subject")
        yield "tls.server.issuer", first.get("issuer")
        yield "tls.server.not_after", first.get("not_after")
