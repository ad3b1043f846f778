"""Which hop-limited packet to send next: egress proof within the reply limits of routers.

Routers answer one peer about six times and then once a second (Linux `icmp_ratelimit`), so packets are spread
over the hops beyond the site's edge. A first missing reply only raises a suspicion; it is asked again with a
control right behind it, and counts when the control of that very moment is answered and it is not. Where packets
are lost at random, that happens by chance too: how many misses accuse depends on what else was lost meanwhile.
"""

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from readycheck.net.address import is_site_address

BURST = 4.8
"""One of the six goes to the ladder, and a fifth of one to the jitter of the way."""
LEAST_BURST = 2.0
"""A suspect is asked beside a control."""
REFILL_MS = 1010.0
MISSES = 2
ATTEMPTS = 5
ENOUGH = 4
CHANCE = 0.02
"""How likely a survey of an open network may be to accuse any cell of it."""


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

    `arrived` is the hop count of the control itself. A `local` address of IPv4 says nothing of IPv6, which translates
    nothing: all routers of a site have public addresses there. Without an address that tells, only a hop right before
    it is outside, if its address is none of a site's: see `is_last`.
    """
    alike = [hop for hop in hops if (":" in hop.address) == (":" in local)]
    beyond = [hop.ttl for hop in alike if is_site_address(local) and not is_site_address(hop.address)]
    if mapped and mapped != local:
        beyond += [hop.ttl for hop in hops if _beside(hop.address, mapped)]
    if beyond:
        return Edge(min(beyond) - 1, True)
    last = max(hops, key=lambda hop: hop.ttl, default=Hop(0, "", 0.0))
    return Edge(
        last.ttl - 1 if last.ttl > 1 and is_last(last.ttl, last.address, arrived) else last.ttl, False
    )


def is_last(ttl: int, router: str, arrived: int | None) -> bool:
    """Whether nothing lies between the router at this distance and a destination that was reached.

    A router with an address of the site may be an edge that sets the hop limit of what leaves anew: whatever comes
    to it comes on to the destination, however far that is, and of a packet that dies there nobody knows.
    """
    return arrived is not None and ttl + 1 >= arrived and not is_site_address(router)


def _beside(address: str, mapped: str) -> bool:
    one, other = ipaddress.ip_address(address), ipaddress.ip_address(mapped)
    return one.version == other.version == 4 and int(one) >> 8 == int(other) >> 8


@dataclass(slots=True)
class Cell:
    """One (network part, port) to prove. `missed` counts packets that a control beside them outlived, at these hops."""

    network: str
    port: int
    transport: str
    refused: bool = False
    fate: Fate = Fate.PENDING
    asked: int = 0
    missed: int = 0
    missed_at: list[int] = field(default_factory=list)
    ttl: int = 0
    offender: str | None = None


@dataclass(slots=True)
class _HopState:
    hop: Hop
    tokens: float
    filled_ms: float = 0.0
    controls_lost: int = 0
    lost_of: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Flight:
    """A packet under way; `vouched` when a control sent right behind it has been answered."""

    sent_ms: float
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send the packet of `cell` (None: of the control) with the hop limit of `hop`."""

    cell: int | None
    hop: Hop


