"""ICMP echo over whatever socket this host grants: an unprivileged one, else a raw one."""

import asyncio
import secrets
import socket
from dataclasses import replace

from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions, SystemDatagrams, open_socket
from readycheck.net.interface import Datagrams, Endpoint, IcmpReport, NetError, Received
from readycheck.net.pace import Pace
from readycheck.wire import icmp

_PROTOCOLS = {4: socket.IPPROTO_ICMP, 6: getattr(socket, "IPPROTO_ICMPV6", 58)}
_MOST_STRANGERS = 1000
"""Looked through even when the time is up: beyond it, others' messages may come faster than they are read."""

_DENIED = "this user may open no ICMP socket (on Linux: net.ipv4.ping_group_range, or CAP_NET_RAW)"


def open_echo(options: SocketOptions, pace: Pace | None = None) -> "Echoes":
    """Raises `NetError`: `permission_denied` where the host keeps ICMP for others, `platform` where it has none."""
    sock = _open(options)
    # A kernel that puts a number of its own into the requests of an unprivileged socket calls that its port.
    given = sock.getsockname()[1] if sock.type == socket.SOCK_DGRAM else 0
    identifier = int(given) or secrets.randbits(16)
    return Echoes(SystemDatagrams(pace=pace, opened=sock), options.family, identifier)


def _open(options: SocketOptions) -> socket.socket:
    denied = False
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return open_socket(kind, options, _PROTOCOLS[options.family])
        except NetError as error:
            if error.failure not in (Failure.PERMISSION_DENIED, Failure.UNKNOWN):
                raise
            denied = denied or error.failure is Failure.PERMISSION_DENIED
    if denied:
        raise NetError(Failure.PERMISSION_DENIED, _DENIED, {"privilege": "ICMP socket"})
    raise NetError(Failure.PLATFORM, "this system has no ICMP sockets")


class Echoes:
    """`Datagrams` in ICMP: each payload travels in an echo request, and what comes back is its reply's."""

    def __init__(self, below: Datagrams, family: int, identifier: int) -> None:
        self._below = below
        self._family = family
        self._identifier = identifier
        self._sequence = 0

    @property
    def local(self) -> Endpoint:
        return self._below.local

    async def send(self, payload: bytes, to: Endpoint) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFF
        echo = icmp.Echo(self._identifier, self._sequence, payload)
        return await self._below.send(icmp.pack_echo_request(echo, family=self._family), (to[0], 0))

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        """The next reply or error; a raw socket hears all that the host does, of which the rest is dropped."""
        clock = asyncio.get_running_loop().time
        until, strangers = clock() + timeout, 0
        while strangers < _MOST_STRANGERS or clock() < until:
            item = await self._below.receive(timeout=max(0.0, until - clock()))
            ours = self._report(item) if isinstance(item, IcmpReport) else self._reply(item)
            if ours is not None:
                return ours
            strangers += 1
        raise NetError(Failure.TIMED_OUT, f"nothing of ours within {timeout:g} s")

    def close(self) -> None:
        self._below.close()

    def _reply(self, item: Received) -> Received | None:
        try:
            echo = icmp.unpack_echo_reply(item.payload, family=self._family)
        except ValueError:
            return None
        place = (item.source[0], 0)
        return replace(item, payload=echo.payload, source=place) if self._is_ours(echo) else None

    def _report(self, item: IcmpReport) -> IcmpReport | None:
        """An error quotes what it is about, at least its header (RFC 792)."""
        try:
            echo = icmp.unpack_echo_request(item.payload, family=self._family)
        except ValueError:
            return None
        place = (item.destination[0], 0)
        return replace(item, payload=echo.payload, destination=place) if self._is_ours(echo) else None

    def _is_ours(self, echo: icmp.Echo) -> bool:
        return echo.identifier == self._identifier
