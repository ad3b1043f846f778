"""Who gets an answer, and what it looks like on the wire."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest

from readycheck.web import server as module
from readycheck.web.access import Access
from readycheck.web.server import Answer, Request, Server

GET = "GET /page?a=b HTTP/1.1\r\nHost: 127.0.0.1:10478\r\n{0}\r\n"


async def echo(request: Request) -> Answer:
    return Answer(HTTPStatus.OK, f"{request.path} {request.query} {request.headers.get('x', '')}\n")


@asynccontextmanager
async def serving(
    pages: Callable[[Request], Awaitable[Answer]] = echo, *, local: bool = True, access: Access | None = None
) -> AsyncIterator[Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]]:
    served = Server(pages, local=local, access=access)
    listening = await asyncio.start_server(served.attend, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        served.end()
        listening.close()


async def ask(text: str, *, local: bool = True, access: Access | None = None) -> str:
    """All that comes until the server closes."""
    async with serving(local=local, access=access) as connect:
        reader, writer = await connect()
        writer.write(text.encode("latin-1"))
        got = (await reader.read()).decode()
        writer.close()
        return got


def close(*headers: str) -> str:
    return GET.format("".join(f"{line}\r\n" for line in ("Connection: close", *headers)))


async def test_an_answer_has_its_length_and_kind() -> None:
    head, _, body = (await ask(close("X: y"))).partition("\r\n\r\n")
    assert body == "/page a=b y\n"
    assert head.startswith("HTTP/1.1 200 OK\r\nDate: ")
    assert {"Content-Type: text/plain; charset=utf-8", "Content-Length: 12"} <= set(head.split("\r\n"))


async def test_a_connection_serves_again() -> None:
    got = await ask(GET.format("") + GET.format("X: 2\r\n") + close("X: 3"))
    assert got.count("HTTP/1.1 200 OK") == 3 and got.endswith("/page a=b 3\n")


async def test_who_has_no_login_sees_no_page() -> None:
    bcrypt = pytest.importorskip("bcrypt")
    access = Access(users={"prom": bcrypt.hashpw(b"geheim", bcrypt.gensalt(4)).decode()})
    head, _, body = (await ask(close(), access=access)).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 401 Unauthorized\r\n") and body == "a name and a password are wanted\n"
    assert 'WWW-Authenticate: Basic realm="readycheck", charset="UTF-8"' in head.split("\r\n")
    told = b64encode(b"prom:geheim").decode()
    assert "200 OK" in await ask(close(f"Authorization: Basic {told}"), access=access)


async def test_a_head_has_no_body() -> None:
    got = await ask(close().replace("GET", "HEAD"))
    assert got.endswith("\r\n\r\n") and "Content-Length: 11" in got


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (close().replace("GET", "POST"), "405 Method Not Allowed"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", "413 "),
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "a" * 50_000, "431 "),
        (close("Sec-Fetch-Site: cross-site"), "403 Forbidden"),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 Bad Request"),
    ],
)
async def test_what_is_refused(request_text: str, status: str) -> None:
    assert (await ask(request_text)).startswith(f"HTTP/1.1 {status}")


@pytest.mark.parametrize(
    ("host", "local", "answered"),
    [
        ("localhost", True, True),
        ("LOCALHOST:1", True, True),
        ("127.9.9.9:10478", True, True),
        ("[::1]:10478", True, True),
        ("attacker.example", True, False),
        ("127.0.0.1.attacker.example", True, False),
        ("localhost.attacker.example:10478", True, False),
        ("192.0.2.1", True, False),
        ("exporter.example", False, True),
    ],
)
async def test_a_name_that_points_here_is_not_enough(host: str, local: bool, answered: bool) -> None:
    got = await ask(close().replace("127.0.0.1:10478", host), local=local)
    assert got.startswith("HTTP/1.1 200 OK" if answered else "HTTP/1.1 421 Misdirected Request")


@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHost: loc", GET.format("")])
async def test_who_is_slow_is_left(monkeypatch: pytest.MonkeyPatch, begun: str) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    async with asyncio.timeout(5):
        await ask(begun)


async def test_who_takes_no_answer_is_left_with_what_was_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    size, left = 32 << 20, asyncio.Event()

    async def large(request: Request) -> Answer:
        return Answer(HTTPStatus.OK, "x" * size)

    class Watched(Server):
        async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await super().attend(reader, writer)
            left.set()

    served = Watched(large, local=True)
    async with asyncio.timeout(20), await asyncio.start_server(served.attend, "127.0.0.1", 0) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        writer.write(close().encode())
        await left.wait()
        taken = 0
        with suppress(ConnectionError):
            while part := await reader.read(1 << 20):
                taken += len(part)
        assert taken < size, "what nobody takes would be kept for ever, and its socket with it"
        writer.close()


async def test_who_leaves_in_the_middle_is_no_trouble() -> None:
    async with serving() as connect:
        for begun in ("", "GET", GET.format("")):
            _, writer = await connect()
            writer.write(begun.encode())
            writer.close()
        reader, writer = await connect()
        writer.write(close().encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_more_than_so_many_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    waiting, let_go = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> Answer:
        waiting.set()
        await let_go.wait()
        return await echo(request)

    async with serving(hold) as connect:
        reader, writer = await connect()
        writer.write(close().encode())
        await waiting.wait()
        other, second = await connect()
        assert await other.read() == b""
        let_go.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        second.close()
