"""Tunnels through fakes on loopback: what a proxy answers, and what it must not get to see."""

import asyncio
import base64
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import spnego
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.failure import Failure
from readycheck.net import proxy_talk, tunnel
from readycheck.net.interface import (
    Capability,
    Datagrams,
    Endpoint,
    NetError,
    Resolution,
    Stream,
    TlsSettings,
)
from readycheck.net.login import Access
from readycheck.net.proxy import ProxyUrl
from readycheck.net.stream import open_stream
from readycheck.net.tunnel import Tunnel, open_tunnel

SECRET = "s3cret"
BEGIN = b"NTLMSSP\0\1\0\0\0" + bytes.fromhex("378208e2") + bytes(24)
OK = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def denied(*schemes: str, status: str = "407 Proxy Authentication Required") -> bytes:
    fields = "".join(f"Proxy-Authenticate: {scheme}\r\n" for scheme in schemes)
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n".encode()


PAGES = {
    "none": b"Content-Length: 0\r\n\r\n",
    "a page": b"Content-Length: 5\r\n\r\n<html",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n<html\r\n0\r\nX: y\r\n\r\n",
}


class Acceptor:
    """The proxy's side of NTLM, or of Negotiate with NTLM in it: one user, `CORP\\jo`."""

    def __init__(self) -> None:
        self.scheme = "NTLM"
        self._context: Any = None

    def answer(self, authorization: str, page: bytes = PAGES["none"]) -> bytes:
        scheme, _, token = authorization.partition(" ")
        if scheme == self.scheme:
            said = base64.b64decode(token)
            if self._context is None or b"NTLMSSP\0\1" in said:
                self._context = spnego.server(protocol=self.scheme.lower())
            try:
                reply = self._context.step(said)
            except spnego.exceptions.SpnegoError:
                return self._wants("", page)
            if reply and b"NTLMSSP\0\2" in reply:
                return self._wants(f" {base64.b64encode(reply).decode()}", page)
            return OK
        return self._wants("", page)

    def _wants(self, token: str, page: bytes) -> bytes:
        return f"HTTP/1.1 407 Login\r\nProxy-Authenticate: {self.scheme}{token}\r\n".encode() + page


@pytest.fixture
def ntlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acceptor:
    users = tmp_path / "users"
    users.write_text(f"CORP:jo:{SECRET}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    return Acceptor()


class Loopback:
    """A `Network` whose every name is this machine."""

    def __init__(self, names: Sequence[str] = ("127.0.0.1",)) -> None:
        self._names = tuple(names)
        self.greeted: list[TlsSettings] = []

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        if not self._names:
            raise NetError(Failure.DNS_NXDOMAIN, host)
        return Resolution(self._names, "the test")

    async def connect(
        self, to: Endpoint, *, timeout: float, ttl: int | None = None, source_port: int = 0
    ) -> Stream:
        return await open_stream(to, timeout=timeout)

    async def tunnel(self, host: str, port: int, *, timeout: float) -> Stream:
        raise NotImplementedError

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        self.greeted.append(settings)
        if settings.server_name == "broken.example":
            raise NetError(Failure.TLS_NOT_TLS)
        return stream

    async def open_datagram(
        self, *, family: int = 4, ttl: int | None = None, tos: int = 0, source_port: int = 0
    ) -> Datagrams:
        raise NotImplementedError

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None: ...
    def now_ns(self) -> int:
        return 0

    def resolvers(self) -> Sequence[Endpoint]:
        return ()

    def proxy(self) -> str | None:
        return None

    def capabilities(self) -> frozenset[Capability]:
        return frozenset()


Answering = Callable[[str], bytes | None]


@asynccontextmanager
async def proxy(answer: Answering, user: str = "user") -> AsyncIterator[tuple[ProxyUrl, list[str]]]:
    """A proxy that answers each request as told (None: not at all) until it agrees to one, then echoes."""
    seen: list[str] = []
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with suppress(OSError, EOFError):
            reply: bytes | None = b"HTTP/1.1 407"
            while reply is not None and reply.startswith(b"HTTP/1.1 407") and b"close" not in reply:
                seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
                reply = answer(seen[-1])
                writer.write(reply or b"")
            while reply is not None and b"close" not in reply and (data := await reader.read(4096)):
                writer.write(data)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield ProxyUrl("http", "proxy.example", port, user, SECRET), seen
    finally:
        listener.close()
        for task in filter(None, tasks):
            await task


async def refusal(answer: Answering, *, timeout: float = 3, user: str = "user") -> NetError:
    async with proxy(answer, user) as (url, _):
        with pytest.raises(NetError) as caught:
            await open_tunnel(Loopback(), url, "host.example", 443, timeout=timeout)
    said = f"{caught.value} {caught.value.facts}"
    assert SECRET not in said and base64.b64encode(f"user:{SECRET}".encode()).decode() not in said
    return caught.value


async def test_a_tunnel_carries_bytes() -> None:
    async with proxy(lambda _: OK) as (url, seen):
        stream = await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)
        with closing(stream):
            await stream.write(b"hello", timeout=3)
            assert await stream.read(100, timeout=3) == b"hello"
            assert (stream.peer, stream.tls) == (("127.0.0.1", url.port), None)
            assert stream.local[0] == "127.0.0.1"
    assert seen[0].startswith("CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n")
    assert "Authorization" not in seen[0] and len(seen) == 1


