"""A resolver that takes its time: passes questions on to another one, each answer late or not at all.

python relay.py ADDRESS DELAY_MS LOST_RATIO
"""

import asyncio
import random
import sys
from typing import Any, cast

_PORT = 53


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


class Relay(asyncio.DatagramProtocol):
    def __init__(self, address: str, delay_s: float, lost: float) -> None:
        self._address, self._delay_s, self._lost = address, delay_s, lost
        self._rng = random.Random(1)
        self._tasks: set[Any] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._rng.random() < self._lost:
            return
        loop = asyncio.get_running_loop()
        opening = loop.create_datagram_endpoint(
            lambda: _Upstream(data, self._transport, addr, self._delay_s), remote_addr=(self._address, _PORT)
        )
        task = loop.create_task(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    address, delay_ms, lost = sys.argv[1:]
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(
        lambda: Relay(address, float(delay_ms) / 1000, float(lost)), local_addr=("0.0.0.0", _PORT)
    )
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(main())
