"""Large packets that vanish without a word: handshakes that stall, and succeed in smaller segments."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from readycheck.diagnose.case import Case, Place, provider_owns
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.ipv6 import GREETING
from readycheck.diagnose.situation import Situation
from readycheck.diagnose.stalls import by_turns
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.address import is_site_address
from readycheck.net.environment import Environment
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope

PROBE = "mtu"
CHECK = "mtu/stalled"
TARGETS, AGREEING = 3, 2
LEAST_MTU, USUAL_MTU = 1280, 1500
_HEADERS = {True: 60, False: 40}  # of IPv6 or IPv4, and TCP (RFC 9293 section 3.7.1)


# --- the follow-up ------------------------------------------------------------------------------------


def stalled_handshakes(situation: Situation) -> Iterator[Check]:
    """Dial the servers again, in segments of several sizes, that took the connection and never finished a greeting."""
    targets = _apart(_stalls(situation.outcomes))
    check = situation.check(CHECK, PROBE, targets, largest=_own_mtu(situation.environment))
    yield from [check] if check else []


def is_due(situation: Situation) -> bool:
    """Servers are still to be dialled again, and routers to be asked, which answer a few packets a second."""
    return any(check.id not in situation.done for check in stalled_handshakes(situation))


def _stalls(outcomes: Sequence[Outcome]) -> Iterator[Target]:
    for outcome in outcomes:
        asked_again = outcome.check.scope is Scope.FOLLOW_UP and outcome.check.id != GREETING
        if asked_again or outcome.cut:
            continue
        for observation in outcome.observations:
            if _is_stall(observation):
                seen = observation.target
                yield Target(
                    host=seen.host,
                    address=seen.address,
                    port=seen.port,
                    transport=seen.transport,
                    sni=seen.sni,
                )


def _is_stall(observation: Observation) -> bool:
    target = observation.target
    direct = target.address is not None and target.port is not None and not target.via
    return (
        observation.step is Step.TLS_HANDSHAKE
        and observation.failure is Failure.TIMED_OUT
        and direct
        and target.transport != "udp"
    )


def _apart(stalled: Iterable[Target]) -> list[Target]:
    """The first few that have neither an address nor a domain or network in common."""
    found: list[Target] = []
    for target in stalled:
        alike = any(target.address == f.address or _zone(target) == _zone(f) for f in found)
        if not alike and len(found) < TARGETS:
            found.append(target)
    return found


def _zone(target: Target) -> str:
    """Hosts of one domain, or of one network, are likely behind the same last hop."""
    if target.host:
        return ".".join(target.host.split(".")[-2:])
    return (target.address or "").rpartition("." if "." in (target.address or "") else ":")[0]


def _own_mtu(environment: Environment) -> int:
    """Of the link that leads out; what is unknown or odd is taken for Ethernet's."""
    links = [i.mtu for i in environment.interfaces if i.name == environment.default_interface and i.mtu]
    return min(links[0], USUAL_MTU) if links and links[0] >= LEAST_MTU else USUAL_MTU


# --- the rule -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Server:
    """How one server's handshakes ended, by the bound on segments; None for those without one."""

    six: bool
    passed: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    unbounded: set[Failure | None] = field(default_factory=set)
    opened_again: bool = False

    def add(self, observation: Observation) -> None:
        size = observation.facts.get("max_segment")
        if size is None:
            self.unbounded.add(observation.failure)
        elif observation.failure is None:
            self.passed.add(size)
        elif observation.failure is Failure.TIMED_OUT:
            self.lost.add(size)

    @property
    def is_black_holed(self) -> bool:
        """It stalls without a bound, and there is one size above which it stalls and below which it does not.

        Where what opened the connections was lost, so may one greeting have been, whatever its size.
        """
        if self.opened_again and not self.lost:
            return False
        sharp = not self.lost or (bool(self.passed) and max(self.passed) < min(self.lost))
        return self.unbounded == {Failure.TIMED_OUT} and bool(self.passed) and sharp

    @property
    def is_sound(self) -> bool:
        return None in self.unbounded

    def size_of(self, segment: int) -> int:
        return segment + _HEADERS[self.six]


def pmtu_blackhole(case: Case) -> Iterator[Finding]:
    """Handshakes stall in full segments, and succeed in smaller ones."""
    servers = _servers(case.outcomes)
    # A link that is too narrow is so each time: what was answered once is lost by the luck of its flow.
    lucky = {place.address for place in by_turns(case)}
    holed = {a: server for a, server in servers.items() if server.is_black_holed and a not in lucky}
    if not holed:
        return
    place = _place(case)
    everywhere = len(holed) > 1 and not lucky and not any(server.is_sound for server in servers.values())
    stalled = [c.check for _, c in case.failing if _ends_stalled(case.by_check[c.check], holed, everywhere)]
    found = case.finding(
        "pmtu-blackhole",
        [*stalled, *_follow_ups(case, holed)],
        f"Large packets vanish and no ICMP message says so: {_sizes(holed)}{_upwards(case, place)}.",
        where=place.where,
        confidence=Confidence.CERTAIN if everywhere else Confidence.LIKELY,
        remedy="Let ICMP 'fragmentation needed' (type 3 code 4; ICMPv6 type 2) through, or clamp the TCP maximum "
        "segment size to the path on the router whose link is the narrow one (PPPoE, tunnel).",
    )
    affects = case.requirements_of([*stalled, *(o.check.id for o in case.outcomes if _prefers(o, holed))])
    yield replace(found, affects=affects, severity=case.severity(affects))


