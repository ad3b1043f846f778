"""Blocked cells, sorted: is it the port, the network, or a part of the network that does not pass? Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from readycheck.evidence import OPEN, WALL, Cell, Evidence, Sign

Column = tuple[str, str]
"""Transport and the label of a port or port stratum."""

Row = tuple[str, str]
"""Transport and network."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What is blocked, and the blocked cells that show it."""

    columns: frozenset[Column]
    rows: frozenset[Row]
    parts: frozenset[tuple[str, str, int]]
    cells: tuple[Cell, ...]

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
    walls = [c for c in evidence.cells if c.sign in WALL]
    passed = [c for c in evidence.cells if c.sign in OPEN]
    open_columns = _union(columns_of(c, evidence) for c in passed)
    open_rows = {(c.transport, c.network) for c in passed}
    rows: set[Row] = set()
    parts: set[tuple[str, str, int]] = set()
    unproven = {
        wall
        for wall in walls
        if not columns_of(wall, evidence) & open_columns and not _is_lonely(wall, evidence)
    }
    for wall in walls:
        if wall in unproven:
            continue
        if (wall.transport, wall.network) not in open_rows:
            rows.add((wall.transport, wall.network))
        else:
            parts.add((wall.transport, wall.network, wall.part))
    # A port that was only asked behind such a wall shows nothing of its own.
    columns = _union(
        columns_of(wall, evidence)
        for wall in unproven
        if (wall.transport, wall.network) not in rows
        and (wall.transport, wall.network, wall.part) not in parts
    )
    return Walls(frozenset(columns), frozenset(rows), frozenset(parts), tuple(walls))


def _is_lonely(wall: Cell, evidence: Evidence) -> bool:
    """A refusal in one network, while the same port is not refused in the others, is not the port's."""
    if wall.sign is not Sign.REJECTED:
        return False
    columns = columns_of(wall, evidence)
    cells = [c for transport, label in columns for c in evidence.column(transport, label)]
    refusing = {c.network for c in cells if c.sign is Sign.REJECTED}
    return len(refusing) == 1 and len({c.network for c in cells}) > 1


def _union(sets: Iterable[frozenset[Column]]) -> set[Column]:
    return {column for each in sets for column in each}
