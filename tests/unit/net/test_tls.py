"""Handshakes with real servers on loopback: every way to succeed and every way to fail.

The servers block in threads, because those of asyncio close without an alert when a handshake fails.
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.failure import LOCAL_FAILURES, Failure
from readycheck.net import tls
from readycheck.net.certificate import spki_pin
from readycheck.net.interface import Endpoint, NetError, Shown, Stream, TlsFacts, TlsSettings
from readycheck.net.stream import open_stream
from readycheck.net.tls import TlsStream, handshake, vouch
from readycheck.net.trust import TrustStore

from .minting import PAST, Party, mint

ROOT = mint("root", ca=True)
ISSUING = mint("issuing", ROOT, ca=True)
LEAF = mint("leaf", ISSUING, names=["host.example"])
TRUST = TrustStore((ROOT.certificate,))
INSPECTOR = mint("inspector", ca=True)
INSPECTED = mint("leaf", INSPECTOR, names=["host.example"])
HOST = TlsSettings(server_name="host.example", verify_name="host.example")
ANY = replace(HOST, verify=False)

Serve = Callable[[socket.socket], None]
Serving = Callable[[Serve], Endpoint]


@pytest.fixture
def serving() -> Iterator[Serving]:
    """Start a server on loopback: each connection is handed to the function, in a thread."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept(listener: socket.socket, serve: Serve) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    serve(connection)

    def start(serve: Serve) -> Endpoint:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=accept, args=(listener, serve), daemon=True))
        threads[-1].start()
        host, port = listener.getsockname()
        return host, port

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., ssl.SSLContext]:
    """Make a server's context that presents `chain`."""

    def make(
        *chain: Party, minimum: str = "TLSv1_2", maximum: str = "TLSv1_3", ciphers: str = ""
    ) -> ssl.SSLContext:
        chain = chain or (LEAF, ISSUING)
        file = tmp_path / "chain.pem"
        file.write_bytes(b"".join(one.pem for one in chain) + chain[0].secret)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers(ciphers or "DEFAULT:@SECLEVEL=0")
        made.load_cert_chain(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version, made.maximum_version = ssl.TLSVersion[minimum], ssl.TLSVersion[maximum]
        return made

    return make


def echo(context: ssl.SSLContext) -> Serve:
    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            while data := secured.recv(65536):
                secured.sendall(data)

    return serve


def say(
    data: bytes, *, then: Callable[[socket.socket], Any] = lambda connection: connection.recv(1)
) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)
        then(connection)

    return serve


def leave(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def greet(to: Endpoint, settings: TlsSettings = HOST, *, timeout: float = 5) -> TlsFacts:
    with closing(await open_stream(to, timeout=5)) as stream:
        secured = await handshake(stream, settings, TRUST, timeout=timeout)
        assert secured.tls is not None
        return secured.tls


async def refusal(to: Endpoint, settings: TlsSettings = HOST, *, timeout: float = 5) -> NetError:
    with pytest.raises(NetError) as caught:
        await greet(to, settings, timeout=timeout)
    json.dumps(caught.value.facts)
    return caught.value


async def test_a_good_server(serving: Serving, context: Any) -> None:
    facts = await greet(serving(echo(context())), replace(HOST, alpn=("x", "sip")))
    assert facts.version == "TLSv1.3" and facts.cipher.startswith("TLS_")
    assert [one.subject for one in facts.chain] == ["CN=leaf", "CN=issuing"]
    assert facts.pins == tuple(spki_pin(p.certificate) for p in (LEAF, ISSUING, ROOT))
    assert (facts.anchor, facts.trust_failure, facts.name_matches) == ("CN=root", None, True)
    assert (facts.alpn, facts.client_certificate_requested) == (None, False)
    assert 50 < facts.expires_days < 61


async def test_the_protocol_above_is_agreed(serving: Serving, context: Any) -> None:
    server = context()
    server.set_alpn_protocols(["h2"])
    assert (await greet(serving(echo(server)), replace(HOST, alpn=("h2", "http/1.1")))).alpn == "h2"


async def test_bytes_go_through_both_ways(serving: Serving, context: Any) -> None:
    data = bytes(range(256)) * 1000
    with closing(await open_stream(serving(echo(context())), timeout=5)) as below:
        stream = await handshake(below, HOST, TRUST, timeout=5)
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.write(data, timeout=5))
            got = b""
            while len(got) < len(data):
                got += await stream.read(5000, timeout=5)
        await stream.write(b"", timeout=5)
        assert got == data
        assert (stream.local, stream.peer) == (below.local, below.peer)
        assert isinstance(stream, TlsStream)
        assert (stream.tcp_rtt_ms() is None) == (below.tcp_rtt_ms() is None)
        stream.close()
        with pytest.raises(NetError):
            await below.read(1, timeout=1)


