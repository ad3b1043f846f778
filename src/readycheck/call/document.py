"""A call as JSON, and the schema of that. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from readycheck.call.attempt import Attempt, Judged, Quality, Reception, judge, verdict, verdict_of
from readycheck.call.stage import Direction, Stage, Via
from readycheck.call.vouching import Vouched
from readycheck.failure import Failure
from readycheck.profile import Limit
from readycheck.report import Tool, this_tool
from readycheck.verdict import Readiness

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """All ways of one run of `call`; `limits` are the profile's for audio, `options` what was asked for."""

    title: str
    profile: str
    revision: str
    roles: tuple[str, ...]
    place: str
    started_at: datetime
    duration_ms: float
    seconds: float
    attempts: Sequence[Attempt]
    limits: Mapping[str, Limit]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What was called, when, and how. Times are UTC, ISO 8601."""

    started_at: str
    duration_ms: float
    profile: str
    profile_revision: str
    roles: tuple[str, ...]
    responder: str
    seconds: float
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """A stage that was passed."""

    stage: Stage
    took_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """Where a call ended: `after_ms` is from its begin, `lost` the way that media does not take, seen from here.

    `says_of_network` is False when it is the far end's own doing.
    """

    stage: Stage
    after_ms: int
    failure: Failure
    detail: str
    lost: Direction | None
    says_of_network: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionRecord:
    """One direction, as the RTCP of who received it has it (RFC 3550)."""

    packets: int
    lost: int
    loss_ratio: float
    jitter_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRecord:
    """`late_p95_ms` is how late this host sent its packets: the instrument's own error."""

    up: ReceptionRecord | None
    down: ReceptionRecord | None
    rtt_ms: float | None
    late_p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call by one way. `talked_ms` is how long there was sound, `dscp` the mark of what was sent, and `dscp_seen`
    what the far end saw of it on the packet that opened a connection over TCP.

    `certificate_vouched_by` is None where nobody vouches for it, and for a call without TLS.
    """

    via: Via
    address: str
    proxy: str | None
    verdict: Readiness
    failed: FailureRecord | None
    stages: tuple[StageRecord, ...]
    connect_ms: float | None
    certificate_vouched_by: Vouched | None
    srtp_profile: str | None
    dscp: int | None
    dscp_seen: int | None
    talked_ms: int
    quality: QualityRecord
    beyond_limits: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All ways in turn, best first."""

    schema_version: int = SCHEMA_VERSION
    tool: Tool = field(default_factory=this_tool)
    run: RunFacts
    verdict: Readiness
    calls: tuple[CallRecord, ...]


def document(called: Called) -> Mapping[str, Any]:
    made = Document(
        run=RunFacts(
            started_at=called.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_ms=round(called.duration_ms, 1),
            profile=called.profile,
            profile_revision=called.revision,
            roles=called.roles,
            responder=called.place,
            seconds=called.seconds,
            options=called.options,
        ),
        verdict=verdict(called.attempts, called.limits),
        calls=tuple(_call(one, called.limits) for one in called.attempts),
    )
    told: Mapping[str, Any] = _adapter().dump_python(made, mode="json")
    return told


def schema_text() -> str:
    """JSON Schema (2020-12) of the document."""
    body = _adapter().json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **body, "title": "readycheck call"}, indent=2) + "\n"


@cache
def _adapter() -> TypeAdapter[Document]:
    return TypeAdapter(Document)


def _call(one: Attempt, limits: Mapping[str, Limit]) -> CallRecord:
    return CallRecord(
        via=one.via,
        address=one.place,
        proxy=one.proxy,
        verdict=verdict_of(one, limits),
        failed=_failed(one),
        stages=tuple(StageRecord(stage=p.stage, took_ms=round(p.took_ms, 1)) for p in one.passed),
        connect_ms=_rounded(one.connect_ms),
        certificate_vouched_by=one.vouched,
        srtp_profile=one.srtp or None,
        dscp=one.dscp,
        dscp_seen=one.dscp_seen,
        talked_ms=round(one.talked_s * 1000),
        quality=_quality(one.quality),
        beyond_limits=tuple(judge(one.quality, limits)),
    )


def _failed(one: Attempt) -> FailureRecord | None:
    failed = one.failed
    if failed is None:
        return None
    return FailureRecord(
        stage=failed.stage,
        after_ms=round(failed.after_s * 1000),
        failure=failed.failure,
        detail=failed.detail,
        lost=failed.lost,
        says_of_network=failed.blame,
    )


def _quality(one: Quality) -> QualityRecord:
    return QualityRecord(
        up=_reception(one.up),
        down=_reception(one.down),
        rtt_ms=_rounded(one.rtt_ms),
        late_p95_ms=_rounded(one.late_ms),
    )


def _reception(one: Reception | None) -> ReceptionRecord | None:
    if one is None:
        return None
    loss_ratio, jitter_ms = round(one.loss_ratio, 6), round(one.jitter_ms, 3)
    return ReceptionRecord(packets=one.packets, lost=one.lost, loss_ratio=loss_ratio, jitter_ms=jitter_ms)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
