"""What one check shows, and what every judgement of a check needs: the evidence, limits and pins. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from readycheck.bands import RANK, Judgement, bands_of, margin
from readycheck.check import CheckTarget
from readycheck.engine import Outcome
from readycheck.evidence import Evidence
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.profile import Area, Requirement
from readycheck.walls import Column, Walls, is_silent_throughout, silent_ports, sort_walls


class Strength(StrEnum):
    ANSWERED = "answered"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckVerdict:
    """What one check shows. `failure` is set only if all its observations failed alike."""

    check: str
    status: Judgement
    because: str
    strength: Strength | None = None
    failure: Failure | None = None
    step: Step | None = None
    margin: float | None = None


@dataclass(frozen=True)
class Bench:
    """What every judgement needs.

    `walls` are what hop-limited packets show to be blocked, `pins` the accepted keys, `kin` the requirements
    of the same area as each: only their answers show that replies come back. `groups` are the groups of networks
    of each. `hops` is False where routers' messages cannot be received, `ipv4` where this host has none.
    """

    evidence: Evidence
    walls: Walls
    pins: frozenset[str]
    kin: Mapping[str, frozenset[str]]
    groups: Mapping[str, frozenset[str]]
    hops: bool = True
    ipv4: bool = True

    @cached_property
    def all(self) -> frozenset[str]:
        """Every requirement, of whatever area."""
        return frozenset(self.kin)

    @cached_property
    def dark(self) -> frozenset[Column]:
        """Ports that no host of any network answers on, though many live in each."""
        silent = silent_ports(self.evidence, self.groups).items()
        return frozenset(c for c, cells in silent if is_silent_throughout(cells, self.evidence.column(*c)))


def bench(
    requirements: Sequence[Requirement],
    evidence: Evidence,
    pins: Iterable[str],
    *,
    hops: bool = True,
    ipv4: bool = True,
) -> Bench:
    """Prepare what judging needs."""
    of_area = {area: frozenset(r.id for r in requirements if r.area is area) for area in Area}
    kin = {r.id: of_area[r.area] for r in requirements}
    groups = {r.id: frozenset(r.targets.networks) for r in requirements}
    return Bench(evidence, sort_walls(evidence), frozenset(pins), kin, groups, hops, ipv4)


def make_verdict(
    outcome: Outcome, status: Judgement, because: str, strength: Strength | None = None
) -> CheckVerdict:
    failures = {o.failure for o in deciding_steps(outcome)}
    alike = failures.pop() if len(failures) == 1 else None
    steps = {o.step for o in deciding_steps(outcome) if o.failure is alike}
    return CheckVerdict(
        check=outcome.check.id,
        status=status,
        because=because,
        strength=strength,
        failure=alike,
        step=steps.pop() if alike and len(steps) == 1 else None,
    )


def deciding_steps(outcome: Outcome) -> list[Observation]:
    """For each target the last step, leaving out notes (a missing answer after the proof)."""
    last: dict[tuple[str | None, str | None, int | None], Observation] = {}
    for observation in outcome.observations:
        target = observation.target
        key = target.host or target.address, target.network, target.port
        known = last.get(key)
        proven = known is not None and known.step is outcome.check.proves and known.failure is None
        if not proven:
            last[key] = observation
    return list(last.values())


# --- limits and pins ----------------------------------------------------------------------------------


def within_limits(requirement: Requirement, outcome: Outcome, basis: Bench) -> CheckVerdict:
    """The service answered; now whether it stayed, its numbers and its certificate."""
    answered = _ANSWERED.get(outcome.check.proves, "the service answered")
    worst = make_verdict(outcome, Judgement.PASS, answered, Strength.ANSWERED)
    worst = _worse(worst, *_staying(outcome))
    if foreign := foreign_words(outcome):
        worst = _worse(worst, Judgement.FAIL, f"something else than the service answers: {foreign[0].detail}")
    bands = list(bands_of(requirement, outcome.metrics))
    for band in bands:
        worst = worst if band.blur else _worse(worst, band.status, band.text)
    if requirement.pinned and not _pinned(outcome, basis.pins):
        text = "publicly trusted, but by none of the product's pinned authorities"
        worst = _worse(worst, Judgement.WARN, text)
    if outcome.check.must_stay and worst.status is Judgement.PASS and not _has_stayed(outcome):
        worst = _unstayed(worst, outcome.check.target, basis.evidence)
    if worst.status is Judgement.PASS and (blurred := [band.blur for band in bands if band.blur]):
        worst = replace(worst, status=Judgement.INCONCLUSIVE, strength=None, because="; ".join(blurred))
    margins = [margin(band.value, band.limit) for band in bands if not band.blur]
    return replace(worst, margin=min((m for m in margins if m is not None), default=None))


def foreign_words(outcome: Outcome) -> list[Observation]:
    """Answers in another protocol, where the service's own never came: silence may be a policy, these are none."""
    said = [o for o in outcome.observations if o.step is Step.RESPONSE]
    return [] if any(o.failure is None for o in said) else [o for o in said if o.facts.get("foreign")]


