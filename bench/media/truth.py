"""What the forwarder did to the packets of each flow, from its own record. Pure.

On purpose nothing of the program is used here: this is what its figures are held against.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from statistics import median
from typing import Any

_NS = 1e6
_UDP = 17


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """One direction (0 from the near end, 1 from the far one) of what one near port sends to one far port."""

    way: int
    near_port: int
    far_port: int
    length: int


@dataclass(slots=True)
class Fate:
    """Packets in the order in which they entered: when, and when each of their copies left."""

    entered_ns: list[int] = field(default_factory=list)
    left_ns: list[list[int]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.entered_ns)

    @property
    def lost(self) -> int:
        return sum(not left for left in self.left_ns)

    @property
    def duplicates(self) -> int:
        return sum(max(0, len(left) - 1) for left in self.left_ns)

    @property
    def longest_burst(self) -> int:
        return max(self._bursts(), default=0)

    @property
    def mean_burst(self) -> float:
        bursts = self._bursts()
        return sum(bursts) / max(1, len(bursts))

    @property
    def reordered(self) -> int:
        """Those that left after one that had entered later (RFC 4737)."""
        highest, count = -1, 0
        for number in self._order():
            count += number < highest
            highest = max(highest, number)
        return count

    @property
    def delay_ms(self) -> float:
        """The median."""
        return median(self._delays_ms())

    @property
    def jitter_ms(self) -> float:
        """The mean of the running estimate of RFC 3550 section 6.4.1, in the order of leaving."""
        delays, jitter, total = self._delays_ms(), 0.0, 0.0
        for before, after in pairwise(delays):
            jitter += (abs(after - before) - jitter) / 16
            total += jitter
        return total / max(1, len(delays) - 1)

    @property
    def variation_ms(self) -> float:
        """The mean difference of the delays of packets that follow each other (RFC 3393), as irtt has it."""
        pairs = zip(self.left_ns, self.entered_ns, strict=True)
        delays = [(left[0] - entered) / _NS if left else None for left, entered in pairs]
        steps = [abs(b - a) for a, b in pairwise(delays) if a is not None and b is not None]
        return sum(steps) / max(1, len(steps))

    def _bursts(self) -> list[int]:
        """Of packets lost, as they entered: how many in a row."""
        return [sum(1 for _ in run) for lost, run in groupby(self.left_ns, key=lambda left: not left) if lost]

    def _order(self) -> list[int]:
        known = [(left[0], number) for number, left in enumerate(self.left_ns) if left]
        return [number for _, number in sorted(known)]

    def _delays_ms(self) -> list[float]:
        return [(self.left_ns[n][0] - self.entered_ns[n]) / _NS for n in self._order()]


def fates(events: Iterable[Sequence[Any]]) -> Mapping[Flow, Fate]:
    """Of every flow of UDP over IPv4."""
    found: defaultdict[Flow, Fate] = defaultdict(Fate)
    place: dict[int, list[int]] = {}
    for event in events:
        if event[0] == "in":
            _, number, way, at_ns, head = event
            flow = _flow(way, bytes.fromhex(head))
            if flow is not None:
                left: list[int] = []
                place[number] = left
                found[flow].entered_ns.append(at_ns)
                found[flow].left_ns.append(left)
        elif event[1] in place:
            place[event[1]].append(event[2])
    return dict(found)


def _flow(way: int, head: bytes) -> Flow | None:
    if len(head) < 28 or head[0] != 0x45 or head[9] != _UDP:
        return None
    length, source, destination = (int.from_bytes(head[i : i + 2], "big") for i in (2, 20, 22))
    near, far = (source, destination) if way == 0 else (destination, source)
    return Flow(way, near, far, length)
