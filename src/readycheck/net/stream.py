"""TCP connections over raw sockets: who refused, which hop answered, the kernel's round trip."""

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from readycheck.failure import Failure, classify, classify_icmp
from readycheck.net import guard
from readycheck.net.datagram import SocketOptions, drain_errors, open_socket, report_errors
from readycheck.net.interface import Endpoint, IcmpReport, NetError, TlsFacts

# Linux numbers.
_TCP_INFO = getattr(socket, "TCP_INFO", 11)
# Of struct tcp_info in linux/tcp.h.
_UNACKED, _LAST_HEARD_MS, _RTT_US, _RESENT = (struct.Struct(f"={offset}xI") for offset in (24, 52, 68, 100))
_TICK_MS = 10  # of a kernel of 100 Hz
_LINGER_NOT = struct.pack("ii", 1, 0)


class SystemStream:
    """`Stream` over a connected, non-blocking socket, which it owns."""

    tls: TlsFacts | None = None

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._local = _endpoint(sock.getsockname())
        self._peer = _endpoint(sock.getpeername())
        self._usual_hops: int | None = None

    @property
    def local(self) -> Endpoint:
        return self._local

    @property
    def peer(self) -> Endpoint:
        return self._peer

    async def read(self, limit: int, *, timeout: float) -> bytes:
        """Up to `limit` bytes; empty at the end of the stream."""
        await asyncio.sleep(0)  # a peer that never pauses must not keep all others waiting
        sock = self._open_socket()
        with _told_as_net_error("reading", timeout):
            with suppress(BlockingIOError):
                return sock.recv(limit)
            try:
                async with asyncio.timeout(timeout):
                    await _until_readable(self._loop, sock)
            except TimeoutError:
                with suppress(BlockingIOError):  # a busy loop may not have looked yet: it has come in time
                    return sock.recv(limit)
                raise
            async with asyncio.timeout(timeout):
                return await self._loop.sock_recv(sock, limit)

    async def write(self, data: bytes, *, timeout: float) -> None:
        with _told_as_net_error("writing", timeout):
            async with asyncio.timeout(timeout):
                await self._loop.sock_sendall(self._open_socket(), data)

    def tcp_rtt_ms(self) -> float | None:
        """The kernel's estimate of the round trip, where it tells."""
        return (self._told_of_tcp(_RTT_US) or 0) / 1000 or None

    def tcp_resent(self) -> int | None:
        """How many segments the kernel sent again, the one that opens the connection among them."""
        return self._told_of_tcp(_RESENT)

    def tcp_unacked(self) -> int | None:
        """How many segments the other side has not acknowledged, or a box in its place."""
        return self._told_of_tcp(_UNACKED)

    def heard_ms_ago(self) -> float:
        """How long what came last has been here; 0 for less than two ticks, and where the kernel does not tell."""
        ago = self._told_of_tcp(_LAST_HEARD_MS) or 0
        return float(ago) if ago > 2 * _TICK_MS else 0.0

    def _told_of_tcp(self, field: struct.Struct) -> int | None:
        if sys.platform != "linux":
            return None
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, field.size)
        except OSError:
            return None
        return int(field.unpack(info)[0]) if len(info) == field.size else None

    def limit_hops(self, ttl: int) -> None:
        """What is written from now on goes no further than that; a router's word of it ends the stream."""
        sock = self._open_socket()
        level, option = _hop_limit(sock)
        try:
            report_errors(sock)
            if self._usual_hops is None:
                self._usual_hops = sock.getsockopt(level, option)
            sock.setsockopt(level, option, ttl)
        except OSError as error:
            raise NetError(classify(error), f"limiting hops: {error.strerror or error}") from error

    def close(self) -> None:
        if self._usual_hops is not None and self._socket.fileno() >= 0:
            # The kernel would go on to repeat what cannot arrive: a reset tells the other side instead.
            with suppress(OSError):
                self._socket.setsockopt(*_hop_limit(self._socket), self._usual_hops)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        _close(self._loop, self._socket)

    def _open_socket(self) -> socket.socket:
        if self._socket.fileno() < 0:
            raise NetError(Failure.CONNECTION_CLOSED, "the connection is closed on this side")
        return self._socket