@pytest.mark.parametrize("polite", [True, False])
async def test_the_end_of_the_stream_is_empty(serving: Serving, context: Any, polite: bool) -> None:
    server = context()

    def serve(connection: socket.socket) -> None:
        secured = server.wrap_socket(connection, server_side=True)
        secured.sendall(b"bye")
        if polite:
            with suppress(OSError):
                secured.unwrap()
        secured.close()

    with closing(await open_stream(serving(serve), timeout=5)) as below:
        stream = await handshake(below, HOST, TRUST, timeout=5)
        assert [await stream.read(10, timeout=5) for _ in range(3)] == [b"bye", b"", b""]


async def test_reading_silence_times_out(serving: Serving, context: Any) -> None:
    with closing(await open_stream(serving(echo(context())), timeout=5)) as below:
        stream = await handshake(below, HOST, TRUST, timeout=5)
        with pytest.raises(NetError) as caught:
            await stream.read(1, timeout=0.02)
        assert caught.value.failure is Failure.TIMED_OUT


async def test_tickets_without_end_are_left(serving: Serving, context: Any) -> None:
    generous = context(minimum="TLSv1_3")
    generous.num_tickets = 4000
    stream = await open_stream(serving(echo(generous)), timeout=5)
    with closing(stream):
        secured = await handshake(stream, HOST, TRUST, timeout=5)
        with pytest.raises(NetError, match="bring no data") as caught:
            await secured.read(100, timeout=5)
    assert caught.value.failure is Failure.PROTOCOL_ERROR


async def test_damaged_records_are_a_protocol_error(serving: Serving, context: Any) -> None:
    server = context()

    def serve(connection: socket.socket) -> None:
        plain = connection.dup()
        with server.wrap_socket(connection, server_side=True) as secured, plain:
            plain.sendall(b"\x17\3\3\0\x20" + bytes(32))
            secured.recv(1)

    with closing(await open_stream(serving(serve), timeout=5)) as below:
        stream = await handshake(below, HOST, TRUST, timeout=5)
        with pytest.raises(NetError) as caught:
            await stream.read(1, timeout=5)
        assert caught.value.failure is Failure.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("version", "name"), [("1.0", "TLSv1"), ("1.1", "TLSv1_1"), ("1.2", "TLSv1_2"), ("1.3", "TLSv1_3")]
)
async def test_each_version_can_be_asked_for(serving: Serving, context: Any, version: str, name: str) -> None:
    to = serving(echo(context(minimum=name, maximum=name)))
    facts = await greet(to, replace(HOST, minimum=version, maximum=version))
    assert facts.version == name.replace("_", ".")


async def test_only_the_suites_asked_for_are_offered(serving: Serving, context: Any) -> None:
    suite = "ECDHE-ECDSA-AES256-GCM-SHA384"
    to = serving(echo(context()))
    assert (
        await greet(to, replace(HOST, maximum="1.2", cipher_suites=("NOT-A-SUITE", suite)))
    ).cipher == suite


