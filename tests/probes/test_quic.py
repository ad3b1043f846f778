"""The quic probe against loopback servers of aioquic's, and against bytes that are none of QUIC's."""

import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from aioquic.quic.configuration import QuicConfiguration

from readycheck.probe import Failure, Step, Target
from readycheck_probes import quic
from readycheck_probes.quic import QuicParams, QuicProbe

from .conftest import Bench, Seen
from .servers.authority import Authority
from .servers.quic import QuicServer
from .servers.udp import Endpoint, UdpServer

NAME = "calls.example"
VERSION_1, VERSION_2, UNKNOWN_VERSION = 1, 0x6B3343CF, 0xFACEB00C


async def ask(bench: Bench, to: Endpoint, *, deadline_s: float = 8.0, **params: Any) -> Seen:
    bench.names = {NAME: (to[0],)}
    targets = (Target(host=NAME, port=to[1], transport="udp"),)
    return await bench.measure(QuicProbe(), QuicParams(targets, **params), deadline_s=deadline_s)


def steps(seen: Seen) -> dict[Step, Failure | None]:
    return {one.step: one.failure for one in seen.observations if one.step is not Step.RESOLVE}


ALL_WELL = {Step.CONNECT: None, Step.TLS_HANDSHAKE: None, Step.RESPONSE: None}


async def test_every_step(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(NAME)) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == ALL_WELL
    (connect,), (greeting,), (response,) = (
        seen.of(one) for one in (Step.CONNECT, Step.TLS_HANDSHAKE, Step.RESPONSE)
    )
    assert connect.facts["rtt_ms"] > 0
    assert (connect.target.address, connect.target.transport) == ("127.0.0.1", "udp")
    told = greeting.facts["tls"]
    assert (told["version"], told["alpn"], told["name_matches"]) == ("TLSv1.3", "h3", True)
    assert told["chain"][0]["names"] == (NAME,)
    assert len(told["pins"]) == 2
    assert greeting.target.sni == NAME
    assert (response.facts["status"], response.facts["alt-svc"]) == (200, 'h3=":443"')
    assert "\x1b" not in response.facts["server"]
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert float(seen.metrics["response_ms"] or 0) > 0
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30


async def test_a_token_is_fetched_first(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(NAME), retry=True) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == ALL_WELL
    assert seen.of(Step.CONNECT)[0].facts["retry"] is True


async def test_another_version_is_agreed_on(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(NAME), versions=(VERSION_2,)) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == ALL_WELL
    assert seen.of(Step.CONNECT)[0].facts["versions"] == ["0x6b3343cf"]


async def test_no_version_in_common_is_an_answer(bench: Bench, authority: Authority) -> None:
    with QuicServer(authority.chain(NAME), versions=(UNKNOWN_VERSION,)) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: Failure.PROTOCOL_ERROR}
    assert "0xfaceb00c" in seen.of(Step.TLS_HANDSHAKE)[0].detail


@pytest.mark.parametrize(
    ("names", "lifetime", "failure"),
    [
        (("other.example",), 30, Failure.CERTIFICATE_NAME_MISMATCH),
        ((NAME,), -1, Failure.CERTIFICATE_EXPIRED),
    ],
)
async def test_certificates_are_judged_as_over_tcp(
    bench: Bench, authority: Authority, names: tuple[str, ...], lifetime: int, failure: Failure
) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(*names, lifetime=timedelta(days=lifetime))) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: failure}
    assert seen.of(Step.TLS_HANDSHAKE)[0].facts["tls"]["chain"][0]["names"] == names
    assert seen.metrics["answered"] == 0


async def test_an_unknown_authority_still_shows_its_chain(
    bench: Bench, authority: Authority, stranger: Authority
) -> None:
    bench.trusted = authority.certificate
    with QuicServer(stranger.chain(NAME)) as server:
        seen = await ask(bench, server.endpoint)

    (greeting,) = seen.of(Step.TLS_HANDSHAKE)
    assert greeting.failure in (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
    assert greeting.facts["tls"]["chain"]


async def test_a_server_without_http_3_says_so_by_an_alert(bench: Bench, authority: Authority) -> None:
    with QuicServer(authority.chain(NAME), alpn=("doq",)) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: Failure.TLS_ALERT}
    assert "no_application_protocol" in seen.of(Step.TLS_HANDSHAKE)[0].detail


async def test_an_error_of_the_server(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(NAME), status=b"503") as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen)[Step.RESPONSE] is Failure.HTTP_STATUS


# --- variants of the greeting -------------------------------------------------------------------------


