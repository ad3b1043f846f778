"""The tls probe against loopback servers."""

from datetime import timedelta
from typing import Any

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck_probes.tls import TlsParams, TlsProbe

from .conftest import Bench, Seen
from .servers.authority import SUITE_OF_12, Authority
from .servers.tcp import Serve, TcpServer, hang_up, reset, saying, silent

NAME = "calls.example"


async def _measure(
    bench: Bench, server: TcpServer, *suites: str, deadline_s: float = 8.0, device: bool = True
) -> Seen:
    bench.names = {NAME: ("127.0.0.1",)}
    params = TlsParams((Target(host=NAME, port=server.endpoint[1]),), suites, device)
    return await bench.measure(TlsProbe(), params, deadline_s=deadline_s)


def _by_purpose(seen: Seen) -> dict[str, Failure | None]:
    return {one.facts["purpose"]: one.failure for one in seen.of(Step.TLS_HANDSHAKE)}


async def test_both_greetings(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await _measure(bench, server, SUITE_OF_12)

    device, client = seen.of(Step.TLS_HANDSHAKE)
    assert _by_purpose(seen) == {"tls1.2": None, "client": None}
    assert (device.facts["tls"]["version"], device.facts["tls"]["cipher"]) == ("TLSv1.2", SUITE_OF_12)
    assert client.facts["tls"]["version"] == "TLSv1.3"
    assert (client.target.sni, client.target.address) == (NAME, "127.0.0.1")
    assert client.facts["tls"]["chain"][0]["names"] == (NAME,)
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30
    assert float(seen.metrics["handshake_ms"] or 0) > 0


async def test_without_a_device_there_is_one_greeting(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await _measure(bench, server, device=False)
    assert _by_purpose(seen) == {"client": None}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (
            {"versions": ("TLSv1_3", "TLSv1_3")},
            {"tls1.2": Failure.TLS_ALERT_PROTOCOL_VERSION, "client": None},
        ),
        ({"versions": ("TLSv1_2", "TLSv1_2")}, {"tls1.2": None, "client": None}),
        (
            {"lifetime": timedelta(days=-1)},
            {"tls1.2": Failure.CERTIFICATE_EXPIRED, "client": Failure.CERTIFICATE_EXPIRED},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_what_the_server_supports(
    bench: Bench, authority: Authority, server: dict[str, Any], expected: dict[str, Failure | None]
) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME, **server)) as listener:
        seen = await _measure(bench, listener)

    assert _by_purpose(seen) == expected


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_server_of_old_versions(bench: Bench, authority: Authority) -> None:
    """Asked for 1.2 only, OpenSSL gets as far as the suites and misses one, or Debian's settings stop it before."""
    bench.trusted = authority.certificate
    old = authority.context(NAME, versions=("TLSv1", "TLSv1_1"), ciphers="ALL:@SECLEVEL=0")
    with TcpServer(silent, old) as listener:
        found = _by_purpose(await _measure(bench, listener))
    assert found["tls1.2"] in (Failure.TLS_ALERT_HANDSHAKE_FAILURE, Failure.TLS_VERSION)
    assert found["client"] is Failure.TLS_ALERT_PROTOCOL_VERSION


async def test_no_cipher_suite_in_common(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")) as server:
        seen = await _measure(bench, server, SUITE_OF_12)

    assert _by_purpose(seen) == {"tls1.2": Failure.TLS_ALERT_HANDSHAKE_FAILURE, "client": None}


async def test_a_cipher_suite_that_openssl_does_not_know_is_our_own_failure(
    bench: Bench, authority: Authority
) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME)) as server:
        seen = await _measure(bench, server, "NO-SUCH-SUITE")

    assert _by_purpose(seen) == {"tls1.2": Failure.TLS_LOCAL, "client": None}


async def test_a_name_that_is_not_in_the_certificate(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context("other.example")) as server:
        seen = await _measure(bench, server)

    assert set(_by_purpose(seen).values()) == {Failure.CERTIFICATE_NAME_MISMATCH}


async def test_an_unknown_authority_still_shows_its_chain(
    bench: Bench, authority: Authority, stranger: Authority
) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, stranger.context(NAME)) as server:
        seen = await _measure(bench, server)

    (_, client) = seen.of(Step.TLS_HANDSHAKE)
    assert client.failure in (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
    assert client.facts["tls"]["chain"][0]["names"] == (NAME,)
    assert seen.metrics["answered"] == 0
    assert seen.metrics["expires_days"] is not None


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Failure.TLS_NOT_TLS),
        (saying(b"\x16\x03\x03\x40\x00" + b"\xff" * 20000), Failure.PROTOCOL_ERROR),
        (saying(b"\x16\x03\x03\x00\x50\x02"), Failure.CONNECTION_CLOSED),
        (hang_up, None),
        (reset, Failure.CONNECTION_RESET),
    ],
)
async def test_faults(bench: Bench, serve: Serve, failure: Failure | None) -> None:
    with TcpServer(serve) as server:
        seen = await _measure(bench, server)

    failures = set(_by_purpose(seen).values())
    if failure is None:
        assert failures <= {Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET}
    else:
        assert failures == {failure}
    assert seen.metrics["answered"] == 0


async def test_silence_is_a_timeout(bench: Bench) -> None:
    with TcpServer(silent) as server:
        seen = await _measure(bench, server, deadline_s=0.4)

    assert _by_purpose(seen) == {"tls1.2": Failure.TIMED_OUT}


async def test_the_second_greeting_goes_to_the_address_that_worked(
    bench: Bench, authority: Authority
) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME)) as server:
        bench.names = {NAME: ("127.0.0.2", "127.0.0.1")}
        params = TlsParams((Target(host=NAME, port=server.endpoint[1]),))
        seen = await bench.measure(TlsProbe(), params)

    assert seen.failures(Step.CONNECT) == [Failure.CONNECTION_REFUSED, None, None]
    assert [one.target.address for one in seen.of(Step.TLS_HANDSHAKE)] == ["127.0.0.1"] * 2


async def test_a_wish_for_a_client_certificate_is_an_answer(bench: Bench, authority: Authority) -> None:
    bench.trusted = authority.certificate
    with TcpServer(silent, authority.context(NAME, wants_client=True)) as server:
        seen = await _measure(bench, server)

    assert _by_purpose(seen) == {"tls1.2": None, "client": None}
    assert all(one.facts["client_certificate_requested"] for one in seen.of(Step.TLS_HANDSHAKE))
