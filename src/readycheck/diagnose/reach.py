"""Rules for what the grid of networks and ports shows: blocked ports, networks, ranges, and dead services."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from readycheck.diagnose import turns
from readycheck.diagnose.case import Case, Place, is_media, place_of
from readycheck.diagnose.finding import Confidence, Finding, Where, shown
from readycheck.diagnose.hosts import place_of_flows, stopped_ways
from readycheck.diagnose.strata import describe_part, enclosed, side_of
from readycheck.evidence import OPEN, WALL, Cell, Sign
from readycheck.notation import PortRange
from readycheck.profile import Requirement
from readycheck.spans import merged
from readycheck.verdict import Judgement
from readycheck.walls import goes_round, hop_of, is_silent_throughout, silent_ports


def _media_cells(case: Case) -> list[Cell]:
    """All UDP cells on ports of media requirements."""
    media = {v.requirement.id for v in case.verdicts if is_media(v.requirement)}
    ports = {c.port for c in case.sampled if c.transport == "udp" and c.requirement in media}
    return [c for c in case.evidence.cells if c.transport == "udp" and c.port in ports]


def _failed(case: Case, cells: Iterable[Cell]) -> list[str]:
    """The checks of these cells that did not pass."""
    return case.failing_among({c.check for c in cells})


def _sure(cells: Sequence[Cell]) -> Confidence:
    return Confidence.CERTAIN if len(cells) > 1 else Confidence.LIKELY


def _told(place: Place) -> str:
    return f": {place.words}" if place.words else ""


def udp_blocked(case: Case) -> Iterator[Finding]:
    """No media port of any network lets a packet out."""
    cells = _media_cells(case)
    walls = [c for c in cells if c.sign in WALL]
    if not cells or any(_is_open(case, c, walls) or c.spoken for c in cells):
        return
    everything = not any(c.transport == "udp" and c.sign in OPEN for c in case.evidence.cells)
    failed = _failed(case, [c for c in case.sampled if c.transport == "udp"] if everything else cells)
    ports = {c.port for c in walls}
    if walls and (len(ports) > 1 or _asked_in_vain(case, cells) - ports):
        place = place_of(case, "udp", ports, walls)
        yield case.finding(
            "udp-blocked",
            failed,
            f"No UDP reaches the media networks, on any port{_told(place)}.",
            where=place.where,
            confidence=Confidence.CERTAIN if len(ports) > 1 else Confidence.LIKELY,
            remedy=f"Allow outbound UDP to {_scope(case)}.",
        )
    elif not walls and failed and len(_half_dead(case, _waited_in_vain(cells))) > 1:
        yield case.finding(
            "udp-blocked",
            failed,
            "No UDP media port of any network answers, while TCP services of the same networks do.",
            confidence=Confidence.POSSIBLE,
            remedy=f"Check that outbound UDP is allowed to {_scope(case)}, and that replies may come back.",
        )


def _asked_in_vain(case: Case, cells: Sequence[Cell]) -> set[int]:
    """Ports of them that were asked again and again, and answered never, though they owe an answer."""
    again = turns.counts(case, "repeat")
    owing = [c for c in cells if c.requirement and not c.quiet]
    return {c.port for c in owing if again.get((c.transport, c.address, c.port), (1, 0))[0] == 0}


def _is_open(case: Case, cell: Cell, walls: Sequence[Cell]) -> bool:
    """It answered, or came farther than where the walls are: a packet last seen before them shows nothing."""
    place = min((hop for w in walls if (hop := hop_of(w, case.evidence))), default=0)
    if cell.sign is Sign.LEFT:
        return (cell.ttl or place) >= place
    return cell.sign is Sign.ANSWERED or (cell.transport, cell.port) in case.evidence.fickle


def _waited_in_vain(cells: Iterable[Cell]) -> list[Cell]:
    """Requests of the run itself that nobody answered in time, and that are owed an answer: RTP without a call is not.

    Of what was cut short nobody knows.
    """
    return [c for c in cells if c.requirement and c.sign is Sign.SILENT and not c.quiet]


def _half_dead(case: Case, media: Sequence[Cell]) -> set[str]:
    """Media networks whose TCP services answer."""
    tcp = {c.network for c in case.sampled if c.transport == "tcp" and c.sign is Sign.ANSWERED}
    return tcp & {c.network for c in media}


def udp_return_blocked(case: Case) -> Iterator[Finding]:
    """Requests leave, nothing returns, and TCP to the same networks works.

    Requests of the run itself were waited for in vain: that its probes of the way had left says nothing of replies.
    A reply that answers another question has come back all the same.
    """
    if any(o.facts.get("foreign") and o.target.transport == "udp" for _, o in case.observations()):
        return
    cells = _media_cells(case)
    waited = {c.network for c in _waited_in_vain(cells)}
    left = {c.network for c in cells if c.sign is Sign.LEFT}
    fickle = case.evidence.fickle
    silent = not any(
        c.sign is Sign.ANSWERED or c.sign in WALL or (c.transport, c.port) in fickle for c in cells
    )
    if silent and len(waited) > 1 and len(left) > 1 and len(_half_dead(case, cells)) > 1:
        yield case.finding(
            "udp-return-blocked",
            _failed(case, cells),
            "UDP requests leave the site, but no media service answers in any network, while its TCP does.",
            confidence=Confidence.LIKELY,
            remedy="Let replies to outbound UDP back in: a stateful rule, or UDP session tracking, on every firewall.",
        )


def _scope(case: Case) -> str:
    media = [v.requirement for v in case.verdicts if is_media(v.requirement) and v.testable]
    groups = {group for requirement in media for group in requirement.targets.networks}
    networks = [n for group in sorted(groups) for n in case.profile.networks[group].networks]
    shown = ", ".join(map(str, merged(port for requirement in media for port in requirement.ports)))
    more = (
        f" and {len(networks) - 4} more (readycheck profile firewall {case.profile.name})"
        if len(networks) > 4
        else ""
    )
    return f"{', '.join(networks[:4])}{more}, ports {shown}"


def ports_blocked(case: Case) -> Iterator[Finding]:
    """Whole ports that are dropped or refused on the way; those of a long range are named by their part."""
    for verdict in case.verdicts:
        requirement = verdict.requirement
        if requirement.probe == "ntp":
            continue  # has a cause of its own
        for declared in requirement.ports or (None,):
            yield from _port_finding(case, requirement, declared)


def _port_finding(case: Case, requirement: Requirement, declared: PortRange | None) -> Iterator[Finding]:
    """What of `declared` is blocked; None stands for a transport without ports."""
    mine = case.cells_of(requirement.id)
    cells = [c for c in mine if declared is None or c.port in declared]
    every = {case.label(c) for c in cells}
    labels = {label for label in every if (requirement.transport, label) in case.walls.columns}
    if not labels:
        return
    walls = [w for label in sorted(labels) for w in _walls_of(case, requirement.transport, label)]
    passed = {each for each in every - labels if _passes(case, requirement.transport, each, walls)}
    # What stopped in one network alone, within the part that stops in all of them, is no more than that.
    lone = {label for transport, label, _ in case.walls.lone if transport == requirement.transport}
    labels |= enclosed(lone & every - passed, labels)
    failed = _failed(case, [c for c in cells if case.label(c) in labels])
    if declared and len(declared) > 1 and passed:
        yield _partial(case, requirement, declared, sorted(labels), passed, walls, failed)
    else:
        yield _whole(case, requirement, declared, walls, failed, stopped=len(labels), of=len(every))


def _walls_of(case: Case, transport: str, label: str) -> Sequence[Cell]:
    return case.walls.of_column((transport, label), case.evidence)


def _passes(case: Case, transport: str, label: str, walls: Sequence[Cell]) -> bool:
    return any(_is_open(case, cell, walls) for cell in case.evidence.column(transport, label))


def _whole(
    case: Case,
    requirement: Requirement,
    declared: PortRange | None,
    walls: Sequence[Cell],
    failed: Sequence[str],
    *,
    stopped: int,
    of: int,
) -> Finding:
    """So many parts of a range were seen to stop, and none to pass: where these are few, the others may."""
    rejected = [c for c in walls if c.sign is Sign.REJECTED]
    place = place_of(case, requirement.transport, {c.port for c in walls}, walls)
    label = _service(requirement.transport, str(declared or ""))
    known = "" if stopped == of else f" {stopped} of {of} parts of it were seen to stop, and none to pass."
    return case.finding(
        "port-rejected" if rejected else "port-blocked",
        failed,
        f"{label} is {'refused' if rejected else 'dropped'} on the way to every network{_told(place)}.{known}"
        f"{_beside_media(requirement, walls)}",
        where=place.where,
        confidence=_sure(walls)
        if stopped == of
        else Confidence.LIKELY
        if 2 * stopped > of
        else Confidence.POSSIBLE,
        remedy=f"Allow outbound {label} to the product's networks ({requirement.title}).{_exempt(requirement, walls)}",
    )


def _beside_media(requirement: Requirement, walls: Sequence[Cell]) -> str:
    said = _filtered(requirement, walls)
    return (
        f" RTP to the same port goes on from there: what is dropped is {said}, by what it says."
        if said
        else ""
    )


def _exempt(requirement: Requirement, walls: Sequence[Cell]) -> str:
    said = _filtered(requirement, walls)
    return f" Exempt {said} to them from application control." if said else ""


def _filtered(requirement: Requirement, walls: Sequence[Cell]) -> str:
    """What is dropped for its content, whatever the port; RTP itself was seen to pass."""
    spoken = any(c.spoken for c in walls) and requirement.probe != "rtp"
    return (requirement.probe or "").upper() if spoken else ""


def _service(transport: str, ports: str) -> str:
    """`TCP 443`; for ICMP the name alone."""
    return f"{transport.upper()} {ports}".rstrip()


def _partial(
    case: Case,
    requirement: Requirement,
    declared: PortRange,
    labels: Iterable[str],
    passed: Iterable[str],
    walls: Sequence[Cell],
    failed: Sequence[str],
) -> Finding:
    part = describe_part(declared, labels, passed)
    open_ports = {
        c.port
        for label in passed
        for c in case.evidence.column(requirement.transport, label)
        if _is_open(case, c, walls)
    }
    side = side_of({c.port for c in walls}, open_ports)
    part = part if side.split(":")[0] in part else side
    place = place_of(case, requirement.transport, {c.port for c in walls}, walls)
    return case.finding(
        "rtp-range-partial",
        failed,
        f"Only a part of UDP {declared} passes; what is dropped is {part}{_told(place)}.",
        where=place.where,
        confidence=_sure(walls),
        remedy=f"Allow the whole range UDP {declared} outbound, even and odd ports, to the product's networks.",
    )


def networks_blocked(case: Case) -> Iterator[Finding]:
    """Networks, or parts of them, that packets do not reach while others pass on the same ports."""
    walls = case.walls
    blocked = sorted({n for _, n in walls.rows} | {n for _, n, _ in walls.parts}, key=by_number)
    found = [n for n in blocked if not all(map(goes_round, walls.of_network(n)))]  # else told as such
    if not found:
        return
    cells = [c for network in found for c in walls.of_network(network)]
    parts = {(c.network, c.part) for c in cells}
    alike = [c for c in case.evidence.cells if (c.network, c.part) in parts]
    place = place_of(case, cells[0].transport, {c.port for c in cells}, cells, alike)
    names = shown(found, 6)
    partly = " (in part)" if {n for _, n, _ in walls.parts} else ""
    hit = {(c.transport, c.network) for c in cells}
    yield case.finding(
        "subnet-blocked",
        [*_failed(case, [c for c in case.sampled if (c.transport, c.network) in hit]), *_inside(case, found)],
        f"Packets to {names}{partly} stop on the way while those to other networks pass{_told(place)}.",
        where=place.where,
        confidence=_sure(cells),
        remedy=f"Add {', '.join(found[:_TO_DO])} to the outbound allow-list with all the product's ports; "
        "do not filter by region.",
    )


_TO_DO = 30
"""Networks that a remedy names: nobody can allow \"and 3 more\"."""


