"""This host's clock by the word of time servers, and the certificates that look out of date for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Where, shown
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope
from readycheck.verdict import Judgement

DAY_S = 86400


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that failed `checks`: `offset_ms` is what most who object would add to it, `worst_ms` the most.

    `agreed`: several time servers say so, and few disagree; a lone one may be wrong itself, or forged.
    """

    checks: tuple[str, ...]
    offset_ms: float
    worst_ms: float
    agreed: bool


def read_clock(case: Case) -> Clock | None:
    """What time servers say against this host's clock, if they do."""
    offsets = offsets_of(case)
    skewed = [c.check for _, c in case.failing if c.because.startswith("offset_ms") and c.check in offsets]
    if not skewed:
        return None
    told = [offsets[check] for check in skewed]
    ahead = [ms for ms in told if ms > 0]
    behind = [ms for ms in told if ms <= 0]
    alike = max(ahead, behind, key=len)
    agreed = len(alike) > 1 and len(alike) > len(offsets) / 2
    return Clock(tuple(skewed), median(alike), max(told, key=abs), agreed)


def offsets_of(case: Case) -> dict[str, float]:
    """The time servers' clocks less ours, by check, controls among them."""
    return {
        o.check.id: float(o.metrics["offset_ms"] or 0.0)
        for o in case.outcomes
        if o.metrics.get("offset_ms") is not None
    }


def clock_skew(case: Case) -> Iterator[Finding]:
    """Several time servers agree that this host's clock is wrong, and few disagree."""
    if (clock := read_clock(case)) is None:
        return
    way = "behind" if clock.worst_ms > 0 else "ahead of"
    excused = list(excused_certificates(case, clock))
    yield case.finding(
        "clock-skew",
        [*clock.checks, *(check for check, _ in excused)],
        f"This host's clock is {_span(clock.worst_ms)} {way} {'the' if clock.agreed else 'some'} time servers."
        f"{_taken(excused)}",
        where=Where.HOST if clock.agreed else Where.UNKNOWN,
        confidence=Confidence.LIKELY if clock.agreed else Confidence.POSSIBLE,
        remedy="Set the clock and keep it set by NTP: certificates and registrations depend on it.",
    )


def _span(offset_ms: float) -> str:
    seconds = abs(offset_ms) / 1000
    return f"{seconds / DAY_S:.1f} days" if round(seconds) >= DAY_S else f"{seconds:.1f} s"


def _taken(excused: list[tuple[str, Observation]]) -> str:
    """That certificates are good, with the place of each."""
    places = list(dict.fromkeys(str(o.target) for _, o in excused))
    if not places:
        return ""
    whose = f"certificates of {shown(places)} are" if len(places) > 1 else f"certificate of {places[0]} is"
    return f" By their time the {whose} valid, which by this host's {'are' if len(places) > 1 else 'is'} not."


# --- certificates -------------------------------------------------------------------------------------


def excused_certificates(case: Case, clock: Clock | None) -> Iterator[tuple[str, Observation]]:
    """Handshakes of failing checks whose certificates are valid by the time on which time servers agree."""
    if clock is None or not clock.agreed:
        return
    bad = {c.check for _, c in case.failing if c.status in (Judgement.FAIL, Judgement.WARN)}
    for outcome, o in case.observations():
        if outcome.check.id in bad and outcome.check.scope is not Scope.FOLLOW_UP and is_excused(o, clock):
            yield outcome.check.id, o


def is_excused(observation: Observation, clock: Clock) -> bool:
    """It failed for its dates alone, which are good by the time on which time servers agree."""
    return clock.agreed and _fails_by_date(observation) and is_valid_after(observation, clock.offset_ms)


def _fails_by_date(observation: Observation) -> bool:
    return observation.step is Step.TLS_HANDSHAKE and observation.failure is Failure.CERTIFICATE_EXPIRED


def is_valid_after(observation: Observation, offset_ms: float) -> bool:
    """Whether the chain that was shown is within its dates by a clock that is so much ahead of ours."""
    tls: Mapping[str, Any] = observation.facts.get("tls") or {}
    age_days, left_days = tls.get("age_days"), tls.get("expires_days")
    if age_days is None or left_days is None:
        return False
    ahead_days = offset_ms / 1000 / DAY_S
    return bool(-age_days + _later_days(tls) <= ahead_days < left_days)


def _later_days(tls: Mapping[str, Any]) -> float:
    """How much later than the leaf the youngest of those that were shown began: most are older."""
    starts = [
        datetime.fromisoformat(one["not_before"]) for one in tls.get("chain") or () if "not_before" in one
    ]
    return (max(starts) - starts[0]).total_seconds() / DAY_S if starts else 0.0
