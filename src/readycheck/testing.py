"""A network that answers as it is told, in no time: for our tests and for those of plug-in authors.

A test of a probe is two lines:

    network = FakeNetwork(udp={("192.0.2.1", 3478): answer_binding})
    observations, metrics = run_probe(StunProbe(), StunParams(targets), network)
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from readycheck.failure import Failure, classify_icmp
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
    PlainRequest,
    Played,
    Received,
    Resolution,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Observation, Trace
from readycheck.probe import Effort, MetricValue, Probe

if TYPE_CHECKING:
    from readycheck.wire.far_end import Kind

T = TypeVar("T")
P = TypeVar("P")

Answer = Callable[[bytes], bytes | None]
Blocked = Callable[[Endpoint, str], int | None]

_EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01, so that runs of a test are alike
_LOCAL = {4: "192.0.2.200", 6: "2001:db8::200"}
_PROXY = ("192.0.2.128", 3128)
_SEGMENT = 1460
_MEANINGS = (
    "net_unreachable",
    "host_unreachable",
    "port_unreachable",
    "fragmentation_needed",
    "admin_prohibited",
)
_MEANING_OF = {classify_icmp(meaning): meaning for meaning in _MEANINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeService:
    """What accepts connections at an endpoint.

    `chunks` are read one by one, whatever is written, and then what `answer` says to each write; a
    `Failure` among them is how that read fails. `then` ends the stream: None closes it, a failure
    such as `timed_out` is a service that stays silent. `tls` is what a handshake shows. Longer segments than
    `passes` are lost on the way, and nobody says so.
    """

    chunks: tuple[bytes | Failure, ...] = ()
    answer: Answer | None = None
    then: Failure | None = Failure.TIMED_OUT
    tls: TlsFacts | Failure | None = None
    passes: int | None = None


def tls_facts(**said: Any) -> TlsFacts:
    """The facts of a handshake that nothing is wrong with, but for what is `said`."""
    harmless: dict[str, Any] = {
        "version": "TLSv1.3",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "alpn": None,
        "chain": (),
        "pins": (),
        "anchor": None,
        "trust_failure": None,
        "name_matches": None,
        "expires_days": 90.0,
        "client_certificate_requested": False,
    }
    return TlsFacts(**{**harmless, **said})


class FakeNetwork:
    """`Network` out of tables. A `Failure` in the place of an answer is how that step fails;
    what is in no table is silent, as most addresses are. `tunnels` are the hosts and ports behind the proxy.
    `icmp` is about addresses; a `Failure` in place of the table is how opening such a socket fails.

    `hops` are the routers on the way, nearest first: a packet whose hop limit they use up gets
    *time exceeded*. `blocked(endpoint, transport)` is the number of the hop that drops such
    packets, None when all pass. `narrow` is a hop, and the size of the datagrams that its next link takes:
    longer ones are lost there without a word. `responder` says what comes of each leg of a stream. Time only
    passes as `run` says.
    """

    def __init__(
        self,
        *,
        names: Mapping[str, Sequence[str] | Failure] | None = None,
        tcp: Mapping[Endpoint, FakeService | Failure] | None = None,
        udp: Mapping[Endpoint, Answer | Failure] | None = None,
        icmp: Mapping[str, Answer | Failure] | Failure | None = None,
        tunnels: Mapping[Endpoint, FakeService | Failure] | None = None,
        hops: Sequence[str] = (),
        blocked: Blocked = lambda endpoint, transport: None,
        resolvers: Sequence[Endpoint] = (("192.0.2.53", 53),),
        # No raw sockets: they are a real program, and would send real packets.
        capabilities: frozenset[Capability] = frozenset(Capability) - {Capability.RAW_SOCKETS},
        rtt_ms: float = 20.0,
        narrow: tuple[int, int] | None = None,
        responder: Callable[[Leg], Played] | Failure = Failure.TIMED_OUT,
        sizes: tuple[int | None, int | None] | Failure = Failure.TIMED_OUT,
        throughput: Callable[[str, tuple[str, ...], float], Filled] | None = None,
    ) -> None:
        self.names = dict(names or {})
        self.tcp = dict(tcp or {})
        self.udp = dict(udp or {})
        self.icmp = icmp or {}
        self.tunnels = dict(tunnels or {})
        self.hops = tuple(hops)
        self.blocked = blocked
        self.rtt_s = rtt_ms / 1000
        self.narrow = narrow
        self.responder = responder
        self.throughput = throughput
        self.sizes = sizes
        self.sent: list[tuple[Endpoint, bytes]] = []
        self.known_to: list[Endpoint] = []
        self.calls: Mapping[tuple[str, int], Call] | Failure = Failure.TIMED_OUT
        self.holds: Callable[[Sequence[float], bool], Held] | Failure = Failure.TIMED_OUT
        self._resolvers = tuple(resolvers)
        self._capabilities = capabilities
        self._ports = iter(range(40000, 65536))

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        found = self.names.get(host, Failure.DNS_NXDOMAIN)
        await self._pass(found, timeout)
        if isinstance(found, Failure):
            raise NetError(found, f"resolving {host}")
        return Resolution(tuple(found), "192.0.2.53")

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
        """Connect, unless a hop or the service itself stands against it."""
        offender = self.expires_at(to, "tcp", ttl)
        if offender is not None:
            await self.sleep(self.rtt_s)
            raise NetError(Failure.HOP_LIMIT_EXCEEDED, f"at {offender}", {"offender": offender})
        service = self.tcp.get(to, Failure.TIMED_OUT) if self.reaches(to, "tcp", ttl) else Failure.TIMED_OUT
        await self._pass(service, timeout)
        if isinstance(service, Failure):
            raise NetError(service, "connecting")
        return FakeStream(self, service, self.local_for(to, source_port), to, max_segment=max_segment)

    async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
        """Connect behind the proxy; in these tables it knows every name."""
        service = self.tunnels.get((host, port), Failure.TIMED_OUT)
        await self._pass(service, timeout)
        if isinstance(service, Failure):
            raise NetError(service, "through the proxy")
        return FakeStream(self, service, self.local_for(_PROXY), _PROXY)

    async def forward(self, request: PlainRequest, *, timeout: float, via: str | None = None) -> Handed:
        """As with `tunnel`: it is handed on, and the service answers."""
        return Handed(await self.tunnel(request.host, request.port, timeout=timeout, via=via), 200, True)

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        """Handshake within the versions of `settings`; `trust_failure` is fatal where it is verified."""
        if not isinstance(stream, FakeStream):
            raise TypeError("a FakeNetwork greets on its own streams only")
        facts = stream.service.tls or Failure.TLS_NOT_TLS
        if stream.service.passes is not None and (stream.max_segment or _SEGMENT) > stream.service.passes:
            facts = Failure.TIMED_OUT
        await self._pass(facts, timeout)
        if isinstance(facts, Failure):
            raise NetError(facts, "handshake")
        if not settings.minimum <= facts.version.removeprefix("TLSv") <= settings.maximum:
            raise NetError(Failure.TLS_ALERT_PROTOCOL_VERSION, f"the service speaks {facts.version}")
        if settings.verify and facts.trust_failure is not None:
            raise NetError(facts.trust_failure, "certificate", {"tls": asdict(facts)})
        return FakeStream(self, stream.service, stream.local, stream.peer, facts)

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        """Nothing is wrong with it."""
        return tls_facts(version=shown.version, cipher=shown.cipher, alpn=shown.alpn)

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        return FakeDatagrams(self, (_LOCAL[family], source_port or next(self._ports)), ttl)

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        if isinstance(self.icmp, Failure):
            raise NetError(self.icmp, "opening an ICMP socket")
        return FakeDatagrams(self, (_LOCAL[family], 0), transport="icmp")

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        """As long as the longest leg; `responder` says what comes of each."""
        if isinstance(self.responder, Failure):
            raise NetError(self.responder, "the responder does not answer")
        await self.sleep(max(leg.seconds for leg in legs))
        return tuple(map(self.responder, legs))

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        """As long as it should; `throughput` says what comes of each way, by all that are filled at once."""
        if self.throughput is None:
            raise NetError(Failure.RESPONDER_REFUSED, "throughput is not served here")
        await self.sleep(seconds)
        return tuple(self.throughput(way, tuple(ways), seconds) for way in ways)

    async def fathom(self, to: Endpoint) -> Fathomed:
        """What `sizes` has, of the way there and back."""
        if isinstance(self.sizes, Failure):
            raise NetError(self.sizes, "the responder does not answer")
        return Fathomed(up=self.sizes[0], down=self.sizes[1], tried=1500)

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        """`holds` says what comes of each connection."""
        if isinstance(self.holds, Failure):
            raise NetError(self.holds, "the responder does not answer")
        await self.sleep(sum(pauses_s))
        return self.holds(pauses_s, secure)

    async def be_called(self, to: Endpoint, transport: str, ports: Sequence[int]) -> Sequence[Call]:
        """`calls` says what comes of each."""
        if isinstance(self.calls, Failure):
            raise NetError(self.calls, "the responder does not call")
        return tuple(self.calls[transport, port] for port in ports)

    async def converse(self, to: Endpoint, kind: "Kind", body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A responder that is there knows whoever asks from now on, and does nothing else."""
        self.known_to.append(to)
        if isinstance(self.responder, Failure):
            raise NetError(self.responder, "the responder does not answer")
        return {}

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now_ns(self) -> int:
        return _EPOCH_NS + round(asyncio.get_running_loop().time() * 1e9)

    def resolvers(self) -> Sequence[Endpoint]:
        return self._resolvers

    def proxy(self, via: str | None = None) -> str | None:
        return f"{_PROXY[0]}:{_PROXY[1]}" if self.tunnels else None

    def capabilities(self) -> frozenset[Capability]:
        return self._capabilities

    def local_for(self, to: Endpoint, source_port: int = 0) -> Endpoint:
        return _LOCAL[6 if ":" in to[0] else 4], source_port or next(self._ports)

    def datagram_service(self, transport: str, to: Endpoint) -> Answer | Failure | None:
        """What answers there: over UDP a port does, over ICMP the address."""
        if transport == "udp":
            return self.udp.get(to)
        return None if isinstance(self.icmp, Failure) else self.icmp.get(to[0])

    def expires_at(self, to: Endpoint, transport: str, ttl: int | None) -> str | None:
        """The router that uses up the hop limit; it looks at that before its filter does."""
        wall = self.blocked(to, transport) or len(self.hops)
        return self.hops[ttl - 1] if ttl is not None and 1 <= ttl <= min(wall, len(self.hops)) else None

    def swallows(self, payload: bytes, ttl: int | None) -> bool:
        """Whether a datagram comes to a link that it is too long for."""
        if self.narrow is None:
            return False
        hop, size = self.narrow
        return len(payload) > size and (ttl is None or ttl > hop)

    def reaches(self, to: Endpoint, transport: str, ttl: int | None) -> bool:
        return self.blocked(to, transport) is None and (ttl is None or ttl > len(self.hops))

    async def _pass(self, outcome: object, timeout: float) -> None:
        # Silence takes as long as one waits for it, all else a round trip.
        await self.sleep(timeout if outcome is Failure.TIMED_OUT else min(self.rtt_s, timeout))


