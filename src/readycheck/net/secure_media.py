"""The media of a call: ICE (RFC 8445) by aioice, DTLS-SRTP (RFC 5764) by aiortc. Imported on use: it is an extra.

aioice has no ICE-TCP (RFC 6544). Over TCP and TLS the connection that the call was agreed on is the path, and what goes
over it stands behind a length of two bytes (RFC 4571).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from aioice import Candidate, Connection
from aioice.ice import StunProtocol
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from readycheck.failure import classify
from readycheck.net import guard
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.interface import Endpoint, NetError

_SPAN = 64
"""Datagrams that wait to be read; more are lost, as on any link."""

Admits = Callable[[bytes], bool]


class Path(Protocol):
    """What carries datagrams of one call, under the names that aiortc calls them by."""

    @property
    def role(self) -> str: ...
    async def _recv(self) -> bytes: ...
    async def _send(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an end is, as it tells the other: ICE credentials and the fingerprint of its certificate."""

    user: str
    password: str
    fingerprint: str


class Sockets:
    """aioice's transport: a connected socket for each address that the other end is heard from, `most` at once.

    The kernel prefers a connected socket, so that several calls, and all else, may share one port.
    """

    def __init__(self, most: int = 1, admits: Admits = lambda data: True) -> None:
        self._by_peer: dict[Endpoint, asyncio.DatagramTransport] = {}
        self._most, self._admits = most, admits
        self.protocol: StunProtocol | None = None
        self.refused: OSError | None = None

    async def connect(self, sock: socket.socket, peer: Endpoint) -> None:
        """Takes the socket, which is connected to `peer`. Raises `OSError` when there are enough."""
        if len(self._by_peer) >= self._most or peer in self._by_peer:
            sock.close()
            raise OSError("enough sockets")
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Inlet(self, peer), sock=sock)
        self._by_peer[peer] = transport

    def hear(self, data: bytes, peer: Endpoint) -> None:
        if self.protocol is not None and self._admits(data):
            self.protocol.datagram_received(data, peer)

    def sendto(self, data: bytes, to: Endpoint) -> None:
        transport = self._by_peer.get((to[0], to[1]))
        if transport is not None and not transport.is_closing():
            transport.sendto(data)

    def get_extra_info(self, name: str) -> None:
        return None

    def close(self) -> None:
        self.drop()
        if self.protocol is not None:
            self.protocol.connection_lost(None)

    def drop(self) -> None:
        for transport in self._by_peer.values():
            transport.close()


class _Inlet(asyncio.DatagramProtocol):
    def __init__(self, sockets: Sockets, peer: Endpoint) -> None:
        self._sockets, self._peer = sockets, peer

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if (addr[0], addr[1]) == self._peer:  # what came before it was connected may be another's
            self._sockets.hear(data, self._peer)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self._sockets.refused = exc


class _OnePort(Connection):
    """Gathers no addresses of its own: there is one way, and both ends know it."""

    def __init__(self, sockets: Sockets, here: Endpoint, *, controlling: bool) -> None:
        super().__init__(ice_controlling=controlling)
        self._sockets, self._here = sockets, here

    async def get_component_candidates(self, component: int, *_: Any, **__: Any) -> list[Candidate]:
        protocol = StunProtocol(self)
        protocol.local_candidate = _candidate(self._here, component)
        protocol.connection_made(cast("Any", self._sockets))
        self._sockets.protocol = protocol
        self._protocols.append(protocol)
        return [protocol.local_candidate]


class IcePath:
    """UDP that both ends agree to use (RFC 8445), and go on agreeing (RFC 7675)."""

    def __init__(self, sockets: Sockets, here: Endpoint, *, controlling: bool) -> None:
        self._ice = _OnePort(sockets, here, controlling=controlling)
        self._recv, self._send = self._ice.recv, self._ice.send

    @property
    def role(self) -> str:
        return "controlling" if self._ice.ice_controlling else "controlled"

    @property
    def credentials(self) -> tuple[str, str]:
        return self._ice.local_username, self._ice.local_password

    async def gather(self) -> None:
        await self._ice.gather_candidates()

    async def connect(self, other: Identity, at: Endpoint | None = None) -> None:
        """Without `at` the other end has to be heard first. Raises `ConnectionError`."""
        self._ice.remote_username, self._ice.remote_password = other.user, other.password
        if at is not None:
            await self._ice.add_remote_candidate(_candidate(at, 1))
            await self._ice.add_remote_candidate(None)
        await self._ice.connect()

    async def close(self) -> None:
        await self._ice.close()


class FramePath:
    """Datagrams in frames of a connection, which is somebody else's; `feed` is for who reads it."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], role: str) -> None:
        self.role = role
        self._write = write
        self._arrived: asyncio.Queue[bytes | None] = asyncio.Queue()

    def feed(self, data: bytes) -> None:
        if self._arrived.qsize() < _SPAN:
            self._arrived.put_nowait(data)

    async def _recv(self) -> bytes:
        data = await self._arrived.get()
        if data is None:
            raise ConnectionError("the connection is closed")
        return data

    async def _send(self, data: bytes) -> None:
        try:
            await self._write(len(data).to_bytes(2, "big") + data)
        except OSError as error:
            raise ConnectionError(str(error)) from error

    async def close(self) -> None:
        self._arrived.put_nowait(None)


def socket_to(peer: Endpoint, way_out: SocketOptions, ports: Sequence[int] = ()) -> socket.socket:
    """A datagram socket that is connected to `peer`, from the first of the ports that is free. Raises `NetError`."""
    guard.allow(peer[0])
    for port in ports:
        with suppress(NetError):
            return _connected(open_socket(socket.SOCK_DGRAM, replace(way_out, source_port=port)), peer)
    return _connected(open_socket(socket.SOCK_DGRAM, way_out), peer)


def _connected(sock: socket.socket, peer: Endpoint) -> socket.socket:
    try:
        sock.connect(peer)
    except OSError as error:
        sock.close()
        raise NetError(classify(error), f"opening a socket: {error.strerror or error}") from error
    return sock


class Security:
    """DTLS over a path, and the SRTP whose keys come of it."""

    def __init__(self, path: Path, role: str) -> None:
        self._certificate = RTCCertificate.generateCertificate()
        self.dtls = RTCDtlsTransport(cast("Any", path), [self._certificate])
        self.dtls._set_role(role)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate (RFC 8122)."""
        found = self._certificate.getFingerprints()
        return next(one.value for one in found if one.algorithm == "sha-256")

    @property
    def profile(self) -> str:
        """Of SRTP, as RFC 5764 and RFC 7714 name them."""
        session = self.dtls._ssl
        return session.get_selected_srtp_profile().decode() if session is not None else ""

    async def handshake(self, other: Identity) -> None:
        """Raises `ConnectionError`."""
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", other.fingerprint)]))
        task = asyncio.current_task()
        if (
            task is not None and task.cancelling()
        ):  # aiortc's wait_for loses a cancel that comes with a datagram
            raise asyncio.CancelledError
        if self.dtls.state != "connected":
            raise ConnectionError("DTLS was refused, or the certificate is not the one that was announced")

    async def close(self) -> None:
        with suppress(ConnectionError, OSError):
            await self.dtls.stop()


def _candidate(at: Endpoint, component: int) -> Candidate:
    return Candidate(
        foundation="1", component=component, transport="udp", priority=2130706431, host=at[0], port=at[1], type="host"
    )  # fmt: skip