async def test_what_the_far_end_says_at_once_is_kept() -> None:
    async with proxy(lambda _: OK + b"220 hello") as (url, _):
        with closing(await open_tunnel(Loopback(), url, "2001:db8::1", 25, timeout=3)) as stream:
            assert await stream.read(4, timeout=3) + await stream.read(100, timeout=3) == b"220 hello"


async def test_an_address_is_written_in_brackets() -> None:
    async with proxy(lambda _: OK) as (url, seen):
        (await open_tunnel(Loopback(), url, "2001:db8::1", 443, timeout=3)).close()
    assert seen[0].startswith("CONNECT [2001:db8::1]:443 HTTP/1.1")


async def test_credentials_are_given_when_they_are_asked_for() -> None:
    async with proxy(lambda asked: OK if "Proxy-Auth" in asked else denied('Basic realm="x"')) as (url, seen):
        (await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)).close()
    assert ["Authorization" in one for one in seen] == [False, True]
    assert base64.b64encode(f"user:{SECRET}".encode()).decode() in seen[1]


async def test_wrong_credentials() -> None:
    error = await refusal(lambda _: denied('Basic realm="x"'))
    assert error.failure is Failure.PROXY_AUTH_REQUIRED
    assert error.facts == {"offered": ("Basic",), "realm": "x", "tried": "Basic"}


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        (("Bearer", "Hawk"), ("Bearer", "Hawk")),
        (('Digest realm="Basic, x", nonce="a=", qop="other"', "Bearer"), ("Digest", "Bearer")),
        (('Digest realm="x", algorithm=SHA-9, Hawk',), ("Digest", "Hawk")),
        ((), ()),
    ],
)
async def test_credentials_are_kept_from_a_proxy_that_wants_others(
    fields: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    error = await refusal(lambda _: denied(*fields))
    assert error.failure is Failure.PROXY_AUTH_REQUIRED
    assert (error.facts["offered"], error.facts["tried"]) == (offered, None)


async def test_an_offer_that_echoes_the_credentials_is_not_told() -> None:
    known = base64.b64encode(f"user:{SECRET}".encode()).decode().rstrip("=")
    error = await refusal(lambda _: denied("Basic", known, f"x-{SECRET}-y", f'Bearer realm="{SECRET}!"'))
    assert error.facts == {"offered": ("Basic", "Bearer"), "realm": "…!", "tried": "Basic"}


async def test_offers_without_end_are_read_in_bounded_time() -> None:
    hostile = denied(*['"' + '\\"' * 450 for _ in range(25)], "NTLM")
    clock = asyncio.get_running_loop().time
    began = clock()
    assert (await refusal(lambda _: hostile)).failure is Failure.PROXY_AUTH_REQUIRED
    assert clock() - began < 1


async def test_without_credentials_none_are_sent() -> None:
    async with proxy(lambda _: denied("Basic")) as (url, seen):
        bare = ProxyUrl(url.scheme, url.host, url.port)
        with pytest.raises(NetError) as caught:
            await open_tunnel(Loopback(), bare, "host.example", 443, timeout=3)
    assert (caught.value.failure, len(seen)) == (Failure.PROXY_AUTH_REQUIRED, 1)


@pytest.mark.parametrize("status", [403, 502, 302, 100])
async def test_a_denial_has_its_status(status: int) -> None:
    error = await refusal(lambda _: denied(status=f"{status} No\x1b[31m"))
    assert (error.failure, error.facts) == (
        Failure.PROXY_DENIED,
        {"status": status, "reason": "No\ufffd[31m"},
    )


async def test_an_echo_of_the_credentials_is_not_told() -> None:
    def answer(asked: str) -> bytes:
        if "Proxy-Auth" not in asked:
            return denied("Basic")
        return denied(status=f"403 {asked.partition('Basic ')[2].split()[0]} is user with {SECRET}")

    assert (await refusal(answer)).failure is Failure.PROXY_DENIED


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (b"SSH-2.0-x\r\n", Failure.PROTOCOL_ERROR),
        (b"HTTP/1.1 abc\r\n\r\n", Failure.PROTOCOL_ERROR),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000, Failure.PROTOCOL_ERROR),
        (b"HTTP/1.1 407 " + b"x" * 40000, Failure.PROTOCOL_ERROR),
        (bytes(range(256)), Failure.PROTOCOL_ERROR),
        (None, Failure.CONNECTION_CLOSED),
        (b"HTTP/1.1 200 OK\r\n", Failure.TIMED_OUT),
        (b"", Failure.TIMED_OUT),
    ],
)
async def test_other_answers(reply: bytes | None, failure: Failure) -> None:
    error = await refusal(lambda _: reply, timeout=3 if failure is not Failure.TIMED_OUT else 0.1)
    assert error.failure is failure