def _prefers(outcome: Outcome, holed: Mapping[str, _Server]) -> bool:
    """It passed over IPv4, and programs that try IPv6 first meet the hole: a connection stands, so they stay."""
    known = {str(a) for o in outcome.observations for a in o.facts.get("addresses") or () if ":" in str(a)}
    return bool(known & set(holed))


def _follow_ups(case: Case, holed: Mapping[str, _Server]) -> list[str]:
    """Of the sizes, and of the greetings over IPv6 if they led to them: else these tell something else."""
    led = any(server.six for server in holed.values())
    follow_ups = [o.check for o in case.outcomes if o.check.scope is Scope.FOLLOW_UP]
    return [check.id for check in follow_ups if check.probe == PROBE or (led and check.id == GREETING)]


def _servers(outcomes: Sequence[Outcome]) -> dict[str, _Server]:
    found: dict[str, _Server] = {}
    seen = (o for outcome in outcomes if outcome.check.id == CHECK for o in outcome.observations)
    for observation in seen:
        address = observation.target.address
        if observation.step not in (Step.CONNECT, Step.TLS_HANDSHAKE) or not address:
            continue
        server = found.setdefault(address, _Server(six=":" in address))
        if observation.step is Step.TLS_HANDSHAKE:
            server.add(observation)
        else:
            server.opened_again |= bool(observation.facts.get("resent"))
    return found


def _ends_stalled(outcome: Outcome, holed: dict[str, _Server], everywhere: bool) -> bool:
    """Where several servers show it and none speaks against it, the others that stalled stall for the same reason."""
    return any(_is_stall(o) and (everywhere or o.target.address in holed) for o in outcome.observations)


def _sizes(holed: dict[str, _Server]) -> str:
    first = max(holed.values(), key=lambda server: len(server.passed | server.lost))
    largest = first.size_of(max(first.passed))
    smallest_lost = f"; those of {first.size_of(min(first.lost))} bytes do not" if first.lost else ""
    hosts = f"{len(holed)} servers" if len(holed) > 1 else f"the server {next(iter(holed))}"
    family = " over IPv6" if all(server.six for server in holed.values()) else ""
    return (
        f"the answer of {hosts} to the ClientHello never arrives{family} in full packets, and does in packets of up to "
        f"{largest} bytes{smallest_lost}"
    )


@dataclass(frozen=True, slots=True)
class _Hop:
    ttl: int
    address: str
    small: int
    large: int
    toward: str | None


def _hops(case: Case) -> list[_Hop]:
    found = [
        _Hop(int(f["ttl"]), str(f["offender"]), int(f["small"]), int(f["large"]), o.target.address)
        for outcome, o in case.observations(Scope.FOLLOW_UP)
        for f in [o.facts]
        if outcome.check.probe == PROBE and o.step is Step.HOP and f.get("offender")
    ]
    return sorted(found, key=lambda hop: hop.ttl)


def _place(case: Case) -> Place:
    """Between the last router that large packets reach and the first that only small ones do.

    Beyond the site's edge it is the provider's if both routers are: a vendor's own link may be the narrow one.
    """
    hops = _hops(case)
    far = [hop for hop in hops if hop.large]
    last = far[-1] if far else None
    beyond = [hop for hop in hops if hop.ttl > (last.ttl if last else 0)]
    # One packet may be lost by chance, and a router may answer none for a while.
    if last is None or sum(hop.small for hop in beyond) < AGREEING:
        return Place(Where.UNKNOWN, "")
    words = f"packets of full size reach {last.address} (hop {last.ttl}) and not {beyond[0].address}"
    # How far the edge is, the survey knows of IPv4 alone.
    edge = None if ":" in last.address else case.evidence.edge_ttl
    if is_site_address(last.address) or (edge is not None and last.ttl <= edge):
        return Place(Where.SITE, words)
    providers = edge is not None and provider_owns(
        case.evidence, last.address, beyond[0].address, beyond[0].toward
    )
    return Place(Where.ISP if providers else Where.UNKNOWN, words)


def _upwards(case: Case, place: Place) -> str:
    """What is known of the other direction."""
    if place.words:
        return f". From this host {place.words}"
    told = any(o.facts.get("too_big") for _, o in case.observations(Scope.FOLLOW_UP) if o.step is Step.HOP)
    return ". In the other direction a router does say when a packet is too large" if told else ""
