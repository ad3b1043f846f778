"""The sip probe against loopback servers."""

import socket
from typing import Literal

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeNetwork, FakeService, run_probe
from readycheck.wire import sip
from readycheck_probes.options import NOWHERE, Options
from readycheck_probes.sip import SipParams, SipProbe

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.proxy import Proxy
from .servers.sip import sip_datagrams, sip_server, trying
from .servers.tcp import Serve, TcpServer, hang_up, reset, silent
from .servers.udp import UdpServer

NAME = "sip.example"


Transport = Literal["tls", "tcp", "udp"]


def _sampled(server: TcpServer | UdpServer, transport: Transport = "tls") -> SipParams:
    host, port = server.endpoint
    return SipParams((Target(network="127.0.0.0/8", address=host, port=port),), transport)


def _named(bench: Bench, server: TcpServer | UdpServer, transport: Transport = "tls") -> SipParams:
    bench.names = {NAME: ("127.0.0.1",)}
    return SipParams((Target(host=NAME, port=server.endpoint[1]),), transport)


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
        ("mirror", Failure.PROTOCOL_ERROR),
    ],
)
async def test_without_options_the_handshake_still_proves_the_port(
    bench: Bench, authority: Authority, fault: str, failure: Failure
) -> None:
    with TcpServer(sip_server(fault), authority.context(NAME)) as server:
        seen = await _measure(bench, _named(bench, server))

    assert seen.failures(Step.TLS_HANDSHAKE) == [None]
    assert seen.failures(Step.RESPONSE) == [failure]
    assert ("foreign" in seen.of(Step.RESPONSE)[0].facts) is (fault == "garbage")
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


# --- in clear -----------------------------------------------------------------------------------------


def test_what_proves_depends_on_the_transport() -> None:
    transports: tuple[Transport, ...] = ("tls", "tcp", "udp")
    proofs = [SipParams(transport=transport).proves for transport in transports]
    assert proofs == [Step.TLS_HANDSHAKE, Step.CONNECT, Step.ECHO]


async def test_options_over_tcp(bench: Bench) -> None:
    with TcpServer(sip_server()) as server:
        seen = await _measure(bench, _named(bench, server, "tcp"))

    assert [one.step for one in seen.observations] == [Step.RESOLVE, Step.CONNECT, Step.RESPONSE]
    assert {one.failure for one in seen.observations} == {None}
    answer = seen.of(Step.RESPONSE)[0]
    assert (answer.facts["status"], answer.facts["server"], answer.target.address) == (
        200,
        "test",
        "127.0.0.1",
    )
    assert (seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 1)
    assert seen.metrics["rtt_ms"] is not None and seen.metrics["handshake_ms"] is None


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (sip_server("silent"), Failure.TIMED_OUT),
        (sip_server("other-call"), Failure.TIMED_OUT),
        (sip_server("hang-up"), Failure.CONNECTION_CLOSED),
        (sip_server("truncated"), Failure.CONNECTION_CLOSED),
        (sip_server("garbage"), Failure.PROTOCOL_ERROR),
        (sip_server("oversized"), Failure.PROTOCOL_ERROR),
        (sip_server("mirror"), Failure.PROTOCOL_ERROR),
        (trying, Failure.PROTOCOL_ERROR),
        (reset, Failure.CONNECTION_RESET),
    ],
)
async def test_over_tcp_the_connection_is_all_that_is_proven(
    bench: Bench, serve: Serve, failure: Failure
) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, _named(bench, server, "tcp"))

    assert (seen.failures(Step.CONNECT), seen.failures(Step.RESPONSE)) == ([None], [failure])
    assert (seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 0)


async def test_a_closed_port_has_not_answered(bench: Bench) -> None:
    with TcpServer(hang_up) as gone:
        params = _named(bench, gone, "tcp")
    seen = await _measure(bench, params)

    assert seen.failures(Step.CONNECT) == [Failure.CONNECTION_REFUSED]
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 0, 0)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_behind_the_proxy(bench: Bench, authority: Authority, transport: Transport) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(sip.pack_response(sip.unpack_request(heard[0]), 200, "OK"))
        silent(connection)

    context = authority.context(NAME) if transport == "tls" else None
    with TcpServer(serve, context) as server:
        with TcpServer(Proxy({f"{NAME}:5070": server.endpoint}).serve) as proxy:
            bench.proxy = f"http://127.0.0.1:{proxy.endpoint[1]}"
            params = SipParams((Target(host=NAME, port=5070, via="proxy"),), transport)
            seen = await _measure(bench, params)

    assert {one.failure for one in seen.observations} == {None}
    answer = seen.of(Step.RESPONSE)[0]
    assert (answer.target.host, answer.target.port, answer.target.address) == (NAME, 5070, None)
    assert sip.unpack_request(heard[0]).uri == f"sip:{NAME}:5070"
    assert (seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 1)


async def test_options_over_udp(bench: Bench) -> None:
    with UdpServer(sip_datagrams(status=404)) as server:
        seen = await _measure(bench, _named(bench, server, "udp"))

    (answer,) = seen.of(Step.ECHO)
    assert (answer.failure, answer.facts["status"], answer.facts["server"]) == (None, 404, "test")
    assert (answer.facts["attempt"], answer.facts["attempts"], answer.facts["received"]) == (
        0,
        1,
        "127.0.0.1",
    )
    assert seen.metrics["rtt_ms"] == answer.facts["rtt_ms"]
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 1, 1)

    request = sip.unpack_request(server.received[0])
    via = request.header("Via") or ""
    assert via.startswith(f"SIP/2.0/UDP {NOWHERE}:{answer.facts['rport']};rport;branch=z9hG4bK")
    assert request.uri == f"sip:{NAME}:{answer.target.port}"


