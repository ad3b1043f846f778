"""The sip probe against loopback servers."""

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck_probes.sip import SipParams, SipProbe

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.sip import sip_server
from .servers.tcp import Serve, TcpServer, reset, silent

NAME = "sip.example"


def _sampled(server: TcpServer) -> SipParams:
    host, port = server.endpoint
    return SipParams((Target(network="127.0.0.0/8", address=host, port=port),))


def _named(bench: Bench, server: TcpServer) -> SipParams:
    bench.names = {NAME: ("127.0.0.1",)}
    return SipParams((Target(host=NAME, port=server.endpoint[1]),))


@pytest.fixture(autouse=True)
def trust(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate


async def _measure(bench: Bench, params: SipParams, *, deadline_s: float = 8.0) -> Seen:
    return await bench.measure(SipProbe(), params, deadline_s=deadline_s)


async def test_options_are_answered(bench: Bench, authority: Authority) -> None:
    with TcpServer(sip_server(), authority.context(NAME)) as server:
        seen = await _measure(bench, _named(bench, server))

    (answer,) = seen.of(Step.RESPONSE)
    assert (answer.failure, answer.facts["status"], answer.facts["server"]) == (None, 200, "test")
    assert seen.failures(Step.TLS_HANDSHAKE) == [None]
    assert (seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 1)
    assert seen.of(Step.TLS_HANDSHAKE)[0].target.sni == NAME
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30


async def test_a_sampled_address_has_no_name_to_check(bench: Bench, authority: Authority) -> None:
    with TcpServer(sip_server(status=403), authority.context(NAME)) as server:
        seen = await _measure(bench, _sampled(server))

    (handshake,) = seen.of(Step.TLS_HANDSHAKE)
    assert (handshake.failure, handshake.target.sni, handshake.facts["tls"]["name_matches"]) == (
        None,
        None,
        None,
    )
    assert seen.of(Step.RESPONSE)[0].facts["status"] == 403


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("silent", Failure.TIMED_OUT),
        ("other-call", Failure.TIMED_OUT),
        ("truncated", Failure.CONNECTION_CLOSED),
        ("hang-up", Failure.CONNECTION_CLOSED),
        ("oversized", Failure.PROTOCOL_ERROR),
        ("garbage", Failure.PROTOCOL_ERROR),
    ],
)
async def test_without_options_the_handshake_still_proves_the_port(
    bench: Bench, authority: Authority, fault: str, failure: Failure
) -> None:
    with TcpServer(sip_server(fault), authority.context(NAME)) as server:
        seen = await _measure(bench, _named(bench, server))

    assert seen.failures(Step.TLS_HANDSHAKE) == [None]
    assert seen.failures(Step.RESPONSE) == [failure]
    assert (seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 0)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_a_wish_for_a_client_certificate_is_an_answer(
    bench: Bench, authority: Authority, version: str
) -> None:
    context = authority.context(NAME, versions=(version, version), wants_client=True)
    with TcpServer(sip_server(), context) as server:
        seen = await _measure(bench, _named(bench, server))

    assert seen.failures(Step.TLS_HANDSHAKE) == [None]
    assert seen.of(Step.TLS_HANDSHAKE)[0].facts["client_certificate_requested"] is True
    assert seen.metrics["answered"] == 1
    assert seen.metrics["options_answered"] == 0


async def test_an_unknown_authority_is_refused(bench: Bench, stranger: Authority) -> None:
    with TcpServer(sip_server(), stranger.context(NAME)) as server:
        seen = await _measure(bench, _sampled(server))

    assert seen.failures(Step.TLS_HANDSHAKE)[0] in (
        Failure.CERTIFICATE_UNTRUSTED,
        Failure.CERTIFICATE_CHAIN_INCOMPLETE,
    )
    assert seen.of(Step.RESPONSE) == []
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize(
    ("serve", "failure"), [(reset, Failure.CONNECTION_RESET), (silent, Failure.TIMED_OUT)]
)
async def test_no_tls(bench: Bench, serve: Serve, failure: Failure) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, _sampled(server), deadline_s=0.4)

    assert seen.failures(Step.TLS_HANDSHAKE) == [failure]
