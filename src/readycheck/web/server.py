"""HTTP/1.1 (RFC 9112) for a few pages, with h11: bounded in size, time and number, and for whom it is meant."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import h11

from readycheck.net.guard import is_loopback
from readycheck.web.access import Access

CONNECTIONS = 64
PATIENCE_S = 10.0
"""For a whole request, and for taking the answer."""

_LONGEST_HEAD = 16 * 1024
_READ = 1 << 14
_ELSEWHERE = frozenset({"cross-site", "same-site"})
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """`query` is what follows the question mark, as it came; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    status: HTTPStatus
    text: str
    kind: str = _PLAIN


Pages = Callable[[Request], Awaitable[Answer]]


class Server:
    """Answers what `pages` has; with `local`, only who asks this machine for one of its own names."""

    def __init__(self, pages: Pages, *, local: bool, access: Access | None = None) -> None:
        self._pages = pages
        self._local = local
        self._access = access or Access()
        self._open: set[asyncio.Task[None]] = set()

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; for `asyncio.start_server`."""
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._open) >= CONNECTIONS:
                return
            self._open.add(task)
            # What is cancelled ends here: Python 3.11 complains of connections whose task was.
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                if self._access.tls:
                    # Here, where it is counted; and before anything is awaited, by when its bytes would have been read.
                    await writer.start_tls(self._access.tls, ssl_handshake_timeout=PATIENCE_S)
                writer.transport.set_write_buffer_limits(0)  # so that an answer is out when `drain` returns
                await self._talk(reader, writer)
                async with asyncio.timeout(PATIENCE_S):  # TLS has an end of its own to say
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.discard(task)
            # Closing alone would wait for ever until somebody takes what is left, uncounted among those that are open.
            writer.transport.abort()

    def end(self) -> None:
        for task in self._open:
            task.cancel()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    asked = await _asked(connection, reader)
            except h11.RemoteProtocolError as error:
                await _send(connection, writer, _refusal(HTTPStatus(error.error_status_hint), str(error)))
                return
            if asked is None:
                return
            await _send(connection, writer, await self._answer(asked), head=asked.method == "HEAD")
            if connection.our_state is not h11.DONE:  # it was asked to close
                return
            connection.start_next_cycle()

    async def _answer(self, request: Request) -> Answer:
        if self._local and not _is_local(request.headers.get("host", "")):
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "this machine is not called that")
        if request.headers.get("sec-fetch-site") in _ELSEWHERE:
            return _refusal(HTTPStatus.FORBIDDEN, "not for pages of others")
        if request.method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
        if not await self._access.admits(request.headers.get("authorization", "")):
            return _refusal(HTTPStatus.UNAUTHORIZED, "a name and a password are wanted")
        return await self._pages(request)


def _refusal(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, f"{why}\n")


def _is_local(host: str) -> bool:
    """A page of somebody else's may have its own name point here: its name is what betrays it."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or is_loopback(name)


async def _asked(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next request, without its body, which nothing here wants; None when there is none to come."""
    found: Request | None = None
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ))
            case h11.Request() as event:
                found = _request(event)
            case h11.Data():
                raise h11.RemoteProtocolError("a body is not wanted", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            case h11.EndOfMessage():
                return found
            case _:
                return None


def _request(event: h11.Request) -> Request:
    path, _, query = event.target.decode("ascii").partition("?")
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
    return Request(event.method.decode("ascii"), path, query, headers)


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, *, head: bool = False
) -> None:
    body = answer.text.encode()
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", answer.kind),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD"))
    if answer.status is HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", 'Basic realm="readycheck", charset="UTF-8"'))
    start = h11.Response(status_code=answer.status, headers=headers, reason=answer.status.phrase.encode())
    parts = (start, h11.EndOfMessage()) if head else (start, h11.Data(data=body), h11.EndOfMessage())
    writer.write(b"".join(connection.send(part) or b"" for part in parts))
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()
