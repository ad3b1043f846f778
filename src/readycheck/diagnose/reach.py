"""Rules for what the grid of networks and ports shows: blocked ports, networks, ranges, and dead services."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose.case import OPEN, WALL, Case, Place, is_media, place_of
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.evidence import Cell, Sign
from readycheck.profile import PortRange, Requirement
from readycheck.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Walls:
    """The blocked cells of a transport, sorted into whole ports and whole (or part) networks."""

    ports: tuple[int, ...]
    networks: tuple[str, ...]
    parts: tuple[tuple[str, int], ...]
    cells: tuple[Cell, ...]


def sort_walls(cells: Sequence[Cell]) -> Walls:
    """A wall belongs to its port when the network is open elsewhere, to its network when the port is."""
    open_cells = [c for c in cells if c.sign in OPEN]
    walls = [c for c in cells if c.sign in WALL]
    open_ports = {c.port for c in open_cells}
    open_networks = {c.network for c in open_cells}
    ports, networks, parts = set(), set(), set()
    for wall in walls:
        if wall.port not in open_ports and (wall.network in open_networks or _spread(walls, wall)):
            ports.add(wall.port)
        elif wall.network not in open_networks:
            networks.add(wall.network)
        else:
            parts.add((wall.network, wall.part))
    open_parts = {(c.network, c.part) for c in open_cells}
    return Walls(
        tuple(sorted(ports)), tuple(sorted(networks)), tuple(sorted(parts - open_parts)), tuple(walls)
    )


def _spread(walls: Sequence[Cell], wall: Cell) -> bool:
    """The same port is walled in other networks too."""
    return len({w.network for w in walls if w.port == wall.port}) > 1


def _media_ports(case: Case) -> set[int]:
    media = {v.requirement.id for v in case.verdicts if is_media(v.requirement)}
    return {c.port for c in case.sampled if c.transport == "udp" and c.requirement in media}


def _failed(case: Case, wanted: Iterable[str]) -> list[str]:
    chosen = set(wanted)
    return [c.check for _, c in case.failing if c.check in chosen]


def _checks_at(case: Case, transport: str, ports: Iterable[int]) -> list[str]:
    wanted = set(ports)
    return _failed(case, (c.check for c in case.sampled if c.transport == transport and c.port in wanted))


def _sure(cells: Sequence[Cell]) -> Confidence:
    return Confidence.CERTAIN if len(cells) > 1 else Confidence.LIKELY


def _told(place: Place) -> str:
    return f": {place.words}" if place.words else ""


def udp_blocked(case: Case) -> Iterator[Finding]:
    """No media port of any network lets a packet out."""
    ports = _media_ports(case)
    cells = [c for c in case.evidence.cells if c.transport == "udp" and c.port in ports]
    walls = [c for c in cells if c.sign in WALL]
    if any(c.sign in OPEN for c in cells) or not cells:
        return
    everything = not any(c.transport == "udp" and c.sign in OPEN for c in case.evidence.cells)
    failed = _checks_at(case, "udp", {c.port for c in case.sampled} if everything else ports)
    if walls and len({c.port for c in walls}) > 1:
        place = place_of(case, "udp", ports, walls)
        yield case.finding(
            "udp-blocked",
            failed,
            f"No UDP leaves for the media networks, on any port{_told(place)}.",
            where=place.where,
            confidence=Confidence.CERTAIN,
            remedy=f"Allow outbound UDP to {_scope(case)}.",
        )
    elif not walls and failed and _tcp_answers(case):
        yield case.finding(
            "udp-blocked",
            failed,
            "No UDP media port of any network answers, while TCP services of the product do.",
            confidence=Confidence.POSSIBLE,
            remedy=f"Check that outbound UDP is allowed to {_scope(case)}.",
        )


def _tcp_answers(case: Case) -> bool:
    return len({c.network for c in case.sampled if c.transport == "tcp" and c.sign is Sign.ANSWERED}) > 1


def udp_return_blocked(case: Case) -> Iterator[Finding]:
    """Requests leave, nothing returns, and TCP to the same product works in two networks."""
    ports = _media_ports(case)
    cells = [c for c in case.evidence.cells if c.transport == "udp" and c.port in ports]
    left = {c.network for c in cells if c.sign is Sign.LEFT}
    if (
        len(left) > 1
        and not any(c.sign is Sign.ANSWERED or c.sign in WALL for c in cells)
        and _tcp_answers(case)
    ):
        yield case.finding(
            "udp-return-blocked",
            _checks_at(case, "udp", ports),
            "UDP requests leave the site, but no media service answers in any network, while its TCP does.",
            confidence=Confidence.LIKELY,
            remedy="Let replies to outbound UDP back in (stateful rule or UDP session tracking on every firewall).",
        )


def _scope(case: Case) -> str:
    groups = {g for v in case.verdicts if is_media(v.requirement) for g in v.requirement.targets.networks}
    networks = [n for g in sorted(groups) for n in case.profile.networks[g].networks]
    ports = {str(p) for v in case.verdicts if is_media(v.requirement) for p in v.requirement.ports}
    shown = ", ".join(sorted(ports, key=lambda p: int(p.split("-")[0])))
    return f"{', '.join(networks[:4])}{' and the other listed networks' if len(networks) > 4 else ''}, ports {shown}"


def ports_blocked(case: Case) -> Iterator[Finding]:
    """Whole ports that are dropped or refused on the way; those of a long range are named by their part."""
    for transport in ("udp", "tcp"):
        cells = [c for c in case.evidence.cells if c.transport == transport]
        walls = sort_walls(cells)
        for requirement in _affected(case, transport, walls.ports):
            mine = _ports_of(case, requirement, walls.ports)
            yield from _port_findings(case, requirement, mine, cells)


def _affected(case: Case, transport: str, ports: Sequence[int]) -> list[Requirement]:
    """The requirements whose ports these are; NTP has a rule of its own."""
    return [
        v.requirement
        for v in case.verdicts
        if v.requirement.transport == transport
        and v.requirement.probe != "ntp"
        and _ports_of(case, v.requirement, ports)
    ]


def _ports_of(case: Case, requirement: Requirement, ports: Sequence[int]) -> list[int]:
    asked = {c.port for c in case.sampled if c.requirement == requirement.id}
    return [p for p in ports if p in asked]


def _port_findings(
    case: Case, requirement: Requirement, ports: Sequence[int], cells: Sequence[Cell]
) -> Iterator[Finding]:
    for declared in requirement.ports:
        inside = [p for p in ports if p in declared]
        if not inside:
            continue
        walls = [c for c in cells if c.port in inside and c.sign in WALL]
        asked = {c.port for c in case.sampled if c.requirement == requirement.id and c.port in declared}
        opened = {c.port for c in cells if c.port in asked and c.sign in OPEN}
        if len(declared) > 1 and opened:
            yield _partial(case, requirement, declared, inside, walls)
        else:
            yield _whole(case, requirement, declared, inside, walls)


def _whole(
    case: Case, requirement: Requirement, declared: PortRange, ports: Sequence[int], walls: Sequence[Cell]
) -> Finding:
    rejected = [c for c in walls if c.sign is Sign.REJECTED]
    place = place_of(case, requirement.transport, ports, walls)
    what = "is refused" if rejected else "is dropped"
    label = f"{requirement.transport.upper()} {declared}"
    return case.finding(
        "port-rejected" if rejected else "port-blocked",
        _failed(case, _stratum_checks(case, requirement, declared)),
        f"{label} {what} on the way to every network{_told(place)}.",
        where=place.where,
        confidence=_sure(walls),
        remedy=f"Allow outbound {label} to the product's networks ({requirement.title}).",
    )


def _stratum_checks(case: Case, requirement: Requirement, declared: PortRange) -> list[str]:
    return [c.check for c in case.sampled if c.requirement == requirement.id and c.port in declared]


def _partial(
    case: Case, requirement: Requirement, declared: PortRange, ports: Sequence[int], walls: Sequence[Cell]
) -> Finding:
    blocked = _blocked_checks(case, requirement, ports)
    part = describe_part(
        declared, [_stratum(check) for check in blocked], _strata(case, requirement, declared)
    )
    place = place_of(case, requirement.transport, ports, walls)
    return case.finding(
        "rtp-range-partial",
        _failed(case, blocked),
        f"Only a part of UDP {declared} passes; what is dropped is {part}{_told(place)}.",
        where=place.where,
        confidence=_sure(walls),
        remedy=f"Allow the whole range UDP {declared} outbound, even and odd ports, to the product's networks.",
    )


def _blocked_checks(case: Case, requirement: Requirement, ports: Sequence[int]) -> list[str]:
    """The checks of the strata in which a blocked port lies."""
    hit = {_stratum(c.check) for c in case.sampled if c.requirement == requirement.id and c.port in ports}
    return list(
        dict.fromkeys(
            c.check for c in case.sampled if c.requirement == requirement.id and _stratum(c.check) in hit
        )
    )


def _stratum(check: str) -> str:
    return check.rsplit(":", 1)[-1]


def _strata(case: Case, requirement: Requirement, declared: PortRange) -> list[str]:
    return sorted(
        {_stratum(c.check) for c in case.sampled if c.requirement == requirement.id and c.port in declared}
    )


def describe_part(declared: PortRange, blocked: Iterable[str], every: Iterable[str]) -> str:
    """Say which part of a range the blocked strata (`LOW-HIGH-even`) make up."""
    hit = {_parse(name) for name in blocked}
    rest = {_parse(name) for name in every} - hit
    for parity in ("even", "odd"):
        other = "odd" if parity == "even" else "even"
        if {p for _, _, p in hit} == {parity} and {p for _, _, p in rest} == {other}:
            return f"the {parity} ports"
    low, high = min(lo for lo, _, _ in hit), max(hi for _, hi, _ in hit)
    edge = "the lower part, " if low == declared.low else "the upper part, " if high == declared.high else ""
    return f"{edge}{low}-{high}"


def _parse(name: str) -> tuple[int, int, str]:
    low, high, parity = name.split("-")
    return int(low), int(high), parity


def networks_blocked(case: Case) -> Iterator[Finding]:
    """Networks, or parts of them, that packets do not reach on any port while others pass."""
    found: dict[str, list[Cell]] = {}
    parts: set[str] = set()
    for transport in ("udp", "tcp"):
        walls = sort_walls([c for c in case.evidence.cells if c.transport == transport])
        hit = {*walls.networks, *(n for n, _ in walls.parts)}
        parts |= {n for n, _ in walls.parts}
        for cell in walls.cells:
            if cell.network in hit and cell.port not in walls.ports:
                found.setdefault(cell.network, []).append(cell)
    if not found:
        return
    cells = [c for group in found.values() for c in group]
    place = place_of(case, cells[0].transport, {c.port for c in cells}, cells)
    names = ", ".join(sorted(found)[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    partly = " (in part)" if parts else ""
    checks = [
        c.check for c in case.sampled if c.network in found and c.transport in {x.transport for x in cells}
    ]
    yield case.finding(
        "subnet-blocked",
        _failed(case, checks),
        f"Packets to {names}{partly} stop on the way while those to other networks pass{_told(place)}.",
        where=place.where,
        confidence=_sure(cells),
        remedy=f"Add {names} to the outbound allow-list with all the product's ports; do not filter by region.",
    )


def service_down(case: Case) -> Iterator[Finding]:
    """A port is refused although packets to it leave the site and nothing on the way refuses them."""
    for verdict in case.verdicts:
        requirement = verdict.requirement
        cells = [c for c in case.sampled if c.requirement == requirement.id]
        refused = [c for c in cells if c.sign is Sign.REFUSED]
        if not refused or any(c.sign is Sign.ANSWERED for c in cells) or verdict.status is Judgement.PASS:
            continue
        ports = {c.port for c in refused}
        path = [c for c in case.evidence.cells if not c.requirement and c.port in ports]
        if any(c.sign in WALL for c in path):
            continue
        left = any(c.sign is Sign.LEFT for c in path)
        checks = _failed(case, (c.check for c in cells))
        label = f"{requirement.transport.upper()} {', '.join(map(str, sorted(ports)))}"
        if len(refused) == len(cells) and not left:
            yield case.finding(
                "port-rejected",
                checks,
                f"{label} is refused at every address of every network, as something on the way would do it.",
                confidence=Confidence.POSSIBLE,
                remedy=f"Look for a reject rule on outbound {label}; if there is none, ask the vendor.",
            )
        elif left:
            yield case.finding(
                "service-down",
                checks,
                f"The vendor's service refuses {label} ({len(refused)} addresses) although the way to it is open.",
                where=Where.VENDOR,
                confidence=Confidence.LIKELY,
                remedy="Check the vendor's status page; nothing on this site refuses the connection.",
            )


def service_failing(case: Case) -> Iterator[Finding]:
    """Servers answer with an error."""
    for requirement, verdict in case.failing:
        if verdict.status is Judgement.FAIL and verdict.failure and verdict.failure.value == "http_status":
            yield case.finding(
                "service-down",
                [verdict.check],
                f"A server of the product answers with an error ({requirement.title}).",
                where=Where.VENDOR,
                confidence=Confidence.LIKELY,
                remedy="Check the vendor's status page.",
            )
