"""Our UDP sockets against real loopback: stamps, hop limits, the error queue, hostile conditions."""

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from types import MethodType
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net import datagram
from readycheck.net.datagram import SocketOptions, SystemDatagrams, is_routed, open_socket
from readycheck.net.guard import OutsideLoopback
from readycheck.net.interface import IcmpReport, NetError, Received
from readycheck.net.pace import Pace

HOSTS = {4: "127.0.0.1", 6: "::1"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def far(family: int) -> Iterator[socket.socket]:
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as sock:
        sock.bind((HOSTS[family], 0))
        sock.settimeout(5)
        yield sock


def closed_port(family: int) -> tuple[str, int]:
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as sock:
        sock.bind((HOSTS[family], 0))
        return HOSTS[family], sock.getsockname()[1]


def place(sock: socket.socket) -> tuple[str, int]:
    host, port = sock.getsockname()[:2]
    return host, port


def near(family: int, **options: Any) -> SystemDatagrams:
    return SystemDatagrams(SocketOptions(family=family, source=HOSTS[family], **options))


async def received(datagrams: SystemDatagrams) -> Received:
    item = await datagrams.receive(timeout=5)
    assert isinstance(item, Received)
    return item


async def reported(datagrams: SystemDatagrams) -> IcmpReport:
    item = await datagrams.receive(timeout=5)
    assert isinstance(item, IcmpReport)
    return item


async def test_an_answer_has_source_stamp_and_hop_limit(family: int, far: socket.socket) -> None:
    with closing(near(family)) as datagrams:
        left_ns = await datagrams.send(b"ping", place(far))
        payload, source = far.recvfrom(100)
        assert (payload, source[:2]) == (b"ping", datagrams.local)
        far.sendto(b"pong", source)
        answer = await received(datagrams)
    assert (answer.payload, answer.source) == (b"pong", place(far))
    assert left_ns <= answer.at_ns <= time.time_ns()
    assert answer.ttl == 64 or sys.platform != "linux"


async def test_hop_limit_and_marking_are_set(family: int, far: socket.socket) -> None:
    level = socket.IPPROTO_IPV6 if family == 6 else socket.IPPROTO_IP
    ttl, tos = (socket.IPV6_UNICAST_HOPS, 67) if family == 6 else (socket.IP_TTL, socket.IP_TOS)
    with closing(near(family, ttl=7, tos=0xB8)) as datagrams:
        sock = datagrams._socket
        assert (sock.getsockopt(level, ttl), sock.getsockopt(level, tos)) == (7, 0xB8)
        await datagrams.send(b"ping", place(far))
        far.recvfrom(100)


async def test_the_source_port_is_ours_to_choose(family: int) -> None:
    free = closed_port(family)[1]
    with closing(near(family, source_port=free)) as datagrams:
        assert datagrams.local == (HOSTS[family], free)
        with pytest.raises(NetError) as caught:
            near(family, source_port=free)
    assert caught.value.failure is Failure.ADDRESS_NOT_AVAILABLE


@linux
@pytest.mark.skipif(sys.platform != "linux", reason="Linux forbids fragments of each datagram")
def test_whole_datagrams_are_not_cut(family: int) -> None:
    with open_socket(socket.SOCK_DGRAM, SocketOptions(family=family, whole=True)) as sock:
        six = family == 6
        level, option = (socket.IPPROTO_IPV6, 23) if six else (socket.IPPROTO_IP, 10)
        assert sock.getsockopt(level, option) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="shows what other systems are told")
def test_elsewhere_fragments_are_a_matter_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NetError) as caught:
        open_socket(socket.SOCK_DGRAM, SocketOptions(whole=True))
    assert caught.value.failure is Failure.PLATFORM


@pytest.mark.parametrize(
    ("address", "source", "routed"),
    [("127.0.0.1", None, True), ("::1", None, True), ("127.0.0.1", "192.0.2.77", False)],
)
def test_routes_are_asked_and_nothing_is_sent(address: str, source: str | None, routed: bool) -> None:
    options = SocketOptions(family=6 if ":" in address else 4, source=source)
    assert is_routed(address, options) is routed


