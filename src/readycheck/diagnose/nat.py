"""Rules for what translates addresses on the way: how it maps, how long it remembers, what it rewrites."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.egress import is_due
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Step
from readycheck.net.address import is_carrier_address, is_site_address
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.probe import Effort

LEAST_SERVERS, MOST_SERVERS = 3, 4
LONGEST_S = 3.0

STANDARD_S = 120.0
"""What a UDP binding lives at least, when no requirement says what the product needs (RFC 4787 section 4.3)."""

Mapped = tuple[str, str]


def map_again(situation: Situation) -> Iterator[Check]:
    """The STUN servers that answered, all of them from one socket: those of the run had a socket for each check."""
    if situation.plan.effort is Effort.QUICK or is_due(situation):
        return
    answered = {
        Target(address=o.target.address, port=o.target.port, transport="udp"): None
        for outcome in situation.outcomes
        if outcome.check.requirement or outcome.check.scope is Scope.CONTROL
        for o in outcome.observations
        if _is_binding(o) and ":" not in str(o.target.address)
    }
    targets = _varied(list(answered))
    if len(targets) >= LEAST_SERVERS:
        check = situation.check("nat/mapping", "nat", targets, longest_s=LONGEST_S)
        yield from [check] if check else []


def _varied(targets: Sequence[Target]) -> list[Target]:
    """A few addresses, and of their ports those that the others do not have: a NAT may map by either."""
    chosen: list[Target] = []
    while len(chosen) < MOST_SERVERS:
        ports = Counter(t.port for t in chosen)
        taken = {t.address for t in chosen}
        free = [t for t in targets if t.address not in taken]
        if not free:
            break
        chosen.append(min(free, key=lambda t: ports[t.port]))
    return chosen


def _is_binding(observation: Observation) -> bool:
    return observation.step is Step.ECHO and observation.failure is None and _mapped(observation) is not None


def nat_symmetric(case: Case) -> Iterator[Finding]:
    """From one socket, everybody saw another port of the same public address.

    Two servers may differ by chance, for a NAT that keeps ports has to change one that is taken; where two that
    were asked from one socket saw the same, it does not map by destination. What was asked for it alone counts
    before the checks of the run.
    """
    asked = _sockets(case)
    if _keeps_ports(case):
        return
    checks = [outcome for outcome in case.outcomes if outcome.check.probe == "stun"]
    groups = asked or [group for outcome in checks if len(group := _ports(outcome.observations)) > 1]
    if not groups or not all(_maps_by_destination(group) for group in groups):
        return
    places = {place for group in groups for place in group}
    if len({address for address, _ in places}) < (
        2 if asked and len(places) > LEAST_SERVERS else LEAST_SERVERS
    ):
        return
    yield _note(
        case,
        "nat-symmetric",
        f"The NAT maps by destination: {len(places)} servers, asked from one port of this host, saw "
        "different ports.",
        Confidence.LIKELY,
        "Nothing, if calls go through the vendor's cloud; else switch the NAT to endpoint-independent mapping.",
    )


def _keeps_ports(case: Case) -> bool:
    """Some server saw the very port of this host: where others did not, it was taken, here or in front of them."""
    return any(
        (mapped := _mapped(o)) is not None and mapped[1] == str(o.facts.get("local_port"))
        for _, o in case.observations()
    )


def _sockets(case: Case) -> list[Mapping[tuple[str, int], Mapped]]:
    """By the socket that asked, what each server saw."""
    found: dict[object, dict[tuple[str, int], Mapped]] = {}
    for _, o in case.observations():
        mapped = _mapped(o) if o.facts.get("purpose") == "mapping" else None
        if mapped:
            group = found.setdefault(o.facts.get("socket"), {})
            group[str(o.target.address), int(o.target.port or 0)] = mapped
    return [group for group in found.values() if len(group) >= LEAST_SERVERS]


def _ports(observations: Sequence[Observation]) -> Mapping[tuple[str, int], Mapped]:
    """By server address, what it saw: every check of STUN servers has one socket, those of ranges have many."""
    return {
        (str(o.target.address), 0): mapped
        for o in observations
        if o.target.address and o.target.transport == "udp" and (mapped := _mapped(o))
    }


def _maps_by_destination(group: Mapping[tuple[str, int], Mapped]) -> bool:
    """Every address saw another port, and those ports of one address that saw the same do not speak against it."""
    if len({address for address, _ in group.values()}) != 1:
        return False
    by_address: dict[str, set[str]] = {}
    for (address, _), (_, port) in group.items():
        by_address.setdefault(address, set()).add(port)
    ports = [port for seen in by_address.values() for port in seen]
    return len(by_address) > 1 and len(set(ports)) == len(ports)


def _mapped(observation: Observation) -> Mapped | None:
    """Address and port as the server saw them."""
    text = observation.facts.get("mapped_address")
    if not text or observation.failure:
        return None
    address, _, port = str(text).rpartition(":")
    return address.strip("[]"), port


def nat_double(case: Case) -> Iterator[Finding]:
    """Packets to one's own public address leave the site for a router of carrier NAT space.

    Were it the address of the site's router, they would end there, whatever addresses the provider gives to its own.
    """
    for _, o in case.observations():
        if o.facts.get("purpose") == "own-address" and (carrier := _passed_on(case, o.facts)):
            ttl, address = carrier
            yield _note(
                case,
                "nat-double",
                f"The site's router translates, and the provider does once more: packets to the public address "
                f"{o.target.address} leave the site for {address} (hop {ttl}).",
                Confidence.LIKELY,
                "Ask the provider for a public address if the binding time or inbound trunks demand it.",
            )
            return


def _passed_on(case: Case, facts: Mapping[str, Any]) -> tuple[int, str] | None:
    """The first router of carrier space, if a private one before it passes packets to the public address on to it."""
    surveyed = {rung.ttl: rung.address for rung in case.evidence.rungs if rung.purpose == "ladder"}
    way, own = surveyed | dict(facts["way"]), dict(facts["hops"])
    carriers = [ttl for ttl in sorted(way) if is_carrier_address(way[ttl])]
    if not carriers or not any(is_site_address(way[ttl]) for ttl in way if ttl < carriers[0]):
        return None
    passed = carriers[0] - 1 in own or carriers[0] in own
    return (carriers[0], way[carriers[0]]) if passed else None


def nat_binding_short(case: Case) -> Iterator[Finding]:
    """A packet from outside came to no socket that had been silent for a while, and to others it did."""
    for outcome in case.outcomes:
        lived_s, dead = _ladder(outcome.observations)
        if not dead or dead[0] > _needed_s(case):
            continue
        since = f"lives for {lived_s:g} s, but" if lived_s else "is alive at once, and"
        found = case.finding(
            "nat-binding-short",
            _needing(case) or [outcome.check.id],
            f"A UDP binding {since} after {dead[0]:g} s without traffic it is gone; the product needs "
            f"{_needed_s(case):g} s.",
            confidence=Confidence.CERTAIN if len(dead) > 1 else Confidence.LIKELY,
            owner=Owner.NETWORK,
            remedy="Raise the UDP session time of every NAT and firewall on the way above the product's refresh "
            "interval: five minutes is a safe value.",
        )
        yield replace(found, severity=Severity.DEGRADING)


def _ladder(observations: Sequence[Observation]) -> tuple[float, list[float]]:
    """The longest pause that a binding outlived, and those that none did; without a control nothing counts."""
    rungs = [o.facts for o in observations if o.facts.get("purpose") == "lifetime"]
    control = any(facts["pause_s"] == 0 and _is_alive(facts) for facts in rungs)
    alive = [float(f["pause_s"]) for f in rungs if _is_alive(f)]
    dead = sorted(
        float(f["pause_s"]) for f in rungs if f["pause_s"] and f["answered"] and _is_dead(f, control)
    )
    lived_s = max(alive, default=0.0)
    # A binding that outlives a pause which killed a shorter one: packets are lost, or it is not the NAT's time.
    return (lived_s, dead) if not dead or lived_s < dead[0] else (lived_s, [])


def _is_alive(facts: Mapping[str, Any]) -> bool:
    return bool(facts["reached"]) and not _is_moved(facts)


def _is_dead(facts: Mapping[str, Any], control: bool) -> bool:
    return _is_moved(facts) or (control and not facts["reached"])


def _is_moved(facts: Mapping[str, Any]) -> bool:
    return bool(facts["mapped_after"]) and facts["mapped_after"] != facts["mapped_before"]


def _needed_s(case: Case) -> float:
    """What the profile says of bindings, else the standard."""
    limits = [r.limits["binding_s"] for r in case.requirements.values() if "binding_s" in r.limits]
    wanted = [float(limit.warn) for limit in limits if limit.warn is not None]
    return max(wanted, default=STANDARD_S)


def _needing(case: Case) -> list[str]:
    """The checks of requirements that ask for a binding's lifetime."""
    needing = {r.id for r in case.requirements.values() if "binding_s" in r.limits}
    return [o.check.id for o in case.outcomes if o.check.requirement in needing]


