"""Connections against real loopback: bytes, refusals, resets, timeouts, cancellation in each phase."""

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.guard import OutsideLoopback
from readycheck.net.interface import IcmpReport, NetError
from readycheck.net.stream import SystemStream, icmp_failure, open_stream

HOSTS = {4: "127.0.0.1", 6: "::1"}


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def listener(family: int) -> Iterator[socket.socket]:
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    with socket.create_server((HOSTS[family], 0), family=kind) as sock:
        sock.settimeout(5)
        yield sock


@pytest.fixture
def closed_port() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        host, port = sock.getsockname()
    return host, port


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """A listener whose queue is full: it answers no SYN."""
    with socket.socket() as sock, socket.socket() as first, socket.socket() as second:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        host, port = sock.getsockname()
        yield host, port


def place(sock: socket.socket) -> tuple[str, int]:
    host, port = sock.getsockname()[:2]
    return host, port


async def connected(listener: socket.socket) -> tuple[SystemStream, socket.socket]:
    stream = await open_stream(place(listener), timeout=5)
    return stream, listener.accept()[0]


async def test_bytes_go_both_ways_until_the_end(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with closing(stream):
        with far:
            await stream.write(b"question", timeout=5)
            assert far.recv(100) == b"question"
            far.sendall(b"answer")
            assert await stream.read(3, timeout=5) == b"ans"
            assert await stream.read(100, timeout=5) == b"wer"
            assert stream.peer == place(listener)
            assert stream.local == far.getpeername()[:2]
        assert await stream.read(100, timeout=5) == b""
    assert stream.tls is None


def hold_up(seconds: float) -> None:
    """Keep the event loop from looking, as a host does whose processors others have taken."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_bytes_that_came_in_time_count_however_late_they_are_seen(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with closing(stream), far:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(stream.read(100, timeout=0.05))
            await asyncio.sleep(0)
            far.sendall(b"in time")
            hold_up(0.1)
        assert reading.result() == b"in time"


async def test_a_connection_that_came_in_time_counts_however_late_it_is_seen(
    listener: socket.socket,
) -> None:
    async with asyncio.TaskGroup() as group:
        connecting = group.create_task(open_stream(place(listener), timeout=0.05))
        await asyncio.sleep(0)
        hold_up(0.1)
    with closing(connecting.result()) as stream, listener.accept()[0]:
        assert stream.peer == place(listener)


async def test_more_than_the_buffers_hold_is_written(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    data = bytes(8 << 20)

    def swallow() -> int:
        return sum(iter(lambda: len(far.recv(1 << 20)), 0))

    with far, closing(stream):
        async with asyncio.TaskGroup() as group:
            read = group.create_task(asyncio.to_thread(swallow))
            await stream.write(data, timeout=20)
            stream.close()
    assert read.result() == len(data)


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO as Linux has it")
async def test_a_peer_that_never_pauses_leaves_the_others_their_turns(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with closing(stream), far:
        far.sendall(bytes(100))
        async with asyncio.TaskGroup() as group:
            counting = group.create_task(count())
            for _ in range(100):
                assert await stream.read(1, timeout=1)
            counting.cancel()
    assert turns >= 99


async def test_the_kernel_knows_the_round_trip(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with far, closing(stream):
        rtt_ms = stream.tcp_rtt_ms()
        assert rtt_ms is not None
        assert 0 < rtt_ms < 1000
        assert stream.tcp_resent() == 0
    assert stream.tcp_rtt_ms() is None
    assert stream.tcp_resent() is None


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO as Linux has it")
async def test_the_kernel_knows_what_the_other_side_has_acknowledged(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with far, closing(stream):
        await stream.write(b"hello", timeout=5)
        assert far.recv(5) == b"hello"
        assert stream.tcp_unacked() == 0  # of loopback: before the other side has read
    assert stream.tcp_unacked() is None


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO as Linux has it")
async def test_the_kernel_knows_what_it_sent_again() -> None:
    """It takes a second: so long the kernel waits before it sends again what opens a connection."""
    with socket.socket() as sock, socket.socket() as first:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        first.connect(sock.getsockname())  # the queue is full
        asyncio.get_running_loop().call_later(0.1, lambda: sock.accept()[0].close())
        with closing(await open_stream(place(sock), timeout=10)) as stream:
            assert stream.tcp_resent()


async def test_the_kernel_knows_how_long_something_lies_unread(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with far, closing(stream):
        far.sendall(b"x")
        assert await stream.read(1, timeout=5) == b"x"
        assert stream.heard_ms_ago() < 1000
        until = time.monotonic() + 5
        while not stream.heard_ms_ago() and time.monotonic() < until:  # nobody reads meanwhile
            pass
        assert 20 < stream.heard_ms_ago() < 5000
    assert stream.heard_ms_ago() == 0


async def test_a_reset_is_a_refusal_without_offender(closed_port: tuple[str, int]) -> None:
    with pytest.raises(NetError) as caught:
        await open_stream(closed_port, timeout=5, ttl=64)
    assert (caught.value.failure, caught.value.facts) == (Failure.CONNECTION_REFUSED, {})


def test_an_icmp_error_has_offender_and_meaning() -> None:
    error = icmp_failure(IcmpReport(("192.0.2.9", 443), "192.0.2.1", "admin_prohibited", 0))
    assert error.failure is Failure.ICMP_ADMIN_PROHIBITED
    assert error.facts == {"offender": "192.0.2.1", "meaning": "admin_prohibited"}
    assert str(error) == "icmp_admin_prohibited: 192.0.2.1 says admin_prohibited"


async def test_a_reset_later_is_a_reset(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    with closing(stream), pytest.raises(NetError, match="reading") as caught:
        await stream.read(100, timeout=5)
    assert caught.value.failure is Failure.CONNECTION_RESET


async def test_silence_is_a_timeout_in_each_phase(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    with far, closing(stream):
        with pytest.raises(NetError, match="reading: nothing within 0 s") as caught:
            await stream.read(100, timeout=0)
        assert caught.value.failure is Failure.TIMED_OUT
        with pytest.raises(NetError, match="writing: nothing within"):
            await stream.write(bytes(64 << 20), timeout=0)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer with a reset")
async def test_an_unanswered_syn_is_a_timeout(deaf: tuple[str, int]) -> None:
    with pytest.raises(NetError, match="connecting: nothing within") as caught:
        await open_stream(deaf, timeout=0)
    assert caught.value.failure is Failure.TIMED_OUT


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer with a reset")
async def test_cancelling_a_connect_closes_the_socket(
    deaf: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []

    def remembered(kind: socket.SocketKind, options: SocketOptions) -> socket.socket:
        opened.append(open_socket(kind, options))
        return opened[-1]

    monkeypatch.setattr("readycheck.net.stream.open_socket", remembered)
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(open_stream(deaf, timeout=30))
            await asyncio.sleep(0)
            task.cancel()
            await task
    assert [sock.fileno() for sock in opened] == [-1]


async def test_cancelling_a_read_leaves_a_stream_that_closes_cleanly(listener: socket.socket) -> None:
    stream, far = await connected(listener)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(stream.read(100, timeout=30))
        await asyncio.sleep(0)
        task.cancel()
    with far:
        far.sendall(b"still there")
        assert await stream.read(100, timeout=5) == b"still there"
    stream.close()
    stream.close()
    with pytest.raises(NetError, match="closed on this side"):
        await stream.read(100, timeout=5)


async def test_the_source_is_ours_to_choose(listener: socket.socket, family: int) -> None:
    with socket.create_server((HOSTS[family], 0), family=listener.family) as other:
        port = other.getsockname()[1]
    stream = await open_stream(place(listener), timeout=5, source=HOSTS[family], source_port=port)
    with closing(stream), listener.accept()[0] as far:
        assert stream.local == (HOSTS[family], port) == far.getpeername()[:2]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let a program bound segments")
async def test_the_size_of_segments_is_ours_to_bound(listener: socket.socket) -> None:
    stream = await open_stream(place(listener), timeout=2, max_segment=1200)
    with closing(stream):
        server, _ = listener.accept()
        with server:
            server.send(b"x")  # what the peer was told is settled with the first acknowledgement
            await stream.read(1, timeout=2)
            assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1200


async def test_segments_that_nobody_can_bound_are_a_matter_of_the_platform(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_MAXSEG")
    with pytest.raises(NetError) as caught:
        await open_stream(place(listener), timeout=2, max_segment=1200)
    assert caught.value.failure is Failure.PLATFORM


async def test_nothing_leaves_the_machine_in_tests() -> None:
    with pytest.raises(OutsideLoopback):
        await open_stream(("192.0.2.1", 443), timeout=1)


async def test_hops_are_limited_from_then_on_and_the_end_is_told_all_the_same(
    listener: socket.socket,
) -> None:
    stream, peer = await connected(listener)
    with peer:
        stream.limit_hops(1)
        await stream.write(b"near", timeout=1)
        assert peer.recv(10) == b"near"
        stream.limit_hops(2)
        stream.close()
        with pytest.raises(ConnectionResetError):
            peer.recv(10)
        stream.close()  # once more does no harm
        with pytest.raises(NetError):
            stream.limit_hops(1)
