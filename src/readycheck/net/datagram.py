"""Datagram sockets of our own: hop limit, marking, kernel stamps, and the error queue.

asyncio's transports offer none of it, and spin at full load on an error queue that nobody drains.
"""

import asyncio
import errno
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from select import select

from readycheck.failure import Failure, classify
from readycheck.net import guard
from readycheck.net.headers import Ancillary, read_headers, show_headers
from readycheck.net.interface import Endpoint, IcmpReport, NetError, Received
from readycheck.net.pace import Pace
from readycheck.wire.extended_error import ExtendedError, Origin, meaning, unpack_extended_error

# Linux numbers of options that the socket module does not name.
IP_RECVERR = getattr(socket, "IP_RECVERR", 11)
IPV6_RECVERR = getattr(socket, "IPV6_RECVERR", 25)
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = 10, 23
_PMTUDISC_DONT = 0
_PMTUDISC_PROBE = 3  # "don't fragment", and no thought of what is remembered of the path
_IPV6_TCLASS = getattr(socket, "IPV6_TCLASS", 67)
_SO_BINDTODEVICE = getattr(socket, "SO_BINDTODEVICE", 25)
_IP_BOUND_IF, _IPV6_BOUND_IF = 25, 125  # macOS

_ANCILLARY_BYTES = 512
_BATCH = 64  # datagrams read before other tasks get their turn
_KEPT = 4096  # datagrams held for a slow reader
_KEPT_BYTES = 4 << 20
_RECEIVE_BUFFER = 1 << 20  # a burst of answers must not overflow the kernel's default of 208 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """What a socket is set to before it is used."""

    family: int = 4
    ttl: int | None = None
    tos: int = 0
    source: str | None = None
    source_port: int = 0
    interface: str | None = None
    whole: bool = False


def open_socket(kind: socket.SocketKind, options: SocketOptions, protocol: int = 0) -> socket.socket:
    """A non-blocking socket, set and bound as `options` say; raises `NetError`."""
    family = socket.AF_INET6 if options.family == 6 else socket.AF_INET
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(socket.socket(family, kind, protocol))
            sock.setblocking(False)
            _set_header(sock, options)
            _bind(sock, options)
        except OSError as error:
            raise NetError(classify(error), f"opening a socket: {error.strerror or error}") from error
        undo.pop_all()
        return sock


def is_routed(address: str, options: SocketOptions) -> bool:
    """Whether this host would send to an address at all: its routes are asked, and nothing is sent."""
    try:
        with open_socket(socket.SOCK_DGRAM, options) as sock:
            sock.connect((address, 9))
    except (NetError, OSError):
        return False
    return True


def report_errors(sock: socket.socket, on: bool = True) -> None:
    """Have ICMP errors queued with the address that sent them, where the system can."""
    if sys.platform == "linux" and sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, int(on))
    elif sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, int(on))


