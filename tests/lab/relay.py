"""A resolver that takes its time: passes questions on to another one, each answer late or not at all.

python relay.py ADDRESS DELAY_MS LOST_RATIO [RATE | cut]

Beyond RATE questions a second it refuses; with `cut` every answer is said to be too large for a datagram.
"""

import asyncio
import random
import sys
from typing import Any, cast

_PORT = 53
_HEADER_BYTES = 12
_REFUSED, _CUT = b"\x81\x85", b"\x83\x80"
"""The flags of a reply (RFC 1035 section 4.1.1)."""


class _Upstream(asyncio.DatagramProtocol):
    """One question to the far resolver; its answer goes back to whoever asked."""

    def __init__(self, question: bytes, back: asyncio.DatagramTransport, asker: Any, delay_s: float) -> None:
        self._question, self._back, self._asker, self._delay_s = question, back, asker, delay_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.DatagramTransport", transport).sendto(self._question)
        asyncio.get_running_loop().call_later(10.0, transport.close)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asyncio.get_running_loop().call_later(self._delay_s, self._back.sendto, data, self._asker)

    def error_received(self, exc: Exception) -> None:
        pass  # the asker hears nothing, as from any resolver that lost its own


def without_records(question: bytes, flags: bytes) -> bytes:
    """The reply that repeats the question, and holds nothing else."""
    end = question.index(b"\0", _HEADER_BYTES) + 5  # the root label, type and class
    return question[:2] + flags + b"\0\1" + bytes(6) + question[_HEADER_BYTES:end]


class Relay(asyncio.DatagramProtocol):
    def __init__(self, address: str, delay_s: float, lost: float, more: str) -> None:
        self._address, self._delay_s, self._lost = address, delay_s, lost
        self._cuts = more == "cut"
        self._rate = float("inf") if self._cuts or not more else float(more)
        self._asked: list[float] = []
        self._rng = random.Random(1)
        self._tasks: set[Any] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._rng.random() < self._lost:
            return
        loop = asyncio.get_running_loop()
        self._asked = [*(at for at in self._asked if loop.time() - at < 1.0), loop.time()]
        if self._cuts or len(self._asked) > self._rate:
            self._transport.sendto(without_records(data, _CUT if self._cuts else _REFUSED), addr)
            return
        opening = loop.create_datagram_endpoint(
            lambda: _Upstream(data, self._transport, addr, self._delay_s), remote_addr=(self._address, _PORT)
        )
        task = loop.create_task(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    address, delay_ms, lost, *more = sys.argv[1:]
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(
        lambda: Relay(address, float(delay_ms) / 1000, float(lost), "".join(more)),
        local_addr=("0.0.0.0", _PORT),
    )
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(main())
