"""IPv6 that is offered and does not work, and hosts that have nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where, shown
from readycheck.diagnose.situation import Situation
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.address import is_address
from readycheck.net.environment import has_ipv6, is_ipv6_only
from readycheck.observation import Observation, Target
from readycheck.plan import NAME_SERVERS, Check, Scope
from readycheck.probe import Effort

OTHER = "ipv6/other-family"
GREETING = "ipv6/greeting"
TRANSLATION = "ipv6/translation"
TARGETS = 4
WELL_KNOWN = "ipv4only.arpa"  # RFC 7050
_ITS_ADDRESSES = (IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171"))
_HEAD_START_S = 0.25  # RFC 8305 section 5


# --- the follow-ups -----------------------------------------------------------------------------------


def other_family(situation: Situation) -> Iterator[Check]:
    """Hosts that have answered over IPv4 are tried over IPv6 too, as programs here would do first.

    Who greeted is greeted: what opens a connection is small, and a certificate is not.
    """
    if situation.plan.effort is Effort.QUICK or not has_ipv6(situation.environment):
        return
    apart = _apart(situation.outcomes)
    greeted = [target for target, outcome in apart if _has_greeted(outcome)]
    rest = [target for target, outcome in apart if target not in greeted]
    for check in (
        situation.check(GREETING, "tls", greeted, device=False),
        situation.check(OTHER, "tcp", rest),
    ):
        yield from [check] if check else []


def _apart(outcomes: Sequence[Outcome]) -> list[tuple[Target, Outcome]]:
    """One host of each domain, and how it answered over IPv4; controls first: those are no part of the product."""
    found: dict[str, tuple[Target, Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: o.check.scope is not Scope.CONTROL):
        target = _over_ipv6(outcome)
        if target is not None:
            found.setdefault(".".join(str(target.host).split(".")[-2:]), (target, outcome))
    return list(found.values())[:TARGETS]


def _has_greeted(outcome: Outcome) -> bool:
    return any(o.step is Step.TLS_HANDSHAKE and o.failure is None for o in outcome.observations)


def _over_ipv6(outcome: Outcome) -> Target | None:
    """The IPv6 address of a name whose IPv4 address takes connections; None unless both are known."""
    answered = _connected_over_ipv4(outcome)
    if answered is None:
        return None
    for observation in outcome.observations:
        six = [str(a) for a in observation.facts.get("addresses") or () if ":" in str(a)]
        if observation.step is Step.RESOLVE and observation.target.host == answered.host and six:
            return Target(host=answered.host, address=six[0], port=answered.port, transport="tcp")
    return None


def _connected_over_ipv4(outcome: Outcome) -> Target | None:
    if outcome.check.target.via:
        return None
    for o in outcome.observations:
        four = o.target.address and ":" not in o.target.address
        if (
            o.step is Step.CONNECT
            and o.failure is None
            and four
            and o.target.host
            and o.target.transport == "tcp"
        ):
            return o.target
    return None


def translation(situation: Situation) -> Iterator[Check]:
    """On a host without IPv4: whether the name servers know a translator (RFC 7050)."""
    if is_ipv6_only(situation.environment):
        servers = [Target(address=a, port=p) for a, p in map(_endpoint, situation.environment.resolvers) if a]
        check = situation.check(TRANSLATION, "dns", servers, names=(WELL_KNOWN,), types=("AAAA",))
        yield from [check] if check else []


def _endpoint(text: str) -> tuple[str, int]:
    """`address`, `address:port` or `[address]:port`."""
    if is_address(text):
        return text, 53
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return (host, int(port)) if is_address(host) and port.isdecimal() else ("", 0)


# --- the rules ----------------------------------------------------------------------------------------


def ipv6_broken(case: Case) -> Iterator[Finding]:
    """Several hosts take connections over IPv4, and none of them over IPv6."""
    dead = _dead(case)
    if len({o.target.host for o in dead}) < 2 or _takes_connections(case):
        return
    hosts = list(dict.fromkeys(str(o.target.host) for o in dead))
    checks = [o.check.id for o in case.outcomes if _is_about(o, hosts)]
    where = _place(case, dead)
    yield case.finding(
        "ipv6-broken",
        [*checks, *(check for check in (GREETING, OTHER) if check in case.by_check)],
        f"IPv6 is offered here and does not work: {shown(hosts)} answer over IPv4 and not over IPv6. {_cost(dead)}",
        where=where,
        owner=Owner.NETWORK if where is Where.SITE else None,
        confidence=_sureness(case, hosts, dead),
        remedy="Repair IPv6 routing and firewall rules (ICMPv6 must pass), or withdraw the router advertisement "
        "until it works.",
    )


def ipv6_mute(case: Case) -> Iterator[Finding]:
    """Connections over IPv6 stand, and of the greetings there none is answered, in segments of whatever size."""
    greeted = [
        o
        for outcome, o in case.observations(Scope.FOLLOW_UP)
        if outcome.check.id == GREETING and o.step is Step.TLS_HANDSHAKE
    ]
    hosts = list(dict.fromkeys(str(o.target.host) for o in greeted if o.failure is Failure.TIMED_OUT))
    if len(hosts) < 2 or any(o.failure is not Failure.TIMED_OUT for o in greeted) or _is_spoken(case):
        return
    checks = [o.check.id for o in case.outcomes if _is_about(o, hosts)]
    yield case.finding(
        "ipv6-broken",
        [*checks, GREETING],
        f"IPv6 is offered here and does not work: {shown(hosts)} answer TLS greetings over IPv4, and over IPv6 "
        "connections stand and none is answered. Programs that try both take IPv6, since it opens, and wait in vain.",
        confidence=_sureness(case, hosts, greeted),
        remedy="Look at what forwards IPv6 connections once they stand (hardware acceleration, stateful firewalls, "
        "tunnels), or withdraw the router advertisement until it works.",
    )


def _is_spoken(case: Case) -> bool:
    """Anybody has answered what was said over a connection of IPv6."""
    said = (Step.TLS_HANDSHAKE, Step.RESPONSE)
    return any(
        o.step in said and o.failure is None and _is_global(o.target.address) and o.target.transport != "udp"
        for outcome, o in case.observations()
        if outcome.check.scope not in NAME_SERVERS
    )


def _dead(case: Case) -> list[Observation]:
    """Connections over IPv6 that the network keeps from hosts.

    A reset may be of a host that does not serve this port over IPv6, as all hosts of one owner may: it counts where
    hosts of several owners have nothing else to say.
    """
    tried = [
        o
        for outcome, o in case.observations(Scope.FOLLOW_UP)
        if outcome.check.id in (GREETING, OTHER) and o.step is Step.CONNECT
    ]
    lost = [o for o in tried if _is_lost(o)]
    refused = [o for o in tried if _is_refused(o)]
    return [*lost, *refused] if len(set(map(_prefix, refused))) > 1 else lost


_SAID = (
    Failure.NETWORK_UNREACHABLE,
    Failure.HOST_UNREACHABLE,
    Failure.ICMP_ADMIN_PROHIBITED,
    Failure.PORT_UNREACHABLE,  # as filters say that were given nothing else to say
)


def _is_lost(observation: Observation) -> bool:
    """Nothing came back, or a router refused; what this host itself does not route costs no time."""
    if observation.failure is Failure.TIMED_OUT:
        return True
    offender = observation.facts.get("offender")
    return observation.failure in _SAID and bool(offender) and offender != observation.target.address


def _is_refused(observation: Observation) -> bool:
    """In the host's name, by itself or by what stands before it."""
    if observation.failure in (Failure.CONNECTION_REFUSED, Failure.CONNECTION_RESET):
        return True
    return observation.failure in _SAID and observation.facts.get("offender") == observation.target.address


