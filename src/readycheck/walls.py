"""Blocked cells, sorted: is it the port, the network, or a part of the network that does not pass? Pure."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from readycheck.evidence import WALL, Cell, Evidence, Sign
from readycheck.failure import Failure

Column = tuple[str, str]
"""Transport and the label of a port or port stratum."""

Row = tuple[str, str]
"""Transport and network."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What is blocked, and the blocked cells that show it.

    `lone` are ports of a network of which nothing tells whether it is the port or the network.
    """

    columns: frozenset[Column]
    rows: frozenset[Row]
    parts: frozenset[tuple[str, str, int]]
    cells: tuple[Cell, ...]
    lone: frozenset[tuple[str, str, str]] = frozenset()

    def of_column(self, column: Column, evidence: Evidence) -> list[Cell]:
        return [c for c in self.cells if column in columns_of(c, evidence)]

    def of_network(self, network: str) -> list[Cell]:
        """The cells that show that a network, or a part of it, is blocked."""
        return [
            c
            for c in self.cells
            if c.network == network
            and ((c.transport, network) in self.rows or (c.transport, network, c.part) in self.parts)
        ]


def columns_of(cell: Cell, evidence: Evidence) -> frozenset[Column]:
    labels = evidence.labels.get((cell.transport, cell.port)) or {str(cell.port)}
    return frozenset((cell.transport, label) for label in labels)


def sort_walls(evidence: Evidence) -> Walls:
    """A wall is its port's unless the port is open elsewhere; then its network's; then a part's."""
    fickle = evidence.fickle
    walls = [c for c in evidence.cells if c.sign in WALL and (c.transport, c.port) not in fickle]
    rows: set[Row] = set()
    parts: set[tuple[str, str, int]] = set()
    # Where another port of the same address passes, it is the port whatever it does elsewhere.
    unproven = [
        w
        for w in walls
        if not goes_round(w)
        and (w.own or (not _is_open(w, _column(w, evidence), evidence) and not _is_lonely(w, evidence)))
    ]
    for wall in walls:
        if wall not in unproven:
            _place(wall, evidence, rows, parts)
    blocked = {network for _, network in rows}
    for wall in unproven:
        if wall.network in blocked and not _walled_beyond(blocked, wall, evidence):
            _place(wall, evidence, rows, parts)
    # A port that was only asked behind such a wall shows nothing of its own.
    left = [
        wall
        for wall in unproven
        if (wall.transport, wall.network) not in rows
        and (wall.transport, wall.network, wall.part) not in parts
    ]
    columns, lone = _sort_ports(left, evidence)
    return Walls(frozenset(columns), frozenset(rows), frozenset(parts), tuple(walls), frozenset(lone))


def goes_round(wall: Cell) -> bool:
    """A loop of routes minds no port: whatever goes to that network goes round."""
    return wall.failure is Failure.HOP_LIMIT_EXCEEDED


def _sort_ports(left: Sequence[Cell], evidence: Evidence) -> tuple[set[Column], set[tuple[str, str, str]]]:
    """Ports that are walled whatever the network, and those of a network that nothing tells more of."""
    sure = [
        wall
        for wall in left
        if _is_the_ports(wall, evidence)
        and not (wall.own and _is_open(wall, _column(wall, evidence), evidence))
    ]
    columns = _union(columns_of(wall, evidence) for wall in sure)
    lone = {
        (transport, label, wall.network)
        for wall in left
        for transport, label in columns_of(wall, evidence) - columns
    }
    return columns, lone


LIVING_HOSTS = 40
"""Of a few that live, all may serve something else: where one in ten serves the port, 40 miss it once in 70 times."""


def silent_ports(evidence: Evidence, groups: Mapping[str, Set[str]]) -> dict[Column, list[Cell]]:
    """Single ports that nobody answers or refuses, and where hosts kept silent that serve something else.

    `groups` are the groups of networks of each requirement. Those hosts answer what else is asked of the same group:
    web servers may share its networks. Silence that is allowed, or that nobody waited for, shows nothing.
    """
    serving: dict[str, set[str]] = {}
    for cell in evidence.cells:
        if cell.sign is Sign.ANSWERED and cell.requirement:
            serving.setdefault(cell.address, set()).update(groups[cell.requirement])
    found: dict[Column, list[Cell]] = {}
    for transport, port in evidence.labels.keys() - evidence.fickle:
        column = evidence.column(transport, str(port))
        if not any(map(_is_told, column)):
            found[transport, str(port)] = [c for c in column if _is_telling(c, serving, groups)]
    return {column: cells for column, cells in found.items() if cells}


