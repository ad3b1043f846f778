"""QUIC that does not pass although TCP to the same hosts does: told of hosts only that are known to speak it."""

from collections.abc import Iterator

from readycheck.diagnose.case import Case, Place, is_media, place_of
from readycheck.diagnose.finding import Confidence, Finding, Where, shown
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.evidence import REFUSALS, Sign
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address, is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.probe import Effort

PROBE = "quic"
CHECK = "quic/advertised"
PORT = 443
TARGETS = 3


# --- the follow-up ------------------------------------------------------------------------------------


def advertised(situation: Situation) -> Iterator[Check]:
    """Hosts that say over TCP that they speak HTTP/3 are taken at their word, unless the run is a quick one."""
    if situation.plan.effort is not Effort.QUICK:
        targets = [
            Target(host=host, port=PORT, transport="udp") for host in _speakers(situation.outcomes)[:TARGETS]
        ]
        check = situation.check(CHECK, PROBE, targets)
        yield from [check] if check else []


def _speakers(outcomes: tuple[Outcome, ...]) -> list[str]:
    """Hosts whose answers name HTTP/3 on the port that they were asked on (RFC 7838)."""
    found = [
        o.target.host
        for outcome in outcomes
        for o in outcome.observations
        if o.step is Step.RESPONSE and o.target.port == PORT and not o.target.via and _names_http3(o)
    ]
    return list(dict.fromkeys(host for host in found if host))


def _names_http3(observation: Observation) -> bool:
    said = str(observation.facts.get("alt-svc") or "").replace(" ", "")
    return f'h3=":{PORT}"' in said


# --- the rule -----------------------------------------------------------------------------------------


def quic_blocked(case: Case) -> Iterator[Finding]:
    """UDP 443 of hosts that speak QUIC is silent or refused on the way, while their TCP 443 and other UDP answer."""
    knocks = list(_knocks(case))
    stopped = [(check, o) for check, o in knocks if _is_stopped(o)]
    hosts = list(dict.fromkeys(str(o.target.host) for _, o in stopped if _is_known(case, o)))
    if not hosts or any(o.failure is None for _, o in knocks) or not _udp_passes(case):
        return
    evidence = [check for check, o in stopped if o.target.host in hosts]
    place = _place(case, [o for _, o in stopped])
    yield case.finding(
        "quic-blocked",
        evidence,
        f"QUIC (UDP {PORT}) to {shown(hosts)} does not pass, while TCP {PORT} to the same hosts "
        f"and other UDP do{': ' + place.words if place.words else ''}.",
        where=place.where,
        confidence=_sureness(case, hosts),
        remedy=f"Nothing, unless the product needs it; else allow outbound UDP {PORT} to its names and networks.",
    )


def _knocks(case: Case) -> Iterator[tuple[str, Observation]]:
    """How Initials ended; what this host could not send shows nothing."""
    for outcome, o in case.observations():
        sent = o.failure not in (Failure.PLATFORM, Failure.PERMISSION_DENIED, Failure.INTERRUPTED)
        if outcome.check.probe == PROBE and o.step is Step.CONNECT and o.target.port == PORT and sent:
            yield outcome.check.id, o


def _is_stopped(observation: Observation) -> bool:
    """Silence, or a refusal that is not the server's own."""
    offender = observation.facts.get("offender")
    refused = observation.failure in REFUSALS and bool(offender) and offender != observation.target.address
    return observation.failure is Failure.TIMED_OUT or refused


def _is_known(case: Case, observation: Observation) -> bool:
    """The host speaks QUIC by its own word or by the profile's, and its TCP port answers."""
    host = observation.target.host
    return (
        bool(host)
        and (host in _speakers(case.outcomes) or host in _declared(case))
        and host in _answering(case)
    )


def _declared(case: Case) -> set[str | None]:
    """Controls, and hosts of requirements, that are there to be asked in QUIC."""
    return {
        o.check.target.host
        for o in case.outcomes
        if o.check.probe == PROBE and (o.check.scope is Scope.CONTROL or o.check.requirement)
    }


def _answering(case: Case) -> set[str | None]:
    """Hosts whose TCP 443 takes connections."""
    return {
        o.target.host
        for outcome, o in case.observations()
        if outcome.check.probe != PROBE
        and o.step is Step.CONNECT
        and o.failure is None
        and o.target.port == PORT
        and not o.target.via
    }


def _udp_passes(case: Case) -> bool:
    """Some UDP beyond the site is answered; where the product's media is not, that is the larger trouble."""
    media = [
        c
        for c in case.sampled
        if c.transport == "udp" and is_media(case.requirements.get(c.requirement or ""))
    ]
    if media and not any(c.sign is Sign.ANSWERED for c in media):
        return False
    return any(
        o.failure is None
        and o.step in (Step.ECHO, Step.RESPONSE)
        and o.target.transport == "udp"
        and o.target.address is not None
        and not is_site_address(o.target.address)
        for _, o in case.observations()
    )


def _place(case: Case, stopped: list[Observation]) -> Place:
    """A refusal names its author; of silence only hop-limited packets know the place."""
    authors = {str(o.facts["offender"]) for o in stopped if o.facts.get("offender")}
    near = [a for a in authors if is_address(a) and is_site_address(a)]
    if authors:
        return Place(Where.SITE if len(near) == len(authors) else Where.UNKNOWN, f"{min(authors)} refuses it")
    return place_of(case, "udp", [PORT])


def _sureness(case: Case, hosts: list[str]) -> Confidence:
    """One host may be down; several of several domains are not, and a control is nobody's the product knows."""
    domains = {".".join(host.split(".")[-2:]) for host in hosts}
    if len(domains) < 2:
        return Confidence.POSSIBLE
    controls = {o.check.target.host for o in case.outcomes if o.check.scope is Scope.CONTROL}
    return Confidence.CERTAIN if controls & set(hosts) else Confidence.LIKELY
