"""The traced network over a scripted one: what each verb leaves behind, limits, deadlines, cancellation."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.failure import Failure, Step
from readycheck.net.interface import (
    Capability,
    Datagrams,
    Endpoint,
    Fathomed,
    Filled,
    Held,
    IcmpReport,
    Leg,
    NetError,
    Played,
    Question,
    Received,
    Resolution,
    Schedule,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.net.traced import Names, SharedNetwork, TracedNetwork
from readycheck.observation import Observation, Target, Trace
from readycheck.probe import Effort, Net

FACTS = TlsFacts(
    version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", alpn=None, chain=(), pins=("ab",), anchor="root",
    trust_failure=None, name_matches=True, expires_days=30.0, client_certificate_requested=False,
)  # fmt: skip


class FakeStream:
    def __init__(self, peer: Endpoint, tls: TlsFacts | None = None) -> None:
        self.peer, self.tls, self.local = peer, tls, ("192.0.2.99", 50000)

    async def read(self, limit: int, *, timeout: float) -> bytes:
        return b""

    async def write(self, data: bytes, *, timeout: float) -> None: ...
    def close(self) -> None: ...


class TimedStream(FakeStream):
    def tcp_rtt_ms(self) -> float | None:
        return 12.3456

    def tcp_resent(self) -> int | None:
        return 2


class EchoDatagrams:
    local = ("192.0.2.99", 50000)

    def __init__(self) -> None:
        self._sent: list[Received] = []

    async def send(self, payload: bytes, to: Endpoint) -> int:
        self._sent.append(Received(payload, to, 2_000_000))
        return 1_000_000

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        if not self._sent:
            raise NetError(Failure.TIMED_OUT)
        return self._sent.pop()

    def close(self) -> None: ...


class FakeNetwork:
    """Does as `script` says, by verb: an exception to raise, an event to wait for, else a result."""

    def __init__(self, **script: Any) -> None:
        self.script = script
        self.calls: list[tuple[str, Any, float | None]] = []

    async def _play(self, verb: str, what: Any, timeout: float | None, default: Any) -> Any:
        self.calls.append((verb, what, timeout))
        result = self.script.get(verb, default)
        if isinstance(result, asyncio.Event):
            await result.wait()
            return default
        if isinstance(result, Exception):
            raise result
        return result

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        found = Resolution(("192.0.2.1",), "192.0.2.53", {"ttl": 60})
        result: Resolution = await self._play("resolve", host, timeout, found)
        return result

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
        stream: Stream = await self._play("connect", to, timeout, FakeStream(to))
        return stream

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        secured: Stream = await self._play("start_tls", settings, timeout, FakeStream(stream.peer, FACTS))
        return secured

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        return FACTS

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        datagrams: Datagrams = await self._play("open_datagram", family, None, EchoDatagrams())
        return datagrams

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        datagrams: Datagrams = await self._play("open_echo", family, None, EchoDatagrams())
        return datagrams

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        played: Sequence[Played] = await self._play("play", to, None, ())
        return played

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        filled: Sequence[Filled] = await self._play("fill", to, seconds, ())
        return filled

    async def fathom(self, to: Endpoint) -> Fathomed:
        fathomed: Fathomed = await self._play("fathom", to, None, Fathomed(up=1500, down=1500, tried=1500))
        return fathomed

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        held: Held = await self._play("hold", to, None, Held(rang=True, outlived_s=sum(pauses_s)))
        return held

    async def sleep(self, seconds: float) -> None:
        await self._play("sleep", seconds, None, None)

    def now_ns(self) -> int:
        return 7

    def resolvers(self) -> Sequence[Endpoint]:
        return [("192.0.2.53", 53)]

    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.HOP_LIMIT})


async def some_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self, *, deadline_s: float = 1000.0, effort: Effort = Effort.NORMAL, **script: Any) -> None:
        self.clock, self.trace = Clock(), Trace()
        self.network = FakeNetwork(**script)
        self.shared = SharedNetwork(self.network, effort=effort, concurrency=6, per_host=2, clock=self.clock)
        self.net = TracedNetwork(self.shared, self.trace, deadline_s * 1000)

    def seen(self, pending: Failure = Failure.UNKNOWN) -> tuple[Observation, ...]:
        return self.trace.observations(self.shared.now_ms(), pending)


async def test_resolving_leaves_the_addresses_and_who_said_so() -> None:
    world = World()
    found = await world.net.towards(Target(port=443)).resolve("name.test", timeout=3)
    assert found.addresses == ("192.0.2.1",)
    (seen,) = world.seen()
    assert (seen.step, seen.target) == (Step.RESOLVE, Target(host="name.test", port=443))
    assert seen.facts == {"ttl": 60, "addresses": ["192.0.2.1"], "server": "192.0.2.53"}


async def test_connecting_completes_the_target_and_is_timed() -> None:
    world = World(connect=TimedStream(("192.0.2.1", 443)))
    await world.net.towards(Target(host="name.test", port=443)).connect(("192.0.2.1", 443), timeout=3)
    (seen,) = world.seen()
    assert seen.step is Step.CONNECT
    assert seen.target == Target(host="name.test", address="192.0.2.1", port=443, transport="tcp")
    assert seen.facts == {"rtt_ms": 12.346, "resent": 2, "local": ["192.0.2.99", 50000]}


async def test_what_the_probe_knows_of_a_target_is_in_every_step_towards_it() -> None:
    world = World()
    net = world.net.towards(Target(host="name.test", port=443), exercised=False)
    await net.resolve("name.test", timeout=3)
    await net.connect(("192.0.2.1", 443), timeout=3)
    await world.net.connect(("192.0.2.1", 443), timeout=3)
    assert [seen.facts.get("exercised") for seen in world.seen()] == [False, False, None]


async def test_without_the_kernels_round_trip_the_clock_tells() -> None:
    world = World()

    async def slow(*args: Any, **kwargs: Any) -> Stream:
        world.clock.now += 0.025
        return FakeStream(("192.0.2.1", 443))

    world.network.connect = slow  # type: ignore[method-assign]
    await world.net.connect(("192.0.2.1", 443), timeout=3)
    assert world.seen()[0].facts["rtt_ms"] == 25.0


async def test_a_handshake_leaves_what_it_showed() -> None:
    world = World()
    stream = await world.net.connect(("192.0.2.1", 443), timeout=3)
    await world.net.towards(Target(host="name.test", transport="tls")).start_tls(
        stream, TlsSettings(server_name="name.test"), timeout=3
    )
    seen = world.seen()[1]
    assert (seen.step, seen.target.sni, seen.target.address) == (
        Step.TLS_HANDSHAKE,
        "name.test",
        "192.0.2.1",
    )
    assert (seen.facts["tls"]["pins"], seen.facts["tls"]["version"]) == (("ab",), "TLSv1.3")


async def test_a_failure_is_recorded_with_its_facts_and_goes_on() -> None:
    error = NetError(Failure.CERTIFICATE_EXPIRED, "since 1970", {"tls": FACTS, "offender": "192.0.2.9"})
    world = World(start_tls=error)
    with pytest.raises(NetError) as caught:
        await world.net.start_tls(FakeStream(("192.0.2.1", 443)), TlsSettings(), timeout=3)
    assert caught.value is error
    (seen,) = world.seen()
    assert (seen.failure, seen.detail) == (Failure.CERTIFICATE_EXPIRED, "since 1970")
    assert (seen.facts["tls"]["version"], seen.facts["offender"]) == ("TLSv1.3", "192.0.2.9")


async def test_a_socket_that_cannot_be_opened_is_evidence() -> None:
    denied = NetError(Failure.PERMISSION_DENIED, "no", {"privilege": "ICMP socket"})
    world = World(open_datagram=NetError(Failure.ADDRESS_NOT_AVAILABLE, "taken"), open_echo=denied)
    with pytest.raises(NetError):
        await world.net.open_datagram(source_port=5060)
    with pytest.raises(NetError):
        await world.net.open_echo()
    assert [(o.step, o.failure, o.target.transport, dict(o.facts)) for o in world.seen()] == [
        (Step.ECHO, Failure.ADDRESS_NOT_AVAILABLE, "udp", {"attempts": 0}),
        (Step.ECHO, Failure.PERMISSION_DENIED, "icmp", {"privilege": "ICMP socket", "attempts": 0}),
    ]


async def test_every_timeout_ends_with_the_check() -> None:
    world = World(deadline_s=2.0)
    world.clock.now += 0.5
    assert world.net.left_s() == world.net.towards(Target()).left_s() == 1.5
    await world.net.connect(("192.0.2.1", 443), timeout=1)
    await world.net.connect(("192.0.2.1", 443), timeout=3)
    assert [timeout for *_, timeout in world.network.calls] == [1, 1.5]
    world.clock.now += 2
    with pytest.raises(NetError, match="no time is left"):
        await world.net.connect(("192.0.2.1", 443), timeout=3)
    assert len(world.network.calls) == 2
    assert world.seen()[-1].failure is Failure.TIMED_OUT


async def test_a_deadline_in_loop_time_becomes_one_of_the_run() -> None:
    shared = SharedNetwork(FakeNetwork())
    net = shared.traced(Trace(), asyncio.get_running_loop().time() + 2)
    assert 1900 < net._deadline_ms - shared.now_ms() <= 2000
    assert shared.traced(Trace())._deadline_ms == float("inf")


async def test_a_step_of_its_own_is_closed_by_its_block() -> None:
    world = World()
    net = world.net.towards(Target(host="name.test"))
    with net.step(Step.REQUEST) as step:
        step.facts["status"] = 200
        world.clock.now += 0.01
    with pytest.raises(NetError), net.step(Step.RESPONSE, Target(host="other.test")):
        raise NetError(Failure.HTTP_STATUS, "502", {"status": 502})
    with pytest.raises(ZeroDivisionError), net.step(Step.ECHO):
        raise ZeroDivisionError
    assert [(o.step, str(o.target), o.failure, o.detail) for o in world.seen()] == [
        (Step.REQUEST, "name.test", None, ""),
        (Step.RESPONSE, "other.test", Failure.HTTP_STATUS, "502"),
        (Step.ECHO, "name.test", Failure.UNKNOWN, "ZeroDivisionError"),
    ]
    assert world.seen()[0].elapsed_ms == 10
    assert [o.facts for o in world.seen()] == [{"status": 200}, {"status": 502}, {}]


@pytest.mark.parametrize("verb", ["resolve", "connect", "start_tls"])
async def test_a_cancelled_step_is_left_to_the_engine(verb: str) -> None:
    world = World()
    world.network.script[verb] = asyncio.Event()
    verbs: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "resolve": lambda: world.net.resolve("name.test", timeout=30),
        "connect": lambda: world.net.connect(("192.0.2.1", 443), timeout=30),
        "start_tls": lambda: world.net.start_tls(FakeStream(("192.0.2.1", 1)), TlsSettings(), timeout=30),
    }
    async with asyncio.TaskGroup() as group:
        task = group.create_task(verbs[verb]())
        await some_turns()
        task.cancel()
    (seen,) = world.seen(Failure.INTERRUPTED)
    assert seen.failure is Failure.INTERRUPTED


async def test_each_visits_all_and_a_failure_ends_only_its_own() -> None:
    world = World()
    done: list[str | None] = []

    async def visit(target: Target, net: Net) -> None:
        await net.resolve(target.host or "", timeout=1)
        if target.host == "b.test":
            raise NetError(Failure.TIMED_OUT)
        done.append(target.host)

    await world.net.each([Target(host=f"{name}.test") for name in "abc"], visit)
    assert set(done) == {"a.test", "c.test"}
    assert {o.target.host for o in world.seen()} == {"a.test", "b.test", "c.test"}


async def test_a_bug_in_a_visit_is_not_swallowed() -> None:
    async def visit(target: Target, net: Net) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await World().net.each([Target(host="a.test")], visit)
    assert caught.group_contains(ZeroDivisionError)


class Crowd:
    """Counts who is inside at once; everybody stays for some turns of the loop."""

    def __init__(self) -> None:
        self.inside: list[Target] = []
        self.most = 0
        self.most_of_one_host = 0
        self.visits = 0

    async def visit(self, target: Target, net: Net) -> None:
        self.visits += 1
        self.inside.append(target)
        self.most = max(self.most, len(self.inside))
        self.most_of_one_host = max(self.most_of_one_host, self.inside.count(target))
        await some_turns()
        self.inside.remove(target)


async def test_visits_are_limited_for_the_run_and_for_each_host() -> None:
    world, crowd = World(), Crowd()
    targets = [Target(host=f"{number % 8}.test") for number in range(40)]
    other = TracedNetwork(world.shared, Trace(), 1e9)
    async with asyncio.TaskGroup() as group:
        group.create_task(world.net.each(targets, crowd.visit))
        group.create_task(other.each(targets, crowd.visit))
    assert (crowd.most, crowd.visits) == (6, 80)
    assert crowd.most_of_one_host <= 2
    await world.net.each([Target(host="one.test")] * 9, crowd.visit)
    assert crowd.most_of_one_host == 2


async def test_visits_within_visits_do_not_starve_each_other() -> None:
    world, crowd = World(), Crowd()
    target = Target(host="one.test")

    async def visit(target: Target, net: Net) -> None:
        await net.each([target] * 5, crowd.visit)

    async with asyncio.timeout(5):
        await world.net.each([target] * 4 + [replace(target, host=f"{n}.test") for n in range(9)], visit)
    assert crowd.visits == 65


async def test_asking_records_echoes_within_the_deadline() -> None:
    world = World(deadline_s=1.0)

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        return {"attempt": data[0]}

    question = Question(Target(address="192.0.2.1", port=3478), lambda attempt: bytes([attempt]), recognise)
    await world.net.ask(await world.net.open_datagram(), [question])
    (seen,) = world.seen()
    assert (seen.step, seen.failure) == (Step.ECHO, None)
    assert seen.facts == {"attempt": 0, "rtt_ms": 1.0, "attempts": 1, "source": ["192.0.2.1", 3478]}
    world.clock.now += 0.96
    await world.net.ask(await world.net.open_datagram(), [question], schedule=Schedule((), 100))
    assert world.seen()[1].failure is Failure.INTERRUPTED


async def test_more_effort_asks_no_less_and_waits_longer() -> None:
    nets = [World(effort=effort).net for effort in (Effort.QUICK, Effort.NORMAL, Effort.THOROUGH)]
    assert [net.effort for net in nets] == [Effort.QUICK, Effort.NORMAL, Effort.THOROUGH]
    attempts, patience = zip(
        *[(len(s.again_ms), s.give_up_ms) for s in (n.schedule() for n in nets)], strict=True
    )
    assert list(attempts) == sorted(attempts)
    assert list(patience) == sorted(set(patience))
    assert all(max(net.schedule().again_ms) < net.schedule().give_up_ms for net in nets)


async def test_the_rest_passes_through() -> None:
    world = World()
    await world.net.sleep(0.5)
    assert world.network.calls == [("sleep", 0.5, None)]
    assert (world.net.now_ns(), world.net.resolvers()) == (7, [("192.0.2.53", 53)])
    assert world.net.capabilities() == {Capability.HOP_LIMIT}
    assert world.net.plain is world.network
    observation = Observation(step=Step.HOP, target=Target(), started_ms=1.0, elapsed_ms=2.0)
    world.net.record(observation)
    assert world.seen() == (observation,)


async def test_a_name_is_looked_up_once_for_all_who_ask() -> None:
    gate = asyncio.Event()
    network = FakeNetwork(resolve=gate)
    names = Names(network)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(names.resolve("Name.test.", timeout=30)) for _ in range(3)]
        tasks.append(group.create_task(names.resolve("name.test", timeout=30)))
        await some_turns()
        gate.set()
    assert len({id(task.result()) for task in tasks}) == 1 == len(network.calls)
    await names.resolve("other.test", timeout=30)
    assert len(network.calls) == 2


async def test_a_cancelled_lookup_passes_its_turn_on() -> None:
    gate = asyncio.Event()
    network = FakeNetwork(resolve=gate)
    names = Names(network)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(names.resolve("name.test", timeout=30))
        second = group.create_task(names.resolve("name.test", timeout=30))
        await some_turns()
        first.cancel()
        await some_turns()
        assert len(network.calls) == 2
        gate.set()
    assert second.result().addresses == ("192.0.2.1",)


async def test_waiting_for_anothers_lookup_has_an_end_too() -> None:
    gate = asyncio.Event()
    names = Names(FakeNetwork(resolve=gate))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(names.resolve("name.test", timeout=30))
        await asyncio.sleep(0)
        with pytest.raises(NetError) as caught:
            await names.resolve("name.test", timeout=0)
        gate.set()
    assert caught.value.failure is Failure.TIMED_OUT
    assert first.result().addresses


@pytest.mark.parametrize(
    ("failure", "timeouts", "queries"),
    [
        (Failure.DNS_NXDOMAIN, [1, 9], 1),
        (Failure.TIMED_OUT, [3, 2], 1),
        (Failure.TIMED_OUT, [1, 3], 2),
    ],
)
async def test_a_failure_is_kept_but_silence_only_for_as_long_as_it_was_waited(
    failure: Failure, timeouts: list[float], queries: int
) -> None:
    network = FakeNetwork(resolve=NetError(failure, "told", {"server": "192.0.2.53"}))
    names = Names(network)
    for timeout in timeouts:
        with pytest.raises(NetError, match="told") as caught:
            await names.resolve("name.test", timeout=timeout)
        assert caught.value.facts == {"server": "192.0.2.53"}
    assert len(network.calls) == queries