class Survey:
    """The state of a survey; the driver sends what `due` says, in its order, and reports what comes back."""

    def __init__(
        self,
        cells: Sequence[Cell],
        hops: Sequence[Hop],
        *,
        wait_ms: float = 400.0,
        known_open: Iterable[object] = (),
        passed: Mapping[tuple[str, int], tuple[int, int]] | None = None,
        essential: int | None = None,
        spared: int = 0,
    ) -> None:
        """`known_open`: transports, networks and (transport, port) pairs in which a service has answered.

        `passed`: how many packets were lost of those to what has answered on a port, and of how many.

        The first `essential` cells, by default all, come before the others; of its replies each hop is `spared` some.
        """
        self.cells = cells
        self._essential = len(cells) if essential is None else essential
        self._open = frozenset(known_open)
        self._burst = max(LEAST_BURST, BURST - spared)
        self._hops = {hop.ttl: _HopState(hop, self._burst) for hop in hops}
        self._wait_ms = wait_ms
        self._flying: dict[tuple[int, int], _Flight] = {}
        self._controls: dict[int, tuple[int, float]] = {}
        self._suspects: set[int] = set()
        self._doubted: list[Cell] = []
        self._unspent: dict[int, list[int]] = {}
        self._vouched = self._unvouched = 0
        self._passed = dict(passed or {})
        self._ports: dict[tuple[str, int], list[Cell]] = {}
        for cell in cells:
            self._ports.setdefault((cell.transport, cell.port), []).append(cell)

    def done(self, first: int | None = None) -> bool:
        """Whether all cells, or the `first` ones, need no more packets."""
        return all(self._settled(cell) for cell in self.cells[:first])

    def suspects(self) -> bool:
        """Whether some cell has lost a packet and is not settled yet."""
        return any(not self._settled(self.cells[index]) for index in self._suspects)

    def has_found(self) -> bool:
        """Whether a cell stays away where its controls come through: where it ends is worth a look."""
        return any(
            cell.fate is Fate.REJECTED or (cell.missed and cell.fate is not Fate.LEFT) for cell in self.cells
        )

    def next_due_ms(self, now_ms: float) -> float:
        """When to call `due` again at the latest."""
        sent = [flight.sent_ms for flight in self._flying.values()]
        sent += [sent_ms for _, sent_ms in self._controls.values()]
        refills = [now_ms + (1 - s.tokens % 1) * REFILL_MS for s in self._hops.values() if s.tokens < 2]
        return max(now_ms + 5.0, min([*(at + self._wait_ms for at in sent), *refills, now_ms + 200.0]))

    def due(self, now_ms: float) -> list[Send]:
        """What to send now."""
        self._expire(now_ms)
        for state in self._hops.values():
            self._refill(state, now_ms)
        sends: list[Send] = []
        while (pair := self._next_pair()) is not None:
            sends += self._launch(*pair, now_ms)
        return sends

    def exceeded(self, cell: int | None, ttl: int, now_ms: float, offender: str | None) -> None:
        """A time-exceeded message came from the hop: the packet left; a control's vouches for the one before."""
        if cell is not None:
            self._flying.pop((cell, ttl), None)
            if not self._is_final(cell):
                self._decide(cell, Fate.LEFT, ttl, offender)
            return
        self._vouched += 1
        self._hops[ttl].controls_lost = 0
        beside, _ = self._controls.pop(ttl, (-1, now_ms))
        if (beside, ttl) in self._flying:
            self._flying[beside, ttl].vouched = True

    def rejected(self, cell: int, ttl: int, offender: str | None) -> None:
        """A refusal came back although the packet could not have reached its destination."""
        self._flying.pop((cell, ttl), None)
        if self.cells[cell].fate is not Fate.LEFT:
            self._decide(cell, Fate.REJECTED, ttl, offender)

    def arrived(self, cell: int, ttl: int) -> None:
        """The destination itself answered: the way is open."""
        self._flying.pop((cell, ttl), None)
        self._decide(cell, Fate.LEFT, ttl, None)

    def finish(self) -> None:
        """What is not decided by now stays unknown."""
        self._accuse()
        for cell in self.cells:
            if cell.fate is Fate.PENDING:
                cell.fate = Fate.UNKNOWN

    def _is_final(self, cell: int) -> bool:
        return _is_through(self.cells[cell])

    def _decide(self, cell: int, fate: Fate, ttl: int, offender: str | None) -> None:
        entry = self.cells[cell]
        entry.fate, entry.ttl, entry.offender = fate, ttl, offender

    def _credit(self, index: int, ttl: int) -> None:
        cell = self.cells[index]
        if cell.fate in (Fate.PENDING, Fate.STOPPED):
            cell.ttl = ttl
        if not cell.missed:
            self._doubted.append(cell)
        cell.missed += 1
        cell.missed_at.append(ttl)
        self._accuse()
        # Had its packets come to the routers, those would have answered: their replies are not used up.
        unspent = self._unspent.pop(index) if cell.fate is Fate.STOPPED else [self._unspent[index].pop()]
        for state in (self._hops[each] for each in unspent):
            state.tokens = min(self._burst, state.tokens + 1)

    def _accuse(self) -> None:
        """Cells stop at a wall when loss alone would hardly let them, or all of their kind, miss so often."""
        share = self._share_lost()
        asked = sum(cell.asked > 0 for cell in self.cells) or 1
        least = max(MISSES, math.ceil(math.log(CHANCE / asked) / math.log(share)))
        lossy = {port for port, mine in self._ports.items() if self._is_lossy(port, mine, share)}
        for cell in self.cells:
            if cell.fate in (Fate.PENDING, Fate.STOPPED):
                often = cell.missed >= MISSES and self._missed_alike(cell) >= least
                guilty = often and (cell.transport, cell.port) not in lossy
                cell.fate = Fate.STOPPED if guilty else Fate.PENDING

    def _share_lost(self) -> float:
        """Of what is known to pass, controls and cells that left, with one for doubt."""
        left = [cell.asked for cell in self.cells if cell.fate is Fate.LEFT]
        lost = self._unvouched + sum(left) - len(left)
        sent = self._unvouched + self._vouched + sum(left)
        return (lost + 0.5) / (sent + 1)

    def _is_lossy(self, port: tuple[str, int], mine: Sequence[Cell], share: float) -> bool:
        """Whether a port that passes somewhere loses so much that chance may pick the cells that stay away.

        Its share is what its other cells lost, and for doubt one packet of the `share` of the survey. One that was
        lost without a control beside it, at a cell that was not asked again, is nobody's.
        """
        asked = [cell for cell in mine if cell.asked]
        if port not in self._open and not any(cell.fate is Fate.LEFT for cell in asked):
            return False
        away = [cell.missed for cell in asked if cell.missed >= MISSES and not _is_through(cell)]
        others = [cell for cell in asked if _is_through(cell) or cell.missed == 1]
        lost, sent = self._passed.get(port, (0, 0))
        lost += sum(cell.asked - _is_through(cell) for cell in others)
        sent += sum(cell.asked for cell in others)
        return math.comb(len(asked), len(away)) * ((lost + share) / (sent + 1)) ** sum(away) > CHANCE

    def _missed_alike(self, cell: Cell) -> int:
        """What the cell missed, or its port, network or transport, of which none has left."""
        mine = [c for c in self.cells if c.transport == cell.transport]
        kin = [
            [c for c in mine if c.port == cell.port],
            [c for c in mine if c.network == cell.network],
            mine,
        ]
        whole = [group for group in kin if not any(c.fate is Fate.LEFT for c in group)]
        return max([cell.missed, *(sum(c.missed for c in group) for group in whole)])

    def _launch(self, cell: int, state: _HopState, now_ms: float) -> list[Send]:
        """The packet of a cell; behind one that was lost before goes a control, at the same moment."""
        self.cells[cell].asked += 1
        self._flying[cell, state.hop.ttl] = _Flight(now_ms)
        state.tokens -= 1
        sends = [Send(cell, state.hop)]
        if cell in self._suspects:
            state.tokens -= 1
            self._controls[state.hop.ttl] = cell, now_ms
            sends.append(Send(None, state.hop))
        return sends

    def _refill(self, state: _HopState, now_ms: float) -> None:
        state.tokens = min(self._burst, state.tokens + (now_ms - state.filled_ms) / REFILL_MS)
        state.filled_ms = now_ms

    def _expire(self, now_ms: float) -> None:
        for ttl, (_, sent_ms) in list(self._controls.items()):
            if sent_ms + self._wait_ms <= now_ms:
                del self._controls[ttl]
                self._lost_control(self._hops[ttl])
        for (cell, ttl), flight in list(self._flying.items()):
            if flight.sent_ms + self._wait_ms <= now_ms:
                del self._flying[cell, ttl]
                self._suspects.add(cell)
                self._hops[ttl].lost_of.add(cell)
                self._unspent.setdefault(cell, []).append(ttl)
                if flight.vouched:
                    self._credit(cell, ttl)

    def _lost_control(self, state: _HopState) -> None:
        """A hop that twice keeps its controls waiting is left alone for a while: its silence says nothing."""
        self._unvouched += 1
        state.controls_lost += 1
        if state.controls_lost >= MISSES:
            state.tokens = -1.0

    def _next_pair(self) -> tuple[int, _HopState] | None:
        """An open cell whose turn it is, and a hop that can afford it."""
        flying = {cell for cell, _ in self._flying}
        waiting = [i for i, c in enumerate(self.cells) if i not in flying and not self._settled(c)]
        for index in sorted(waiting, key=self._turn):
            suspected = index in self._suspects
            ready = [
                state
                for state in self._answering()
                if state.tokens >= (2 if suspected else 1)
                and not (suspected and state.hop.ttl in self._controls)
            ]
            if ready:
                return index, min(ready, key=lambda s: self._reluctance(s, index))
            if suspected:
                return None  # save up for it
        return None

    def _answering(self) -> list[_HopState]:
        """The hops that kept the fewest controls waiting: a silent one would use up a cell's attempts."""
        fewest = min((state.controls_lost for state in self._hops.values()), default=0)
        return [state for state in self._hops.values() if state.controls_lost == fewest]

    def _turn(self, index: int) -> tuple[int, ...]:
        """A few suspects of each kind first: they show a wall; then all else once, what hangs on a suspect before.

        A port that was seen to stop in two networks comes last: more of it tells least.
        """
        cell = self.cells[index]
        missed = [c for c in self._doubted if self._kind(c) == self._kind(cell)]
        shown = len({c.network for c in missed if c.port == cell.port and c.fate is Fate.STOPPED}) > 1
        if index not in self._suspects:
            doubted = any(self._shares(cell, c) for c in missed) and not shown
            return 1 if index < self._essential else 3, shown, not doubted, cell.asked, index
        urgent = cell.missed > 0 or sum(c.missed for c in missed) < ENOUGH
        seen = sum((c.port == cell.port) + (c.network == cell.network) for c in missed)
        return 0 if urgent else 2, shown, -cell.missed, seen, index

    def _kind(self, cell: Cell) -> tuple[str, bool]:
        """What its silence would be for: its network, where its port answers somewhere, or else its port."""
        return cell.transport, (cell.transport, cell.port) in self._open

    def _shares(self, cell: Cell, suspect: Cell) -> bool:
        """A wall for a suspect of this kind may be one for the cell too: for its network, or for a range of ports."""
        return cell.network == suspect.network if self._kind(cell)[1] else cell.port != suspect.port

    def _reluctance(self, state: _HopState, index: int) -> tuple[float, ...]:
        """The nearest hop for a refused cell; else one at which this cell was not lost before."""
        if self.cells[index].refused:
            return (state.hop.ttl,)
        return index in state.lost_of, -state.tokens

    def _settled(self, cell: Cell) -> bool:
        return cell.fate is not Fate.PENDING or cell.asked >= ATTEMPTS or self._covered(cell)

    def _covered(self, cell: Cell) -> bool:
        """All of the same port or network, or all in all, were asked and met a wall: more packets add nothing."""
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


def _is_through(cell: Cell) -> bool:
    return cell.fate in (Fate.LEFT, Fate.REJECTED)


def _walled(cells: Sequence[Cell], *, networks: int = 1, ports: int = 1) -> bool:
    """Every cell has lost a packet that the control beside it outlived, and together they lost enough."""
    lost = [cell for cell in cells if cell.missed or cell.fate is Fate.REJECTED]
    return (
        sum(max(cell.missed, 1) for cell in lost) >= ENOUGH
        and len(lost) == len(cells)
        and len({cell.network for cell in lost}) >= networks
        and len({cell.port for cell in lost}) >= ports
    )
