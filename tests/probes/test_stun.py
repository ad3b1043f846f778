"""The stun probe against loopback servers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.probe import Failure, Step, Target
from readycheck_probes.binding import Binding
from readycheck_probes.stun import StunParams, StunProbe

from .conftest import Bench
from .servers.stun import stun_server
from .servers.udp import Endpoint, UdpServer


def _params(*endpoints: Endpoint) -> StunParams:
    return StunParams(
        tuple(Target(network="127.0.0.0/8", address=host, port=port) for host, port in endpoints)
    )


async def test_a_binding_is_an_answer(bench: Bench) -> None:
    with UdpServer(stun_server()) as server:
        seen = await bench.measure(StunProbe(), _params(server.endpoint))

    (echo,) = seen.observations
    assert (echo.step, echo.failure, echo.target.network) == (Step.ECHO, None, "127.0.0.0/8")
    assert echo.facts["mapped_address"].startswith("127.0.0.1:")
    assert echo.facts["software"] == "Coturn-4.6.1"
    assert seen.metrics["sent"] == seen.metrics["answered"] == 1
    assert 0 < float(seen.metrics["rtt_ms"] or 0) < 1000


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("error", None),
        ("truncated", Failure.PROTOCOL_ERROR),
        ("oversized", Failure.PROTOCOL_ERROR),
        ("garbage", Failure.PROTOCOL_ERROR),
        ("empty", Failure.PROTOCOL_ERROR),
        ("unmapped", Failure.PROTOCOL_ERROR),
        ("mirror", Failure.PROTOCOL_ERROR),
        ("silent", Failure.TIMED_OUT),
        ("other-transaction", Failure.TIMED_OUT),
    ],
)
async def test_faults(bench: Bench, fault: str, failure: Failure | None) -> None:
    with UdpServer(stun_server(fault)) as server:
        seen = await bench.measure(StunProbe(), _params(server.endpoint), deadline_s=0.6)

    assert seen.failures(Step.ECHO) == [failure]
    assert seen.metrics["answered"] == (0 if failure else 1)


async def test_an_error_response_says_its_code(bench: Bench) -> None:
    with UdpServer(stun_server("error")) as server:
        seen = await bench.measure(StunProbe(), _params(server.endpoint))

    assert seen.observations[0].facts["error_code"] == 401


async def test_a_lost_request_is_repeated_and_the_round_trip_stays_that_of_its_own(bench: Bench) -> None:
    with UdpServer(stun_server(mute_first=1)) as server:
        host, port = server.endpoint
        known = StunParams((Target(address=host, port=port),))
        seen = await bench.measure(StunProbe(), known)

    assert seen.observations[0].facts["attempts"] == 2
    assert len({request[8:20] for request in server.received}) == len(server.received) == 2
    assert float(seen.metrics["rtt_ms"] or 0) < 200 < seen.observations[0].elapsed_ms


async def test_a_closed_port_is_told_by_icmp(bench: Bench) -> None:
    with UdpServer(stun_server()) as gone:
        closed = gone.endpoint
    seen = await bench.measure(StunProbe(), _params(closed))

    assert seen.failures(Step.ECHO) == [Failure.PORT_UNREACHABLE]


async def test_names_are_asked_at_their_addresses_and_count_once(bench: Bench) -> None:
    bench.names = {
        "stun.example": ("127.0.0.1", "127.0.0.2", "127.0.0.3"),
        "gone.example": Failure.DNS_SERVFAIL,
    }
    with UdpServer(stun_server()) as server:
        targets = tuple(Target(host=name, port=server.endpoint[1]) for name in bench.names)
        seen = await bench.measure(StunProbe(), StunParams(targets))

    assert seen.failures(Step.RESOLVE) == [None, Failure.DNS_SERVFAIL]
    assert [one.target.address for one in seen.of(Step.ECHO)] == ["127.0.0.1", "127.0.0.2"]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (2, 1)


async def test_a_hostile_software_name_is_tamed(bench: Bench) -> None:
    with UdpServer(stun_server(software="\x1b[2J" + "x" * 100)) as server:
        seen = await bench.measure(StunProbe(), _params(server.endpoint))

    assert seen.observations[0].facts["software"].isprintable()


async def test_one_of_many_answers(bench: Bench) -> None:
    with UdpServer(stun_server()) as live, UdpServer(stun_server("silent")) as dead:
        seen = await bench.measure(StunProbe(), _params(live.endpoint, dead.endpoint), deadline_s=0.6)

    assert (seen.metrics["sent"], seen.metrics["answered"]) == (2, 1)


async def test_nothing_to_ask(bench: Bench) -> None:
    seen = await bench.measure(StunProbe(), StunParams())

    assert seen.observations == ()
    assert seen.metrics == {"sent": 0, "answered": 0, "rtt_ms": None}


@given(st.binary(max_size=80))
def test_no_answer_makes_it_crash(rest: bytes) -> None:
    binding = Binding()
    ours = binding.payload(0)[4:20]
    for head in (b"\x01\x01", b"\x01\x11", b"\x00\x01"):
        with suppress(ValueError):
            binding.recognise(head + len(rest).to_bytes(2, "big") + ours + rest)


async def test_an_address_of_a_sample_is_asked_once(bench: Bench) -> None:
    with UdpServer(stun_server(mute_first=1)) as server:
        seen = await bench.measure(StunProbe(), _params(server.endpoint))

    assert seen.failures(Step.ECHO) == [Failure.TIMED_OUT]
    assert len(server.received) == 1