@pytest.mark.parametrize(("server_name", "sni"), [("decoy.example", "decoy.example"), ("", None)])
async def test_another_name_or_none_is_greeted_and_not_judged(
    bench: Bench, authority: Authority, server_name: str, sni: str | None
) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain("other.example")) as server:
        seen = await ask(bench, server.endpoint, server_name=server_name, path="")

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: None}
    assert seen.of(Step.TLS_HANDSHAKE)[0].target.sni == sni
    assert seen.metrics["answered"] == 1


@pytest.mark.parametrize(("padding", "packets"), [(0, 1), (1000, 2)])
async def test_a_padded_greeting_takes_two_packets(bench: Bench, padding: int, packets: int) -> None:
    with UdpServer(lambda data, source: ()) as server:
        await ask(bench, server.endpoint, padding=padding, deadline_s=0.1)  # before it is asked again
    assert len(server.received) == packets


async def test_a_padded_greeting_is_understood(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with QuicServer(authority.chain(NAME)) as server:
        assert steps(await ask(bench, server.endpoint, padding=1000)) == ALL_WELL


# --- faults -------------------------------------------------------------------------------------------


async def test_silence_is_a_timeout(bench: Bench) -> None:
    def mute(data: bytes, source: Endpoint) -> Iterable[bytes]:
        return ()

    with UdpServer(mute) as server:
        seen = await ask(bench, server.endpoint, deadline_s=1.0)

    assert steps(seen) == {Step.CONNECT: Failure.TIMED_OUT}
    assert len(server.received) > 1  # it was asked again
    assert seen.metrics["answered"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who refused a datagram")
async def test_a_closed_port_is_refused_at_once(bench: Bench) -> None:
    with UdpServer(lambda data, source: ()) as server:
        to = server.endpoint
    seen = await ask(bench, to)
    assert steps(seen) == {Step.CONNECT: Failure.PORT_UNREACHABLE}
    assert seen.of(Step.CONNECT)[0].facts["offender"] == "127.0.0.1"


def echo(data: bytes) -> bytes:
    return data


def rubbish(data: bytes) -> bytes:
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def short(data: bytes) -> bytes:
    return b"\xc0\0\0\0\1"


@pytest.mark.parametrize("reply", [echo, rubbish, short])
async def test_what_answers_does_not_speak_quic(bench: Bench, reply: Callable[[bytes], bytes]) -> None:
    with UdpServer(lambda data, source: [reply(data)]) as server:
        seen = await ask(bench, server.endpoint, deadline_s=0.6)

    assert steps(seen) == {Step.CONNECT: Failure.PROTOCOL_ERROR}


def to_the_asker(data: bytes, body: bytes) -> bytes:
    """A long header that the client takes for its server's."""
    size = data[5]
    there, rest = data[6 : 6 + size], data[6 + size :]
    back = rest[1 : 1 + rest[0]]
    return b"\xc0\0\0\0\1" + bytes([len(back)]) + back + bytes([size]) + there + body


async def test_an_initial_that_cannot_be_decrypted_leads_nowhere(bench: Bench) -> None:
    with UdpServer(lambda data, source: [to_the_asker(data, b"\0\x40\x80" + bytes(128))]) as server:
        seen = await ask(bench, server.endpoint, deadline_s=0.6)

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: Failure.TIMED_OUT}


async def test_a_flood_has_an_end(bench: Bench) -> None:
    flood = [bytes([0xC0]) + bytes(1200)] * 2000
    with UdpServer(lambda data, source: flood) as server:
        seen = await ask(bench, server.endpoint)

    assert steps(seen) == {Step.CONNECT: Failure.PROTOCOL_ERROR}
    assert "too much" in seen.of(Step.CONNECT)[0].detail


async def test_a_handshake_that_stops_half_way(bench: Bench, authority: Authority) -> None:
    count = iter(range(1000))

    def first_only(data: bytes) -> bytes:
        return data if next(count) == 0 else b""

    with QuicServer(authority.chain(*(f"n{n}.example" for n in range(200))), mangle=first_only) as server:
        seen = await ask(bench, server.endpoint, deadline_s=0.6)

    assert steps(seen) == {Step.CONNECT: None, Step.TLS_HANDSHAKE: Failure.TIMED_OUT}


async def test_without_the_library_it_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "find_spec", lambda name: None)
    seen = await ask(bench, ("127.0.0.1", 9))
    assert steps(seen) == {Step.CONNECT: Failure.PLATFORM}
    assert "aioquic" in seen.of(Step.CONNECT)[0].detail


def test_what_the_probe_proves() -> None:
    assert QuicParams().proves is Step.RESPONSE
    assert QuicParams(path="").proves is QuicParams(alpn=("doq",)).proves is Step.TLS_HANDSHAKE
    assert QuicConfiguration().supported_versions[0] == VERSION_1