def _cost(dead: Sequence[Observation]) -> str:
    """What clients lose: they go on to the next address when one is refused, and else after a while."""
    lost_s = max(o.elapsed_ms for o in dead) / 1000
    if lost_s < _HEAD_START_S:
        return (
            "All are refused at once: programs that try both hardly notice, those that try one address fail."
        )
    return (
        f"Programs that try both lose {_HEAD_START_S:g} s on each connection, others {lost_s:.1f} s or more."
    )


def _takes_connections(case: Case) -> bool:
    """Somebody over IPv6 does; a name server may be of this site."""
    return any(
        o.step is Step.CONNECT and o.failure is None and _is_global(o.target.address)
        for outcome, o in case.observations()
        if outcome.check.scope not in NAME_SERVERS
    )


def _works(case: Case) -> bool:
    return any(
        o.failure is None and o.step not in (Step.HOP, Step.RESOLVE) and _is_global(o.target.address)
        for _, o in case.observations()
    )


def _is_global(address: str | None) -> bool:
    return bool(address) and ":" in str(address) and str(address).startswith(("2", "3"))


_TRANSLATED = int(IPv6Address("64:ff9b::")) >> 32  # RFC 6052 section 2.1


def _prefix(observation: Observation) -> int:
    """The first 32 bits, as registries give them out; of a host behind a translator those of its IPv4 address."""
    address = int(IPv6Address(str(observation.target.address).partition("%")[0]))
    return (address & 0xFFFFFFFF) >> 16 if address >> 32 == _TRANSLATED else address >> 96


