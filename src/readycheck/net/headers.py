"""What the kernel tells of a datagram beside its payload: when it came, its hop limit, its traffic class."""

import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_IP_RECVTTL, _IP_TTL = getattr(socket, "IP_RECVTTL", 12), getattr(socket, "IP_TTL", 2)
_IP_RECVTOS, _IP_TOS = getattr(socket, "IP_RECVTOS", 13), getattr(socket, "IP_TOS", 1)
_IPV6_RECVHOPLIMIT = getattr(socket, "IPV6_RECVHOPLIMIT", 51)
_IPV6_HOPLIMIT = getattr(socket, "IPV6_HOPLIMIT", 52)
_IPV6_RECVTCLASS, _IPV6_TCLASS = getattr(socket, "IPV6_RECVTCLASS", 66), getattr(socket, "IPV6_TCLASS", 67)
_TIMESPEC = struct.Struct("@ll")
_CONTROL_HEAD = struct.Struct("@Nii")
_IP_PKTOPTIONS, _IPV6_2292PKTOPTIONS = 9, 6

ANCILLARY_BYTES = 256

Ancillary = list[tuple[int, int, bytes]]


class Headers(NamedTuple):
    """`received_ns` is nanoseconds since the epoch, 0 where the kernel does not stamp."""

    received_ns: int
    hop_limit: int
    traffic_class: int


def show_headers(sock: socket.socket) -> None:
    """Ask for all that Linux can tell; the numbers of these options mean other things elsewhere."""
    if sys.platform != "linux":
        return
    options = [(socket.SOL_SOCKET, SO_TIMESTAMPNS)]
    if sock.family == socket.AF_INET:
        options += [(socket.IPPROTO_IP, _IP_RECVTTL), (socket.IPPROTO_IP, _IP_RECVTOS)]
    else:
        options += [(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT), (socket.IPPROTO_IPV6, _IPV6_RECVTCLASS)]
    for level, option in options:
        with suppress(OSError):
            sock.setsockopt(level, option, 1)


def read_headers(ancillary: Ancillary) -> Headers:
    received_ns, hop_limit, traffic_class = 0, 0, 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            received_ns = seconds * 1_000_000_000 + nanoseconds
        elif level == socket.SOL_SOCKET:
            continue
        elif kind in (_IP_TTL, _IPV6_HOPLIMIT):
            hop_limit = data[0]
        elif kind in (_IP_TOS, _IPV6_TCLASS):
            traffic_class = data[0]
    return Headers(received_ns, hop_limit, traffic_class)


def shown_by_handshake(sock: socket.socket) -> Headers:
    """Of an accepted TCP connection: what its opening packet showed, if the listening socket was told to show it.

    Linux keeps it with the connection; elsewhere the fields are 0.
    """
    level, option = (socket.IPPROTO_IP, _IP_PKTOPTIONS)
    if sock.family == socket.AF_INET6:
        level, option = (socket.IPPROTO_IPV6, _IPV6_2292PKTOPTIONS)
    if sys.platform != "linux":
        return Headers(0, 0, 0)
    try:
        return read_headers(list(_unpacked(sock.getsockopt(level, option, ANCILLARY_BYTES))))
    except OSError:
        return Headers(0, 0, 0)


def _unpacked(buffer: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at + _CONTROL_HEAD.size <= len(buffer):
        size, level, kind = _CONTROL_HEAD.unpack_from(buffer, at)
        if size <= _CONTROL_HEAD.size:
            return
        yield level, kind, buffer[at + _CONTROL_HEAD.size : at + size]
        at += size + -size % struct.calcsize("@N")


def receive(sock: socket.socket, buffer: bytearray) -> tuple[int, Headers] | None:
    """The size of the next datagram, which is in `buffer` then; None when there is none, or an ICMP error was."""
    try:
        size, ancillary, _ = receive_from(sock, buffer)
    except OSError:
        return None
    found = read_headers(ancillary)
    return size, found if found.received_ns else found._replace(received_ns=time.time_ns())


def receive_from(sock: socket.socket, buffer: bytearray) -> tuple[int, Ancillary, Any]:
    """The size of the next datagram, what `read_headers` reads, and whose it is. Raises `OSError`."""
    if not hasattr(sock, "recvmsg_into"):  # Windows
        size, source = sock.recvfrom_into(buffer)
        return size, [], source
    size, ancillary, _, source = sock.recvmsg_into([buffer], ANCILLARY_BYTES)
    return size, ancillary, source
