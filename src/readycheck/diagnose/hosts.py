"""Rules for named hosts: a port that stops for all of them, a host that stops on all ports, a service that is down."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from readycheck.diagnose.case import Case, Place, is_media, provider_owns
from readycheck.diagnose.doors import Door, Flow, Key, alone, find_flows
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.neighbours import flows_beside, home_of, is_reached
from readycheck.diagnose.new_flows import find_changing
from readycheck.evidence import Sign
from readycheck.failure import Step
from readycheck.net.address import is_site_address
from readycheck.plan import NAME_SERVERS

STOPPED = ("stopped", "rejected")
TIME = ("udp", 123)
"""Time has a cause of its own."""


def media_of_hosts(case: Case) -> Iterator[Finding]:
    """No UDP port of media lets a packet out to the hosts of a product that has its media at hosts alone."""
    media = {v.requirement.id for v in case.verdicts if is_media(v.requirement)}
    every = case.doors
    cut_off = _cut_off(every)
    doors = [
        d
        for d in every
        if d.transport == "udp" and d.address not in cut_off and media & {*case.requirements_of(d.checks)}
    ]
    stopped = [d for d in doors if d.flow and d.flow.fate in STOPPED]
    ports = sorted({d.port for d in stopped})
    sampled = any(c.transport == "udp" and c.requirement in media for c in case.sampled)
    if sampled or len(ports) < 2 or any(not d.is_lost or _has_passed(d) for d in doors):
        return
    place = _place_of_doors(case, stopped)
    own = [d for d in stopped if d.flow and d.flow.own]
    yield case.finding(
        "udp-blocked",
        _failed(case, doors),
        f"No UDP leaves for {_hosts(stopped)}, on any port (asked: {', '.join(map(str, ports))}): {place.words}.",
        where=place.where,
        # Hosts that answer nothing else may be blocked themselves.
        confidence=Confidence.CERTAIN
        if len(own) == len(stopped)
        else Confidence.LIKELY
        if own
        else Confidence.POSSIBLE,
        remedy=f"Allow outbound UDP to {_hosts(stopped, _TO_DO)}, on all ports that the product lists for media.",
    )


def ports_of_hosts(case: Case) -> Iterator[Finding]:
    """A port that no named host answers on, though the hosts answer on others, or its packets stop on the way."""
    doors = case.doors
    cut_off = _cut_off(doors)
    for service in dict.fromkeys(d.service for d in doors if d.is_lost and d.checks):
        here = [d for d in doors if d.service == service]
        lost = [d for d in here if d.is_lost and d.address not in cut_off and not _is_explained(case, d)]
        answered = [d for d in here if not d.is_lost and d.sign is not Sign.LOCAL]
        product = [d for d in answered if not d.outside] or _sampled(case, service)
        failed = _failed(case, lost)
        if service != TIME and failed and not product:
            yield from _port(case, lost, _alive(doors), failed, passes=bool(answered))


def connections_lost(case: Case) -> Iterator[Finding]:
    """No connection stands anywhere, and nothing refuses one, while datagrams are answered by hosts far away.

    What stops on the way is told by its place, and behind a proxy nobody else need be reached.
    """
    doors = [d for d in case.doors if d.transport == "tcp"]
    cells = [c for c in case.evidence.cells if c.transport == "tcp"]
    lost = [
        d for d in doors if d.sign is Sign.SILENT and d.is_lost and not (d.flow and d.flow.fate in STOPPED)
    ]
    ports, addresses = {d.port for d in lost}, {d.address for d in lost}
    silent = len(lost) == len(doors) and all(c.sign in (Sign.SILENT, Sign.LEFT, Sign.UNKNOWN) for c in cells)
    if not (silent and any(d.outside for d in lost) and len(ports) > 1 and len(addresses) > FEW):
        return
    if any(o.check.target.via for o in case.outcomes) or not _datagrams_return(case):
        return
    left = any(c.sign is Sign.LEFT for c in cells) or any(map(_has_passed, lost))
    mine = {c.check for c in case.sampled if c.transport == "tcp"}
    yield case.finding(
        "port-blocked",
        [*_failed(case, lost), *case.failing_among(mine)],
        f"No TCP connection opens, to any of {len(addresses)} named hosts, those outside the product among them, on "
        f"any port, while UDP is answered{'; requests leave the site' if left else ''}.",
        remedy="Allow outbound TCP to the product's ports, and let the replies back in. Where connections are allowed, "
        "look for asymmetric routing: a stateful firewall that sees only the answers drops them.",
    )


FEW = 2


def _datagrams_return(case: Case) -> bool:
    """Of hosts beyond the site, name servers apart."""
    return any(
        o.failure is None
        and o.target.transport == "udp"
        and o.step in (Step.ECHO, Step.RESPONSE)
        and outcome.check.scope not in NAME_SERVERS
        and not is_site_address(o.target.address or "127.0.0.1")
        for outcome, o in case.observations()
    )


def _cut_off(doors: Sequence[Door]) -> set[str]:
    """Addresses that nothing reaches, while other hosts serve the same port: that is no port's doing."""
    flows = {address: [d.flow for d in doors if d.address == address and d.flow] for address in _gone(doors)}
    return {address for address, some in flows.items() if some and all(f.fate in STOPPED for f in some)}