def by_number(network: str) -> tuple[int, IPv4Network | IPv6Network]:
    parsed = ip_network(network)
    return parsed.version, parsed


def _inside(case: Case, networks: Sequence[str]) -> list[str]:
    """Failed checks of names whose address lies in a blocked network."""
    lost = [
        outcome.check.id
        for outcome in case.outcomes
        for o in outcome.observations
        if o.failure and o.target.host and o.target.address and within(o.target.address, networks)
    ]
    return case.failing_among(lost)


def within(address: str, networks: Iterable[str]) -> bool:
    parsed = ip_address(address)
    return any(parsed in ip_network(network) for network in networks)


def service_down(case: Case) -> Iterator[Finding]:
    """A port is refused although packets to it leave the site and nothing on the way refuses them."""
    for verdict in case.verdicts:
        requirement = verdict.requirement
        cells = case.cells_of(requirement.id)
        refused = [c for c in cells if c.sign is Sign.REFUSED]
        if not refused or any(c.sign is Sign.ANSWERED for c in cells) or verdict.status is Judgement.PASS:
            continue
        ports = {c.port for c in refused}
        path = [c for c in case.evidence.cells if not c.requirement and c.port in ports]
        if any(c.sign in WALL for c in path):
            continue
        label = _service(requirement.transport, ", ".join(str(port) for port in sorted(ports) if port))
        if any(c.sign is Sign.LEFT for c in path):
            yield case.finding(
                "service-down",
                _failed(case, cells),
                f"The vendor's side refuses {label} ({len(refused)} addresses) although the way to it is open.",
                where=Where.VENDOR,
                confidence=Confidence.LIKELY,
                remedy="Check the vendor's status page; nothing on this site refuses the connection.",
            )
        elif len(refused) == len(cells):
            yield case.finding(
                "port-rejected",
                _failed(case, cells),
                f"{label} is refused at every address of every network, as something on the way would do it.",
                confidence=Confidence.POSSIBLE,
                remedy=f"Look for a reject rule on outbound {label}; if there is none, ask the vendor.",
            )