async def test_a_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused = {"because": "connection_refused", "stage": "connect", "proxy_address": "127.0.0.1"}
    unknown = {"because": "dns_nxdomain", "stage": "resolve"}
    for network, facts in ((Loopback(), refused), (Loopback(()), unknown)):
        with pytest.raises(NetError) as caught:
            await open_tunnel(
                network, ProxyUrl("http", "p.example", port, "user", SECRET), "h.example", 443, timeout=3
            )
        assert (caught.value.failure, caught.value.facts) == (Failure.PROXY_UNREACHABLE, facts)
        assert SECRET not in str(caught.value)


async def test_a_proxy_has_more_than_one_address() -> None:
    async with proxy(lambda _: OK) as (url, _):
        network = Loopback(("127.0.0.2", "127.0.0.1", "127.0.0.3"))
        stream = await open_tunnel(network, url, "host.example", 443, timeout=3)
        with closing(stream):
            assert stream.peer == ("127.0.0.1", url.port)


async def test_a_name_without_an_address() -> None:
    class Empty(Loopback):
        async def resolve(self, host: str, *, timeout: float) -> Resolution:
            return Resolution((), "the test")

    with pytest.raises(NetError) as caught:
        await open_tunnel(Empty(), ProxyUrl("http", "p.example", 1), "h.example", 443, timeout=3)
    assert caught.value.facts == {"because": "dns_no_answer", "stage": "resolve"}


async def test_what_this_host_forbids_is_not_the_proxys_fault() -> None:
    class Forbidden(Loopback):
        async def connect(
            self, to: Endpoint, *, timeout: float, ttl: int | None = None, source_port: int = 0
        ) -> Stream:
            raise NetError(Failure.PERMISSION_DENIED)

    with pytest.raises(NetError) as caught:
        await open_tunnel(Forbidden(), ProxyUrl("http", "p.example", 1), "h.example", 443, timeout=3)
    assert caught.value.failure is Failure.PERMISSION_DENIED


async def test_a_silent_proxy_is_unreachable_and_a_router_that_refused_is_named() -> None:
    class Walled(Loopback):
        async def connect(
            self, to: Endpoint, *, timeout: float, ttl: int | None = None, source_port: int = 0
        ) -> Stream:
            raise NetError(Failure.ICMP_ADMIN_PROHIBITED, facts={"offender": "192.0.2.1", "payload": b"x"})

    with pytest.raises(NetError) as caught:
        await open_tunnel(Walled(), ProxyUrl("http", "p.example", 1), "h.example", 443, timeout=3)
    assert caught.value.failure is Failure.PROXY_UNREACHABLE
    assert caught.value.facts["offender"] == "192.0.2.1" and "payload" not in caught.value.facts


