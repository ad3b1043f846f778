"""`python -m readycheck.twin.slow END END MILLISECONDS`: a wire between two TUN interfaces that takes its time."""

import asyncio
import os
import sys
from contextlib import suppress

_PACKET = 65535


async def carry(ends: tuple[int, int], delay_s: float) -> None:
    """Carry packets between two TUN descriptors, each `delay_s` late."""
    loop = asyncio.get_running_loop()
    for source, sink in (ends, ends[::-1]):
        loop.add_reader(source, _pass_on, loop, source, sink, delay_s)
    await asyncio.Event().wait()


def _pass_on(loop: asyncio.AbstractEventLoop, source: int, sink: int, delay_s: float) -> None:
    with suppress(BlockingIOError):
        while True:
            loop.call_later(delay_s, _deliver, sink, os.read(source, _PACKET))


def _deliver(sink: int, packet: bytes) -> None:
    # A full queue drops the packet, as a router would.
    with suppress(OSError):
        os.write(sink, packet)


if __name__ == "__main__":
    low, high = int(sys.argv[1]), int(sys.argv[2])
    asyncio.run(carry((low, high), float(sys.argv[3]) / 1000))