def lone_walls(case: Case) -> Iterator[Finding]:
    """One port of one network met a wall, and hardly anything tells which of the two it is for."""
    for transport, label, network in sorted(case.walls.lone):
        hit = [
            c for c in case.sampled if (c.transport, c.network, case.label(c)) == (transport, network, label)
        ]
        if _failed(case, hit):
            service = _service(transport, label)
            nowhere = _is_silent_elsewhere(case, transport, label, network)
            rejected = any(c.sign is Sign.REJECTED for c in hit)
            time = all(case.by_check[c.check].check.probe == "ntp" for c in hit)
            place = _place_of_lone(case, transport, label, network)
            yield case.finding(
                "ntp-blocked" if time else "port-rejected" if rejected else "port-blocked",
                _failed(case, hit),
                f"{service} to {network} {'is refused' if rejected else 'stops'} on the way{_told(place)}; "
                f"{'other networks answer on other ports only' if nowhere else 'other networks were not proven'}.",
                where=place.where,
                confidence=Confidence.LIKELY
                if nowhere and _others_pass(case, transport, label, network)
                else Confidence.POSSIBLE,
                remedy=f"Check that outbound {service} is allowed to "
                f"{'every network of the product' if nowhere else network}.",
            )


def _place_of_lone(case: Case, transport: str, label: str, network: str) -> Place:
    """Whichever it is for, it is seen beside another port of the same address."""
    column = case.evidence.column(transport, label)
    own = [c for c in column if c.sign in WALL and c.network == network and c.own]
    stopped = stopped_ways(case, ((transport, c.address, c.port) for c in own))
    return place_of_flows(case, stopped) if stopped else Place(Where.UNKNOWN, "")