def _gone(doors: Sequence[Door]) -> set[str]:
    return {d.address for d in alone([d for d in doors if d.is_lost and d.service != TIME], doors)}


def _port(
    case: Case, lost: Sequence[Door], alive: set[str], failed: Sequence[str], *, passes: bool
) -> Iterator[Finding]:
    """`passes`: a host outside the product answers on this port."""
    stopped = [d for d in lost if d.flow and d.flow.fate in STOPPED]
    passed = [d for d in lost if _has_passed(d)]
    if stopped and not passed:
        yield _stopped_port(case, stopped, lost, failed)
    elif all(d.quiet and d.sign is Sign.SILENT for d in lost):
        return
    elif passed:
        yield from _dead_service(case, passed, lost, failed)
    elif not passes:
        yield from _silent_port(case, lost, alive, failed)


def _has_passed(door: Door) -> bool:
    return door.flow is not None and door.flow.fate in ("left", "answered", "refused")


def _stopped_port(
    case: Case, stopped: Sequence[Door], lost: Sequence[Door], failed: Sequence[str]
) -> Finding:
    """Hop-limited packets end before those of a control do."""
    rejected = any(d.flow and d.flow.fate == "rejected" for d in stopped)
    place = _place_of_doors(case, stopped)
    what = _service(stopped[0])
    own = [d for d in stopped if d.flow and d.flow.own]
    many = len({d.address for d in stopped}) > 1
    answer = "answer" if len({d.address for d in lost}) > 1 else "answers"
    return case.finding(
        "port-rejected" if rejected else "port-blocked",
        failed,
        f"{what} is {'refused' if rejected else 'dropped'} on the way to {_hosts(lost)}"
        f"{f', which {answer} on other ports' if own and len(own) == len(stopped) else ''}: {place.words}.",
        where=place.where,
        confidence=Confidence.CERTAIN
        if own and many
        else Confidence.LIKELY
        if own or many
        else Confidence.POSSIBLE,
        remedy=f"Allow outbound {what} to {_hosts(lost, _TO_DO)}.",
    )


def _dead_service(
    case: Case, passed: Sequence[Door], lost: Sequence[Door], failed: Sequence[str]
) -> Iterator[Finding]:
    """All packets come as far as those of other ports of the same hosts: it is the hosts that are silent.

    A host outside the product that is silent on the same port speaks against that: then replies are lost.
    """
    through = [d for d in passed if d.flow and (d.flow.comes_through or _refused_by_itself(d))]
    if through and len(through) == len([d for d in lost if d.flow]) and not any(d.outside for d in lost):
        yield _down(case, through, failed, Confidence.POSSIBLE)


