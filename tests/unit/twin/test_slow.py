"""The wire that takes its time."""

import asyncio
import os
import socket
import sys

import pytest

from readycheck.twin.slow import carry

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="TUN interfaces are Linux's")


async def test_packets_are_carried_both_ways_and_late() -> None:
    near, low = socket.socketpair(type=socket.SOCK_DGRAM)
    far, high = socket.socketpair(type=socket.SOCK_DGRAM)
    loop = asyncio.get_running_loop()
    with near, low, far, high:
        for end in (near, low, far, high):
            end.setblocking(False)
        task = asyncio.create_task(carry((low.fileno(), high.fileno()), 0.02))  # noqa: TID251
        began = loop.time()
        near.send(b"there")
        assert await loop.sock_recv(far, 100) == b"there"
        assert loop.time() - began >= 0.02
        os.write(far.fileno(), b"back")
        assert await loop.sock_recv(near, 100) == b"back"
        task.cancel()
        await asyncio.wait([task])
        for end in (low, high):
            loop.remove_reader(end)
