"""The network that probes are given: each verb leaves a step in the check's trace."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from readycheck.failure import Failure, Step, classify
from readycheck.net.address import is_address
from readycheck.net.inquiry import ask
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
    Network,
    PlainRequest,
    Played,
    Question,
    Resolution,
    Schedule,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.observation import Observation, OpenStep, Target, Trace
from readycheck.probe import Effort, Net

if TYPE_CHECKING:
    from readycheck.wire.far_end import Kind

CONCURRENCY = 256
PER_HOST = 4

_SCHEDULES = {
    Effort.QUICK: Schedule((300,), 800),
    Effort.NORMAL: Schedule((700,), 2000),
    Effort.THOROUGH: Schedule((500, 1500), 3000),
}
_SPARE_MS = 50  # kept of the deadline, to say what was not asked


@dataclass(slots=True)
class _Answer:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    resolution: Resolution | None = None
    error: NetError | None = None
    patience: float = 0.0


class Names:
    """The names that a run has looked up: one query in flight for each, failures kept too."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._answers: dict[str, _Answer] = {}

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        """Look up once; those who ask meanwhile wait for the same answer."""
        answer = self._answers.setdefault(host.lower().rstrip("."), _Answer())
        clock = asyncio.get_running_loop().time
        until = clock() + timeout
        try:
            async with asyncio.timeout(timeout):
                await answer.lock.acquire()
        except TimeoutError:
            raise NetError(Failure.TIMED_OUT, f"no answer about {host} yet") from None
        try:
            return await self._settle(answer, host, until - clock())
        finally:
            answer.lock.release()

    async def _settle(self, answer: _Answer, host: str, timeout: float) -> Resolution:
        if answer.resolution is not None:
            return answer.resolution
        # A silence is only worth the time that it was given.
        final = answer.error and answer.error.failure is not Failure.TIMED_OUT
        if answer.error is not None and (final or answer.patience >= timeout):
            raise NetError(answer.error.failure, answer.error.detail, answer.error.facts)
        try:
            answer.resolution = await self._network.resolve(host, timeout=timeout)
            return answer.resolution
        except NetError as error:
            answer.error, answer.patience = error, timeout
            raise


