"""The mtls probe against loopback servers."""

from typing import Any

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck_probes.mtls import MtlsParams, MtlsProbe

from .conftest import Bench, Seen
from .servers.authority import SUITE_OF_12, Authority
from .servers.proxy import Proxy
from .servers.tcp import Serve, TcpServer, hang_up, reset, saying, silent

NAME = "trunk.example"
VERSIONS = ("TLSv1_2", "TLSv1_3")


async def _measure(bench: Bench, server: TcpServer, *suites: str, require: bool = True) -> Seen:
    bench.names = {NAME: ("127.0.0.1",)}
    params = MtlsParams((Target(host=NAME, port=server.endpoint[1]),), suites, require)
    return await bench.measure(MtlsProbe(), params)


def _asking(authority: Authority, version: str, **changes: Any) -> Any:
    return authority.context(NAME, versions=(version, version), wants_client=True, **changes)


@pytest.fixture(autouse=True)
def trust(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate


def test_what_proves_depends_on_what_is_required() -> None:
    assert (MtlsParams().proves, MtlsParams(require=False).proves) == (Step.RESPONSE, Step.TLS_HANDSHAKE)


@pytest.mark.parametrize("require", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_wish_for_a_certificate_is_the_answer(
    bench: Bench, authority: Authority, version: str, require: bool
) -> None:
    with TcpServer(silent, _asking(authority, version)) as server:
        port = server.endpoint[1]
        seen = await _measure(bench, server, require=require)

    (handshake,) = seen.of(Step.TLS_HANDSHAKE)
    assert (handshake.failure, handshake.facts["client_certificate_requested"]) == (None, True)
    assert handshake.facts["tls"]["chain"][0]["names"] == (NAME,)
    assert seen.failures(Step.RESPONSE) == ([None] if require else [])
    for answer in seen.of(Step.RESPONSE):
        assert answer.facts == {"client_certificate_requested": True}
        assert (answer.target.host, answer.target.address, answer.target.port) == (NAME, "127.0.0.1", port)
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert seen.metrics["client_certificate_requested"] == 1
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_that_asks_for_nothing_is_not_the_service(
    bench: Bench, authority: Authority, version: str
) -> None:
    with TcpServer(silent, authority.context(NAME, versions=(version, version))) as server:
        seen = await _measure(bench, server)

    assert seen.failures(Step.TLS_HANDSHAKE) == [None]
    assert seen.failures(Step.RESPONSE) == [Failure.PROTOCOL_ERROR]
    assert (seen.metrics["answered"], seen.metrics["client_certificate_requested"]) == (0, 0)


async def test_where_nothing_is_required_the_metric_tells(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await _measure(bench, server, require=False)

    assert [one.step for one in seen.observations] == [Step.RESOLVE, Step.CONNECT, Step.TLS_HANDSHAKE]
    assert (seen.metrics["answered"], seen.metrics["client_certificate_requested"]) == (1, 0)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stranger_that_asks_is_not_the_service(
    bench: Bench, stranger: Authority, version: str
) -> None:
    with TcpServer(silent, _asking(stranger, version)) as server:
        seen = await _measure(bench, server)

    (failure,) = seen.failures(Step.TLS_HANDSHAKE)
    assert failure in (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
    assert seen.of(Step.RESPONSE) == []
    assert (seen.metrics["answered"], seen.metrics["client_certificate_requested"]) == (0, 0)


async def test_a_suite_that_the_server_lacks(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, _asking(authority, "TLSv1_2", ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")) as server:
        seen = await _measure(bench, server, SUITE_OF_12)

    assert seen.failures(Step.TLS_HANDSHAKE) == [Failure.TLS_ALERT_HANDSHAKE_FAILURE]
    assert seen.metrics["answered"] == 0


async def test_a_suite_that_it_has(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, _asking(authority, "TLSv1_2")) as server:
        seen = await _measure(bench, server, SUITE_OF_12)

    assert seen.of(Step.TLS_HANDSHAKE)[0].facts["tls"]["cipher"] == SUITE_OF_12
    assert seen.metrics["answered"] == 1


@pytest.mark.parametrize(
    ("serve", "failures"),
    [
        (saying(b"SIP/2.0 400 Bad Request\r\n\r\n"), {Failure.TLS_NOT_TLS}),
        (hang_up, {Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET}),
        (reset, {Failure.CONNECTION_RESET}),
        (saying(b"\x15\3\3\0\2\2\x74"), {Failure.TLS_ALERT_CERTIFICATE_REQUIRED}),
    ],
)
async def test_what_is_no_tls_has_not_asked(bench: Bench, serve: Serve, failures: set[Failure]) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, server)

    assert set(seen.failures(Step.TLS_HANDSHAKE)) <= failures
    assert seen.of(Step.RESPONSE) == []
    assert seen.metrics["answered"] == 0


async def test_behind_the_proxy(bench: Bench, authority: Authority) -> None:
    with TcpServer(silent, _asking(authority, "TLSv1_2")) as server:
        with TcpServer(Proxy({f"{NAME}:5062": server.endpoint}).serve) as proxy:
            bench.proxy = f"http://127.0.0.1:{proxy.endpoint[1]}"
            seen = await bench.measure(MtlsProbe(), MtlsParams((Target(host=NAME, port=5062, via="proxy"),)))

    assert {one.failure for one in seen.observations} == {None}
    assert [one.step for one in seen.observations] == [
        Step.PROXY_CONNECT,
        Step.TLS_HANDSHAKE,
        Step.RESPONSE,
    ]
    assert seen.observations[-1].target.address is None
    assert (seen.metrics["answered"], bench.looked_up) == (1, [])
