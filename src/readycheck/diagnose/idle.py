"""The rule for connections that are cut while nothing is said on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity
from readycheck.engine import Outcome
from readycheck.failure import Failure

STANDARD_S = 7440.0
"""What an idle connection lives at least, when no requirement says what the product needs (RFC 5382 section 5)."""


def idle_timeout_short(case: Case) -> Iterator[Finding]:
    """Connections that were silent for long died, shorter ones and one with traffic lived on."""
    for outcome in case.outcomes:
        died_s, lived_s = (outcome.metrics.get(name) for name in ("idle_died_s", "idle_s"))
        needed_s = _needed_s(case, outcome)
        if died_s is None or died_s > needed_s:
            continue
        dead = [facts for facts in _told(outcome, "idle") if not facts["rang"] and facts["pause_s"] >= died_s]
        lived = f"{lived_s:g} s of silence and not" if lived_s else "no silence of"
        found = case.finding(
            "idle-timeout-short",
            [outcome.check.id],
            f"A connection to the responder outlives {lived} {died_s:g} s, {_ways(dead)}: {_how(dead)}."
            f"{_beside(outcome)} The product needs {needed_s:g} s.",
            confidence=Confidence.CERTAIN if len(dead) > 1 else Confidence.LIKELY,
            owner=Owner.NETWORK,
            remedy=f"Raise the time that firewalls and NATs on the way keep idle TCP connections above {needed_s:g} s "
            "for the signalling ports (the standard asks for 7440 s); look at what stands before the responder, too.",
        )
        yield replace(found, severity=Severity.DEGRADING)


def _told(outcome: Outcome, purpose: str) -> list[Mapping[str, Any]]:
    return [o.facts for o in outcome.observations if o.facts.get("purpose") == purpose]


def _ways(dead: Sequence[Mapping[str, Any]]) -> str:
    """By TCP, by TLS, or by both."""
    return " and ".join(sorted({f"by {str(facts['transport']).upper()}" for facts in dead}))


def _how(dead: Sequence[Mapping[str, Any]]) -> str:
    """What told of it: a reset or an end that the far end did not send, or nothing at all."""
    ended = {facts["ended"] for facts in dead}
    if ended & {Failure.CONNECTION_RESET.value, Failure.CONNECTION_CLOSED.value}:
        seen = [facts["ended_after_s"] for facts in dead if facts["ended_after_s"] is not None]
        after = f" {min(seen):.0f} s after the last packet" if seen else " as soon as it is used"
        word = "reset" if Failure.CONNECTION_RESET.value in ended else "closed"
        return f"something on the way has it {word}{after}"
    if any(facts["revived"] for facts in dead):
        return "what the far end sends vanishes until this host speaks first, so that no telephone rings"
    return "what is sent on it vanishes without a word"


def _beside(outcome: Outcome) -> str:
    busy = [facts["outlived_s"] for facts in _told(outcome, "busy")]
    return f" Connections with traffic lived on for {min(busy):.0f} s." if busy else ""


def _needed_s(case: Case, outcome: Outcome) -> float:
    """What the requirement asks for, else the standard."""
    requirement = case.requirements.get(outcome.check.requirement or "")
    limit = requirement.limits.get("idle_s") if requirement else None
    return limit.warn if limit and limit.warn is not None else STANDARD_S
