"""The tcp probe against loopback servers."""

from readycheck.probe import Failure, Step, Target
from readycheck_probes.tcp import TcpParams, TcpProbe

from .conftest import Bench
from .servers.tcp import TcpServer, hang_up, silent


async def test_an_open_port_connects(bench: Bench) -> None:
    with TcpServer(silent) as server:
        host, port = server.endpoint
        seen = await bench.measure(
            TcpProbe(), TcpParams((Target(network="127.0.0.0/8", address=host, port=port),))
        )

    assert seen.failures(Step.CONNECT) == [None]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert seen.metrics["rtt_ms"] is not None


async def test_a_closed_port_refuses(bench: Bench) -> None:
    with TcpServer(hang_up) as gone:
        host, port = gone.endpoint
    seen = await bench.measure(TcpProbe(), TcpParams((Target(address=host, port=port),)))

    assert seen.failures(Step.CONNECT) == [Failure.CONNECTION_REFUSED]
    assert seen.metrics == {"sent": 1, "answered": 0, "rtt_ms": None}


async def test_a_name_is_tried_at_two_addresses(bench: Bench) -> None:
    bench.names = {"a.example": ("127.0.0.2", "127.0.0.1", "127.0.0.3")}
    with TcpServer(silent) as server:
        seen = await bench.measure(
            TcpProbe(), TcpParams((Target(host="a.example", port=server.endpoint[1]),))
        )

    assert seen.failures(Step.CONNECT) == [Failure.CONNECTION_REFUSED, None]
    assert [one.target.address for one in seen.of(Step.CONNECT)] == ["127.0.0.2", "127.0.0.1"]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)


async def test_a_name_that_does_not_resolve_is_not_connected_to(bench: Bench) -> None:
    seen = await bench.measure(TcpProbe(), TcpParams((Target(host="gone.example", port=443),)))

    assert [(one.step, one.failure) for one in seen.observations] == [(Step.RESOLVE, Failure.DNS_NXDOMAIN)]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 0)