def have_certificates(outcome: Outcome, said: Iterable[Observation]) -> bool:
    """Whoever said it had shown one that was accepted."""
    shown = {
        (o.target.address, o.target.port)
        for o in outcome.observations
        if o.step is Step.TLS_HANDSHAKE and o.failure is None
    }
    return all((o.target.address, o.target.port) in shown for o in said)


_ANSWERED = {
    Step.CONNECT: "the port accepts connections",
    Step.PROXY_CONNECT: "the proxy opens connections to the port",
}
"""What is known where nothing was said on the connection."""


def _worse(verdict: CheckVerdict, status: Judgement, text: str) -> CheckVerdict:
    return replace(verdict, status=status, because=text) if RANK[status] > RANK[verdict.status] else verdict


def _staying(outcome: Outcome) -> tuple[Judgement, str]:
    """A connection that had to stay open after the proof; an orderly farewell may be the service's own wish."""
    lost = [
        o
        for o in outcome.observations
        if o.step is Step.ECHO and o.step is not outcome.check.proves and o.failure not in _NOT_LOST
    ]
    if not lost or outcome.cut:
        return Judgement.PASS, ""
    cut = [o for o in lost if "close_code" not in o.facts]
    words = ", ".join(sorted({o.failure.words for o in cut or lost if o.failure}))
    if cut:
        return Judgement.FAIL, f"the service answered, and the connection did not stay open: {words}"
    return Judgement.WARN, f"the service answered, and ended the connection early: {words}"


def _unstayed(verdict: CheckVerdict, target: CheckTarget, evidence: Evidence) -> CheckVerdict:
    """Who turns everybody away shows nothing of the way; who agrees past the proxy alone shows what the proxy did."""
    if target.via and (target.host, target.ports) in evidence.granted:
        text = "the proxy leaves the upgrade out: past it the service agrees to the connection"
        return replace(verdict, status=Judgement.FAIL, because=text)
    text = "the service answered, and whether a connection stays open was not seen"
    return replace(verdict, status=Judgement.INCONCLUSIVE, strength=None, because=text)


def _has_stayed(outcome: Outcome) -> bool:
    """A service may turn strangers away before there is anything that could stay, and a run may end before it has."""
    return any(o.step is Step.ECHO and o.failure is None for o in outcome.observations)


_NOT_LOST = (None, Failure.INTERRUPTED)


def _pinned(outcome: Outcome, pins: frozenset[str]) -> bool:
    """Every handshake that succeeded led to a pinned key."""
    shown = [o.facts["tls"]["pins"] for o in outcome.observations if o.failure is None and o.facts.get("tls")]
    return bool(shown) and all(pins & set(keys) for keys in shown)