@pytest.mark.parametrize("name", [None, "host.example", "Mixed.Example", "192.0.2.1"])
async def test_the_name_is_sent_as_asked(serving: Serving, context: Any, name: str | None) -> None:
    seen: list[str | None] = []
    server = context()
    server.sni_callback = lambda _socket, sent, _context: seen.append(sent)
    facts = await greet(serving(echo(server)), TlsSettings(server_name=name))
    assert seen == [None if name == "192.0.2.1" else name]
    assert facts.name_matches is None


@pytest.mark.parametrize("maximum", ["1.2", "1.3"])
async def test_a_demand_for_a_certificate_is_noticed(serving: Serving, context: Any, maximum: str) -> None:
    server = context()
    server.verify_mode = ssl.CERT_OPTIONAL
    to = serving(echo(server))
    assert (await greet(to, replace(HOST, maximum=maximum))).client_certificate_requested


async def test_a_certificate_is_demanded_in_1_2(serving: Serving, context: Any) -> None:
    server = context(maximum="TLSv1_2")
    server.verify_mode = ssl.CERT_REQUIRED
    error = await refusal(serving(echo(server)))
    assert error.failure is Failure.TLS_ALERT_HANDSHAKE_FAILURE
    assert error.facts["client_certificate_requested"] is True


async def test_who_demands_a_certificate_has_shown_its_own(serving: Serving, context: Any) -> None:
    server = context(maximum="TLSv1_2")
    server.verify_mode = ssl.CERT_REQUIRED
    shown = (await refusal(serving(echo(server)))).facts["tls"]
    assert (shown["trust_failure"], shown["name_matches"]) == (None, True)
    assert [one["subject"] for one in shown["chain"]] == ["CN=leaf", "CN=issuing"]
    assert shown["client_certificate_requested"] is True


@pytest.mark.parametrize(
    ("client", "trust", "failure"),
    [
        (HOST, TrustStore(()), Failure.CERTIFICATE_UNTRUSTED),
        (replace(HOST, verify_name="other.example"), TRUST, Failure.CERTIFICATE_NAME_MISMATCH),
        (replace(HOST, verify=False), TrustStore(()), Failure.TLS_ALERT_HANDSHAKE_FAILURE),
    ],
)
async def test_a_demand_of_somebody_else_is_not_taken_for_the_services(
    context: Any, client: TlsSettings, trust: TrustStore, failure: Failure
) -> None:
    server = context(maximum="TLSv1_2")
    server.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(NetError) as caught:
        await handshake(InMemory(server), client, trust, timeout=1)
    assert caught.value.failure is failure
    assert [one["subject"] for one in caught.value.facts["tls"]["chain"]] == ["CN=leaf", "CN=issuing"]


async def test_a_demand_that_ends_with_a_reset_was_heard(context: Any) -> None:
    server = context(maximum="TLSv1_2")
    server.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(NetError) as caught:
        await handshake(InMemory(server, alerts=False), HOST, TRUST, timeout=1)
    assert caught.value.failure is Failure.CONNECTION_RESET
    assert caught.value.facts["client_certificate_requested"] is True


async def test_a_certificate_is_demanded_in_1_3_at_the_first_read(serving: Serving, context: Any) -> None:
    server = context(minimum="TLSv1_3")
    server.verify_mode = ssl.CERT_REQUIRED
    with closing(await open_stream(serving(echo(server)), timeout=5)) as below:
        stream = await handshake(below, HOST, TRUST, timeout=5)
        assert stream.tls is not None and stream.tls.client_certificate_requested
        with pytest.raises(NetError) as caught:
            await stream.read(1, timeout=5)
        assert caught.value.failure is Failure.TLS_ALERT_CERTIFICATE_REQUIRED


