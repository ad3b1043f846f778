"""Which hop-limited packet to send next: egress proof within the reply limits of routers.

Routers answer one peer about six times and then once a second (Linux `icmp_ratelimit`), so packets are spread
over the hops beyond the site's edge, and a missing reply counts only when the same hop answered afterwards.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from readycheck.net.address import is_site_address

BURST = 4.0
REFILL_MS = 1050.0
MISSES = 2
ATTEMPTS = 5
ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Hop:
    """A router that answered on the way to a control."""

    ttl: int
    address: str
    rtt_ms: float


@dataclass(frozen=True, slots=True)
class Edge:
    """The last hop of the site; `proven` says whether NAT or an ISP address shows it."""

    ttl: int
    proven: bool


class Fate(StrEnum):
    """What became of a cell's packets."""

    PENDING = "pending"
    LEFT = "left"
    STOPPED = "stopped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


def find_edge(hops: Sequence[Hop], local: str, mapped: str | None, arrived: int | None = None) -> Edge:
    """Where the site ends: before the first hop that is public, or that neighbours the mapped address.

    `arrived` is the hop count of the control itself. Without an address that tells, only a hop right before
    it is surely outside.
    """
    beyond = [hop.ttl for hop in hops if is_site_address(local) and not is_site_address(hop.address)]
    if mapped and mapped != local:
        beyond += [hop.ttl for hop in hops if _beside(hop.address, mapped)]
    if beyond:
        return Edge(min(beyond) - 1, True)
    last = max((hop.ttl for hop in hops), default=0)
    return Edge(last - 1 if last > 1 and arrived == last + 1 else last, False)


def _beside(address: str, mapped: str) -> bool:
    one, other = ipaddress.ip_address(address), ipaddress.ip_address(mapped)
    return one.version == other.version == 4 and int(one) >> 8 == int(other) >> 8


@dataclass(slots=True)
class Cell:
    """One (network part, port) to prove."""

    network: str
    port: int
    transport: str
    refused: bool = False
    fate: Fate = Fate.PENDING
    asked: int = 0
    missed: int = 0
    ttl: int = 0
    offender: str | None = None