async def test_an_unknown_interface_is_told() -> None:
    with pytest.raises(NetError, match="opening a socket"):
        near(4, interface="no-such-if0")


@linux
async def test_a_closed_port_is_reported_with_destination_and_offender(family: int) -> None:
    shut = closed_port(family)
    with closing(near(family)) as datagrams:
        left_ns = await datagrams.send(b"ping", shut)
        report = await reported(datagrams)
    assert (report.destination, report.offender) == (shut, HOSTS[family])
    assert (report.meaning, report.payload) == ("port_unreachable", b"ping")
    assert report.at_ns >= left_ns


@linux
async def test_a_pending_error_is_not_charged_to_the_next_target(family: int, far: socket.socket) -> None:
    shut = closed_port(family)
    with closing(near(family)) as datagrams:
        for turn in range(20):  # no await in between lets the reader run: the error is pending at each send
            await datagrams.send(b"to nobody", shut)
            await datagrams.send(b"%d" % turn, place(far))
            assert far.recvfrom(100)[0] == b"%d" % turn
        reports = [await reported(datagrams) for _ in range(20)]
    assert {report.destination for report in reports} == {shut}


@linux
async def test_the_loop_does_not_spin_on_the_error_queue(family: int) -> None:
    with closing(near(family)) as datagrams:
        calls = 0

        def counted() -> None:
            nonlocal calls
            calls += 1
            datagrams._readable()

        loop = asyncio.get_running_loop()
        loop.remove_reader(datagrams._socket)
        loop.add_reader(datagrams._socket, counted)
        for _ in range(5):
            await datagrams.send(b"ping", closed_port(family))
        for _ in range(5):
            await reported(datagrams)
        seen = calls
        for _ in range(200):  # each turn of the loop polls the socket once
            await asyncio.sleep(0)
        assert 1 <= seen <= 5
        assert calls == seen


@linux
async def test_transmit_stamps_and_local_errors_are_drained_and_dropped() -> None:
    with closing(near(6)) as datagrams:
        datagrams._socket.setsockopt(socket.SOL_SOCKET, 37, 2 | 16 | 2048)  # SO_TIMESTAMPING of what we send
        datagrams._socket.setsockopt(socket.IPPROTO_IPV6, 62, 1)  # IPV6_DONTFRAG
        with pytest.raises(NetError) as caught:
            await datagrams.send(bytes(65520), closed_port(6))
        assert caught.value.failure is Failure.MESSAGE_TOO_LONG
        await datagrams.send(b"ping", shut := closed_port(6))
        assert (await reported(datagrams)).destination == shut
        with pytest.raises(NetError, match="nothing within"):
            await datagrams.receive(timeout=0)
        with pytest.raises(BlockingIOError):
            datagrams._socket.recvmsg(100, 100, socket.MSG_ERRQUEUE)


async def test_silence_is_a_timeout() -> None:
    with closing(near(4)) as datagrams, pytest.raises(NetError) as caught:
        await datagrams.receive(timeout=0)
    assert caught.value.failure is Failure.TIMED_OUT


async def test_after_closing_nothing_goes_and_nothing_waits() -> None:
    datagrams = near(4)
    descriptor = datagrams._socket.fileno()

    async def close() -> None:
        datagrams.close()

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(datagrams.receive(timeout=30))
            group.create_task(close())
    assert caught.group_contains(NetError, match="closed")
    with pytest.raises(NetError, match="closed"):
        await datagrams.send(b"late", ("127.0.0.1", 9))
    datagrams.close()
    assert not asyncio.get_running_loop().remove_reader(descriptor)


async def test_what_nobody_reads_is_bounded_and_counted(
    monkeypatch: pytest.MonkeyPatch, far: socket.socket, family: int
) -> None:
    monkeypatch.setattr(datagram, "_KEPT", 3)
    with closing(near(family)) as datagrams:
        for number in range(5):
            far.sendto(b"%d" % number, datagrams.local)
        kept = [await received(datagrams)]
        kept += [await received(datagrams) for _ in range(2)]
        assert [item.payload for item in kept] == [b"0", b"1", b"2"]
        assert datagrams.overflowed == 2


