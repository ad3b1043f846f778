"""The tcp probe against loopback servers."""

from typing import get_args

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeNetwork, FakeService, run_probe
from readycheck.wire import ldap, xmpp
from readycheck_probes.protocols import MUTE, PROTOCOLS, SECURE, Speaks
from readycheck_probes.tcp import TcpParams, TcpProbe

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.spoken import answering, greeting, server_of
from .servers.tcp import Serve, TcpServer, hang_up, reset, silent

NAME = "uc.example"
CLEAR = sorted(set(PROTOCOLS) - SECURE)


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
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["rtt_ms"]) == (1, 0, None)


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


# --- a protocol that must answer ----------------------------------------------------------------------


async def _measure(bench: Bench, speaks: Speaks, server: TcpServer) -> Seen:
    bench.names = {NAME: ("127.0.0.1",)}
    params = TcpParams((Target(host=NAME, port=server.endpoint[1]),), speaks)
    return await bench.measure(TcpProbe(), params)


async def _sampled(bench: Bench, speaks: Speaks, server: TcpServer) -> Seen:
    """A sample is waited for less long than a name."""
    host, port = server.endpoint
    params = TcpParams((Target(network="127.0.0.0/8", address=host, port=port),), speaks)
    return await bench.measure(TcpProbe(), params)


def test_every_protocol_is_spoken_or_known_to_be_mute() -> None:
    assert set(get_args(Speaks)) == {"", *PROTOCOLS, *MUTE}
    assert set(PROTOCOLS) > SECURE


def test_what_proves_depends_on_what_must_answer() -> None:
    proofs = {speaks: TcpParams(speaks=speaks).proves for speaks in get_args(Speaks)}
    assert {speaks for speaks, step in proofs.items() if step is Step.CONNECT} == {"", *MUTE}
    assert {speaks for speaks, step in proofs.items() if step is Step.RESPONSE} == set(PROTOCOLS)


@pytest.mark.parametrize("in_pieces", [False, True])
@pytest.mark.parametrize("speaks", CLEAR)
async def test_a_protocol_answers(bench: Bench, speaks: Speaks, in_pieces: bool) -> None:
    with TcpServer(server_of(speaks, in_pieces=in_pieces)) as server:
        port = server.endpoint[1]
        seen = await _measure(bench, speaks, server)

    (answer,) = seen.of(Step.RESPONSE)
    assert (answer.failure, answer.facts["speaks"]) == (None, speaks)
    assert (answer.target.host, answer.target.address, answer.target.port) == (NAME, "127.0.0.1", port)
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert seen.metrics["response_ms"] is not None and seen.metrics["rtt_ms"] is not None


@pytest.mark.parametrize("speaks", sorted(SECURE))
async def test_a_protocol_answers_inside_tls(bench: Bench, authority: Authority, speaks: Speaks) -> None:
    bench.trusted = authority.certificate
    with TcpServer(server_of(speaks), authority.context(NAME)) as server:
        seen = await _measure(bench, speaks, server)

    assert [one.step for one in seen.observations] == [
        Step.RESOLVE,
        Step.CONNECT,
        Step.TLS_HANDSHAKE,
        Step.RESPONSE,
    ]
    assert {one.failure for one in seen.observations} == {None}
    assert seen.of(Step.TLS_HANDSHAKE)[0].target.sni == NAME
    assert seen.metrics["answered"] == 1
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30


async def test_a_chain_that_nobody_trusts_is_not_spoken_into(bench: Bench, stranger: Authority) -> None:
    with TcpServer(server_of("imaps"), stranger.context(NAME)) as server:
        seen = await _measure(bench, "imaps", server)

    assert seen.failures(Step.TLS_HANDSHAKE)[0] in (
        Failure.CERTIFICATE_UNTRUSTED,
        Failure.CERTIFICATE_CHAIN_INCOMPLETE,
    )
    assert seen.of(Step.RESPONSE) == []
    assert seen.metrics["answered"] == 0


async def test_a_handshake_alone_does_not_prove_a_protocol(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await _sampled(bench, "ldaps", server)

    assert (seen.failures(Step.TLS_HANDSHAKE), seen.failures(Step.RESPONSE)) == ([None], [Failure.TIMED_OUT])
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize("speaks", CLEAR)
@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (silent, Failure.TIMED_OUT),
        (hang_up, Failure.CONNECTION_CLOSED),
        (greeting(b"\x00\xff rubbish"), Failure.PROTOCOL_ERROR),
        (greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n", hang_up=True), Failure.PROTOCOL_ERROR),
        (greeting(b"+OK POP3 ready\r\n"), Failure.PROTOCOL_ERROR),
        (greeting(b"x" * 200_000), Failure.PROTOCOL_ERROR),
    ],
    ids=["silent", "hang-up", "rubbish", "http", "pop3", "endless"],
)
async def test_what_does_not_answer(bench: Bench, speaks: Speaks, serve: Serve, failure: Failure) -> None:
    with TcpServer(serve) as server:
        seen = await _sampled(bench, speaks, server)

    allowed = {failure}
    if failure is Failure.CONNECTION_CLOSED and speaks in ("xmpp", "ldap"):
        allowed.add(Failure.CONNECTION_RESET)  # what we had written found nobody
    assert seen.failures(Step.CONNECT) == [None]
    assert len(seen.of(Step.RESPONSE)) == 1 and set(seen.failures(Step.RESPONSE)) <= allowed
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["response_ms"]) == (1, 0, None)