def _is_told(cell: Cell) -> bool:
    """Somebody says something; a host that says itself that it serves no such port shows that the way is open."""
    itself = cell.sign is Sign.LEFT and cell.requirement is not None
    return itself or cell.sign in (Sign.ANSWERED, Sign.REFUSED, *WALL)


def _is_telling(cell: Cell, serving: Mapping[str, Set[str]], groups: Mapping[str, Set[str]]) -> bool:
    awaited = cell.sign is Sign.SILENT and not cell.quiet and cell.requirement
    return bool(awaited) and not groups[cell.requirement or ""].isdisjoint(serving.get(cell.address, ()))


def is_silent_throughout(cells: Sequence[Cell], column: Iterable[Cell]) -> bool:
    """Many hosts live, in each of the networks, and none of them answers: it is not that the right ones were missed."""
    networks = {c.network for c in column if c.requirement}
    many = len({c.address for c in cells}) >= LIVING_HOSTS and len(networks) > 1
    return many and {c.network for c in cells} == networks


def _walled_beyond(networks: set[str], wall: Cell, evidence: Evidence) -> bool:
    """The same port is walled where the network is not: then it is the port's wall in these networks as well."""
    return any(c.sign in WALL and c.network not in networks for c in _column(wall, evidence))


def _is_the_ports(wall: Cell, evidence: Evidence) -> bool:
    """The same port is walled in another network too, or this part of the network is open on another port."""
    alike = (*WALL, Sign.REFUSED) if wall.sign is Sign.REJECTED else WALL
    networks = {c.network for c in _column(wall, evidence) if c.sign in alike}
    here = [c for c in evidence.row(wall.transport, wall.network) if c.part == wall.part]
    return len(networks) > 1 or _is_open(wall, here, evidence)


def _place(wall: Cell, evidence: Evidence, rows: set[Row], parts: set[tuple[str, str, int]]) -> None:
    if _is_open(wall, evidence.row(wall.transport, wall.network), evidence):
        parts.add((wall.transport, wall.network, wall.part))
    else:
        rows.add((wall.transport, wall.network))


def _column(wall: Cell, evidence: Evidence) -> list[Cell]:
    return [c for transport, label in columns_of(wall, evidence) for c in evidence.column(transport, label)]


def _is_open(wall: Cell, cells: Iterable[Cell], evidence: Evidence) -> bool:
    """Some of the cells passed the place of the wall: a packet that was last seen before it shows nothing."""
    place = hop_of(wall, evidence)
    return any(c.sign is Sign.ANSWERED or (c.sign is Sign.LEFT and (c.ttl or place) >= place) for c in cells)


def hop_of(wall: Cell, evidence: Evidence) -> int:
    """The hop limit that a packet needs to pass a wall; 0 when the wall's place is not known."""
    if wall.ttl:
        return wall.ttl
    return next((rung.ttl + 1 for rung in evidence.rungs if rung.address == wall.offender), 0)


def _is_lonely(wall: Cell, evidence: Evidence) -> bool:
    """A refusal that one network alone gives, where others pass, or a few on all that they were asked, is theirs.

    Routers limit how often they refuse: of a rule for all networks only those packets show it that were first, to one
    network or a few. On a single port nothing tells such a rule from one for the network, and on several nothing does
    while no other network passes on one of them.
    """
    if wall.sign is not Sign.REJECTED or _refused_elsewhere(wall, evidence):
        return False
    refused = [
        cell
        for cell in evidence.cells
        if cell.sign is Sign.REJECTED and cell.offender == wall.offender and cell.transport == wall.transport
    ]
    here = {cell.network for cell in refused}
    asked = [c for network in here for c in evidence.row(wall.transport, network)]
    everything = all(c.sign in (Sign.REJECTED, Sign.UNKNOWN) for c in asked)
    several = len({cell.port for cell in refused}) > 1
    passing = any(_is_open(cell, _column(cell, evidence), evidence) for cell in refused)
    theirs = passing if len(here) == 1 else everything
    return several and theirs and here < {c.network for c in _column(wall, evidence)}


def _refused_elsewhere(wall: Cell, evidence: Evidence) -> bool:
    """The same port is refused in another network, by whom is not known: so it is not this network's alone."""
    return any(c.sign is Sign.REFUSED and c.network != wall.network for c in _column(wall, evidence))


def _union(sets: Iterable[frozenset[Column]]) -> set[Column]:
    return {column for each in sets for column in each}