class FakeStream:
    """A connection to a `FakeService`; `written` is what it was told."""

    def __init__(
        self, network: FakeNetwork, service: FakeService, local: Endpoint, peer: Endpoint,
        tls: TlsFacts | None = None, max_segment: int | None = None,
    ) -> None:  # fmt: skip
        self.service = service
        self.local = local
        self.peer = peer
        self.tls = tls
        self.max_segment = max_segment
        self.written = b""
        self.closed = False
        self._network = network
        self._chunks = deque(service.chunks)

    async def read(self, limit: int, *, timeout: float) -> bytes:
        chunk = self._chunks.popleft() if self._chunks else self.service.then or b""
        if isinstance(chunk, Failure):
            await self._network.sleep(timeout if chunk is Failure.TIMED_OUT else self._network.rtt_s)
            raise NetError(chunk, "reading")
        await self._network.sleep(min(self._network.rtt_s, timeout))
        if len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
        return chunk[:limit]

    async def write(self, data: bytes, *, timeout: float) -> None:
        self.written += data
        said = self.service.answer(data) if self.service.answer else None
        if said is not None:
            self._chunks.append(said)

    def close(self) -> None:
        self.closed = True


@dataclass(slots=True)
class FakeDatagrams:
    """A socket whose packets meet the hops and the services of its network."""

    network: FakeNetwork
    local: Endpoint
    ttl: int | None = None
    transport: str = "udp"
    _arrived: deque[Received | IcmpReport] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, payload: bytes, to: Endpoint) -> int:
        now_ns = self.network.now_ns()
        self.network.sent.append((to, payload))
        item = self._outcome(payload, to, now_ns + round(self.network.rtt_s * 1e9))
        if item is not None:
            asyncio.get_running_loop().call_later(self.network.rtt_s, self._arrive, item)
        return now_ns

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        while not self._arrived:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                raise NetError(Failure.TIMED_OUT, f"nothing within {timeout:g} s") from None
        return self._arrived.popleft()

    def close(self) -> None:
        self._arrived.clear()

    def _outcome(self, payload: bytes, to: Endpoint, at_ns: int) -> Received | IcmpReport | None:
        if self.network.swallows(payload, self.ttl):
            return None
        offender = self.network.expires_at(to, self.transport, self.ttl)
        if offender is not None:
            return IcmpReport(to, offender, "time_exceeded", at_ns, payload)
        if not self.network.reaches(to, self.transport, self.ttl):
            return None
        service = self.network.datagram_service(self.transport, to)
        if isinstance(service, Failure):
            return IcmpReport(to, to[0], _MEANING_OF[service], at_ns, payload)
        said = service(payload) if service is not None else None
        return None if said is None else Received(said, to, at_ns)

    def _arrive(self, item: Received | IcmpReport) -> None:
        self._arrived.append(item)
        self._news.set()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a clock that jumps to the next timer: waiting takes no time, and stays in order."""
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(work)


def run_probe(
    probe: Probe[P], params: P, network: FakeNetwork, effort: Effort = Effort.NORMAL
) -> tuple[tuple[Observation, ...], Mapping[str, MetricValue]]:
    """What a probe observes on a network, and the metrics it makes of that."""
    return run(_run_probe(probe, params, network, effort))


async def _run_probe(
    probe: Probe[P], params: P, network: FakeNetwork, effort: Effort
) -> tuple[tuple[Observation, ...], Mapping[str, MetricValue]]:
    trace = Trace()
    shared = SharedNetwork(network, effort=effort, clock=asyncio.get_running_loop().time)
    await probe.measure(params, shared.traced(trace))
    observations = trace.observations(shared.now_ms())
    return observations, probe.summarize(observations)


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now


class _JumpingSelector(selectors.SelectSelector):
    """Where a loop would wait for its next timer, the clock is put forward instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events:
            self.now += max(0.0, timeout)
        return events