def ports_silent(case: Case) -> Iterator[Finding]:
    """A port that nobody answers on, without a wall: dropped behind the routers that answer, or served by nobody."""
    groups = {name: frozenset(r.targets.networks) for name, r in case.requirements.items()}
    for (transport, label), cells in sorted(silent_ports(case.evidence, groups).items()):
        failed = _failed(case, cells)
        column = case.evidence.column(transport, label)
        hosts, networks = {c.address for c in cells}, {c.network for c in cells}
        if not failed or len(hosts) < SILENT_HOSTS or len(networks) < 2 or not _asked_in_vain(case, cells):
            continue
        service = _service(transport, label)
        times = any(case.requirements[c.requirement or ""].probe == "ntp" for c in cells)
        left = any(c.sign is Sign.LEFT for c in column)
        yield case.finding(
            "ntp-blocked" if times else "port-blocked",
            failed,
            f"{service} is silent at {len(hosts)} addresses of {len(networks)} networks that answer on other ports"
            f"{', though packets to it leave the site' if left else ''}: "
            f"something {'farther on' if left else 'on the way'} drops it, the answers are lost on their way back, or "
            "nobody serves it there.",
            confidence=Confidence.LIKELY
            if not times and is_silent_throughout(cells, column)
            else Confidence.POSSIBLE,
            remedy=f"Check that outbound {service} is allowed to the product's networks; if it is, ask the provider "
            "whether it filters this port, and look at the vendor's status page.",
        )


SILENT_HOSTS = 3


def _is_silent_elsewhere(case: Case, transport: str, label: str, network: str) -> bool:
    """Hosts of another network that live were asked again and again in vain, and nobody answers on the port."""
    column = case.evidence.column(transport, label)
    walls = [c for c in column if c.sign in WALL and c.network == network]
    elsewhere = [c for c in column if c.network != network]
    return bool(_asked_in_vain(case, elsewhere)) and not any(_is_open(case, c, walls) for c in column)


def _others_pass(case: Case, transport: str, label: str, network: str) -> bool:
    """Another port of the transport is not stopped there; of TCP names and pages alone would show it otherwise."""
    walls = [c for c in case.evidence.column(transport, label) if c.sign in WALL and c.network == network]
    ports = {c.port for c in walls}
    others = [c for c in case.evidence.cells if c.transport == transport and c.port not in ports]
    return transport == "tcp" or any(_is_open(case, c, walls) for c in others)