def _silent_port(
    case: Case, lost: Sequence[Door], alive: set[str], failed: Sequence[str]
) -> Iterator[Finding]:
    """No router can be heard: many hosts that live and do not answer on one port, in the product and outside."""
    there = [d for d in lost if d.address in alive and d.checks]
    rejecting = [d for d in lost if d.sign is Sign.REJECTED]
    refusing = [d for d in lost if d.sign is Sign.REFUSED]
    outside = [d for d in lost if d.outside and d.address in alive]
    if rejecting:
        yield _rejected(case, rejecting, failed)
    elif len({d.address for d in there}) > 1:
        refused = len(refusing) == len(lost)
        if refusing and not refused:
            return
        yield case.finding(
            "port-rejected" if refused else "port-blocked",
            failed,
            f"{_service(lost[0])} is {'refused' if refused else 'silent'} at {_hosts(lost)}, all of which answer on "
            f"other ports{', and outside the product as well' if outside else ''}.",
            confidence=Confidence.LIKELY if outside else Confidence.POSSIBLE,
            remedy=f"Check that outbound {_service(lost[0])} is allowed to {_hosts(lost, _TO_DO)}.",
        )


def _rejected(case: Case, doors: Sequence[Door], failed: Sequence[str]) -> Finding:
    """A router on the way says so itself."""
    by = str(doors[0].offender)
    return case.finding(
        "port-rejected",
        failed,
        f"{_service(doors[0])} is refused on the way to {_hosts(doors)}: {by} refuses it.",
        where=Where.SITE if is_site_address(by) else Where.UNKNOWN,
        confidence=Confidence.CERTAIN if len({d.address for d in doors}) > 1 else Confidence.LIKELY,
        remedy=f"Allow outbound {_service(doors[0])} to {_hosts(doors, _TO_DO)} at {by}.",
    )


def hosts_alone(case: Case) -> Iterator[Finding]:
    """A host that fails where others answer on the same port: by its hop-limited packets, whose fault that is."""
    doors = case.doors
    open_services = {d.service for d in doors if not d.is_lost and d.sign is Sign.ANSWERED and not d.outside}
    for address in dict.fromkeys(d.address for d in doors if d.is_lost and d.checks):
        here = [d for d in doors if d.address == address]
        lost = [
            d
            for d in here
            if d.is_lost and d.service != TIME and (d.service in open_services or _sampled(case, d.service))
        ]
        failed = _failed(case, lost)
        flows = [d for d in lost if d.flow]
        if failed and flows and not _is_explained(case, lost[0]):
            yield from _alone(case, here, lost, flows, failed)


def _alone(
    case: Case, here: Sequence[Door], lost: Sequence[Door], flows: Sequence[Door], failed: Sequence[str]
) -> Iterator[Finding]:
    stopped = [d for d in flows if d.flow and d.flow.fate in STOPPED]
    alive = any(d.sign is Sign.ANSWERED for d in here)
    if len(stopped) == len(flows):
        everything = _failed(case, [d for d in here if d.is_lost])
        yield _stopped_host(case, stopped, failed) if alive else _stopped_address(case, stopped, everything)
    elif all(d.quiet for d in flows):
        return
    elif all(d.flow and (d.flow.comes_through or _refused_by_itself(d)) for d in flows):
        yield _down(case, lost, failed, Confidence.LIKELY)
    elif not alive and all(d.flow and d.flow.fate in ("left", "refused") for d in flows):
        far = all(is_refused_far_away(case, d) for d in flows)
        changing = {(place.transport, place.port) for place in find_changing(case.outcomes)}
        if not far and any(d.service in changing for d in flows):
            return  # of a port that answers by turns, that one host was silent shows nothing
        yield _down(case, lost, failed, Confidence.LIKELY if far else Confidence.POSSIBLE, Where.UNKNOWN)


def _refused_by_itself(door: Door) -> bool:
    flow = door.flow
    return flow is not None and flow.fate == "refused" and flow.own and flow.arrived is not None


def is_refused_far_away(case: Case, door: Door) -> bool:
    """Beyond the provider, as far away as where another host answers, by the next after a router that passes it on."""
    return door.flow is not None and is_flow_refused_far_away(case, door.flow)


