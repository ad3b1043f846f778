"""The mtu probe: which segments come through, and how far long packets come."""

from collections.abc import Mapping
from typing import Any

import pytest

from readycheck.net.interface import Capability
from readycheck.observation import Observation
from readycheck.probe import Failure, MetricValue, Step, Target
from readycheck.testing import FakeNetwork, FakeService, run_probe, tls_facts
from readycheck_probes.mtu import SEGMENTS, MtuParams, MtuProbe

FIRST, SECOND = ("192.0.2.1", 443), ("192.0.2.2", 8934)
TARGETS = (Target(host="a.example", address="192.0.2.1", port=443), Target(address="192.0.2.2", port=8934))
HOPS = ("192.168.1.1", "10.0.0.1", "198.51.100.1", "198.51.100.2")


def service(passes: int | None) -> FakeService:
    return FakeService(tls=tls_facts(), passes=passes)


def measured(
    passes: int | None = 1360, **network: Any
) -> tuple[tuple[Observation, ...], Mapping[str, MetricValue]]:
    made = FakeNetwork(tcp={FIRST: service(passes), SECOND: service(passes)}, **network)
    return run_probe(MtuProbe(), MtuParams(TARGETS), made)


def greetings(observations: tuple[Observation, ...], address: str) -> dict[int | None, Failure | None]:
    return {
        one.facts["max_segment"]: one.failure
        for one in observations
        if one.step is Step.TLS_HANDSHAKE and one.target.address == address
    }


def test_every_size_at_the_first_server_and_the_least_at_the_others() -> None:
    observations, metrics = measured()
    first = greetings(observations, "192.0.2.1")
    assert set(first) == {None, *SEGMENTS}
    assert {size for size, failure in first.items() if failure is None} == {1360, 1300, 1240, 1200}
    assert set(first.values()) == {None, Failure.TIMED_OUT}
    assert greetings(observations, "192.0.2.2") == {None: Failure.TIMED_OUT, 1200: None}
    assert metrics["max_segment"] == 1360
    assert all(one.facts["purpose"] == "mtu" for one in observations)


def test_the_name_of_the_stalled_greeting_is_sent_again() -> None:
    observations, _ = measured()
    names = {one.target.address: one.target.sni for one in observations if one.step is Step.TLS_HANDSHAKE}
    assert names == {"192.0.2.1": "a.example", "192.0.2.2": None}


@pytest.mark.parametrize(("passes", "expected"), [(None, None), (100, Failure.TIMED_OUT)])
def test_a_server_that_answers_in_any_size_or_in_none(passes: int | None, expected: Failure | None) -> None:
    observations, _ = measured(passes)
    assert set(greetings(observations, "192.0.2.1").values()) == {expected}


def hops(observations: tuple[Observation, ...]) -> dict[int, tuple[int, int, str | None]]:
    return {
        one.facts["ttl"]: (one.facts["large"], one.facts["small"], one.facts.get("offender"))
        for one in observations
        if one.step is Step.HOP
    }


def test_how_far_long_packets_come() -> None:
    observations, _ = measured(hops=HOPS, narrow=(2, 1372))
    seen = hops(observations)
    assert {ttl: (large, small) for ttl, (large, small, _) in seen.items() if small} == {
        1: (2, 2),
        2: (2, 2),
        3: (0, 2),
        4: (0, 2),
    }
    assert [seen[ttl][2] for ttl in (1, 2, 3, 4)] == list(HOPS)
    silent = [one for one in observations if one.step is Step.HOP and one.facts["ttl"] > 4]
    assert {one.failure for one in silent} == {Failure.TIMED_OUT}


def test_without_routers_that_can_be_heard_none_is_asked() -> None:
    observations, _ = measured(hops=HOPS, capabilities=frozenset({Capability.HOP_LIMIT}))
    assert hops(observations) == {}


def test_nothing_to_ask() -> None:
    observations, metrics = run_probe(MtuProbe(), MtuParams(), FakeNetwork())
    assert observations == ()
    assert metrics["max_segment"] is None


def fathomed(sizes: tuple[int | None, int | None] | Failure) -> Mapping[str, MetricValue]:
    far_end = (Target(host="192.0.2.9", address="192.0.2.9", port=3478, transport="udp"),)
    return run_probe(MtuProbe(), MtuParams(far_end), FakeNetwork(sizes=sizes))[1]


def test_a_responder_tells_of_both_ways() -> None:
    assert fathomed((1492, 1400)) == {"largest_up_bytes": 1492, "largest_down_bytes": 1400}
    assert fathomed((1300, None)) == {"largest_up_bytes": 1300, "largest_down_bytes": None}
    assert fathomed(Failure.TIMED_OUT).get("largest_up_bytes") is None
