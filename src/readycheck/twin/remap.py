"""The network of the loopback world: every address of the product stands behind one listener on loopback."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net.interface import (
    Call,
    Capability,
    Datagrams,
    Endpoint,
    Fathomed,
    Filled,
    Handed,
    Held,
    IcmpReport,
    Leg,
    NetError,
    Network,
    PlainRequest,
    Played,
    Received,
    Resolution,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.twin.blueprint import RESOLVER, Blueprint
from readycheck.twin.envelope import SIZE, pack_endpoint, unpack_endpoint
from readycheck.twin.rules import GreetingRule, fate
from readycheck.twin.zone import Zone, make_zone

if TYPE_CHECKING:
    from readycheck.wire.far_end import Kind

LOOPBACK = "127.0.0.1"

_UNAVAILABLE = {Capability.RAW_SOCKETS, Capability.ICMP_ERRORS, Capability.HOP_LIMIT}

Outcome = Literal["pass", "drop", "reject"]


@dataclass(frozen=True)
class Remap:
    """Which world is played, and the loopback ports of its listeners; `names` is that of DNS over TCP."""

    blueprint: Blueprint
    tcp: int
    udp: int
    names: int

    @classmethod
    def load(cls, path: Path) -> "Remap":
        """Read a remap file; raises `UsageError`."""
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            blueprint = Blueprint.from_json(json.dumps(told["blueprint"]))
            return cls(blueprint, int(told["tcp"]), int(told["udp"]), int(told["names"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"--remap {path}: {error}") from None

    def to_json(self) -> str:
        ports = {"tcp": self.tcp, "udp": self.udp, "names": self.names}
        return json.dumps({**ports, "blueprint": json.loads(self.blueprint.to_json())})

    @cached_property
    def zone(self) -> Zone:
        return make_zone(self.blueprint)

    def outcome(self, transport: str, to: Endpoint) -> Outcome:
        """What becomes of an exchange: the firewall first, then whether anything lives there."""
        address, port = to
        met = fate(self.blueprint.rules, transport, address, port)
        if met:
            return met
        if not (self._serves(transport, port) and self.blueprint.answers(address)):
            return "drop"
        closed = transport == "tcp" and port in self.blueprint.faults.closed
        return "reject" if closed and address not in self.blueprint.spared else "pass"

    def _serves(self, transport: str, port: int) -> bool:
        ranges = self.blueprint.tcp if transport == "tcp" else self.blueprint.udp
        return port == 53 or any(low <= port <= high for low, high in ranges)


class RemappedNetwork:
    """`Network` that translates what leaves and what comes back, and plays what stands between."""

    def __init__(self, network: Network, remap: Remap) -> None:
        self._network, self._remap = network, remap

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        if _is_address(host):
            return Resolution((host,), "literal")
        if self._remap.outcome("udp", (RESOLVER, 53)) != "pass":
            await self._network.sleep(timeout)
            raise NetError(Failure.TIMED_OUT, f"{RESOLVER} does not answer", {"server": RESOLVER})
        await self._network.sleep(min(timeout, self._remap.blueprint.faults.dns_delay_ms / 1000))
        address = self._remap.zone.address(host.lower().rstrip("."))
        if address is None:
            raise NetError(Failure.DNS_NXDOMAIN, f"{host} does not exist", {"server": RESOLVER})
        return Resolution((address,), RESOLVER)

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
        """Connect; the source port is not kept, for one listener would see it twice."""
        _refuse_hops(ttl)
        _refuse_ipv6(to[0])
        outcome = self._remap.outcome("tcp", to)
        if outcome == "drop":
            await self._network.sleep(timeout)
            raise NetError(Failure.TIMED_OUT, f"connecting: nothing within {timeout:g} s")
        if outcome == "reject":
            raise NetError(Failure.CONNECTION_REFUSED, "connecting: refused")
        listener = self._remap.names if to[1] == 53 else self._remap.tcp
        stream = await self._network.connect(
            (LOOPBACK, listener), timeout=timeout, tos=tos, max_segment=max_segment
        )
        try:
            await stream.write(pack_endpoint(to), timeout=timeout)
        except BaseException:
            stream.close()
            raise
        return RemappedStream(stream, to, self._network, self._remap.blueprint.greetings)

    async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
        """Through a proxy that is no part of this world; what it knows of names is its own."""
        return await self._network.tunnel(host, port, timeout=timeout, via=via)

    async def forward(self, request: PlainRequest, *, timeout: float, via: str | None = None) -> Handed:
        """As with `tunnel`."""
        return await self._network.forward(request, timeout=timeout, via=via)

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        return await self._network.start_tls(stream, settings, timeout=timeout)

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        return self._network.vouch(shown, settings)

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        _refuse_hops(ttl)
        if family == 6:
            raise NetError(Failure.NETWORK_UNREACHABLE, "the loopback world has no IPv6")
        inner = await self._network.open_datagram(family=4, tos=tos, source_port=source_port, whole=whole)
        return RemappedDatagrams(inner, self._network, self._remap)

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def fathom(self, to: Endpoint) -> Fathomed:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def be_called(self, to: Endpoint, transport: str, ports: Sequence[int]) -> Sequence[Call]:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def converse(self, to: Endpoint, kind: "Kind", body: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NetError(Failure.PLATFORM, "the loopback world has no responder")

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        """Kernels answer echo requests, and this one answers for loopback only."""
        raise NetError(Failure.PLATFORM, "there is no ICMP in the loopback world")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    def now_ns(self) -> int:
        return self._network.now_ns()

    def resolvers(self) -> Sequence[Endpoint]:
        return ((RESOLVER, 53),)

    def proxy(self, via: str | None = None) -> str | None:
        return self._network.proxy(via)

    def capabilities(self) -> frozenset[Capability]:
        return self._network.capabilities() - _UNAVAILABLE


class RemappedStream:
    """A stream that says whom it was meant for, and that ends as a box on the way would have it."""

    def __init__(
        self, stream: Stream, peer: Endpoint, network: Network, greetings: GreetingRule | None = None
    ) -> None:
        self._stream, self._peer, self._network, self._greetings = stream, peer, network, greetings
        self._killed = False

    @property
    def local(self) -> Endpoint:
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        return self._peer

    @property
    def tls(self) -> TlsFacts | None:
        return self._stream.tls

    async def read(self, limit: int, *, timeout: float) -> bytes:
        if not self._killed or self._greetings is None:
            return await self._stream.read(limit, timeout=timeout)
        if self._greetings.action == "reject":
            raise NetError(Failure.CONNECTION_RESET, "reading: reset by a box on the way")
        await self._network.sleep(timeout)
        raise NetError(Failure.TIMED_OUT, f"reading: nothing within {timeout:g} s")

    async def write(self, data: bytes, *, timeout: float) -> None:
        self._killed = self._killed or (self._greetings is not None and self._greetings.matches(data))
        if not self._killed:
            await self._stream.write(data, timeout=timeout)

    def close(self) -> None:
        self._stream.close()


class RemappedDatagrams:
    """A socket whose datagrams travel in an envelope that names the address they are for or from."""

    def __init__(self, inner: Datagrams, network: Network, remap: Remap) -> None:
        self._inner, self._network, self._remap = inner, network, remap

    @property
    def local(self) -> Endpoint:
        return self._inner.local

    async def send(self, payload: bytes, to: Endpoint) -> int:
        _refuse_ipv6(to[0])
        if self._remap.outcome("udp", to) != "pass":
            return self._network.now_ns()
        return await self._inner.send(pack_endpoint(to) + payload, (LOOPBACK, self._remap.udp))

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        found = await self._inner.receive(timeout=timeout)
        if isinstance(found, IcmpReport):
            return found
        try:
            source = unpack_endpoint(found.payload)
        except ValueError as error:
            raise NetError(Failure.PROTOCOL_ERROR, str(error)) from None
        return Received(found.payload[SIZE:], source, found.at_ns)

    def close(self) -> None:
        self._inner.close()


def _refuse_hops(ttl: int | None) -> None:
    if ttl is not None:
        raise NetError(Failure.PLATFORM, "there are no hops in the loopback world")


def _refuse_ipv6(address: str) -> None:
    if ":" in address:
        raise NetError(Failure.NETWORK_UNREACHABLE, "the loopback world has no IPv6")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