def is_flow_refused_far_away(case: Case, flow: Flow) -> bool:
    if flow.fate != "refused" or flow.edge is None or flow.arrived != flow.ttl:
        return False
    passed = flow.reached == flow.ttl - 1 > flow.edge + 1
    return passed and not provider_owns(case.evidence, flow.router, flow.router)


def _stopped_host(case: Case, stopped: Sequence[Door], failed: Sequence[str]) -> Finding:
    place = _place_of_doors(case, stopped)
    first = stopped[0]
    refused = any(d.flow and d.flow.fate == "rejected" for d in stopped)
    return case.finding(
        "port-rejected" if refused else "port-blocked",
        failed,
        f"{_service(first)} to {_hosts(stopped)} is {'refused' if refused else 'dropped'} on the way while other "
        f"hosts are reached: {place.words}.",
        where=place.where,
        confidence=Confidence.LIKELY,
        remedy=_allow(first, stopped),
    )


def _allow(first: Door, stopped: Sequence[Door]) -> str:
    return f"Allow {first.address} ({_hosts(stopped)}) outbound; look for it on block lists and in single routes."


@dataclass(frozen=True, slots=True)
class _Extent:
    """What a wall is for, how sure that is, the words for what was seen beside, and what to allow."""

    cause: str
    confidence: Confidence
    words: str = ""
    remedy: str = ""


def _stopped_address(case: Case, stopped: Sequence[Door], failed: Sequence[str]) -> Finding:
    """Nothing of a host is reached. That it is the host's address alone is seen by a neighbour on the same port."""
    place, first = _place_of_doors(case, stopped), stopped[0]
    refused = any(d.flow and d.flow.fate == "rejected" for d in stopped)
    extent = _extent_of_wall(case, first)
    return case.finding(
        "port-rejected" if refused and extent.cause == "port-blocked" else extent.cause,
        failed,
        f"Packets to {_hosts(stopped)} ({first.address}) are {'refused' if refused else 'dropped'} on the way while "
        f"other hosts are reached: {place.words}.{extent.words}",
        where=place.where,
        confidence=extent.confidence,
        remedy=extent.remedy or _allow(first, stopped),
    )


def _extent_of_wall(case: Case, door: Door) -> _Extent:
    home = home_of(door.address, case.evidence)
    hop = door.flow.ttl - 1 if door.flow else 0
    flows = find_flows(case.outcomes)
    if home is None or is_reached(door, hop, home, flows):
        return _Extent("address-blocked", Confidence.LIKELY)
    network, service = home.network, _service(door)
    reached = {cell.address for cell in home.open_beyond(hop)}
    if not reached:
        words = (
            f" Nothing beside it in {network} was seen to be reached: it may be the network, or a part of it."
        )
        remedy = (
            f"Check that the whole of {network} is on the outbound allow-list, with all the product's ports."
        )
        return _Extent("subnet-blocked", Confidence.POSSIBLE, words, remedy)
    alike = {address for address, flow in flows_beside(door, home, flows) if flow.fate in STOPPED}
    if alike:
        own = reached & alike
        words = f" {service} of {min(own or alike)} in {network} stops as well, where other ports pass."
        remedy = f"Check that outbound {service} is allowed to the whole of {network}."
        return _Extent("port-blocked", Confidence.LIKELY if own else Confidence.POSSIBLE, words, remedy)
    words = f" Whether {service} of other addresses in {network} is reached was not seen."
    return _Extent("address-blocked", Confidence.POSSIBLE, words)


def _down(
    case: Case,
    doors: Sequence[Door],
    failed: Sequence[str],
    confidence: Confidence,
    where: Where = Where.VENDOR,
) -> Finding:
    refuses = all(d.sign is Sign.REFUSED for d in doors)
    return case.finding(
        "service-down",
        failed,
        f"{_hosts(doors)} {'refuses' if refuses else 'does not answer on'} {_service(doors[0])}, "
        f"although packets to it {_extent(doors)}.",
        where=where,
        confidence=confidence,
        remedy="Check the vendor's status page and open a case; nothing was found on this site that stops the packets.",
    )