def sip_alg(case: Case) -> Iterator[Finding]:
    """What the far end received of a SIP request is not what was sent."""
    for outcome in case.outcomes:
        mirrors = [
            o for o in outcome.observations if o.facts.get("purpose") == "mirror" and o.failure is None
        ]
        changed = [o for o in mirrors if o.facts["changed"]]
        if changed:
            whole = [str(o.target.port) for o in mirrors if not o.facts["changed"]]
            yield _rewritten(case, outcome, changed[0], whole)
            return
    yield from _signed_requests(case)
    yield from _translated_payloads(case)


def _signed_requests(case: Case) -> Iterator[Finding]:
    """A server says where a request came from that names no address, and of one that names ours sees no difference.

    One that then says nothing may do so of addresses as a matter of course: that it names ours is more.
    """
    for outcome, o in case.observations():
        if o.facts.get("purpose") != "signed" or o.failure is not None:
            continue
        own, public, told = str(o.facts["as"]), str(o.facts["seen_as"]), o.facts.get("received")
        if is_site_address(own) and not is_site_address(public) and told in (None, own):
            found = case.finding(
                "sip-alg",
                [outcome.check.id],
                f"A SIP request to {o.target} is rewritten on the way: it names {own}, comes from {public}, and the "
                "server sees no difference, though it tells of one where a request names no address.",
                confidence=Confidence.LIKELY if told == own else Confidence.POSSIBLE,
                owner=Owner.NETWORK,
                remedy=_ALG_REMEDY,
            )
            yield replace(found, severity=Severity.DEGRADING)
            return


