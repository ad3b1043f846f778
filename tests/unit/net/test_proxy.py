"""Proxies: finding them, reading their URLs, and tunnels through fakes on loopback."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net import proxy as module
from readycheck.net.interface import (
    Capability,
    Datagrams,
    Endpoint,
    NetError,
    Resolution,
    Shown,
    Stream,
    TlsFacts,
    TlsSettings,
)
from readycheck.net.proxy import (
    ProxyChoice,
    ProxyUrl,
    choose,
    discover,
    is_exempt,
    open_tunnel,
    parse_proxy,
)
from readycheck.net.stream import open_stream

SECRET = "s3cret"
OK = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def denied(*schemes: str, status: str = "407 Proxy Authentication Required") -> bytes:
    fields = "".join(f"Proxy-Authenticate: {scheme}\r\n" for scheme in schemes)
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n".encode()


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
        self,
        to: Endpoint,
        *,
        timeout: float,
        ttl: int | None = None,
        source_port: int = 0,
        max_segment: int | None = None,
    ) -> Stream:
        return await open_stream(to, timeout=timeout)

    async def tunnel(self, host: str, port: int, *, timeout: float) -> Stream:
        raise NotImplementedError

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        self.greeted.append(settings)
        if settings.server_name == "broken.example":
            raise NetError(Failure.TLS_NOT_TLS)
        return stream

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        raise NotImplementedError

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
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


@asynccontextmanager
async def proxy(answer: Callable[[str], bytes | None]) -> AsyncIterator[tuple[ProxyUrl, list[str]]]:
    """A proxy that answers each request as told (None: not at all), then echoes."""
    seen: list[str] = []
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with suppress(OSError, EOFError):
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
            reply = answer(seen[-1])
            writer.write(reply or b"")
            while reply is not None and (data := await reader.read(4096)):
                writer.write(data)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield ProxyUrl("http", "proxy.example", port, "user", SECRET), seen
    finally:
        listener.close()
        for task in filter(None, tasks):
            await task


async def refusal(answer: Callable[[str], bytes | None], *, timeout: float = 3) -> NetError:
    async with proxy(answer) as (url, _):
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
    assert error.facts == {"offered": ("Basic",), "tried": "Basic"}


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        (("NTLM", "Negotiate"), ("NTLM", "Negotiate")),
        (('Digest realm="Basic, x", nonce="a=", qop="auth"', "Negotiate"), ("Digest", "Negotiate")),
        (('Digest realm="x", algorithm=MD5, NTLM',), ("Digest", "NTLM")),
        ((), ()),
    ],
)
async def test_credentials_are_kept_from_a_proxy_that_wants_others(
    fields: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    error = await refusal(lambda _: denied(*fields))
    assert error.failure is Failure.PROXY_AUTH_REQUIRED
    assert error.facts == {"offered": offered, "tried": None}


async def test_an_offer_that_echoes_the_credentials_is_not_told() -> None:
    def answer(asked: str) -> bytes:
        if "Proxy-Auth" not in asked:
            return denied("Basic")
        return denied("Basic", asked.partition("Basic ")[2].split()[0].rstrip("="), f"x-{SECRET}-y", "NTLM")

    assert (await refusal(answer)).facts == {"offered": ("Basic", "NTLM"), "tried": "Basic"}


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


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("http://p.example:8080", ProxyUrl("http", "p.example", 8080)),
        ("p.example:3128", ProxyUrl("http", "p.example", 3128)),
        ("HTTPS://P.example/", ProxyUrl("https", "p.example", 443)),
        ("http://[2001:db8::1]:81", ProxyUrl("http", "2001:db8::1", 81)),
        ("http://us%40er:p%3Aw@p.example", ProxyUrl("http", "p.example", 80, "us@er", "p:w")),
    ],
)
def test_proxy_urls(url: str, parsed: ProxyUrl) -> None:
    found = parse_proxy(url)
    assert found == parsed
    assert "p:w" not in f"{found} {found!r}" and "us@er" not in f"{found} {found!r}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        f"socks5://user:{SECRET}@p.example",
        f"http://user:{SECRET}",
        f"http://user:{SECRET}@p.example:99999",
        f"http://user:{SECRET}@p.example:0",
        f"http://user:{SECRET}@p.example/path",
        f"http://user:{SECRET}@p.exa mple",
        f"http://user:{SECRET}@[::1",
        f"file:///{SECRET}@x\n\x1b",
    ],
)
def test_unusable_urls_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--proxy: [^\n]*$") as caught:
        parse_proxy(url)
    assert SECRET not in str(caught.value) and str(caught.value).isprintable()


@settings(deadline=None, database=None, max_examples=300)
@given(st.text(max_size=80))
def test_any_url_is_read_or_refused(url: str) -> None:
    try:
        parse_proxy(url)
    except UsageError as error:
        assert str(error).isprintable()


def test_the_environment_names_proxies() -> None:
    environ = {"HTTPS_PROXY": "http://a", "https_proxy": "http://b", "ALL_PROXY": "c", "HTTP_PROXY": "d"}
    assert discover(environ) == {"http": "d", "https": "http://b", "all": "c"}
    assert discover({**environ, "REQUEST_METHOD": "GET"}) == {"https": "http://b", "all": "c"}
    assert discover({**environ, "NO_PROXY": "*"}) == {}
    assert discover({"http_proxy": ""}) == {}


@pytest.mark.parametrize(
    ("host", "exempt"),
    [
        ("host.test", False),
        ("example.com", True),
        ("a.example.com.", True),
        ("badexample.com", False),
        ("x.dotted.test", True),
        ("y.starred.test", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.1", True),
        ("2001:db8::1", False),
    ],
)
def test_no_proxy_is_honoured(host: str, exempt: bool) -> None:
    rules = "Example.com, .dotted.test,*.starred.test,10.0.0.0/8,192.0.2.1,,"
    found = choose("auto", {"all_proxy": "p", "NO_PROXY": rules})
    assert is_exempt(host, found.exempt) is exempt
    assert is_exempt(host, ("other.test", "*"))
    assert not is_exempt(host, ())


def test_what_the_option_comes_to() -> None:
    environ = {"HTTPS_PROXY": "http://a:81", "all_proxy": "http://b:82", "no_proxy": "x.test"}
    assert choose("none", environ) == ProxyChoice()
    assert choose("auto", environ) == ProxyChoice(ProxyUrl("http", "a", 81), "environment", ("x.test",))
    assert choose("http://u:p@c:83", environ) == ProxyChoice(ProxyUrl("http", "c", 83, "u", "p"), "--proxy")
    assert choose("auto", {"all_proxy": "http://b:82"}).proxy == ProxyUrl("http", "b", 82)
    for unusable in (
        {},
        {"http_proxy": "http://a"},
        {**environ, "no_proxy": "*"},
        {"all_proxy": "socks5://b"},
    ):
        assert choose("auto", unusable) == ProxyChoice()
    with pytest.raises(UsageError, match="--proxy"):
        choose("socks5://c", {})


def test_a_proxy_goes_by_its_place() -> None:
    assert parse_proxy("http://user:pass@p.example:8080").place == "p.example:8080"
    assert parse_proxy("http://[2001:db8::1]:81").place == "[2001:db8::1]:81"


@settings(deadline=None, database=None, max_examples=300)
@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=60), max_size=6))
def test_any_head_is_survived(fields: list[str]) -> None:
    head = "\r\n".join(["HTTP/1.1 407 x", *fields, *[f"Proxy-Authenticate: {one}" for one in fields]])
    with pytest.raises(NetError) as caught:
        module._judge(head, ProxyUrl("http", "p.example", 1), None)
    assert len(caught.value.facts.get("offered", ())) <= 8
