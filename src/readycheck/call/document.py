"""A call as JSON. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from readycheck import __version__
from readycheck.call.attempt import Attempt, Reception, judge, verdict, verdict_of
from readycheck.profile import Limit

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """All ways of one run of `call`; `limits` are the profile's for audio."""

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


def document(called: Called) -> Mapping[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "readycheck", "version": __version__},
        "run": {
            "started_at": called.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration_ms": round(called.duration_ms, 1),
            "profile": called.profile,
            "profile_revision": called.revision,
            "roles": list(called.roles),
            "responder": called.place,
            "seconds": called.seconds,
        },
        "verdict": verdict(called.attempts, called.limits).value,
        "calls": [_attempt(one, called.limits) for one in called.attempts],
    }


def _attempt(one: Attempt, limits: Mapping[str, Limit]) -> Mapping[str, Any]:
    return {
        "via": one.via.value,
        "address": one.place,
        "verdict": verdict_of(one, limits).value,
        "failed": _failed(one),
        "stages": [{"stage": p.stage.value, "took_ms": round(p.took_ms, 1)} for p in one.passed],
        "connect_ms": _rounded(one.connect_ms),
        "srtp_profile": one.srtp or None,
        "talked_ms": round(one.talked_s * 1000),
        "quality": {
            "up": _reception(one.quality.up),
            "down": _reception(one.quality.down),
            "rtt_ms": _rounded(one.quality.rtt_ms),
            "late_p95_ms": _rounded(one.quality.late_ms),
        },
        "beyond_limits": [asdict(found) for found in judge(one.quality, limits)],
    }


def _failed(one: Attempt) -> Mapping[str, Any] | None:
    failed = one.failed
    if failed is None:
        return None
    return {
        "stage": failed.stage.value,
        "after_ms": round(failed.after_s * 1000),
        "failure": failed.failure.value,
        "detail": failed.detail,
        "lost": failed.lost.value if failed.lost else None,
        "says_of_network": failed.blame,
    }


def _reception(one: Reception | None) -> Mapping[str, Any] | None:
    if one is None:
        return None
    return {
        "packets": one.packets,
        "lost": one.lost,
        "loss_ratio": round(one.loss_ratio, 6),
        "jitter_ms": round(one.jitter_ms, 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
