"""The network of this host: delegates each verb to the module that knows how."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from readycheck.failure import Failure
from readycheck.net.address import family_of, is_address
from readycheck.net.datagram import (
    SocketOptions,
    SystemDatagrams,
    is_routed,
    open_socket,
    report_errors,
)
from readycheck.net.echo import open_echo
from readycheck.net.headers import SO_TIMESTAMPNS
from readycheck.net.interface import (
    Call,
    Capability,
    Datagrams,
    Endpoint,
    Fathomed,
    Filled,
    Handed,
    Held,
    Leg,
    NetError,
    PlainRequest,
    Played,
    Resolution,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.net.pace import Pace
from readycheck.net.proxy import ProxyUrl
from readycheck.net.stream import open_stream

if TYPE_CHECKING:
    from readycheck.net.login import Access
    from readycheck.wire.far_end import Kind

T = TypeVar("T")

_GREETINGS = 64  # handshakes at once: each costs processor time, and all the others' answers wait for it
_BURST = 40  # packets that may leave back to back before the rate applies: as a page makes a browser send


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Which way out, and how fast. `source` and `interface` bind every socket; `rate` is packets a second."""

    source: str | None = None
    interface: str | None = None
    family: Literal["any", "4", "6"] = "any"
    resolvers: tuple[Endpoint, ...] = ()
    rate: float = 400.0
    proxy: ProxyUrl | None = None
    more_proxies: tuple[ProxyUrl, ...] = ()
    responder_key: bytes = field(default=b"", repr=False)


class Lookup(Protocol):
    """What `SystemNetwork` wants of a resolver."""

    async def resolve(self, host: str, *, timeout: float) -> Resolution: ...