def _is_about(outcome: Outcome, hosts: Sequence[str]) -> bool:
    target = _connected_over_ipv4(outcome)
    return target is not None and target.host in hosts and outcome.check.requirement is not None


def _sureness(case: Case, hosts: Sequence[str], dead: Sequence[Observation]) -> Confidence:
    """Hosts of one owner may be down together; a host outside the product tells. A reset may be a server's own."""
    controls = {o.check.target.host for o in case.outcomes if o.check.scope is Scope.CONTROL}
    outside, refused = bool(controls & set(hosts)), any(map(_is_refused, dead))
    if len(set(map(_prefix, dead))) < 2 or (refused and not outside):
        return Confidence.POSSIBLE
    return Confidence.CERTAIN if outside and not refused else Confidence.LIKELY


def _place(case: Case, dead: Sequence[Observation]) -> Where:
    """A router of this site that refuses is known by its prefix, this host by its address; silence has no place."""
    mine = {a for link in case.environment.interfaces for a in link.addresses if _is_global(a)}
    own = set(map(_site_of, mine))
    refusing = {str(o.facts["offender"]) for o in dead if o.facts.get("offender")}
    if refusing and refusing <= mine:
        return Where.HOST
    near = [a for a in refusing if a.startswith("fe80:") or (_is_global(a) and _site_of(a) in own)]
    return Where.SITE if near and len(near) == len(refusing) else Where.UNKNOWN


def _site_of(address: str) -> int:
    """The prefix of /48 that a site is given at most (RFC 6177)."""
    return int(IPv6Address(address.partition("%")[0])) >> 80


def ipv6_only(case: Case) -> Iterator[Finding]:
    """No IPv4 at all: what the product lists by address cannot be tried from here."""
    untried = [o.check.id for o in case.outcomes if o.check.requirement and _is_unrouted_ipv4(o)]
    if not is_ipv6_only(case.environment) or not untried:
        return
    prefix = _translator(case)
    how = (
        f"The name server translates ({WELL_KNOWN} is in {prefix}), so that names work and addresses do not"
        if prefix
        else "No translation prefix was found (RFC 7050), so that services without IPv6 are out of reach"
    )
    found = case.finding(
        "ipv6-only",
        [*untried, *([TRANSLATION] if TRANSLATION in case.by_check else [])],
        f"This host has no IPv4: what is listed by IPv4 address ({len(untried)} of the checks) cannot be tried. {how}.",
        owner=Owner.NETWORK,
        confidence=Confidence.CERTAIN if _works(case) else Confidence.LIKELY,
        remedy="Offer NAT64 with DNS64 and a translator on the host (464XLAT), or give the voice network IPv4.",
    )
    yield replace(found, severity=case.severity(found.affects))


def _is_unrouted_ipv4(outcome: Outcome) -> bool:
    """Everything that was sent to an address of IPv4 ended in this host's own routing table."""
    sent = [o for o in outcome.observations if o.step is not Step.RESOLVE]
    return bool(sent) and all(
        o.failure in (Failure.NETWORK_UNREACHABLE, Failure.ADDRESS_NOT_AVAILABLE, Failure.HOST_UNREACHABLE)
        and not o.facts.get("offender")
        and o.target.address is not None
        and ":" not in o.target.address
        for o in sent
    )


def _translator(case: Case) -> str | None:
    for outcome, observation in case.observations(Scope.FOLLOW_UP):
        if outcome.check.id == TRANSLATION:
            for record in observation.facts.get("records") or ():
                if prefix := translation_prefix(str(record)):
                    return prefix
    return None


def translation_prefix(record: str) -> str | None:
    """The prefix that an AAAA record of `ipv4only.arpa` was made of (RFC 6052 section 2.2); None for no such record."""
    if not is_address(record) or not isinstance(parsed := ip_address(record), IPv6Address):
        return None
    packed = parsed.packed
    for length in (96, 64, 56, 48, 40, 32):
        start = length // 8
        # Bits 64 to 71 are zero and no part of the address.
        octets = packed[start:] if length == 96 else (packed[start:8] + packed[9:])[:4]
        if IPv4Address(octets) in _ITS_ADDRESSES:
            return f"{IPv6Address(packed[:start] + bytes(16 - start))}/{length}"
    return None
