"""The hijack probe against name servers on loopback that lie, or do not."""

from collections.abc import Iterator
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.hijack import HijackParams, HijackProbe

from .conftest import Bench, Seen
from .servers.udp import Endpoint, Reply, UdpServer

UNKNOWN = ("nothing.example", "nothing.test")
KNOWN = "voice.example"


def said(data: bytes, *addresses: str) -> bytes:
    """A reply with these addresses; without any, that there is no such name."""
    query = dns.message.from_wire(data)
    reply = dns.message.make_response(query)
    if addresses:
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", *addresses))
    else:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


def is_known(data: bytes) -> bool:
    return dns.message.from_wire(data).question[0].name.to_text() == f"{KNOWN}."


def honest(data: bytes, _: Endpoint) -> Iterator[bytes]:
    yield said(data, *(["192.0.2.1"] if is_known(data) else []))


def rewriting(data: bytes, _: Endpoint) -> Iterator[bytes]:
    yield said(data, "192.0.2.99")


def doubled(data: bytes, _: Endpoint) -> Iterator[bytes]:
    yield from [*honest(data, _), *honest(data, _)]


def injected(data: bytes, _: Endpoint) -> Iterator[bytes]:
    yield said(data, "192.0.2.66")
    yield from honest(data, _)


async def measured(bench: Bench, reply: Reply, **more: Any) -> Seen:
    with UdpServer(reply) as server:
        address, port = server.endpoint
        targets = (Target(address=address, port=port, transport="udp"),)
        return await bench.measure(HijackProbe(), HijackParams(targets, UNKNOWN, KNOWN, **more))


@pytest.mark.parametrize("reply", [honest, doubled])
async def test_the_truth_is_not_suspected(bench: Bench, reply: Reply) -> None:
    seen = await measured(bench, reply)
    told = {o.target.host: (o.failure, o.facts["asked"]) for o in seen.of(Step.RESPONSE)}
    assert told == {
        "nothing.example": (Failure.DNS_NXDOMAIN, "unknown"),
        "nothing.test": (Failure.DNS_NXDOMAIN, "unknown"),
        KNOWN: (None, "known"),
    }
    assert seen.metrics == {"sent": 3, "made_up": 0}


async def test_addresses_of_names_that_nobody_has(bench: Bench) -> None:
    seen = await measured(bench, rewriting)
    assert seen.metrics == {"sent": 3, "made_up": 2}
    assert {tuple(o.facts["records"]) for o in seen.observations} == {("192.0.2.99",)}


async def test_a_second_answer_that_differs_is_kept(bench: Bench) -> None:
    seen = await measured(bench, injected)
    by_host = {o.target.host: o for o in seen.observations}
    assert by_host["nothing.test"].facts["records"] == ["192.0.2.66"]
    assert by_host["nothing.test"].facts["other"] == {"rcode": "NXDOMAIN", "records": []}
    assert by_host[KNOWN].facts["other"]["rcode"] == "NOERROR"


async def test_who_answers_where_nobody_is(bench: Bench) -> None:
    seen = await measured(bench, honest, nobody="127.0.0.77")
    (nobody,) = (o for o in seen.observations if o.facts["asked"] == "nobody")
    assert (nobody.target.address, nobody.target.port) == ("127.0.0.77", 53)
    assert nobody.failure is not None and seen.metrics["made_up"] == 0


async def test_a_silent_server_makes_nothing_up(bench: Bench) -> None:
    seen = await measured(bench, lambda data, source: iter(()))
    assert {o.failure for o in seen.observations} == {Failure.TIMED_OUT}
    assert seen.metrics == {"sent": 3, "made_up": 0}


async def test_a_flood_of_answers_ends(bench: Bench) -> None:
    def flood(data: bytes, _: Endpoint) -> Iterator[bytes]:
        yield from [said(data, "192.0.2.66")] * 200

    seen = await measured(bench, flood)
    assert seen.metrics["sent"] == 3


def test_an_answer_from_where_nobody_is_was_made_on_the_way() -> None:
    network = FakeNetwork(udp={("198.51.100.253", 53): lambda data: said(data, "192.0.2.1")})
    observations, metrics = run_probe(
        HijackProbe(), HijackParams((), UNKNOWN, KNOWN, "198.51.100.253"), network
    )
    assert [(o.failure, o.facts["asked"]) for o in observations] == [(None, "nobody")]
    assert metrics == {"sent": 1, "made_up": 1}


def test_with_hop_limits_it_shows_how_near_who_answers_is() -> None:
    network = FakeNetwork(
        udp={("198.51.100.253", 53): lambda data: said(data, "192.0.2.1")},
        hops=("192.0.2.101", "192.0.2.102"),
    )
    asked = (Target(address="198.51.100.253", port=53, transport="udp"),)
    params = HijackParams(asked, (), KNOWN, "198.51.100.253", hop_limits=(1, 2, 3))
    observations, _ = run_probe(HijackProbe(), params, network)
    assert {o.facts["ttl"]: o.failure for o in observations} == {
        1: Failure.HOP_LIMIT_EXCEEDED,
        2: Failure.HOP_LIMIT_EXCEEDED,
        3: None,
    }