def _rewritten(case: Case, outcome: Outcome, first: Observation, whole: Sequence[str]) -> Finding:
    beside = f" The same request to port {', '.join(whole)} comes through whole." if whole else ""
    lines = " ".join(f"Sent «{old}», received «{new}»." for old, new in first.facts["changed"][:3])
    found = case.finding(
        "sip-alg",
        [outcome.check.id],
        f"A SIP request to port {first.target.port} is rewritten on the way. {lines}{beside}",
        confidence=Confidence.CERTAIN if whole else Confidence.LIKELY,
        owner=Owner.NETWORK,
        remedy=_ALG_REMEDY,
    )
    return replace(found, severity=Severity.NOTE if _is_tls_only(case) else Severity.DEGRADING)


def _is_tls_only(case: Case) -> bool:
    """A product whose SIP is all in TLS is not touched by it."""
    sip = [r for r in case.requirements.values() if r.probe == "sip"]
    return bool(sip) and all(str(r.params.get("transport", "tls")) == "tls" for r in sip)


def _translated_payloads(case: Case) -> Iterator[Finding]:
    """STUN answers whose plain address is a private one while the masked one is public: a gateway edits payloads."""
    edited = {}
    for outcome, o in case.observations():
        mapped, plain = _mapped(o), str(o.facts.get("rewritten_address") or "")
        inside = plain.rpartition(":")[0]
        if mapped and inside.count(".") == 3 and is_site_address(inside) and not is_site_address(mapped[0]):
            edited[str(o.target.address)] = (outcome.check.id, plain, ":".join(mapped))
    if edited:
        server, (_, plain, mapped_text) = next(iter(edited.items()))
        found = case.finding(
            "sip-alg",
            [],
            f"A gateway edits addresses in the payload of UDP: the answer of {server} says {plain} in clear and "
            f"{mapped_text} masked.",
            confidence=Confidence.LIKELY if len(edited) > 1 else Confidence.POSSIBLE,
            owner=Owner.NETWORK,
            remedy=_ALG_REMEDY,
        )
        yield replace(found, severity=Severity.NOTE)


_ALG_REMEDY = (
    "Switch the SIP ALG (SIP helper, SIP inspection, SIP fixup) off on every router and firewall on the way, and "
    "restart it so that old sessions go. SIP over TLS is not touched by it."
)


def _note(case: Case, cause: str, summary: str, confidence: Confidence, remedy: str) -> Finding:
    """What is no fault of any check: it stands beside the others."""
    found = case.finding(cause, [], summary, confidence=confidence, remedy=remedy)
    return replace(found, severity=Severity.NOTE, owner=Owner.NETWORK)
