"""Paths of media on loopback, and the keys that come of them."""

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from readycheck.net.datagram import SocketOptions
from readycheck.net.guard import OutsideLoopback
from readycheck.net.secure_media import FramePath, IcePath, Identity, Security, Sockets, socket_to


def pair() -> tuple[socket.socket, socket.socket]:
    """Two datagram sockets that are connected to each other."""
    here, there = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (here, there):
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    here.connect(there.getsockname())
    there.connect(here.getsockname())
    return here, there


async def ice(sock: socket.socket, stack: AsyncExitStack, *, controlling: bool) -> IcePath:
    sockets, here, peer = Sockets(), sock.getsockname(), sock.getpeername()
    await sockets.connect(sock, peer)
    path = IcePath(sockets, here, controlling=controlling)
    await path.gather()
    stack.push_async_callback(path.close)
    return path


def frames() -> tuple[FramePath, FramePath]:
    async def up(framed: bytes) -> None:
        there.feed(framed[2:])

    async def down(framed: bytes) -> None:
        here.feed(framed[2:])

    here, there = FramePath(up, "controlling"), FramePath(down, "controlled")
    return here, there


def who(path: IcePath | None = None, security: Security | None = None) -> Identity:
    user, password = path.credentials if path else ("", "")
    return Identity(user=user, password=password, fingerprint=security.fingerprint if security else "")


async def test_ice_needs_but_one_end_to_know_the_others_place() -> None:
    here, there = pair()
    at = there.getsockname()
    async with AsyncExitStack() as stack:
        near = await ice(here, stack, controlling=True)
        far = await ice(there, stack, controlling=False)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(far.connect(who(near)))
            group.create_task(near.connect(who(far), at))
        await near._send(b"\x80there")
        await far._send(b"\x80back")
        assert (await far._recv(), await near._recv()) == (b"\x80there", b"\x80back")
        assert (near.role, far.role) == ("controlling", "controlled")


async def test_who_was_told_another_password_is_not_let_in() -> None:
    here, there = pair()
    at = there.getsockname()
    async with AsyncExitStack() as stack:
        near = await ice(here, stack, controlling=True)
        far = await ice(there, stack, controlling=False)
        stranger = Identity(user=who(far).user, password="x" * 22, fingerprint="")
        with pytest.raises((ConnectionError, TimeoutError)):
            async with asyncio.timeout(1):
                await near.connect(stranger, at)


async def test_keys_are_agreed_on_in_frames() -> None:
    here, there = frames()
    client, server = Security(here, "client"), Security(there, "server")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(server.handshake(who(security=client)))
        group.create_task(client.handshake(who(security=server)))
    assert client.profile == server.profile and client.profile.startswith("SRTP_A")
    await client.close()
    await server.close()


async def test_a_certificate_that_was_not_announced_is_refused() -> None:
    here, there = frames()
    client, server = Security(here, "client"), Security(there, "server")
    other = Security(here, "client")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        serving = group.create_task(server.handshake(who(security=client)))
        with pytest.raises(ConnectionError, match="not the one that was announced"):
            await client.handshake(who(security=other))
        serving.cancel()
    await client.close()
    await server.close()


async def test_a_call_has_so_many_sockets_and_no_more() -> None:
    sockets = Sockets(most=1)
    (first, kept), (second, spare) = pair(), pair()
    await sockets.connect(first, first.getpeername())
    with pytest.raises(OSError, match="enough"):
        await sockets.connect(second, second.getpeername())
    assert second.fileno() == -1
    sockets.close()
    kept.close()
    spare.close()
    await asyncio.sleep(0)


async def test_frames_that_nobody_reads_do_not_pile_up() -> None:
    here, _ = frames()
    for _ in range(1000):
        here.feed(b"x")
    await here.close()
    read = 0
    with pytest.raises(ConnectionError):
        while True:
            await here._recv()
            read += 1
    assert read == 64


def test_the_fence_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutsideLoopback):
        socket_to(("192.0.2.1", 3478), SocketOptions())