async def test_tls_with_the_proxy_itself() -> None:
    network = Loopback()
    async with proxy(lambda _: OK) as (url, _):
        secure = ProxyUrl("https", "proxy.example", url.port)
        (await open_tunnel(network, secure, "host.example", 443, timeout=3)).close()
        with pytest.raises(NetError) as caught:
            await open_tunnel(
                network, ProxyUrl("https", "broken.example", url.port), "h.example", 443, timeout=3
            )
    assert network.greeted[0] == TlsSettings(server_name="proxy.example", verify_name="proxy.example")
    assert (caught.value.failure, caught.value.facts["because"]) == (Failure.PROXY_UNREACHABLE, "tls_not_tls")


@pytest.mark.parametrize("host", ["a\r\nX: y", "a b", "", "a/b", "ü.example"])
async def test_a_host_that_would_break_the_request(host: str) -> None:
    with pytest.raises(NetError) as caught:
        await open_tunnel(Loopback(), ProxyUrl("http", "p.example", 1), host, 443, timeout=1)
    assert caught.value.failure is Failure.PROTOCOL_ERROR


# --- logins -------------------------------------------------------------------------------------------


def authorization(request: str) -> str:
    return next(
        (line.partition(": ")[2] for line in request.split("\r\n") if line.startswith("Proxy-Au")), ""
    )


async def test_the_login_is_told_and_the_connection_is_kept() -> None:
    async with proxy(lambda asked: OK if "Proxy-Auth" in asked else denied('Basic realm="Gate\x9b1"')) as (
        url,
        _,
    ):
        stream = await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)
        stream.close()
    assert isinstance(stream, Tunnel)
    assert stream.facts == {"offered": ("Basic",), "realm": "Gate\ufffd1", "login": "Basic"}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_ntlm_goes_on_where_it_began(page: bytes, ntlm: Acceptor) -> None:
    connections: list[int] = []

    def answer(asked: str) -> bytes:
        connections.append(1)
        return ntlm.answer(authorization(asked), page)

    async with proxy(answer, "CORP\\jo") as (url, seen):
        stream = await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)
        stream.close()
    assert isinstance(stream, Tunnel)
    assert stream.facts == {"offered": ("NTLM",), "login": "NTLM", "mechanism": "ntlm"}
    assert [authorization(one).partition(" ")[0] for one in seen] == ["", "NTLM", "NTLM"]
    assert SECRET not in "".join(seen)


async def test_negotiate_with_a_password(ntlm: Acceptor) -> None:
    ntlm.scheme = "Negotiate"
    async with proxy(lambda asked: ntlm.answer(authorization(asked)), "CORP\\jo") as (url, _):
        stream = await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)
        stream.close()
    assert isinstance(stream, Tunnel)
    assert stream.facts == {"offered": ("Negotiate",), "login": "Negotiate", "mechanism": "ntlm"}


async def test_a_wrong_password_of_ntlm(ntlm: Acceptor) -> None:
    error = await refusal(lambda asked: ntlm.answer(authorization(asked)), user="CORP\\mallory")
    assert error.failure is Failure.PROXY_AUTH_REQUIRED
    assert error.facts == {"offered": ("NTLM",), "tried": "NTLM", "mechanism": "ntlm"}


async def test_a_handshake_whose_connection_is_closed(ntlm: Acceptor) -> None:
    page = b"Connection: close\r\n\r\n"
    error = await refusal(lambda asked: ntlm.answer(authorization(asked), page), user="CORP\\jo")
    assert error.failure is Failure.PROXY_AUTH_REQUIRED
    assert error.facts == {"offered": ("NTLM",), "tried": "NTLM", "closed": True}


