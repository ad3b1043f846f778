"""A way between an agent and a responder on loopback, which loses, delays and copies what it is told to."""

import heapq
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from readycheck.probe import Endpoint
from readycheck.wire.far_end import is_control

Fate = Callable[[int], Sequence[float]]
"""By the turn of a packet in its stream and direction: the delays after which it arrives; none is a loss."""


def whole(_: int) -> Sequence[float]:
    return (0.0,)


class Way:
    """Control messages always pass; a stream's packets have the fates of their direction."""

    def __init__(self, responder: Endpoint, up: Fate, down: Fate, tos: int | None = None) -> None:
        self._responder, self._up, self._down = responder, up, down
        self._tos = tos
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self.local: Endpoint = self._front.getsockname()
        self._backs: dict[Endpoint, socket.socket] = {}
        self._turns: dict[tuple[str, Endpoint], Iterator[int]] = {}
        self._due: list[tuple[float, int, socket.socket, bytes, Endpoint]] = []
        self._order = count()
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 0.02
            ready, _, _ = select.select([self._front, *self._backs.values()], [], [], min(0.02, wait_s))
            for sock in ready:
                self._take(sock)
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, sock, data, to = heapq.heappop(self._due)
                sock.sendto(data, to)
        for sock in (self._front, *self._backs.values()):
            sock.close()

    def stop(self) -> None:
        self._ending.set()

    def _take(self, sock: socket.socket) -> None:
        data, source = sock.recvfrom(2048)
        if sock is self._front:
            back = self._backs.get(source) or self._new(source)
            self._pass(data, ("up", source), self._up, back, self._responder)
        else:
            agent = next(agent for agent, back in self._backs.items() if back is sock)
            self._pass(data, ("down", agent), self._down, self._front, agent)

    def _new(self, agent: Endpoint) -> socket.socket:
        sock = self._backs[agent] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if self._tos is not None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, self._tos)
        return sock

    def _pass(
        self, data: bytes, lane: tuple[str, Endpoint], fate: Fate, out: socket.socket, to: Endpoint
    ) -> None:
        delays = (0.0,) if is_control(data) else fate(next(self._turns.setdefault(lane, count())))
        for delay_s in delays:
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), out, data, to))


@contextmanager
def way_to(responder: Endpoint, *, up: Fate = whole, down: Fate = whole, **more: Any) -> Iterator[Endpoint]:
    """The address of such a way, for as long as the block lasts."""
    way = Way(responder, up, down, **more)
    thread = threading.Thread(target=way.run)
    thread.start()
    try:
        yield way.local
    finally:
        way.stop()
        thread.join(5.0)