def drain_errors(sock: socket.socket) -> Iterator[IcmpReport]:
    """Empty the error queue; transmit stamps and local errors are dropped, ICMP errors are told."""
    if sys.platform != "linux":
        return
    while True:
        try:
            payload, ancillary, _, to = sock.recvmsg(2048, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
        except OSError:
            return
        error = _extended_error(ancillary)
        if error is not None and error.origin in (Origin.ICMP, Origin.ICMP6):
            at_ns = read_headers(ancillary).received_ns or time.time_ns()
            yield IcmpReport(_endpoint(to), error.offender, meaning(error), at_ns, payload)


class SystemDatagrams:
    """`Datagrams` over one unconnected, non-blocking socket."""

    def __init__(
        self,
        options: SocketOptions | None = None,
        pace: Pace | None = None,
        opened: socket.socket | None = None,
    ) -> None:
        self._socket = opened or open_socket(socket.SOCK_DGRAM, options or SocketOptions())
        self._pace = pace
        self._arrived: deque[Received | IcmpReport] = deque()
        self._news = asyncio.Event()
        self._writable: asyncio.Event | None = None
        self._held_bytes = 0
        self._closed = False
        self.overflowed = 0
        _ask_for_stamps(self._socket)
        self._loop = asyncio.get_running_loop()
        self._number = self._socket.fileno()  # selectors spell out a socket on each call, and a number not
        try:
            self._loop.add_reader(self._number, self._readable)
        except NotImplementedError:  # the Proactor loop of Windows
            threading.Thread(target=self._pump, daemon=True).start()

    @property
    def local(self) -> Endpoint:
        return _endpoint(self._socket.getsockname())

    async def send(self, payload: bytes, to: Endpoint) -> int:
        """Send, no faster than the pace; returns the time it left."""
        guard.allow(to[0])
        if self._pace is not None:
            await self._pace.take()
        spared = 0
        while True:
            if self._closed:
                raise NetError(Failure.CONNECTION_CLOSED, "the socket is closed")
            try:
                left_ns = time.time_ns()
                self._socket.sendto(payload, to)
                return left_ns
            except BlockingIOError:
                await self._until_writable()
            except OSError as error:
                # The kernel hands an earlier packet's ICMP error to the next send, whoever that is for.
                if error.errno == errno.EPERM or not (self._take_errors() or spared < 2):
                    raise NetError(classify(error), f"sending: {error.strerror or error}") from error
                spared += 1

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        """The next datagram or ICMP error, in the order of arrival."""
        while not self._arrived:
            if self._closed:
                raise NetError(Failure.CONNECTION_CLOSED, "the socket is closed")
            if not await self._anything_new(timeout):
                raise NetError(Failure.TIMED_OUT, f"nothing within {timeout:g} s")
        item = self._arrived.popleft()
        self._held_bytes -= len(item.payload)
        return item

    async def _anything_new(self, timeout: float) -> bool:
        if timeout > 0:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._news.wait()
                return True
        else:
            await asyncio.sleep(0)  # others have their turn between the packets of a burst
        if not self._closed:
            self._readable()  # a busy loop may not have looked yet: what is there has arrived in time
        return bool(self._arrived)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with suppress(NotImplementedError):
            self._loop.remove_reader(self._number)
            self._loop.remove_writer(self._number)
        self._socket.close()
        self._news.set()
        if self._writable is not None:
            self._writable.set()

    def _readable(self) -> None:
        self._take_errors()
        for _ in range(_BATCH):
            try:
                received = _receive(self._socket)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that came in between: it is in the queue
                self._take_errors()
            else:
                self._keep(received)

    def _take_errors(self) -> bool:
        found = False
        for report in drain_errors(self._socket):
            self._keep(report)
            found = True
        return found

    def _keep(self, item: Received | IcmpReport) -> None:
        size = len(item.payload)
        if len(self._arrived) < _KEPT and self._held_bytes + size <= _KEPT_BYTES:
            self._arrived.append(item)
            self._held_bytes += size
        else:
            self.overflowed += 1
        self._news.set()

    async def _until_writable(self) -> None:
        if self._writable is None:
            self._writable = asyncio.Event()
            try:
                self._loop.add_writer(self._number, self._unblock)
            except NotImplementedError:
                self._loop.call_later(0.002, self._unblock)
        await self._writable.wait()

    def _unblock(self) -> None:
        with suppress(NotImplementedError):
            self._loop.remove_writer(self._number)
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def _pump(self) -> None:
        with suppress(OSError, ValueError, RuntimeError):  # the socket or the loop was closed meanwhile
            while not self._closed:
                if not select([self._socket], [], [], 0.1)[0]:
                    continue
                with suppress(BlockingIOError, ConnectionError):
                    self._loop.call_soon_threadsafe(self._keep, _receive(self._socket))


def _set_header(sock: socket.socket, options: SocketOptions) -> None:
    if options.family == 6:
        if sock.type != socket.SOCK_RAW:  # raw sockets are of one family in any case
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        level, hops, mark = socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _IPV6_TCLASS
    else:
        level, hops, mark = socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS
    if options.ttl is not None:
        sock.setsockopt(level, hops, options.ttl)
    if options.tos:
        sock.setsockopt(level, mark, options.tos)
    if options.whole:
        forbid_fragments(sock)


def forbid_fragments(sock: socket.socket) -> None:
    """Nothing longer than the link takes leaves it, and nothing is cut on the way. Raises `NetError`."""
    if sys.platform != "linux":
        raise NetError(Failure.PLATFORM, "this system cannot forbid fragments of a datagram")
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)


def allow_fragments(sock: socket.socket) -> None:
    """What is too long is cut here, and may be cut on the way in IPv4."""
    if sys.platform != "linux":
        return
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)


def _bind(sock: socket.socket, options: SocketOptions) -> None:
    if options.interface is not None:
        _bind_interface(sock, options.interface)
    if options.source_port and sock.type == socket.SOCK_STREAM and sys.platform != "win32":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.source is not None or options.source_port or sock.type == socket.SOCK_DGRAM:
        anywhere = "::" if options.family == 6 else "0.0.0.0"
        sock.bind((options.source or anywhere, options.source_port))


def _bind_interface(sock: socket.socket, interface: str) -> None:
    if sys.platform == "linux":
        sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode() + b"\0")
    elif sys.platform == "darwin":
        six = sock.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, _IPV6_BOUND_IF) if six else (socket.IPPROTO_IP, _IP_BOUND_IF)
        sock.setsockopt(level, option, socket.if_nametoindex(interface))
    else:
        raise NetError(Failure.PLATFORM, "this system cannot bind a socket to an interface")


def _ask_for_stamps(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    show_headers(sock)
    with suppress(OSError):
        report_errors(sock)


def _receive(sock: socket.socket) -> Received:
    if sys.platform != "linux":
        payload, source = sock.recvfrom(65535)
        return Received(payload, _endpoint(source), time.time_ns())
    payload, ancillary, _, source = sock.recvmsg(65535, _ANCILLARY_BYTES)
    headers = read_headers(ancillary)
    return Received(
        payload, _endpoint(source), headers.received_ns or time.time_ns(), headers.hop_limit or None
    )


def _extended_error(ancillary: Ancillary) -> ExtendedError | None:
    wanted = ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
    for level, kind, data in ancillary:
        if (level, kind) in wanted:
            with suppress(ValueError):
                return unpack_extended_error(data)
    return None


def _endpoint(name: object) -> Endpoint:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) and len(name) >= 2 else ("", 0)