@pytest.mark.parametrize(
    ("chain", "failure"),
    [
        ((LEAF,), Failure.CERTIFICATE_CHAIN_INCOMPLETE),
        ((mint("alone", names=["host.example"]),), Failure.CERTIFICATE_UNTRUSTED),
        ((mint("old", ROOT, names=["host.example"], lifetime=PAST),), Failure.CERTIFICATE_EXPIRED),
        ((mint("other", ROOT, names=["else.example"]),), Failure.CERTIFICATE_NAME_MISMATCH),
    ],
)
async def test_certificates_are_judged(
    serving: Serving, context: Any, chain: tuple[Party, ...], failure: Failure
) -> None:
    to = serving(echo(context(*chain)))
    error = await refusal(to)
    assert error.failure is failure
    assert error.facts["tls"]["chain"][0]["subject"] in ("CN=leaf", "CN=alone", "CN=old", "CN=other")
    facts = await greet(to, ANY)
    wrong_name = failure is Failure.CERTIFICATE_NAME_MISMATCH
    assert facts.trust_failure == (None if wrong_name else failure)
    assert facts.name_matches is not wrong_name


@pytest.mark.parametrize("sent", [(INSPECTED, INSPECTOR), (INSPECTED,)])
async def test_an_authority_of_this_host_alone_is_told_and_does_not_count(
    serving: Serving, context: Any, sent: tuple[Party, ...]
) -> None:
    to = serving(echo(context(*sent)))
    read: list[int] = []

    def of_host() -> tuple[x509.Certificate, ...]:
        read.append(1)
        return (INSPECTOR.certificate,)

    for asked in (HOST, ANY):
        with closing(await open_stream(to, timeout=5)) as below:
            try:
                facts: Any = (await handshake(below, asked, replace(TRUST, of_host=of_host), timeout=5)).tls
            except NetError as error:
                facts = TlsFacts(**error.facts["tls"])
                assert error.failure is facts.trust_failure
        assert facts.host_anchor == "CN=inspector"
        assert (facts.anchor, facts.pins) == (None, ())
        assert facts.trust_failure in (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
    assert len(read) == 2


async def test_who_is_publicly_trusted_costs_no_look_at_this_host(serving: Serving, context: Any) -> None:
    def of_host() -> tuple[x509.Certificate, ...]:
        raise AssertionError("nobody asked")

    to = serving(echo(context(LEAF, ISSUING)))
    with closing(await open_stream(to, timeout=5)) as below:
        stream = await handshake(below, HOST, replace(TRUST, of_host=of_host), timeout=5)
    assert stream.tls is not None and stream.tls.host_anchor is None


async def test_no_common_suite_is_an_alert(serving: Serving, context: Any) -> None:
    to = serving(echo(context(maximum="TLSv1_2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")))
    error = await refusal(to, replace(HOST, cipher_suites=("ECDHE-ECDSA-AES128-GCM-SHA256",), maximum="1.2"))
    assert error.failure is Failure.TLS_ALERT_HANDSHAKE_FAILURE
    assert error.facts["alert"] == 40


async def test_a_server_of_old_suites_is_refused_whatever_this_python_accepts(
    serving: Serving, context: Any
) -> None:
    """Debian's own greets with suites that no client of today offers."""
    to = serving(
        echo(context(maximum="TLSv1_2", ciphers="AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"))
    )
    assert (await refusal(to, HOST)).failure is Failure.TLS_ALERT_HANDSHAKE_FAILURE


async def test_an_unknown_name_is_an_alert(serving: Serving, context: Any) -> None:
    server = context()
    server.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    assert (await refusal(serving(echo(server)))).failure is Failure.TLS_ALERT_UNRECOGNIZED_NAME


async def test_an_old_server_that_says_so(serving: Serving, context: Any) -> None:
    to = serving(echo(context(minimum="TLSv1_2", maximum="TLSv1_2")))
    error = await refusal(to, replace(HOST, minimum="1.3"))
    assert error.failure is Failure.TLS_ALERT_PROTOCOL_VERSION


SERVER_HELLO_1_0 = (
    bytes.fromhex("16030100310200002d0301") + bytes(32) + bytes.fromhex("00002f000005ff01000100")
)


async def test_an_old_server_that_just_answers(serving: Serving) -> None:
    assert (await refusal(serving(say(SERVER_HELLO_1_0)))).failure is Failure.TLS_VERSION


@pytest.mark.parametrize("alert", [80, 49, 255])
async def test_other_alerts(serving: Serving, alert: int) -> None:
    error = await refusal(serving(say(bytes((0x15, 3, 3, 0, 2, 2, alert)))))
    assert (error.failure, error.facts["alert"]) == (Failure.TLS_ALERT, alert)


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"\0", b"\x16\x05\0\0\1\0"]
)
async def test_other_protocols(serving: Serving, data: bytes) -> None:
    error = await refusal(serving(say(data, then=leave)))
    assert error.failure is Failure.TLS_NOT_TLS
    assert error.facts["said"].isprintable()