async def test_what_nobody_reads_is_bounded_in_bytes(
    monkeypatch: pytest.MonkeyPatch, far: socket.socket, family: int
) -> None:
    monkeypatch.setattr(datagram, "_KEPT_BYTES", 100)
    with closing(near(family)) as datagrams:
        for size in (60, 60, 40, 1):
            far.sendto(bytes(size), datagrams.local)
        assert [len((await received(datagrams)).payload) for _ in range(2)] == [60, 40]
        assert datagrams.overflowed == 2
        far.sendto(bytes(100), datagrams.local)
        assert len((await received(datagrams)).payload) == 100


class Reluctant:
    """A socket whose sends fail as told before they work."""

    def __init__(self, sock: socket.socket, *errors: int) -> None:
        self._sock = sock
        self.errors = list(errors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def fileno(self) -> int:
        return self._sock.fileno()

    def sendto(self, payload: bytes, to: tuple[str, int]) -> int:
        if self.errors:
            code = self.errors.pop(0)
            raise OSError(code, errno.errorcode[code])
        return self._sock.sendto(payload, to)


async def reluctantly(far: socket.socket, family: int, *errors: int) -> Reluctant:
    with closing(near(family)) as datagrams:
        sock = Reluctant(datagrams._socket, *errors)
        datagrams._socket = sock  # type: ignore[assignment]
        await datagrams.send(b"ping", place(far))
        assert far.recvfrom(100)[0] == b"ping"
        return sock


async def test_a_full_buffer_is_waited_for(far: socket.socket, family: int) -> None:
    assert not (await reluctantly(far, family, errno.EAGAIN, errno.EAGAIN)).errors


async def test_a_stray_error_is_outlived(far: socket.socket, family: int) -> None:
    assert not (await reluctantly(far, family, errno.ECONNREFUSED, errno.EHOSTUNREACH)).errors


@pytest.mark.parametrize(
    ("code", "failure", "tries"),
    [(errno.EPERM, Failure.PERMISSION_DENIED, 1), (errno.ENETUNREACH, Failure.NETWORK_UNREACHABLE, 3)],
)
async def test_a_refusal_of_this_host_is_the_failure_of_this_send(
    far: socket.socket, family: int, code: int, failure: Failure, tries: int
) -> None:
    with closing(near(family)) as datagrams:
        sock = Reluctant(datagrams._socket, *[code] * 9)
        datagrams._socket = sock  # type: ignore[assignment]
        with pytest.raises(NetError, match="sending") as caught:
            await datagrams.send(b"ping", place(far))
    assert caught.value.failure is failure
    assert len(sock.errors) == 9 - tries


async def test_without_a_reader_of_the_loop_a_thread_reads(
    monkeypatch: pytest.MonkeyPatch, far: socket.socket, family: int
) -> None:
    def missing(self: object, *args: object) -> None:
        raise NotImplementedError

    loop = asyncio.get_running_loop()
    for name in ("add_reader", "add_writer", "remove_reader", "remove_writer"):
        monkeypatch.setattr(loop, name, MethodType(missing, loop))
    with closing(near(family)) as datagrams:
        far.sendto(b"hello", datagrams.local)
        assert (await received(datagrams)).payload == b"hello"
        datagrams._socket = Reluctant(datagrams._socket, errno.EAGAIN)  # type: ignore[assignment]
        await datagrams.send(b"ping", place(far))
        assert far.recvfrom(100)[0] == b"ping"
    monkeypatch.undo()


async def test_every_send_takes_its_turn(far: socket.socket, family: int) -> None:
    pace = Pace(1000)
    claims = []
    pace.claim = lambda now: claims.append(now) or 0.0  # type: ignore[method-assign,func-returns-value]
    with closing(SystemDatagrams(SocketOptions(family=family, source=HOSTS[family]), pace)) as datagrams:
        for _ in range(3):
            await datagrams.send(b"ping", place(far))
    assert len(claims) == 3


async def test_nothing_leaves_the_machine_in_tests() -> None:
    with closing(near(4)) as datagrams, pytest.raises(OutsideLoopback):
        await datagrams.send(b"ping", ("192.0.2.1", 9))