def _extent(doors: Sequence[Door]) -> str:
    through = any(d.flow and (d.flow.comes_through or d.flow.own) for d in doors)
    return "come as far as those to its other ports" if through else "leave the site"


def _place_of_doors(case: Case, doors: Sequence[Door]) -> Place:
    return place_of_flows(case, [(d.address, d.flow) for d in doors if d.flow])


def stopped_ways(case: Case, keys: Iterable[Key]) -> list[tuple[str, Flow]]:
    """The addresses of these ports at which packets end before a control's, and how far they came."""
    flows = find_flows(case.outcomes)
    ways = [(key[1], flows.get(key)) for key in keys]
    return [(address, flow) for address, flow in ways if flow and flow.fate in STOPPED]


def place_of_flows(case: Case, stopped: Sequence[tuple[str, Flow]]) -> Place:
    """Where packets to these addresses end; the farthest that any of them came."""
    flows = [flow for _, flow in stopped]
    rejected = [f for f in flows if f.fate == "rejected"]
    if rejected:
        flow = min(rejected, key=lambda f: f.ttl)
        by = flow.offender or "a device"
        words = f"{by} refuses packets that can go no further than hop {flow.ttl}"
        if flow.edge is None:
            return Place(Where.SITE if _is_first_router(case, by) else Where.UNKNOWN, words)
        near = flow.ttl <= flow.edge + 1 or bool(flow.offender and is_site_address(flow.offender))
        return Place(Where.UNKNOWN if flow.ttl == 1 else Where.SITE if near else Where.UNKNOWN, words)
    flow = max(flows, key=lambda f: f.reached)
    toward = next(address for address, each in stopped if each is flow)
    if not flow.reached:
        return Place(Where.UNKNOWN, "packets do not even reach the first router, or this host keeps them")
    # Routers between the two said nothing of the control either: the wall may be at any of them.
    beyond = min(f.ttl for f in flows if f.ttl > flow.reached)
    end = "no further" if beyond == flow.reached + 1 else f"not hop {beyond}"
    words = f"packets reach {flow.router} (hop {flow.reached}) and {end}, while others go on"
    if flow.edge is None:
        return Place(Where.UNKNOWN, words)
    if flow.reached <= flow.edge:
        return Place(Where.SITE if beyond <= flow.edge + 1 else Where.UNKNOWN, words)
    providers = provider_owns(case.evidence, flow.router, flow.next, toward)
    return Place(Where.ISP if providers else Where.UNKNOWN, words)


def _is_first_router(case: Case, address: str) -> bool:
    """This host's own, with an address of the site: there it is whatever is known of the way beyond."""
    return address == case.environment.gateway and is_site_address(address)


def _sampled(case: Case, service: tuple[str, int]) -> list[Sign]:
    """Answers on this port in the product's networks."""
    cells = case.evidence.cells
    return [c.sign for c in cells if c.sign is Sign.ANSWERED and (c.transport, c.port) == service]


def _alive(doors: Sequence[Door]) -> set[str]:
    return {d.address for d in doors if d.sign is Sign.ANSWERED}


def _is_explained(case: Case, door: Door) -> bool:
    """Its address lies in a network that is known to be blocked."""
    walls = case.walls
    blocked = {n for _, n in walls.rows} | {n for _, n, _ in walls.parts}
    return any(ip_address(door.address) in network for network in map(ip_network, blocked))


def _failed(case: Case, doors: Sequence[Door]) -> list[str]:
    mine = {check for door in doors for check in door.checks}
    return case.failing_among(mine)


def _service(door: Door) -> str:
    return f"{door.transport.upper()} {door.port}"


_TO_DO = 12
"""Hosts that a remedy names: nobody can allow "and 3 more"."""


def _hosts(doors: Sequence[Door], most: int = 4) -> str:
    names = list(dict.fromkeys(name for d in doors if d.checks for name in d.hosts or (d.address,)))
    more = f" and {len(names) - most + 1} more" if len(names) > most else ""
    return ", ".join(names[: most - 1 if more else most]) + more
