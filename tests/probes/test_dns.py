"""The dns probe against loopback name servers."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck_probes.dns import DnsParams, DnsProbe

from .conftest import Bench
from .servers.dns import dns_server, dns_stream_server
from .servers.tcp import TcpServer
from .servers.udp import Endpoint, UdpServer


def _params(endpoint: Endpoint, *names: str, **more: Any) -> DnsParams:
    return DnsParams((Target(address=endpoint[0], port=endpoint[1]),), names or ("voice.example",), **more)


async def test_a_name_is_answered(bench: Bench) -> None:
    with UdpServer(dns_server()) as server:
        endpoint = server.endpoint
        seen = await bench.measure(DnsProbe(), _params(endpoint))

    (answer,) = seen.observations
    assert (answer.step, answer.failure, answer.target.host) == (Step.RESPONSE, None, "voice.example")
    assert (answer.target.address, answer.target.port) == endpoint
    assert sorted(answer.facts["records"]) == ["192.0.2.10", "192.0.2.11"]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert 0 < float(seen.metrics["rtt_ms"] or 0) <= float(seen.metrics["slowest_ms"] or 0)


async def test_questions_may_be_put_one_after_another(bench: Bench) -> None:
    with UdpServer(dns_server()) as server:
        params = replace(_params(server.endpoint, *["voice.example"] * 3), gap_s=0.02)
        seen = await bench.measure(DnsProbe(), params)

    began = sorted(one.started_ms for one in seen.observations)
    assert min(later - before for before, later in pairwise(began)) > 10


async def test_types_and_services(bench: Bench) -> None:
    with UdpServer(dns_server()) as server:
        params = _params(server.endpoint, types=("A", "AAAA"), srv=("_sips._tcp.voice.example",))
        seen = await bench.measure(DnsProbe(), params)

    by_type = {one.facts["type"]: one for one in seen.observations}
    assert {kind: one.failure for kind, one in by_type.items()} == {"A": None, "AAAA": None, "SRV": None}
    assert "node1.voice.example" in by_type["SRV"].facts["records"][0]


async def test_a_name_that_does_not_exist_is_an_answer_of_the_server(bench: Bench) -> None:
    with UdpServer(dns_server()) as server:
        seen = await bench.measure(DnsProbe(), _params(server.endpoint, "voice.example", "gone.example"))

    by_name = {one.target.host: one for one in seen.observations}
    assert by_name["gone.example"].failure is Failure.DNS_NXDOMAIN
    assert by_name["gone.example"].facts["answered_by_server"] is True
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "failure", "by_server"),
    [
        ("servfail", Failure.DNS_SERVFAIL, True),
        ("refused", Failure.DNS_REFUSED, True),
        ("nxdomain", Failure.DNS_NXDOMAIN, True),
        ("no-data", Failure.DNS_NO_ANSWER, True),
        ("silent", Failure.TIMED_OUT, False),
    ],
)
async def test_faults(bench: Bench, fault: str, failure: Failure, by_server: bool) -> None:
    with UdpServer(dns_server(fault)) as server:
        seen = await bench.measure(DnsProbe(), _params(server.endpoint), deadline_s=0.8)

    (answer,) = seen.observations
    assert answer.failure is failure
    assert answer.facts["answered_by_server"] is by_server  # of one that the deadline cut off, too
    assert seen.metrics["answered"] == int(by_server)


@pytest.mark.parametrize("fault", ["truncated-bytes", "garbage", "empty", "other-id"])
async def test_malformed_answers_are_no_crash(bench: Bench, fault: str) -> None:
    with UdpServer(dns_server(fault)) as server:
        seen = await bench.measure(DnsProbe(), _params(server.endpoint), deadline_s=0.8)

    # What does not match the query may be somebody else's: then one goes on waiting.
    assert seen.failures(Step.RESPONSE)[0] in (Failure.PROTOCOL_ERROR, Failure.TIMED_OUT)
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize(
    ("fault", "failure"),
    [(None, None), ("servfail", Failure.DNS_SERVFAIL), ("garbage", Failure.PROTOCOL_ERROR)],
)
async def test_over_tcp(bench: Bench, fault: str | None, failure: Failure | None) -> None:
    with TcpServer(dns_stream_server(fault)) as server:
        host, port = server.endpoint
        target = Target(address=host, port=port, transport="tcp")
        seen = await bench.measure(DnsProbe(), DnsParams((target,), ("voice.example",)))

    assert [(one.step, one.failure) for one in seen.observations] == [(Step.RESPONSE, failure)]


async def test_the_name_servers_in_use_are_asked_by_default(bench: Bench) -> None:
    with UdpServer(dns_server()) as server:
        bench.resolvers = (server.endpoint,)
        seen = await bench.measure(DnsProbe(), DnsParams(names=("voice.example",)))

    assert seen.failures(Step.RESPONSE) == [None]


async def test_a_host_without_name_server(bench: Bench) -> None:
    seen = await bench.measure(DnsProbe(), DnsParams(names=("voice.example",)))

    assert seen.failures(Step.RESPONSE) == [Failure.DNS_NO_RESOLVER]
    assert seen.metrics["answered"] == 0
