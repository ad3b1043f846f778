"""Who gets a call, and how many."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from readycheck.net.interface import Endpoint
from readycheck.responder import calls as module
from readycheck.responder.calls import Calls, Placed
from readycheck.responder.offer import CallLimits
from readycheck.responder.session import Refused

HERE: Endpoint = ("127.0.0.1", 3478)
OFFER = {
    "via": "udp",
    "user": "abcd",
    "password": "p" * 22,
    "fingerprint": ":".join(["0A"] * 32),
    "seconds": 10,
}
LIMITS = CallLimits(calls=3, calls_per_source=2, seconds=20.0)


def no_socket(peer: Endpoint) -> socket.socket:
    raise OSError


async def write(data: bytes) -> None: ...


async def opened(calls: Calls, host: str, body: Mapping[str, Any] = OFFER) -> Placed:
    return await calls.open(body, (host, 5000), write)


async def test_so_many_for_each_source_and_so_many_for_all() -> None:
    calls = Calls(HERE, no_socket, LIMITS)
    first = await opened(calls, "192.0.2.1")
    await opened(calls, "192.0.2.1")
    with pytest.raises(Refused, match="2 calls of this source are on"):
        await opened(calls, "192.0.2.1")
    await opened(calls, "192.0.2.2")
    with pytest.raises(Refused, match="all calls are taken"):
        await opened(calls, "192.0.2.3")
    calls.close(first)
    await opened(calls, "192.0.2.3")
    assert len(calls) == 3


async def test_several_that_come_at_once_do_not_slip_through() -> None:
    calls = Calls(HERE, no_socket, CallLimits(calls=1))
    refused = 0
    async with asyncio.TaskGroup() as group:

        async def one(number: int) -> None:
            nonlocal refused
            try:
                await opened(calls, f"192.0.2.{number}")
            except Refused:
                refused += 1

        for number in range(5):
            group.create_task(one(number))
    assert (len(calls), refused) == (1, 4)


async def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    calls = Calls(HERE, no_socket, LIMITS)
    with pytest.raises(Refused, match=r"readycheck\[call\] is not installed there"):
        await opened(calls, "192.0.2.1")
    assert len(calls) == 0


async def test_only_what_names_a_call_is_the_calls() -> None:
    calls = Calls(HERE, no_socket, LIMITS)
    placed = await opened(calls, "192.0.2.1")
    user = placed.call.identity.user
    assert not calls.introduce(b"\x00\x01 a STUN request without a name", ("192.0.2.1", 6000))
    assert calls.introduce(f"\x00\x01 ... {user}:abcd".encode(), ("192.0.2.1", 6000))
    calls.close(placed)
    assert not calls.introduce(f"\x00\x01 ... {user}:abcd".encode(), ("192.0.2.1", 6000))