async def test_a_server_that_leaves(serving: Serving) -> None:
    assert (await refusal(serving(say(b"", then=leave)))).failure is Failure.CONNECTION_CLOSED


async def test_a_server_that_leaves_in_the_middle(serving: Serving) -> None:
    error = await refusal(serving(say(SERVER_HELLO_1_0[:20], then=leave)))
    assert (error.failure, error.facts["received_bytes"]) == (Failure.CONNECTION_CLOSED, 20)


async def test_a_server_that_resets(serving: Serving) -> None:
    assert (await refusal(serving(say(b"", then=reset)))).failure is Failure.CONNECTION_RESET


async def test_a_silent_server(serving: Serving) -> None:
    error = await refusal(serving(say(b"")), timeout=0.05)
    assert (error.failure, error.facts["received_bytes"]) == (Failure.TIMED_OUT, 0)
    assert error.facts.get("unacked", 0) == 0  # its kernel has the greeting


async def test_a_dripping_server_is_left_at_the_deadline(serving: Serving) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not stop.wait(0.005):
            connection.sendall(b"\0")

    began = asyncio.get_running_loop().time()
    error = await refusal(serving(say(b"\x16\3\3\x3f\xff\2\0\x3f\xf0", then=drip)), timeout=0.1)
    stop.set()
    assert error.failure is Failure.TIMED_OUT
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_flood_is_bounded(serving: Serving) -> None:
    empty = b"\x16\3\3\0\x04" + b"\0\0\0\0"  # hello requests, which a client ignores

    def flood(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(empty * 1000)

    error = await refusal(serving(say(b"", then=flood)), replace(HOST, maximum="1.2"))
    assert error.failure is Failure.PROTOCOL_ERROR
    assert error.facts["received_bytes"] < 300_000


@pytest.mark.parametrize(
    "change",
    [
        {"cipher_suites": ("NOT-A-SUITE",)},
        {"minimum": "0.9"},
        {"minimum": "1.3", "maximum": "1.2"},
        {"server_name": "x" * 64 + ".example"},
        {"server_name": ".example"},
        {"server_name": "a\0b"},
        {"alpn": ("",)},
        {"alpn": ("x" * 300,)},
    ],
)
async def test_what_openssl_refuses_is_local(change: dict[str, Any]) -> None:
    stream = Scripted(b"")
    with pytest.raises(NetError) as caught:
        await handshake(stream, replace(HOST, **change), TRUST, timeout=1)
    assert caught.value.failure is Failure.TLS_LOCAL
    assert caught.value.failure in LOCAL_FAILURES
    assert stream.written == b""


async def test_without_the_private_interfaces_less_is_known(
    serving: Serving, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = serving(echo(context()))

    class Plain:
        def __init__(self, session: ssl.SSLObject) -> None:
            self.getpeercert = session.getpeercert

    monkeypatch.setattr(tls, "_presented", lambda session, real=tls._presented: real(Plain(session)))
    facts = await greet(to, ANY)
    assert [one.subject for one in facts.chain] == ["CN=leaf"]


async def test_a_cancelled_handshake_leaves_nothing_behind(serving: Serving) -> None:
    to = serving(say(b""))
    with closing(await open_stream(to, timeout=5)) as stream, suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            await handshake(stream, HOST, TRUST, timeout=5)


class InMemory:
    """A stream to a server without a socket, which ends a failed handshake with an alert or a reset."""

    local, peer, tls = ("127.0.0.1", 1), ("127.0.0.1", 2), None

    def __init__(self, context: ssl.SSLContext, *, alerts: bool = True) -> None:
        self._alerts = alerts
        self._heard, self._said = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = context.wrap_bio(self._heard, self._said, server_side=True)

    async def read(self, limit: int, *, timeout: float) -> bytes:
        try:
            self._server.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            if not self._alerts:
                raise NetError(Failure.CONNECTION_RESET, "reading") from None
        return self._said.read(limit)

    async def write(self, data: bytes, *, timeout: float) -> None:
        self._heard.write(data)

    def close(self) -> None: ...


class Scripted:
    """A stream whose far end says `said`, and then closes."""

    local, peer, tls = ("127.0.0.1", 1), ("127.0.0.1", 2), None

    def __init__(self, said: bytes, *, piece: int = 65536) -> None:
        self._said = said
        self._piece = piece
        self.written = b""

    async def read(self, limit: int, *, timeout: float) -> bytes:
        size = min(limit, self._piece)
        data, self._said = self._said[:size], self._said[size:]
        return data

    async def write(self, data: bytes, *, timeout: float) -> None:
        self.written += data

    def close(self) -> None: ...


@contextmanager
def fails() -> Iterator[None]:
    with pytest.raises(NetError) as caught:
        yield
    json.dumps(caught.value.facts)
    assert caught.value.failure not in LOCAL_FAILURES
    assert caught.value.detail.isprintable()


hostile = settings(deadline=None, database=None, max_examples=200)
records = st.builds(
    lambda kind, minor, body: bytes((kind, 3, minor)) + len(body).to_bytes(2, "big") + body,
    st.integers(20, 24),
    st.integers(0, 4),
    st.binary(max_size=200),
)


@hostile
@given(st.one_of(st.binary(max_size=400), st.lists(records, max_size=5).map(b"".join)), st.integers(1, 50))
async def test_anything_may_be_said(said: bytes, piece: int) -> None:
    stream: Stream = Scripted(said, piece=piece)
    with fails():
        await handshake(stream, HOST, TRUST, timeout=5)


# --- handshakes that were made elsewhere --------------------------------------------------------------


def shown(*chain: Party) -> Shown:
    return Shown(version="TLSv1.3", cipher="x", alpn="h3", chain=tuple(party.der for party in chain))


def test_a_chain_shown_elsewhere_is_judged_alike() -> None:
    facts = vouch(shown(LEAF, ISSUING), HOST, TRUST)
    assert (facts.version, facts.alpn, facts.name_matches, facts.trust_failure) == (
        "TLSv1.3",
        "h3",
        True,
        None,
    )
    assert spki_pin(ROOT.certificate) in facts.pins


@pytest.mark.parametrize(
    ("chain", "name", "failure"),
    [
        ((LEAF,), "host.example", Failure.CERTIFICATE_CHAIN_INCOMPLETE),
        ((LEAF, ISSUING), "other.example", Failure.CERTIFICATE_NAME_MISMATCH),
        ((), "host.example", Failure.CERTIFICATE_UNTRUSTED),
    ],
)
def test_a_chain_that_does_not_verify_fails_with_its_facts(
    chain: tuple[Party, ...], name: str, failure: Failure
) -> None:
    with pytest.raises(NetError) as caught:
        vouch(shown(*chain), replace(HOST, verify_name=name), TRUST)
    assert caught.value.failure is failure
    assert caught.value.facts["tls"]["alpn"] == "h3"
    vouch(shown(*chain), replace(ANY, verify_name=name), TRUST)