class SharedNetwork:
    """What the checks of one run share: the network, its names, the clock, the limits."""

    def __init__(
        self,
        network: Network,
        *,
        effort: Effort = Effort.NORMAL,
        concurrency: int = CONCURRENCY,
        per_host: int = PER_HOST,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.network = network
        self.effort = effort
        self.names = Names(network)
        self.per_host = per_host
        self.slots = asyncio.Semaphore(concurrency)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._clock = clock
        self._began = clock()

    def now_ms(self) -> float:
        """Milliseconds since the run began."""
        return (self._clock() - self._began) * 1000

    def host(self, target: Target) -> asyncio.Semaphore:
        """The limit of what may go on at once towards one host."""
        name = target.host or target.address or target.network or ""
        return self._hosts.setdefault(name, asyncio.Semaphore(self.per_host))

    def traced(self, trace: Trace, deadline: float = float("inf")) -> "TracedNetwork":
        """The network of one check, which ends at `deadline` of the event loop's clock."""
        left = deadline - asyncio.get_running_loop().time()
        return TracedNetwork(self, trace, self.now_ms() + left * 1000)


class TracedNetwork:
    """`Net` over the network of a run; the target is what its verbs are done for."""

    def __init__(
        self,
        run: SharedNetwork,
        trace: Trace,
        deadline_ms: float,
        target: Target | None = None,
        nested: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._run = run
        self._trace = trace
        self._deadline_ms = deadline_ms
        self._target = target or Target()
        self._nested = nested
        self._facts = dict(facts or {})

    @property
    def effort(self) -> Effort:
        return self._run.effort

    @property
    def plain(self) -> Network:
        return self._run.network

    def now_ms(self) -> float:
        return self._run.now_ms()

    def left_s(self) -> float:
        return (self._deadline_ms - self.now_ms()) / 1000

    def now_ns(self) -> int:
        return self._run.network.now_ns()

    def towards(self, target: Target, **facts: Any) -> Net:
        return TracedNetwork(self._run, self._trace, self._deadline_ms, target, self._nested, facts)

    async def each(self, targets: Sequence[Target], visit: Callable[[Target, Net], Awaitable[None]]) -> None:
        """Visit all targets at once, within the limits; a `NetError` has been recorded by its step."""
        # Visits hold their slots while they wait for visits of their own: those must not need slots too.
        slots = asyncio.Semaphore(self._run.per_host) if self._nested else self._run.slots
        async with asyncio.TaskGroup() as group:
            for target in targets:
                group.create_task(self._visit(target, visit, slots))

    async def _visit(
        self, target: Target, visit: Callable[[Target, Net], Awaitable[None]], slots: asyncio.Semaphore
    ) -> None:
        async with AsyncExitStack() as limits:
            if not self._nested:
                await limits.enter_async_context(self._run.host(target))
            await limits.enter_async_context(slots)
            net = TracedNetwork(self._run, self._trace, self._deadline_ms, target, nested=True)
            with suppress(NetError):
                await visit(target, net)

    @contextmanager
    def step(self, step: Step, target: Target | None = None) -> Iterator[OpenStep]:
        """A step that ends with the block; one that is cancelled stays open for the engine to end."""
        entry = self._trace.open(step, target or self._target, self.now_ms())
        entry.facts.update(self._facts)
        try:
            yield entry
        except NetError as error:
            entry.facts.update(_plain(error.facts))
            entry.end(self.now_ms(), error.failure, error.detail)
            raise
        except Exception as error:
            entry.end(self.now_ms(), classify(error), type(error).__name__)
            raise
        entry.end(self.now_ms())

    def record(self, observation: Observation) -> None:
        self._trace.add(observation)

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        with self.step(Step.RESOLVE, replace(self._target, host=host)) as step:
            found = await self._run.names.resolve(host, timeout=self._within(timeout))
            step.facts.update(_plain(found.facts), addresses=list(found.addresses), server=found.server)
            return found

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
        with self.step(Step.CONNECT, self._known("tcp", address=to[0], port=to[1])) as step:
            began_ms = self.now_ms()
            stream = await self._run.network.connect(
                to,
                timeout=self._within(timeout),
                ttl=ttl,
                tos=tos,
                source_port=source_port,
                max_segment=max_segment,
            )
            measured, resent = (
                (stream.tcp_rtt_ms(), stream.tcp_resent()) if isinstance(stream, _Timed) else (None, None)
            )
            step.facts["rtt_ms"] = round(measured or self.now_ms() - began_ms, 3)
            if resent is not None:
                step.facts["resent"] = resent
            step.facts["local"] = list(stream.local)
            return stream

    async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
        from readycheck.net.tunnel import Tunnel  # most runs have no proxy

        behind = self._behind(host, port, via)
        with self.step(Step.PROXY_CONNECT, behind) as step:
            stream = await self._run.network.tunnel(host, port, timeout=self._within(timeout), via=behind.via)
            step.facts["proxy_address"] = stream.peer[0]
            if isinstance(stream, Tunnel):
                step.facts.update(stream.facts)
            return stream

    async def forward(self, request: PlainRequest, *, timeout: float, via: str | None = None) -> Handed:
        from readycheck.net.tunnel import Tunnel

        behind = self._behind(request.host, request.port, via)
        with self.step(Step.PROXY_CONNECT, behind) as step:
            step.facts["form"] = "absolute"
            handed = await self._run.network.forward(request, timeout=self._within(timeout), via=behind.via)
            step.facts.update(proxy_address=handed.stream.peer[0], signed=handed.signed)
            if isinstance(handed.stream, Tunnel):
                step.facts.update(handed.stream.facts)
            return handed

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        known: dict[str, Any] = {"sni": settings.server_name}
        if not self._target.via:  # else the peer is the proxy
            known |= {"address": stream.peer[0], "port": stream.peer[1]}
        target = self._known("tls", **known)
        with self.step(Step.TLS_HANDSHAKE, target) as step:
            secured = await self._run.network.start_tls(stream, settings, timeout=self._within(timeout))
            if secured.tls is not None:
                step.facts["tls"] = asdict(secured.tls)
            return secured

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        return self._run.network.vouch(shown, settings)

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        with self._opening("udp"):
            return await self._run.network.open_datagram(
                family=family, ttl=ttl, tos=tos, source_port=source_port, whole=whole
            )

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        with self._opening("icmp"):
            return await self._run.network.open_echo(family=family)

    @contextmanager
    def _opening(self, transport: str) -> Iterator[None]:
        """Open a socket; only a failure is a step, because a socket proves nothing."""
        began_ms = self.now_ms()
        try:
            yield
        except NetError as error:
            entry = self._trace.open(Step.ECHO, self._known(transport), began_ms)
            entry.facts.update(_plain(error.facts), attempts=0)
            entry.end(self.now_ms(), error.failure, error.detail)
            raise

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        """The step is what the far end grants; what came of each leg is the probe's to say."""
        with self.step(Step.REQUEST, self._known("udp", address=to[0], port=to[1])) as step:
            played = await self._run.network.play(to, legs)
            step.facts["legs"] = len(played)
            return played

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        """As with `play`."""
        with self.step(Step.REQUEST, self._known("tcp", address=to[0], port=to[1])) as step:
            step.facts["ways"] = list(ways)
            return await self._run.network.fill(to, ways, seconds)

    async def fathom(self, to: Endpoint) -> Fathomed:
        """As with `play`."""
        with self.step(Step.REQUEST, self._known("udp", address=to[0], port=to[1])):
            return await self._run.network.fathom(to)

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        """The step is what was granted, however the connection died; of what came of it the probe tells."""
        with self.step(
            Step.REQUEST, self._known("tls" if secure else "tcp", address=to[0], port=to[1])
        ) as step:
            step.facts["pauses_s"] = [min(pauses_s), sum(pauses_s)]
            return await self._run.network.hold(to, pauses_s, secure=secure)

    async def be_called(self, to: Endpoint, transport: str, ports: Sequence[int]) -> Sequence[Call]:
        with self.step(Step.REQUEST, self._known("udp", address=to[0], port=to[1])) as step:
            step.facts["asked"] = "call_back"
            return await self._run.network.be_called(to, transport, ports)

    async def converse(self, to: Endpoint, kind: "Kind", body: Mapping[str, Any]) -> Mapping[str, Any]:
        with self.step(Step.REQUEST, self._known("udp", address=to[0], port=to[1])) as step:
            step.facts["asked"] = kind.name.lower()
            return await self._run.network.converse(to, kind, body)

    async def ask(
        self, datagrams: Datagrams, questions: Sequence[Question], *, schedule: Schedule | None = None
    ) -> None:
        await ask(
            datagrams,
            questions,
            schedule or self.schedule(),
            trace=self._trace,
            now_ms=self.now_ms,
            deadline_ms=self._deadline_ms - _SPARE_MS,
        )

    def schedule(self) -> Schedule:
        return _SCHEDULES[self.effort]

    async def sleep(self, seconds: float) -> None:
        await self._run.network.sleep(seconds)

    def resolvers(self) -> Sequence[Endpoint]:
        return self._run.network.resolvers()

    def proxy(self, via: str | None = None) -> str | None:
        return self._run.network.proxy(via)

    def capabilities(self) -> frozenset[Capability]:
        return self._run.network.capabilities()

    def _within(self, timeout: float) -> float:
        left = min(timeout, self.left_s())
        if left <= 0:
            raise NetError(Failure.TIMED_OUT, "no time is left for it")
        return left

    def _behind(self, host: str, port: int, via: str | None) -> Target:
        """What a proxy is to reach, and which one."""
        place = {"address" if is_address(host) else "host": host, "port": port}
        return self._known("tcp", **place, via=self.proxy(via or self._target.via) or self._target.via)

    def _known(self, transport: str, **known: Any) -> Target:
        return replace(self._target, transport=self._target.transport or transport, **known)


@runtime_checkable
class _Timed(Protocol):
    def tcp_rtt_ms(self) -> float | None: ...
    def tcp_resent(self) -> int | None: ...


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in facts.items()}


def _plain_value(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