async def test_a_repetition_is_a_transaction_of_its_own(bench: Bench) -> None:
    with UdpServer(sip_datagrams(mute_first=1)) as server:
        seen = await _measure(bench, _named(bench, server, "udp"))

    (answer,) = seen.of(Step.ECHO)
    assert (answer.failure, answer.facts["attempt"], answer.facts["attempts"]) == (None, 1, 2)
    first, second = map(sip.unpack_request, server.received)
    branches = {sip.parameter(one.header("Via") or "", "branch") for one in (first, second)}
    assert len(branches) == 2
    assert (first.header("CSeq"), second.header("CSeq")) == ("1 OPTIONS", "2 OPTIONS")
    assert first.header("Call-ID") == second.header("Call-ID")
    assert first.header("From") == second.header("From")


async def test_a_sample_gets_one_packet(bench: Bench) -> None:
    with UdpServer(sip_datagrams("silent")) as server:
        seen = await _measure(bench, _sampled(server, "udp"))

    assert (seen.failures(Step.ECHO), len(server.received)) == ([Failure.TIMED_OUT], 1)


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("silent", Failure.TIMED_OUT),
        ("other-call", Failure.TIMED_OUT),
        ("truncated", Failure.PROTOCOL_ERROR),
        ("garbage", Failure.PROTOCOL_ERROR),
        ("oversized", Failure.PROTOCOL_ERROR),
        ("mirror", Failure.PROTOCOL_ERROR),
    ],
)
async def test_over_udp_only_an_answer_proves(bench: Bench, fault: str, failure: Failure) -> None:
    with UdpServer(sip_datagrams(fault)) as server:
        seen = await _measure(bench, _sampled(server, "udp"))

    assert seen.failures(Step.ECHO) == [failure]
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["options_answered"]) == (1, 0, 0)


async def test_a_closed_udp_port_says_so(bench: Bench) -> None:
    with UdpServer(sip_datagrams()) as gone:
        params = _sampled(gone, "udp")
    seen = await _measure(bench, params)

    assert seen.failures(Step.ECHO)[0] in (Failure.PORT_UNREACHABLE, Failure.TIMED_OUT)
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize(("mended", "told"), [(False, "203.0.113.5"), (True, None)])
def test_a_server_is_asked_whether_our_own_address_came_to_it(mended: bool, told: str | None) -> None:
    """Behind a translator: that it sees no difference shows that the request was changed."""
    at = ("192.88.99.5", 5060)
    sources = iter((SOURCE, None if mended else SOURCE))

    def reply(data: bytes) -> bytes:
        return sip.pack_response(sip.unpack_request(data), 200, "OK", source=next(sources))

    network = FakeNetwork(tcp={at: FakeService()}, udp={at: reply})
    target = Target(host=NAME, address=at[0], port=at[1])
    observations, metrics = run_probe(SipProbe(), SipParams((target,), "udp"), network)
    (signed,) = [o for o in observations if o.facts.get("purpose") == "signed"]
    assert (signed.facts["as"], signed.facts["seen_as"], signed.facts.get("received")) == (
        "192.0.2.200",
        SOURCE[0],
        told,
    )
    assert (metrics["sent"], metrics["answered"]) == (1, 1)


def test_a_server_on_ipv6_is_asked_in_brackets() -> None:
    network = FakeNetwork()
    target = Target(address="2001:db8::5", port=5060)
    run_probe(SipProbe(), SipParams((target,), "udp"), network)
    request = sip.unpack_request(network.sent[0][1])
    assert request.uri == "sip:[2001:db8::5]:5060"
    assert (request.header("Via") or "").startswith("SIP/2.0/UDP [2001:db8::200]:40")


SOURCE = ("203.0.113.5", 40000)
OPTIONS = Options(Target(host=NAME, port=5060), "udp", ("192.0.2.1", 5060))


def _response(via: str = "", *, status: int = 200, attempt: int = 0) -> bytes:
    text = sip.pack_response(sip.unpack_request(OPTIONS.payload(attempt)), status, "OK").decode()
    return text.replace(";rport;", f";{via};").encode() if via else text.encode()


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0\0\0\0", _response(status=180)])
def test_what_is_no_final_response_is_passed_over(data: bytes) -> None:
    assert OPTIONS.recognise(data) is None


def test_an_answer_to_nobodys_branch_is_passed_over() -> None:
    for branch in (b"z9hG4bK", b".x", b".1234", b".\xc2\xb2"):
        answer = _response().replace(b".0\r\n", branch + b"\r\n")
        assert branch in answer and OPTIONS.recognise(answer) is None


@pytest.mark.parametrize(
    ("via", "facts"),
    [
        ("rport=40000;received=198.51.100.9", {"rport": 40000, "received": "198.51.100.9"}),
        ("received=198.51.100.9", {"received": "198.51.100.9"}),
        ("rport", {}),
        ("rport=999999;received=" + "9" * 500, {"received": "9" * 199 + "\u2026"}),
    ],
)
def test_where_the_request_came_from(via: str, facts: dict[str, object]) -> None:
    found = dict(OPTIONS.recognise(_response(via, attempt=3)) or {})
    assert (found.pop("attempt"), found.pop("status"), found.pop("reason")) == (3, 200, "OK")
    assert found == facts
