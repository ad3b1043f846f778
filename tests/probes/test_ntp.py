"""The ntp probe against loopback servers."""

import asyncio

import pytest

from readycheck.net.interface import Datagrams, Received
from readycheck.probe import Effort, Failure, Step, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.ntp import NtpParams, NtpProbe

from .conftest import Bench
from .servers.ntp import ntp_server
from .servers.udp import Endpoint, UdpServer


def _sampled(endpoint: Endpoint) -> NtpParams:
    return NtpParams((Target(network="127.0.0.0/8", address=endpoint[0], port=endpoint[1]),))


def _named(bench: Bench, endpoint: Endpoint, *addresses: str) -> NtpParams:
    bench.names = {"ntp.example": addresses or (endpoint[0],)}
    return NtpParams((Target(host="ntp.example", port=endpoint[1]),))


async def test_the_offset_of_a_clock_is_measured(bench: Bench) -> None:
    with UdpServer(ntp_server(ahead_s=5.0)) as server:
        seen = await bench.measure(NtpProbe(), _named(bench, server.endpoint))

    (echo,) = seen.of(Step.ECHO)
    assert (echo.failure, echo.facts["stratum"], echo.facts["samples"]) == (None, 2, 4)
    assert seen.metrics["offset_ms"] == pytest.approx(5000, abs=100)
    assert len(server.received) == 4


async def test_a_sampled_address_is_asked_once(bench: Bench) -> None:
    with UdpServer(ntp_server()) as server:
        seen = await bench.measure(NtpProbe(), _sampled(server.endpoint))

    assert len(server.received) == 1
    assert seen.metrics["answered"] == 1
    assert seen.metrics["offset_ms"] == pytest.approx(0, abs=100)


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("kiss-of-death", Failure.CLOCK_UNSYNCHRONISED),
        ("leap", Failure.CLOCK_UNSYNCHRONISED),
        ("stratum", Failure.CLOCK_UNSYNCHRONISED),
        ("zero-transmit", Failure.CLOCK_UNSYNCHRONISED),
        ("mode", Failure.PROTOCOL_ERROR),
        ("origin", Failure.PROTOCOL_ERROR),
        ("truncated", Failure.PROTOCOL_ERROR),
        ("garbage", Failure.PROTOCOL_ERROR),
        ("silent", Failure.TIMED_OUT),
    ],
)
async def test_faults(bench: Bench, fault: str, failure: Failure) -> None:
    with UdpServer(ntp_server(fault)) as server:
        seen = await bench.measure(NtpProbe(), _sampled(server.endpoint), deadline_s=0.6)

    assert seen.failures(Step.ECHO) == [failure]
    assert seen.metrics["answered"] == 0
    assert seen.metrics["offset_ms"] is None


async def test_a_kiss_of_death_is_told(bench: Bench) -> None:
    with UdpServer(ntp_server("kiss-of-death")) as server:
        seen = await bench.measure(NtpProbe(), _sampled(server.endpoint))

    (echo,) = seen.observations
    assert (echo.detail, echo.facts["reference_id"]) == ("kiss-of-death", "RATE")


async def test_a_server_that_limits_its_answers_has_answered(bench: Bench) -> None:
    with UdpServer(ntp_server(answers=1)) as server:
        seen = await bench.measure(NtpProbe(), _named(bench, server.endpoint))

    assert seen.failures(Step.ECHO) == [None]
    assert seen.of(Step.ECHO)[0].facts["samples"] == 1


async def test_a_lost_request_to_a_name_is_repeated(bench: Bench) -> None:
    with UdpServer(ntp_server(ignore_first=1)) as server:
        seen = await bench.measure(NtpProbe(), _named(bench, server.endpoint))

    assert (seen.failures(Step.ECHO), len(server.received)) == ([None], 5)


@pytest.mark.parametrize("effort", [Effort.QUICK, Effort.NORMAL])
async def test_a_silent_sample_costs_one_packet(bench: Bench, effort: Effort) -> None:
    with UdpServer(ntp_server(ignore_first=1)) as server:
        seen = await bench.measure(NtpProbe(), _sampled(server.endpoint), effort=effort)

    assert (seen.failures(Step.ECHO), len(server.received)) == ([Failure.TIMED_OUT], 1)


async def test_a_closed_port_sends_the_name_to_its_next_address(bench: Bench) -> None:
    with UdpServer(ntp_server()) as server:
        params = _named(bench, server.endpoint, "127.0.0.2", "127.0.0.1")
        seen = await bench.measure(NtpProbe(), params)

    assert seen.failures(Step.ECHO) == [Failure.PORT_UNREACHABLE, None]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)


class _Strangers:
    """A socket on which others' datagrams arrive for ever."""

    local = ("127.0.0.1", 1)

    async def send(self, payload: bytes, to: Endpoint) -> int:
        return 0

    async def receive(self, *, timeout: float) -> Received:
        await asyncio.sleep(min(timeout, 0.1))
        return Received(b"noise", ("192.0.2.9", 123), 0)

    def close(self) -> None: ...


class _Flooded(FakeNetwork):
    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        return _Strangers()


def test_what_strangers_send_has_an_end() -> None:
    seen, metrics = run_probe(NtpProbe(), _sampled(("192.0.2.1", 123)), _Flooded())
    assert [one.failure for one in seen] == [Failure.TIMED_OUT]
    assert metrics["answered"] == 0