@pytest.mark.parametrize("speaks", CLEAR)
async def test_one_protocol_is_not_taken_for_another(bench: Bench, speaks: Speaks) -> None:
    for other in CLEAR:
        # Those who wait to be spoken to would wait for each other.
        if other != speaks and other in ("ssh", "smtp", "imap"):
            with TcpServer(server_of(other)) as server:
                seen = await _sampled(bench, speaks, server)
            assert seen.failures(Step.RESPONSE) == [Failure.PROTOCOL_ERROR], other


@pytest.mark.parametrize(
    ("speaks", "serve"),
    [
        ("smtp", greeting(b"220 mai", hang_up=True)),
        ("ssh", greeting(b"SSH-2.0-Op", hang_up=True)),
        ("ldap", greeting(ldap.pack_root_entry(1)[:9], hang_up=True)),
        ("xmpp", greeting(xmpp.pack_response("a")[:60], hang_up=True)),
    ],
)
async def test_an_answer_that_breaks_off(bench: Bench, speaks: Speaks, serve: Serve) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, speaks, server)

    assert seen.failures(Step.RESPONSE)[0] in (Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET)


async def test_a_reset_is_told_as_one(bench: Bench) -> None:
    with TcpServer(reset) as server:
        seen = await _measure(bench, "ldap", server)

    assert seen.failures(Step.RESPONSE) == [Failure.CONNECTION_RESET]


@pytest.mark.parametrize(
    ("speaks", "serve", "facts"),
    [
        ("ssh", server_of("ssh"), {"version": "2.0", "software": "OpenSSH_9.2p1", "comments": "Debian-2"}),
        ("smtp", server_of("smtp"), {"code": 220, "text": "mail.example ESMTP"}),
        ("smtp", greeting(b"554 no\r\n", hang_up=True), {"code": 554, "text": "no"}),
        ("imap", greeting(b"* BYE late\r\n", hang_up=True), {"status": "BYE", "text": "late"}),
        ("xmpp", server_of("xmpp"), {"sender": "im.example", "version": "1.0", "error": "host-unknown"}),
        ("ldap", server_of("ldap"), {"operation": "entry", "result_code": None}),
        (
            "ldap",
            answering(ldap.pack_result(1, 50, "no\x1b[2J")),
            {"operation": "done", "result_code": 50, "diagnostic": "no\ufffd[2J"},
        ),
        (
            "ldap",
            answering(ldap.pack_result(0, 52, operation=ldap.Operation.EXTENDED_RESPONSE)),
            {"operation": "extended_response", "result_code": 52},
        ),
    ],
)
async def test_what_was_said_is_kept(
    bench: Bench, speaks: Speaks, serve: Serve, facts: dict[str, object]
) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, speaks, server)

    (answer,) = seen.of(Step.RESPONSE)
    assert (answer.failure, answer.facts) == (None, {"speaks": speaks, **facts})


@pytest.mark.parametrize("data", [ldap.pack_root_search(1), ldap.pack_result(2, 0), ldap.pack_result(0, 0)])
async def test_an_ldap_message_that_answers_another_question(bench: Bench, data: bytes) -> None:
    with TcpServer(answering(data)) as server:
        seen = await _measure(bench, "ldap", server)

    assert seen.failures(Step.RESPONSE) == [Failure.PROTOCOL_ERROR]


async def test_xmpp_asks_for_the_name_or_the_address(bench: Bench) -> None:
    heard: list[bytes] = []
    with TcpServer(answering(xmpp.pack_response("a"), heard=heard)) as server:
        host, port = server.endpoint
        await _measure(bench, "xmpp", server)
        await bench.measure(TcpProbe(), TcpParams((Target(address=host, port=port),), "xmpp"))

    assert [b'to="%b"' % name.encode() in said for name, said in zip((NAME, host), heard, strict=True)] == [
        True,
        True,
    ]


def test_what_a_server_says_is_bounded() -> None:
    service = FakeService(chunks=(b"220 " + b"m" * 5000 + b"\r\n",))
    network = FakeNetwork(tcp={("192.0.2.1", 25): service})
    observations, _ = run_probe(
        TcpProbe(), TcpParams((Target(address="192.0.2.1", port=25),), "smtp"), network
    )
    assert len(observations[-1].facts["text"]) == 200


@pytest.mark.parametrize("speaks", sorted(MUTE))
async def test_a_protocol_that_answers_no_stranger_is_connected_to_only(bench: Bench, speaks: Speaks) -> None:
    heard: list[bytes] = []
    with TcpServer(answering(b"", heard=heard)) as server:
        seen = await _measure(bench, speaks, server)

    (connection,) = seen.of(Step.CONNECT)
    assert connection.failure is None
    assert (connection.facts["speaks"], connection.facts["exercised"]) == (speaks, False)
    assert seen.of(Step.RESPONSE) == []
    assert seen.metrics["answered"] == 1
    assert set(heard) <= {b""}
