"""What monitoring asks of the responder: counts in Prometheus' text format 0.0.4, over HTTP."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from readycheck.render.exposition import TEXT, Family, expose
from readycheck.responder.channel import Channel

Page = Callable[[], str]

_PATIENCE_S = 5.0
_LONGEST = 8192


class Figure(NamedTuple):
    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    value: int


def render(figures: Iterable[Figure]) -> str:
    families = (Family(one.name, one.meaning, [({}, one.value)], one.kind) for one in figures)
    return expose(families, "readycheck_responder_")


async def answer_scraper(channel: Channel, text: Page) -> None:
    """One request, one answer; slow or endless ones get none."""
    request = b""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while b"\r\n\r\n" not in request and len(request) <= _LONGEST:
                data = await channel.read()
                if not data:
                    return
                request += data
            await channel.write(_answer(request, text))
    except (OSError, TimeoutError):
        return


def _answer(request: bytes, text: Page) -> bytes:
    method, _, rest = request.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if b"\r\n\r\n" not in request or method not in (b"GET", b"HEAD"):
        return _response("400 Bad Request", "", head=False)
    if path != b"/metrics":
        return _response("404 Not Found", "see /metrics\n", head=method == b"HEAD")
    return _response("200 OK", text(), head=method == b"HEAD")


def _response(status: str, body: str, *, head: bool) -> bytes:
    payload = body.encode()
    start = (
        f"HTTP/1.1 {status}\r\nContent-Type: {TEXT}\r\n"
        f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    return start.encode() + (b"" if head else payload)
