"""A long wire: carries packets between two TUN devices in two networks, late, out of order, or not at all.

    python forwarder.py NETWORK:DEVICE NETWORK:DEVICE '{"delay_ms": 20.0, ...}' [RECORD]

where NETWORK is the path of a network namespace. Prints "ready" when both devices exist. The same seed gives the same
fate to the nth packet of each direction. What it did to each packet is written to the file RECORD when it is ended.
"""

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 65536
_PR_SET_TIMERSLACK = 29
_HEAD_BYTES = 28  # of IPv4 and UDP


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What happens to a packet, one way. Lost packets come in runs of `burst` on average.

    With a `rate_mbit`, packets wait for those before them, `queue_ms` at most; what finds the queue full is dropped.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_ratio: float = 0.0
    burst: float = 1.0
    reorder_ratio: float = 0.0
    reorder_ms: float = 10.0
    duplicate_ratio: float = 0.0
    rate_mbit: float = 0.0
    queue_ms: float = 50.0
    seed: int = 1


@dataclass
class Direction:
    """Decides the fate of each packet of one direction; time is an argument."""

    wire: Wire
    rng: random.Random
    losing: bool = False
    last_due_s: float = 0.0
    free_s: float = 0.0

    def due(self, now_s: float, size: int = 0) -> list[float]:
        """When the packet, and its copies, come out at the other end; none when it is lost."""
        if self._lost():
            return []
        if self.wire.rate_mbit:
            if self.free_s - now_s > self.wire.queue_ms / 1000:
                return []
            now_s = self.free_s = max(self.free_s, now_s) + size * 8 / (self.wire.rate_mbit * 1e6)
        wire, rng = self.wire, self.rng
        late_ms = rng.uniform(0.0, wire.jitter_ms) if wire.jitter_ms else 0.0
        due_s = now_s + (wire.delay_ms + late_ms) / 1000
        if wire.reorder_ratio and rng.random() < wire.reorder_ratio:
            due_s += wire.reorder_ms / 1000
        else:  # jitter alone keeps the order, as a queue does
            due_s = self.last_due_s = max(due_s, self.last_due_s)
        copies = 2 if wire.duplicate_ratio and rng.random() < wire.duplicate_ratio else 1
        return [due_s] * copies

    def _lost(self) -> bool:
        """Two states (Gilbert): leaving the lossy one ends a run of losses."""
        wire = self.wire
        if not wire.loss_ratio:
            return False
        leave = 1 / max(1.0, wire.burst)
        enter = leave * wire.loss_ratio / (1 - wire.loss_ratio)
        self.losing = self.rng.random() < (1 - leave if self.losing else enter)
        return self.losing


@dataclass(order=True)
class _Parcel:
    due_s: float
    number: int
    out: int = field(compare=False)
    data: bytes = field(compare=False)


Note = Callable[..., None]
"""Takes down an event: `in`, number, way, when (ns), head of the packet; or `out`, number, when."""


def carry(ends: tuple[int, int], wire: Wire, note: Note = lambda *event: None) -> None:
    """Until killed."""
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    ways = {fd: Direction(wire, random.Random(f"{wire.seed}/{i}")) for i, fd in enumerate(ends)}
    parcels: list[_Parcel] = []
    number = 0
    while True:
        wait_s = max(0.0, parcels[0].due_s - time.monotonic()) if parcels else None
        readable, _, _ = select.select(ends, (), (), wait_s)
        now_s = time.monotonic()
        for fd in readable:
            data = os.read(fd, _PACKET_BYTES)
            number += 1
            note("in", number, ends.index(fd), time.monotonic_ns(), data[:_HEAD_BYTES].hex())
            for due_s in ways[fd].due(now_s, len(data)):
                heapq.heappush(parcels, _Parcel(due_s, number, other[fd], data))
        while parcels and parcels[0].due_s <= now_s:
            parcel = heapq.heappop(parcels)
            note("out", parcel.number, time.monotonic_ns())
            try:
                os.write(parcel.out, parcel.data)
            except OSError:
                continue  # the far end is not up yet, or going away


def open_device(place: str) -> int:
    """A TUN device with this name in this network; needs root."""
    network, _, name = place.rpartition(":")
    _enter(network)
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


def _enter(network: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(network, os.O_RDONLY)
    try:
        if libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {network}")
    finally:
        os.close(fd)


def _be_punctual() -> None:
    """What it adds by waking up late would be taken for the wire's."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> None:
    near, far, wire, *record = sys.argv[1:]
    events: list[tuple[object, ...]] = []
    note: Note = (lambda *event: events.append(event)) if record else (lambda *event: None)
    _be_punctual()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ends = open_device(near), open_device(far)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        carry(ends, Wire(**json.loads(wire)), note)
    finally:
        for name in record:
            with open(f"{name}.part", "w", encoding="ascii") as file:
                json.dump(events, file)
            os.rename(f"{name}.part", name)  # whoever waits for it sees all of it


if __name__ == "__main__":
    main()