class Handshake(Protocol):
    """`readycheck.net.tls.handshake` with the trust set filled in."""

    async def __call__(self, stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream: ...


class Vouch(Protocol):
    """`readycheck.net.tls.vouch` with the trust set filled in."""

    def __call__(self, shown: Shown, settings: TlsSettings, /) -> TlsFacts: ...


def _trust_nobody(shown: Shown, settings: TlsSettings, /) -> TlsFacts:
    raise ValueError("this network was made without a trust set")


class SystemNetwork:
    """`Network` over this host's sockets; every datagram and connection counts against one pace."""

    def __init__(
        self,
        options: NetworkOptions,
        resolver: Lookup,
        handshake: Handshake,
        vouch: Vouch = _trust_nobody,
    ) -> None:
        self.options = options
        self._resolver = resolver
        self._handshake = handshake
        self._vouch = vouch
        self._pace = Pace(options.rate, _BURST)
        self._greetings = asyncio.Semaphore(_GREETINGS)
        self._access: dict[str, Access] = {}

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        """The addresses of `host` in the families in use; an address is its own answer."""
        if is_address(host):
            return Resolution((host,), "literal")
        found = await self._resolver.resolve(host, timeout=timeout)
        usable = tuple(address for address in found.addresses if self._in_use(address))
        if not usable:
            kind = "" if self.options.family == "any" else f"IPv{self.options.family} "
            detail = f"{host} has no {kind}address"
            raise NetError(Failure.DNS_NO_ANSWER, detail, {**found.facts, "server": found.server})
        return replace(found, addresses=self._routed(usable))

    async def connect(
        self,
        to: Endpoint,
        *,
        timeout: float,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        max_segment: int | None = None,
    ) -> Stream:
        """Open a TCP connection; the wait for the pace is not part of the timeout."""
        await self._pace.take()
        return await open_stream(
            to,
            timeout=timeout,
            ttl=ttl,
            tos=tos,
            source_port=source_port,
            source=self._source(family_of(to[0])),
            interface=self.options.interface,
            max_segment=max_segment,
        )

    async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
        """Ask the proxy for a connection; `ValueError` when this run has none."""
        from readycheck.net.tunnel import open_tunnel  # most runs have no proxy

        proxy, access = self._entrance(host, via)
        return await open_tunnel(self, proxy, host, port, timeout=timeout, access=access)

    async def forward(self, request: PlainRequest, *, timeout: float, via: str | None = None) -> Handed:
        """Ask the proxy to make the request; `ValueError` when this run has none."""
        from readycheck.net.tunnel import open_forward

        proxy, access = self._entrance(request.host, via)
        return await open_forward(self, proxy, request, timeout=timeout, access=access)

    def _entrance(self, host: str, via: str | None) -> "tuple[ProxyUrl, Access]":
        from readycheck.net.login import Access

        proxy = self._proxy(via)
        if proxy is None:
            raise ValueError(f"no proxy leads to {host}")
        return proxy, self._access.setdefault(proxy.place, Access())

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        """Handshake; the wait for a turn is not part of the timeout."""
        async with self._greetings:
            return await self._handshake(stream, settings, timeout=timeout)

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        return self._vouch(shown, settings)

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        options = replace(self._way_out(family), ttl=ttl, tos=tos, source_port=source_port, whole=whole)
        return SystemDatagrams(options, self._pace)

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        return open_echo(self._way_out(family), self._pace)

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        """In a thread of its own, as asyncio would be late."""
        from readycheck.net.far_end import play

        return await self._aside(to, play, legs)

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        from readycheck.net.load import fill

        return await self._aside(to, fill, ways, seconds)

    async def fathom(self, to: Endpoint) -> Fathomed:
        from readycheck.net.size import fathom

        return await self._aside(to, fathom)

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        from readycheck.net.idle import hold

        return await hold(self, to, pauses_s, secure=secure, key=self.options.responder_key)

    async def converse(self, to: Endpoint, kind: "Kind", body: Mapping[str, Any]) -> Mapping[str, Any]:
        from readycheck.net.far_end import ask

        return await self._aside(to, ask, kind, body)

    async def be_called(self, to: Endpoint, transport: str, ports: Sequence[int]) -> Sequence[Call]:
        from readycheck.net.called import be_called

        return await self._aside(to, be_called, transport, ports)

    async def _aside(self, to: Endpoint, work: Callable[..., T], *given: Any) -> T:
        """What is said to a responder, in a thread; whoever cancels waits until its sockets are closed."""
        stop = threading.Event()
        way_out, key = self._way_out(family_of(to[0])), self.options.responder_key
        job = partial(work, to, *given, way_out, key, stop)
        working = asyncio.get_running_loop().run_in_executor(None, job)
        try:
            return await asyncio.shield(working)
        finally:
            stop.set()
            await asyncio.wait([working])
            working.exception()  # nobody else may be there to look at it

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now_ns(self) -> int:
        return time.time_ns()

    def resolvers(self) -> Sequence[Endpoint]:
        return self.options.resolvers

    def proxy(self, via: str | None = None) -> str | None:
        found = self._proxy(via)
        return found.place if found else None

    def capabilities(self) -> frozenset[Capability]:
        """Found by trying, once."""
        return self._capabilities

    @cached_property
    def _capabilities(self) -> frozenset[Capability]:
        return detect_capabilities()

    def _proxy(self, via: str | None) -> ProxyUrl | None:
        return next((one for one in self.options.more_proxies if one.place == via), self.options.proxy)

    def _way_out(self, family: int) -> SocketOptions:
        return SocketOptions(family=family, source=self._source(family), interface=self.options.interface)

    def _in_use(self, address: str) -> bool:
        return self.options.family == "any" or str(family_of(address)) == self.options.family

    def _routed(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Where there are both families, without the one that this host has no route for (RFC 6724 section 6)."""
        if len({family_of(address) for address in addresses}) < 2:
            return addresses
        ways = {family: self._way_out(family) for family in (4, 6)}
        return tuple(a for a in addresses if is_routed(a, ways[family_of(a)])) or addresses

    def _source(self, family: int) -> str | None:
        source = self.options.source
        return source if source is not None and family_of(source) == family else None


def detect_capabilities() -> frozenset[Capability]:
    """Try each thing on a socket that sends nothing."""
    found = {Capability.RAW_SOCKETS} if _may_open_raw_sockets() else set()
    with suppress(NetError), open_socket(socket.SOCK_DGRAM, SocketOptions(ttl=1)) as sock:
        if sys.platform != "win32":
            found.add(Capability.HOP_LIMIT)
        if sys.platform == "linux":
            with suppress(OSError):
                report_errors(sock)
                found.add(Capability.ICMP_ERRORS)
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                found.add(Capability.KERNEL_TIMESTAMPS)
    return frozenset(found)


def _may_open_raw_sockets() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError:
        return False
    return True
