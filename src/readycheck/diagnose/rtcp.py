"""RTCP that is lost beside a stream that passes: its ports are closed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding
from readycheck.plan import Scope

_BY_CHANCE = 0.001


def rtcp_blocked(case: Case) -> Iterator[Finding]:
    """The stream beside it is the control: same hosts, same seconds, the port below."""
    legs = [
        (outcome.check.id, seen.facts)
        for outcome, seen in case.observations(Scope.FAR_END)
        if seen.failure is None and seen.facts.get("rtcp")
    ]
    dead = [(check, facts) for check, facts in legs if _is_apart(facts) and not facts["rtcp"]["answered"]]
    facts = [one for _, one in dead]
    if len({one["seen_as"][0] for _, one in legs}) > 1:
        return  # a NAT that gives ports different addresses (RFC 4787 section 4.1): the reports are a stranger's
    if not dead or prod(map(_by_chance, facts)) > _BY_CHANCE:
        return
    checks = list(dict.fromkeys(check for check, _ in dead))
    sure = len(dead) == len(legs) > 1
    made = case.finding(
        "rtp-range-partial",
        checks,
        f"RTP passes and RTCP does not: {_told(facts)}. Calls have sound, but neither end hears how it arrives, and "
        "products that take silent RTCP for a dead call end it.",
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        remedy="Allow the odd ports with the even ones, source and destination, in the rule for media: RTCP goes to "
        "the port above that of its stream (RFC 3550 section 11). Look at what stands before the responder, too.",
    )
    affects = _judged(case, checks) or made.affects
    yield replace(made, affects=affects, severity=case.severity(affects))


def _judged(case: Case, checks: Sequence[str]) -> tuple[str, ...]:
    """Those who judge RTCP itself, and not all else that the streams show."""
    return tuple(
        verdict.requirement.id
        for verdict in case.verdicts
        if "rtcp_answered_ratio" in verdict.requirement.limits
        and any(one.check in checks for one in verdict.checks)
    )


def _is_apart(facts: Mapping[str, Any]) -> bool:
    """From a port of its own, beside a stream most of which comes back."""
    apart: bool = facts["rtcp"]["local"] != facts["local"]
    return apart and 2 * int(facts["answered"]) >= int(facts["sent"])


def _by_chance(facts: Mapping[str, Any]) -> float:
    """How likely reports and answers are all lost as packets of the stream are."""
    kept = (1 - facts["up"]["loss_ratio"]) * (1 - facts["down"]["loss_ratio"])
    return float(max(1 - kept, 0.01) ** facts["rtcp"]["sent"])


def _told(legs: Sequence[Mapping[str, Any]]) -> str:
    reports = [leg["rtcp"] for leg in legs]
    sent, counted = sum(one["sent"] for one in reports), [one["counted"] for one in reports]
    ports = ", ".join(str(port) for port in sorted({one["local"][1] for one in reports}))
    to = ", ".join(str(port) for port in sorted({one["to"][1] for one in reports}))
    packets, answered = (sum(leg[name] for leg in legs) for name in ("sent", "answered"))
    return (
        f"{answered} of {packets} packets of the streams came back, and none of {sent} reports from port {ports} to "
        f"port {to} was answered{_where(counted)}"
    )


def _where(counted: Sequence[int | None]) -> str:
    """By what the responder says that it received."""
    known = [count for count in counted if count is not None]
    if len(known) < len(counted):
        return ""
    if not any(known):
        return "; none reached the responder"
    return f"; {sum(known)} reached the responder, so that it is the answers that are lost"