async def open_stream(
    to: Endpoint,
    *,
    timeout: float,
    ttl: int | None = None,
    tos: int = 0,
    source_port: int = 0,
    source: str | None = None,
    interface: str | None = None,
    max_segment: int | None = None,
) -> SystemStream:
    """Connect; an ICMP error that ends the attempt is told with its `offender` and `meaning`."""
    guard.allow(to[0])
    family = 6 if ":" in to[0] else 4
    options = SocketOptions(
        family=family, ttl=ttl, tos=tos, source=source, source_port=source_port, interface=interface
    )
    sock = open_socket(socket.SOCK_STREAM, options)
    try:
        _bound_segments(sock, max_segment)
        await _connect(sock, to, timeout)
        # From here on a stray ICMP error must not end a connection that TCP would save, unless asked for.
        report_errors(sock, ttl is not None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return SystemStream(sock)
    except OSError as error:  # the peer was gone again at once
        _close(asyncio.get_running_loop(), sock)
        raise NetError(classify(error), f"connecting: {error.strerror or error}") from error
    except BaseException:
        _close(asyncio.get_running_loop(), sock)
        raise


def _bound_segments(sock: socket.socket, max_segment: int | None) -> None:
    """Told to the peer in the SYN (RFC 9293 section 3.7.1), and kept to by this host."""
    if max_segment is None:
        return
    option = getattr(socket, "TCP_MAXSEG", None)
    if option is None or sys.platform == "win32":
        raise NetError(Failure.PLATFORM, "this system cannot bound the size of segments")
    sock.setsockopt(socket.IPPROTO_TCP, option, max_segment)


async def _connect(sock: socket.socket, to: Endpoint, timeout: float) -> None:
    with suppress(OSError):
        report_errors(sock)
    with _told_as_net_error("connecting", timeout):
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(sock, to)
        except OSError as error:
            if report := next(drain_errors(sock), None):
                raise icmp_failure(report) from error
            if not (isinstance(error, TimeoutError) and _is_connected(sock)):
                raise


def _is_connected(sock: socket.socket) -> bool:
    """A busy loop may not have looked yet at a connection that came in time; raises what else became of it."""
    if failed := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(failed, os.strerror(failed))
    with suppress(OSError):
        sock.getpeername()
        return True
    return False


async def _until_readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Without taking anything: what is taken by a call that is cancelled in the same moment is lost."""
    readable = asyncio.Event()
    number = sock.fileno()
    try:
        loop.add_reader(number, readable.set)
    except NotImplementedError:  # the Proactor loop of Windows
        return
    try:
        await readable.wait()
    finally:
        if sock.fileno() == number:  # else it was closed meanwhile, and the number may be another's
            loop.remove_reader(number)


def _hop_limit(sock: socket.socket) -> tuple[int, int]:
    if sock.family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS
    return socket.IPPROTO_IP, socket.IP_TTL


def icmp_failure(report: IcmpReport) -> NetError:
    """What an ICMP error makes of a step."""
    facts = {"offender": report.offender, "meaning": report.meaning}
    said = f"{report.offender or 'an unknown host'} says {report.meaning}"
    return NetError(classify_icmp(report.meaning), said, facts)


@contextmanager
def _told_as_net_error(doing: str, timeout: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        detail = error.strerror or f"nothing within {timeout:g} s"
        raise NetError(Failure.TIMED_OUT, f"{doing}: {detail}") from None
    except OSError as error:
        raise NetError(classify(error), f"{doing}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    """asyncio puts a tuple of Python in the place of what the system says."""
    if error.errno and str(error.strerror).startswith("Connect call failed"):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _close(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    if (number := sock.fileno()) >= 0:
        with suppress(NotImplementedError):  # the Proactor loop of Windows
            loop.remove_reader(number)
            loop.remove_writer(number)
    sock.close()


def _endpoint(name: tuple[object, ...]) -> Endpoint:
    return str(name[0]), int(str(name[1]))
