"""The tftp probe against loopback servers that answer from ports of their own choice."""

import pytest

from readycheck.errors import ProfileError
from readycheck.probe import Failure, Step, Target
from readycheck.registry import build_params
from readycheck.testing import FakeNetwork, run_probe
from readycheck.wire import tftp
from readycheck_probes.tftp import TftpParams, TftpProbe

from .conftest import Bench
from .servers.tftp import FILE, TftpServer


def _params(*servers: TftpServer, file: str = TftpServer.known) -> TftpParams:
    return TftpParams(
        tuple(Target(address=host, port=port) for host, port in (s.endpoint for s in servers)), file
    )


async def test_a_block_is_an_answer_and_no_more_is_asked_for(bench: Bench) -> None:
    with TftpServer() as server:
        asked = list(server.endpoint)
        seen = await bench.measure(TftpProbe(), _params(server))

    (echo,) = seen.observations
    assert (echo.step, echo.failure, echo.target.transport) == (Step.ECHO, None, "udp")
    assert (echo.facts["answered_with"], echo.facts["bytes"]) == ("data", len(FILE))
    assert echo.facts["source"][0] == "127.0.0.1" and echo.facts["source"] != asked
    assert seen.metrics["sent"] == seen.metrics["answered"] == 1
    assert 0 < float(seen.metrics["rtt_ms"] or 0) < 1000
    assert server.heard == [tftp.pack_error(0, "one block is enough")]


async def test_an_error_is_an_answer_and_is_not_answered(bench: Bench) -> None:
    with TftpServer() as server:
        seen = await bench.measure(TftpProbe(), _params(server, file="no such file"))

    (echo,) = seen.observations
    assert (echo.failure, echo.facts["error_code"], echo.facts["error"]) == (None, 1, "File not found")
    assert server.heard == []
    assert server.requests == [tftp.pack_read_request("no such file")]


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("same-port", None),
        ("options", None),
        ("escape", None),
        ("acknowledgement", Failure.PROTOCOL_ERROR),
        ("late-block", Failure.PROTOCOL_ERROR),
        ("oversized", Failure.PROTOCOL_ERROR),
        ("truncated", Failure.PROTOCOL_ERROR),
        ("garbage", Failure.PROTOCOL_ERROR),
        ("mirror", Failure.PROTOCOL_ERROR),
        ("silent", Failure.TIMED_OUT),
        ("other-host", Failure.TIMED_OUT),
    ],
)
async def test_faults(bench: Bench, fault: str, failure: Failure | None) -> None:
    with TftpServer(fault) as server:
        seen = await bench.measure(TftpProbe(), _params(server), deadline_s=0.6)

    assert seen.failures(Step.ECHO) == [failure]
    assert seen.metrics["answered"] == (0 if failure else 1)


async def test_what_the_server_says_is_tamed(bench: Bench) -> None:
    with TftpServer("escape") as server:
        seen = await bench.measure(TftpProbe(), _params(server))

    said = seen.observations[0].facts["error"]
    assert said.isprintable() and len(said) <= 200


async def test_a_lost_request_is_repeated_and_its_answer_has_no_round_trip(bench: Bench) -> None:
    with TftpServer(mute_first=1) as server:
        seen = await bench.measure(TftpProbe(), _params(server))

    (echo,) = seen.observations
    assert (echo.failure, echo.facts["attempts"]) == (None, 2)
    assert seen.metrics["rtt_ms"] is None
    assert len(server.requests) == 2


async def test_a_dead_port_does_not_get_the_answer_of_another_at_its_address(bench: Bench) -> None:
    with TftpServer() as live, TftpServer("silent") as dead:
        ports = dead.endpoint[1], live.endpoint[1]
        seen = await bench.measure(TftpProbe(), _params(dead, live), deadline_s=0.6)

    by_port = {one.target.port: one.failure for one in seen.of(Step.ECHO)}
    assert by_port == {ports[0]: Failure.TIMED_OUT, ports[1]: None}
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (2, 1)


async def test_a_closed_port_is_told_by_icmp(bench: Bench) -> None:
    with TftpServer() as server:
        params = _params(server)
    seen = await bench.measure(TftpProbe(), params)

    assert seen.failures(Step.ECHO) == [Failure.PORT_UNREACHABLE]


async def test_a_name_is_asked_at_its_addresses(bench: Bench) -> None:
    bench.names = {"tftp.example": ("127.0.0.1",), "gone.example": Failure.DNS_SERVFAIL}
    with TftpServer() as server:
        targets = tuple(Target(host=name, port=server.endpoint[1]) for name in bench.names)
        seen = await bench.measure(TftpProbe(), TftpParams(targets))

    assert seen.failures(Step.RESOLVE) == [None, Failure.DNS_SERVFAIL]
    assert seen.failures(Step.ECHO) == [None]


async def test_nothing_to_ask(bench: Bench) -> None:
    seen = await bench.measure(TftpProbe(), TftpParams())

    assert (seen.observations, seen.metrics) == ((), {"sent": 0, "answered": 0, "rtt_ms": None})


def test_the_same_without_a_server() -> None:
    network = FakeNetwork(udp={("192.0.2.1", 69): lambda request: tftp.pack_error(1, "no")})
    targets = (Target(address="192.0.2.1", port=69), Target(address="192.0.2.2", port=69))
    observations, metrics = run_probe(TftpProbe(), TftpParams(targets), network)

    assert [one.failure for one in observations] == [None, Failure.TIMED_OUT]
    assert metrics["answered"] == 1


@pytest.mark.parametrize("file", ["", "a\0b", "line\nfeed", "ä", "x" * 256])
def test_a_profile_cannot_ask_for_what_is_no_name(file: str) -> None:
    with pytest.raises(ProfileError, match=r"x\.params\.file"):
        build_params(TftpParams, {"file": file}, where="x")
