"""The fakes of `readycheck.testing`: what they promise to the authors of probes."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from readycheck.net.interface import IcmpReport, NetError, Network, Received, TlsSettings
from readycheck.observation import Observation, Target
from readycheck.probe import Effort, Failure, Metric, MetricValue, Net, Probe, Question, Step, Unit
from readycheck.testing import FakeNetwork, FakeService, run, run_probe, tls_facts

SERVER = ("198.51.100.1", 9000)
HOPS = ("10.0.0.1", "192.0.2.1", "203.0.113.1")


@dataclass(frozen=True, slots=True)
class EchoParams:
    targets: tuple[Target, ...] = ()


class EchoProbe:
    """The smallest probe there is."""

    name: ClassVar[str] = "echo"
    title: ClassVar[str] = "UDP echo"
    Params: ClassVar[type[EchoParams]] = EchoParams
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("answered", Unit.COUNT),)
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: EchoParams, net: Net) -> None:
        datagrams = await net.open_datagram()
        await net.ask(datagrams, [Question(target, _payload, _recognise) for target in params.targets])

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return {"answered": sum(one.failure is None for one in observations)}


def _payload(attempt: int) -> bytes:
    return bytes([attempt])


def _recognise(data: bytes) -> Mapping[str, int] | None:
    return {"attempt": data[0]}


def test_a_probe_runs_to_observations_and_metrics() -> None:
    probe: Probe[EchoParams] = EchoProbe()
    targets = (Target(address=SERVER[0], port=SERVER[1]), Target(address="198.51.100.2", port=9000))
    network = FakeNetwork(udp={SERVER: lambda data: data}, rtt_ms=30)

    observations, metrics = run_probe(probe, EchoParams(targets), network)

    assert metrics == {"answered": 1}
    assert [one.failure for one in observations] == [None, Failure.TIMED_OUT]
    assert observations[0].facts["rtt_ms"] == pytest.approx(30)


def test_waiting_takes_no_time() -> None:
    before = time.perf_counter()
    _, metrics = run_probe(EchoProbe(), EchoParams((Target(address="198.51.100.2", port=1),)), FakeNetwork())

    assert metrics == {"answered": 0}
    assert time.perf_counter() - before < 1


def test_effort_reaches_the_probe() -> None:
    silent = EchoParams((Target(address="198.51.100.2", port=1),))
    (quick,), _ = run_probe(EchoProbe(), silent, FakeNetwork(), Effort.QUICK)
    (thorough,), _ = run_probe(EchoProbe(), silent, FakeNetwork(), Effort.THOROUGH)

    assert quick.elapsed_ms < thorough.elapsed_ms


def test_sleepers_wake_in_order_and_overlap() -> None:
    woken: list[float] = []

    async def sleeper(network: FakeNetwork, seconds: float) -> None:
        await network.sleep(seconds)
        woken.append(seconds)

    async def work() -> int:
        network = FakeNetwork()
        began = network.now_ns()
        async with asyncio.TaskGroup() as group:
            for seconds in (3600.0, 1.0, 60.0):
                group.create_task(sleeper(network, seconds))
        return network.now_ns() - began

    assert run(work()) == pytest.approx(3600e9)
    assert woken == [1.0, 60.0, 3600.0]


def test_names_resolve_or_fail_as_told() -> None:
    network = FakeNetwork(names={"a.example": ["192.0.2.7"], "b.example": Failure.DNS_SERVFAIL})

    assert run(network.resolve("a.example", timeout=1)).addresses == ("192.0.2.7",)
    assert _failure_of(network.resolve("b.example", timeout=1)) is Failure.DNS_SERVFAIL
    assert _failure_of(network.resolve("c.example", timeout=1)) is Failure.DNS_NXDOMAIN


def test_streams_read_their_chunks_and_then_end_as_told() -> None:
    async def work(service: FakeService) -> list[bytes | Failure]:
        stream = await FakeNetwork(tcp={SERVER: service}).connect(SERVER, timeout=1)
        read: list[bytes | Failure] = []
        for _ in range(3):
            try:
                read.append(await stream.read(4, timeout=1))
            except NetError as error:
                read.append(error.failure)
        return read

    assert run(work(FakeService(chunks=(b"hello",)))) == [b"hell", b"o", Failure.TIMED_OUT]
    assert run(work(FakeService(chunks=(b"a", Failure.CONNECTION_RESET), then=None))) == [
        b"a",
        Failure.CONNECTION_RESET,
        b"",
    ]


def test_streams_answer_what_is_written() -> None:
    async def work() -> bytes:
        network = FakeNetwork(tcp={SERVER: FakeService(answer=bytes.upper)})
        stream = await network.connect(SERVER, timeout=1)
        await stream.write(b"ping", timeout=1)
        return await stream.read(100, timeout=1)

    assert run(work()) == b"PING"


def test_connections_are_refused_or_silent() -> None:
    network = FakeNetwork(tcp={SERVER: Failure.CONNECTION_REFUSED})

    assert _failure_of(network.connect(SERVER, timeout=1)) is Failure.CONNECTION_REFUSED
    assert _failure_of(network.connect(("198.51.100.9", 1), timeout=1)) is Failure.TIMED_OUT


@pytest.mark.parametrize(
    ("tls", "settings", "expected"),
    [
        (tls_facts(), TlsSettings(), None),
        (None, TlsSettings(), Failure.TLS_NOT_TLS),
        (Failure.CONNECTION_RESET, TlsSettings(), Failure.CONNECTION_RESET),
        (tls_facts(version="TLSv1.3"), TlsSettings(maximum="1.2"), Failure.TLS_ALERT_PROTOCOL_VERSION),
        (tls_facts(version="TLSv1"), TlsSettings(), Failure.TLS_ALERT_PROTOCOL_VERSION),
        (tls_facts(trust_failure=Failure.CERTIFICATE_EXPIRED), TlsSettings(), Failure.CERTIFICATE_EXPIRED),
        (tls_facts(trust_failure=Failure.CERTIFICATE_EXPIRED), TlsSettings(verify=False), None),
    ],
)
def test_handshakes(tls: object, settings: TlsSettings, expected: Failure | None) -> None:
    async def work() -> None:
        network = FakeNetwork(tcp={SERVER: FakeService(tls=tls)})  # type: ignore[arg-type]
        stream = await network.connect(SERVER, timeout=1)
        assert (await network.start_tls(stream, settings, timeout=1)).tls == tls

    if expected is None:
        run(work())
    else:
        assert _failure_of(work()) is expected


@pytest.mark.parametrize(
    ("ttl", "wall", "expected"),
    [
        (1, None, "10.0.0.1"),
        (3, None, "203.0.113.1"),
        (4, None, b"ping"),
        (None, None, b"ping"),
        (2, 2, "192.0.2.1"),
        (3, 2, None),
        (None, 2, None),
    ],
)
def test_hops_answer_up_to_the_wall(ttl: int | None, wall: int | None, expected: object) -> None:
    network = FakeNetwork(udp={SERVER: lambda data: data}, hops=HOPS, blocked=lambda to, transport: wall)

    assert run(_ask_once(network, ttl)) == expected


def test_a_connection_meets_the_hops_too() -> None:
    network = FakeNetwork(tcp={SERVER: FakeService()}, hops=HOPS)

    with pytest.raises(NetError) as caught:
        run(network.connect(SERVER, timeout=1, ttl=2))
    assert caught.value.failure is Failure.HOP_LIMIT_EXCEEDED
    assert caught.value.facts == {"offender": "192.0.2.1"}


def test_a_port_can_be_unreachable() -> None:
    async def work() -> Received | IcmpReport:
        datagrams = await FakeNetwork(udp={SERVER: Failure.PORT_UNREACHABLE}).open_datagram()
        await datagrams.send(b"ping", SERVER)
        return await datagrams.receive(timeout=1)

    report = run(work())
    assert isinstance(report, IcmpReport)
    assert (report.destination, report.offender, report.meaning) == (SERVER, SERVER[0], "port_unreachable")


@pytest.mark.parametrize(
    ("icmp", "expected"),
    [
        ({SERVER[0]: lambda data: data}, b"ping"),
        ({SERVER[0]: Failure.ICMP_ADMIN_PROHIBITED}, "admin_prohibited"),
        ({}, Failure.TIMED_OUT),
        (Failure.PERMISSION_DENIED, Failure.PERMISSION_DENIED),
    ],
)
def test_echoes_are_answered_refused_silent_or_not_to_be_had(icmp: Any, expected: object) -> None:
    async def work() -> object:
        try:
            echoes = await FakeNetwork(icmp=icmp).open_echo()
            await echoes.send(b"ping", (SERVER[0], 0))
            item = await echoes.receive(timeout=1)
        except NetError as error:
            return error.failure
        return item.payload if isinstance(item, Received) else item.meaning

    assert run(work()) == expected


async def _ask_once(network: Network, ttl: int | None) -> object:
    datagrams = await network.open_datagram(ttl=ttl)
    await datagrams.send(b"ping", SERVER)
    try:
        item = await datagrams.receive(timeout=1)
    except NetError:
        return None
    return item.payload if isinstance(item, Received) else item.offender


def _failure_of(work: object) -> Failure:
    with pytest.raises(NetError) as caught:
        run(work)  # type: ignore[arg-type]
    return caught.value.failure


def test_datagrams_too_long_for_a_link_are_lost_behind_it() -> None:
    async def heard(ttl: int | None, size: int) -> str:
        network = FakeNetwork(hops=("192.0.2.251", "192.0.2.252"), narrow=(1, 1000))
        datagrams = await network.open_datagram(ttl=ttl)
        await datagrams.send(bytes(size), ("192.0.2.1", 9))
        try:
            report = await datagrams.receive(timeout=1)
        except NetError as error:
            return error.failure.value
        return str(getattr(report, "offender", None))

    assert run(heard(1, 1400)) == "192.0.2.251"
    assert run(heard(2, 1000)) == "192.0.2.252"
    assert run(heard(2, 1001)) == "timed_out"