@dataclass(slots=True)
class _HopState:
    hop: Hop
    tokens: float = BURST
    filled_ms: float = 0.0
    misses: list[tuple[int, float]] = field(default_factory=list)
    control_until_ms: float = -1.0
    control_missed: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Send the packet of `cell` (None: of the control) with the hop limit of `hop`."""

    cell: int | None
    hop: Hop


class Survey:
    """The state of a survey; the driver sends what `due` says and reports what comes back."""

    def __init__(
        self,
        cells: Sequence[Cell],
        hops: Sequence[Hop],
        *,
        wait_ms: float = 400.0,
        known_open: Iterable[object] = (),
    ) -> None:
        """`known_open`: transports, networks and (transport, port) pairs in which a service has answered."""
        self.cells = cells
        self._open = frozenset(known_open)
        self._hops = {hop.ttl: _HopState(hop) for hop in hops}
        self._wait_ms = wait_ms
        self._flying: dict[tuple[int | None, int], float] = {}

    def done(self, first: int | None = None) -> bool:
        """Whether all cells, or the `first` ones, need no more packets."""
        return all(self._settled(cell) for cell in self.cells[:first])

    def suspects(self) -> bool:
        """Whether some cell has lost a packet and is not settled yet."""
        lost = {index for state in self._hops.values() for index, _ in state.misses}
        return any(not self._settled(c) and (c.missed or i in lost) for i, c in enumerate(self.cells))

    def next_due_ms(self, now_ms: float) -> float:
        """When to call `due` again at the latest."""
        waits = [sent + self._wait_ms for sent in self._flying.values()]
        refills = [now_ms + (1 - s.tokens) * REFILL_MS for s in self._hops.values() if s.tokens < 1]
        return max(now_ms + 5.0, min([*waits, *refills, now_ms + 200.0]))

    def due(self, now_ms: float) -> list[Send]:
        """What to send now."""
        self._expire(now_ms)
        sends: list[Send] = []
        for state in self._hops.values():
            self._refill(state, now_ms)
            if state.misses and state.control_until_ms < now_ms and state.tokens >= 1:
                state.control_until_ms = now_ms + self._wait_ms
                sends.append(self._launch(None, state, now_ms))
        while (pair := self._next_pair()) is not None:
            cell, state = pair
            self.cells[cell].asked += 1
            sends.append(self._launch(cell, state, now_ms))
        return sends

    def exceeded(self, cell: int | None, ttl: int, now_ms: float, offender: str | None) -> None:
        """A time-exceeded message came from the hop: the packet left; earlier misses at this hop count."""
        state = self._hops[ttl]
        sent = self._flying.pop((cell, ttl), now_ms)
        state.answered += 1
        state.control_missed = 0
        if cell is None:
            state.control_until_ms = -1.0
        elif not self._is_final(cell):
            self._decide(cell, Fate.LEFT, ttl, offender)
        credited = [index for index, missed_ms in state.misses if missed_ms <= sent]
        state.misses = [miss for miss in state.misses if miss[1] > sent]
        for index in credited:
            self._credit(index, ttl)

    def rejected(self, cell: int, ttl: int, offender: str | None) -> None:
        """A refusal came back although the packet could not have reached its destination."""
        self._flying.pop((cell, ttl), None)
        self._decide(cell, Fate.REJECTED, ttl, offender)

    def arrived(self, cell: int, ttl: int) -> None:
        """The destination itself answered: the way is open."""
        self._flying.pop((cell, ttl), None)
        self._decide(cell, Fate.LEFT, ttl, None)

    def finish(self) -> None:
        """Decide what is left: one lost packet is enough where others met the same wall."""
        walled = [i for i, cell in enumerate(self.cells) if cell.missed and self._covered(cell)]
        for index, cell in enumerate(self.cells):
            if cell.fate is Fate.PENDING:
                cell.fate = Fate.STOPPED if index in walled else Fate.UNKNOWN

    def _is_final(self, cell: int) -> bool:
        return self.cells[cell].fate in (Fate.LEFT, Fate.REJECTED)

    def _decide(self, cell: int, fate: Fate, ttl: int, offender: str | None) -> None:
        entry = self.cells[cell]
        entry.fate, entry.ttl, entry.offender = fate, ttl, offender

    def _credit(self, index: int, ttl: int) -> None:
        cell = self.cells[index]
        cell.missed += 1
        if cell.missed >= MISSES and cell.fate is Fate.PENDING:
            cell.fate, cell.ttl = Fate.STOPPED, ttl

    def _launch(self, cell: int | None, state: _HopState, now_ms: float) -> Send:
        state.tokens -= 1
        self._flying[cell, state.hop.ttl] = now_ms
        return Send(cell, state.hop)

    def _refill(self, state: _HopState, now_ms: float) -> None:
        state.tokens = min(BURST, state.tokens + (now_ms - state.filled_ms) / REFILL_MS)
        state.filled_ms = now_ms

    def _expire(self, now_ms: float) -> None:
        for (cell, ttl), sent in list(self._flying.items()):
            if sent + self._wait_ms > now_ms:
                continue
            del self._flying[cell, ttl]
            state = self._hops[ttl]
            if cell is not None:
                state.misses.append((cell, sent))
                continue
            state.control_missed += 1
            if state.control_missed >= MISSES:  # the hop itself is silent: its misses say nothing
                state.misses.clear()
                state.tokens = -1.0

    def _next_pair(self) -> tuple[int, _HopState] | None:
        """An open cell, and the hop with most tokens (the nearest one for a refused cell)."""
        ready = [s for s in self._hops.values() if s.tokens >= 1 and not s.misses]
        flying = {cell for cell, _ in self._flying}
        waiting = {index for state in self._hops.values() for index, _ in state.misses}
        open_cells = [
            index
            for index, cell in enumerate(self.cells)
            if index not in flying and index not in waiting and not self._settled(cell)
        ]
        if not ready or not open_cells:
            return None
        # A cell that lost a packet is the most telling one: settle it first.
        index = min(open_cells, key=lambda i: (-self.cells[i].missed, self.cells[i].asked, i))
        if self.cells[index].refused:
            return index, min(ready, key=lambda s: s.hop.ttl)
        return index, max(ready, key=lambda s: s.tokens)

    def _settled(self, cell: Cell) -> bool:
        return cell.fate is not Fate.PENDING or cell.asked >= ATTEMPTS or self._covered(cell)

    def _covered(self, cell: Cell) -> bool:
        """Enough packets of the same port or network, or of all, met the same wall: more of them add nothing."""
        alike = [c for c in self.cells if c.transport == cell.transport]
        return (
            (
                (cell.transport, cell.port) not in self._open
                and _walled([c for c in alike if c.port == cell.port], networks=2)
            )
            or (
                cell.network not in self._open
                and _walled([c for c in alike if c.network == cell.network], ports=2)
            )
            or _walled(alike, networks=3, ports=2 if cell.transport not in self._open else 3)
        )


def _walled(cells: Sequence[Cell], *, networks: int = 1, ports: int = 1) -> bool:
    """Only packets that a control of the same hop and time outlived count, and none may have passed."""
    lost = [cell for cell in cells if cell.missed or cell.fate is Fate.REJECTED]
    return (
        sum(max(cell.missed, 1) for cell in lost) >= ENOUGH
        and not any(cell.fate is Fate.LEFT for cell in cells)
        and len({cell.network for cell in lost}) >= networks
        and len({cell.port for cell in lost}) >= ports
    )
