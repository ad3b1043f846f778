"""Fetching a proxy script: from a file or a real server, bounded in size and time."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from readycheck.failure import Failure
from readycheck.net.interface import NetError, Resolution, Stream, TlsSettings
from readycheck.net.pac_fetch import MAX_BYTES, FetchError, Place, fetch, place_of, text_of
from readycheck.net.system import NetworkOptions, SystemNetwork
from tests.probes.servers.tcp import TcpServer

SCRIPT = b"function FindProxyForURL(url, host) { return 'DIRECT'; }"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n"
Open = Callable[..., str]


class Names:
    """Every name is this host's, but for one that does not exist."""

    async def resolve(self, host: str, *, timeout: float) -> Resolution:
        if host == "nosuch.corp":
            raise NetError(Failure.DNS_NXDOMAIN, host)
        return Resolution(("127.0.0.1",), "test")


async def no_tls(stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream:
    raise NetError(Failure.TLS_NOT_TLS, "in this test")


@pytest.fixture
def network() -> SystemNetwork:
    return SystemNetwork(NetworkOptions(), Names(), no_tls)


@pytest.fixture
def opened() -> Iterator[Open]:
    """Starts a server that says `parts` and gives the URL of a script there; `heard` are the requests."""
    servers: list[TcpServer] = []

    def start(*parts: bytes, heard: list[bytes] | None = None, stay: bool = False) -> str:
        def serve(connection: socket.socket) -> None:
            request = connection.recv(65536)
            if heard is not None:
                heard.append(request)
            for part in parts:
                connection.sendall(part)
            if stay:
                connection.recv(1)

        servers.append(TcpServer(serve).__enter__())
        return f"http://wpad.corp:{servers[-1].endpoint[1]}/proxy.pac"

    yield start
    for server in servers:
        server.__exit__()


async def test_a_script_is_fetched(opened: Open, network: SystemNetwork) -> None:
    heard: list[bytes] = []
    url = opened(HEAD, b"Content-Length: %d\r\n\r\n" % len(SCRIPT), SCRIPT, heard=heard)
    assert await fetch(place_of(f"{url}?site=1"), network, timeout=3) == SCRIPT
    assert heard[0].startswith(b"GET /proxy.pac?site=1 HTTP/1.1\r\nHost: wpad.corp:")


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"\r\n", SCRIPT[:9], SCRIPT[9:]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(SCRIPT), SCRIPT)),
        (b"HTTP/1.0 200 OK\r\n\r\n" + SCRIPT,),
    ],
)
async def test_however_it_is_framed(opened: Open, network: SystemNetwork, parts: tuple[bytes, ...]) -> None:
    assert await fetch(place_of(opened(*parts)), network, timeout=3) == SCRIPT


async def test_redirects_are_followed(opened: Open, network: SystemNetwork) -> None:
    last = opened(HEAD + b"Content-Length: %d\r\n\r\n" % len(SCRIPT), SCRIPT)
    first = opened(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % last.encode())
    assert await fetch(place_of(first), network, timeout=3) == SCRIPT


@pytest.mark.parametrize(
    ("parts", "reason", "failure"),
    [
        ((b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",), "is not there (status 404)", None),
        ((b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",), "is not there (status 407)", None),
        ((HEAD + b"Content-Length: 52428800\r\n\r\n",), "is larger than 1 MB", None),
        ((HEAD + b"\r\n", *[b"/" * 65536] * 20), "is larger than 1 MB", None),
        ((b"SSH-2.0-OpenSSH\r\n",), "cannot be fetched (protocol_error)", Failure.PROTOCOL_ERROR),
        (
            (HEAD + b"Content-Length: 99\r\n\r\nfew",),
            "cannot be fetched (protocol_error)",
            Failure.PROTOCOL_ERROR,
        ),
        (
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40000,),
            "cannot be fetched (protocol_error)",
            Failure.PROTOCOL_ERROR,
        ),
        ((), "cannot be fetched (protocol_error)", Failure.PROTOCOL_ERROR),
        (
            (b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: file:///etc/passwd\r\n\r\n",),
            "is redirected to what is no URL of http or https",
            None,
        ),
        (
            (b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: /proxy.pac\r\n\r\n",),
            "is redirected more than 3 times",
            None,
        ),
    ],
)
async def test_what_goes_wrong_is_said(
    opened: Open, network: SystemNetwork, parts: tuple[bytes, ...], reason: str, failure: Failure | None
) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch(place_of(opened(*parts)), network, timeout=5)
    assert str(caught.value) == reason
    assert caught.value.failure == failure


async def test_a_server_that_never_ends_is_left(opened: Open, network: SystemNetwork) -> None:
    with pytest.raises(FetchError, match=r"^does not come within 0.3 s$|timed_out"):
        await fetch(place_of(opened(HEAD, b"\r\n", stay=True)), network, timeout=0.3)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://nosuch.corp/proxy.pac", "cannot be fetched (dns_nxdomain)"),
        ("http://127.0.0.1:1/proxy.pac", "cannot be fetched (connection_refused)"),
    ],
)
async def test_a_server_that_is_not_there(url: str, reason: str, network: SystemNetwork) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch(place_of(url), network, timeout=3)
    assert str(caught.value) == reason


async def test_tls_is_asked_for_with_https(opened: Open, network: SystemNetwork) -> None:
    url = opened(stay=True).replace("http:", "https:")
    with pytest.raises(FetchError, match=r"cannot be fetched \(tls_not_tls\)"):
        await fetch(place_of(url), network, timeout=3)


async def test_files_are_read(tmp_path: Path, network: SystemNetwork) -> None:
    file = tmp_path / "a b.pac"
    file.write_bytes(SCRIPT)
    assert await fetch(place_of(str(file)), network, timeout=1) == SCRIPT
    assert await fetch(place_of(file.as_uri()), network, timeout=1) == SCRIPT


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nosuch.pac", "does not exist"), (".", "is no file"), ("large.pac", "is larger than 1 MB")],
)
async def test_files_that_are_none(tmp_path: Path, network: SystemNetwork, name: str, reason: str) -> None:
    (tmp_path / "large.pac").write_bytes(b"/" * (MAX_BYTES + 1))
    with pytest.raises(FetchError) as caught:
        await fetch(place_of(str(tmp_path / name)), network, timeout=1)
    assert str(caught.value) == reason


async def test_a_pipe_is_not_waited_for(network: SystemNetwork) -> None:
    with pytest.raises(FetchError, match="is no file"):
        await fetch(place_of("/dev/zero"), network, timeout=1)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("http://a/p.pac", Place("http://a/p.pac")),
        ("file:///etc/p.pac", Place("/etc/p.pac")),
        ("file:///C:/p%20q.pac", Place("C:/p q.pac")),
        ("C:\\p.pac", Place("C:\\p.pac")),
        ("./p.pac", Place("./p.pac")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text", ["", " ", "a\0b", "a\nb", "ftp://a/p.pac", "http://", "file:", "http://a:0/", "http://a:x/"]
)
def test_what_names_no_place(text: str) -> None:
    with pytest.raises(ValueError):
        place_of(text)


def test_credentials_are_not_shown() -> None:
    assert place_of("http://user:secret@a:8080/p.pac?x=1").shown == "http://a:8080/p.pac?x=1"


def test_letters_are_read_as_browsers_do() -> None:
    assert text_of(b"\xef\xbb\xbfa\xc3\xbc") == "a\u00fc"
    assert text_of(b"caf\xe9") == "caf\u00e9"