@pytest.mark.parametrize("token", ["AAAA", "TlRMTVNTUAACAAAA", "=", "é", "A" * 20000])
async def test_a_handshake_of_rubbish(token: str) -> None:
    error = await refusal(lambda asked: denied(f"NTLM {token}" if "NTLM" in asked else "NTLM"))
    assert error.failure is Failure.PROXY_AUTH_REQUIRED


async def test_a_handshake_without_end(ntlm: Acceptor) -> None:
    token = ntlm.answer("NTLM " + base64.b64encode(BEGIN).decode()).split(b"NTLM ")[1].split(b"\r")[0]
    asked: list[str] = []

    def answer(request: str) -> bytes:
        asked.append(request)
        return denied(f"NTLM {token.decode()}")

    await refusal(answer)
    assert len(asked) < 8


async def test_what_this_host_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spnego", None)
    error = await refusal(lambda _: denied("NTLM"))
    assert error.failure is Failure.PROXY_AUTH_REQUIRED and error.facts["tried"] is None
    (lack,) = error.facts["lacks"]
    assert lack == "NTLM needs a library that is not installed: pip install 'readycheck[proxy]'"


async def test_what_cannot_be_tried_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spnego", None)
    async with proxy(lambda asked: OK if "Basic" in asked else denied("NTLM", "Basic")) as (url, _):
        (await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)).close()


async def test_a_stale_nonce_is_no_refusal() -> None:
    def answer(asked: str) -> bytes:
        if "fresh" in asked:
            return OK
        return denied(f'Digest realm="x", nonce="{"fresh" if "Digest" in asked else "old"}", stale=true')

    async with proxy(answer) as (url, seen):
        (await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)).close()
    assert len(seen) == 3 and 'uri="host.example:443"' in seen[2]


async def test_credentials_that_were_refused_are_not_sent_for_ever() -> None:
    access = Access()
    sent: list[str] = []

    def answer(asked: str) -> bytes:
        sent.append(authorization(asked))
        return denied("Basic")

    async with proxy(answer) as (url, _):
        for _ in range(4):
            with pytest.raises(NetError) as caught:
                await open_tunnel(Loopback(), url, "h.example", 443, timeout=3, access=access)
            assert caught.value.facts["tried"] == "Basic"
    assert len([one for one in sent if one]) == 2
    assert caught.value.facts["given_up"] is True


async def test_a_denial_after_a_login_is_no_wrong_password() -> None:
    access = Access()
    async with proxy(lambda asked: OK if "Proxy-A" in asked and "good" in asked else denied("Basic")) as (
        url,
        _,
    ):
        (await open_tunnel(Loopback(), url, "good.example", 443, timeout=3, access=access)).close()
        for _ in range(3):
            with pytest.raises(NetError) as caught:
                await open_tunnel(Loopback(), url, "h.example", 443, timeout=3, access=access)
            assert "given_up" not in caught.value.facts


@pytest.mark.parametrize(
    "page",
    [
        b"Connection: close\r\n\r\n",
        b"Content-Length: 99999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nrubbish\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20000,
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 20000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"a" * 20000,
        b"Content-Length: 5\r\n\r\nHTTP/",
    ],
)
async def test_a_page_that_cannot_be_skipped_costs_a_connection(page: bytes) -> None:
    head = b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n"
    async with proxy(lambda asked: OK if "Proxy-A" in asked else head + page) as (url, seen):
        (await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)).close()
    assert len(seen) == 2


async def test_a_page_that_never_comes_costs_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_talk, "_BODY_S", 0.05)
    head = b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\nContent-Length: 9\r\n\r\n"
    async with proxy(lambda asked: OK if "Proxy-A" in asked else head) as (url, _):
        (await open_tunnel(Loopback(), url, "host.example", 443, timeout=3)).close()


@settings(deadline=None, database=None, max_examples=300)
@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=60), max_size=6))
def test_any_head_is_survived(fields: list[str]) -> None:
    head = "\r\n".join(["HTTP/1.1 407 x", *fields, *[f"Proxy-Authenticate: {one}" for one in fields]])
    with suppress(NetError):
        offer = tunnel._offer(
            proxy_talk._read_head(head.encode(), b""), ProxyUrl("http", "p.example", 1, "u", SECRET)
        )
        assert len(offer["offered"]) <= 8 and str(offer.get("realm", "")).isprintable()
