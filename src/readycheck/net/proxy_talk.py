"""Requests to an HTTP proxy and its answers, on one connection as long as that one lives."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

from readycheck.failure import LOCAL_FAILURES, Failure
from readycheck.net.address import is_address
from readycheck.net.challenge import Challenge, parse
from readycheck.net.digest import Request
from readycheck.net.interface import NetError, Network, Stream, TlsSettings
from readycheck.net.proxy import ProxyUrl

_MAX_HEAD_BYTES = 32 << 10
_MAX_BODY_BYTES = 64 << 10
_BODY_S = 1.0  # what comes with a refusal is only read to keep the connection
_CHUNK = 4096
_ADDRESSES = 2
_STATUS = re.compile(r"HTTP/1\.([01]) (\d{3})(?: (.*))?")
_WORN = (Failure.CONNECTION_CLOSED, Failure.CONNECTION_RESET, Failure.PROTOCOL_ERROR)
"""What a connection that is used again may end in, whatever the proxy said of keeping it."""


class Unbound(Exception):
    """The connection is gone on which a login had begun."""


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    keeps: bool
    fields: tuple[tuple[str, str], ...]
    head: bytes
    rest: bytes

    @cached_property
    def challenges(self) -> tuple[Challenge, ...]:
        return parse(self.values("proxy-authenticate"))

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]


class Talk:
    """One request at one proxy, as often as a login needs it, on one connection as long as that one lives."""

    def __init__(
        self, network: Network, proxy: ProxyUrl, request: Request, host: str, timeout: float
    ) -> None:
        self.network, self.proxy, self.request, self.host = network, proxy, request, host
        self.deadline = _now() + timeout
        self._stream: Stream | None = None
        self._last: Answer | None = None

    @property
    def stream(self) -> Stream:
        assert self._stream is not None
        return self._stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = self._last = None

    async def ask(self, authorization: str | None = None, *, bound: bool = False) -> Answer:
        """Send it; one that is `bound` has to follow on the same connection, else a new one will do."""
        await self._settle()
        used = self._stream is not None
        if bound and not used:
            raise Unbound
        try:
            return await self._exchange(authorization)
        except NetError as error:
            if not used or error.failure not in _WORN:
                raise
            if bound:
                raise Unbound from None
        self.close()
        return await self._exchange(authorization)

    async def _exchange(self, authorization: str | None) -> Answer:
        if self._stream is None:
            self._stream = await _reach(self.network, self.proxy, self.deadline)
        await self._stream.write(
            _request(self.request, self.host, authorization), timeout=_left(self.deadline)
        )
        self._last = await _read_answer(self._stream, self.deadline)
        return self._last

    async def _settle(self) -> None:
        """Have done with the last answer, which may come with a page: what is not kept is closed."""
        if self._last is None or self._stream is None:
            return
        bodiless = self.request.method == "HEAD"  # whatever its answer says of a length
        try:
            kept = self._last.keeps and (
                bodiless or await _skip_body(self._stream, self._last, self.deadline)
            )
        except NetError:
            kept = False
        if not kept:
            self.close()


def _request(request: Request, host: str, authorization: str | None) -> bytes:
    lines = [f"{request.method} {request.uri} HTTP/1.1", f"Host: {host}", "User-Agent: readycheck"]
    if authorization is not None:
        lines.append(f"Proxy-Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


async def _read_answer(stream: Stream, deadline: float) -> Answer:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.read(_CHUNK, timeout=_left(deadline))
        if not more:
            failure = Failure.PROTOCOL_ERROR if data else Failure.CONNECTION_CLOSED
            raise NetError(failure, "the proxy closed the connection before its answer was complete")
        data += more
        if len(data) > _MAX_HEAD_BYTES or not (
            b"HTTP/1.".startswith(data[:7]) or data.startswith(b"HTTP/1.")
        ):
            raise NetError(Failure.PROTOCOL_ERROR, "the proxy's answer is not that of an HTTP proxy")
    head, _, rest = data.partition(b"\r\n\r\n")
    return _read_head(head, rest)


def _read_head(head: bytes, rest: bytes) -> Answer:
    status_line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    matched = _STATUS.fullmatch(status_line)
    if matched is None:
        raise NetError(Failure.PROTOCOL_ERROR, "the proxy's answer is not that of an HTTP proxy")
    pairs = (line.partition(":") for line in lines)
    fields = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    said = ",".join(value for name, value in fields if name in ("connection", "proxy-connection")).lower()
    keeps = "close" not in said if matched[1] == "1" else "keep-alive" in said
    return Answer(int(matched[2]), matched[3] or "", keeps, fields, head, rest)


async def _skip_body(stream: Stream, answer: Answer, deadline: float) -> bool:
    """Whether the body has an end within bounds that leaves the connection usable (RFC 9112 section 6)."""
    rest = _Rest(stream, answer.rest, min(deadline, _now() + _BODY_S))
    if "chunked" in ",".join(answer.values("transfer-encoding")).lower():
        return await _skip_chunks(rest)
    lengths = answer.values("content-length")
    if not lengths or not re.fullmatch(r"\d{1,6}", lengths[0]):
        return False
    return await rest.skip(int(lengths[0]))


async def _skip_chunks(rest: "_Rest") -> bool:
    while True:
        size = re.match(rb"\s*([0-9A-Fa-f]{1,6})\s*(?:;|$)", await rest.line())
        if size is None:
            return False
        if int(size[1], 16) == 0:
            while await rest.line():  # trailers
                pass
            return True
        if not await rest.skip(int(size[1], 16) + 2):
            return False


class _Rest:
    """What follows a head, read within bounds."""

    def __init__(self, stream: Stream, data: bytes, deadline: float) -> None:
        self._stream, self._data, self._deadline = stream, data, deadline
        self._left = _MAX_BODY_BYTES

    async def skip(self, count: int) -> bool:
        if count > self._left:
            return False
        while len(self._data) < count:
            await self._more()
        self._data = self._data[count:]
        self._left -= count
        return True

    async def line(self) -> bytes:
        while b"\r\n" not in self._data:
            if len(self._data) > _CHUNK:
                raise NetError(Failure.PROTOCOL_ERROR, "the proxy sends lines without an end")
            await self._more()
        line, _, self._data = self._data.partition(b"\r\n")
        self._left -= len(line) + 2
        if self._left < 0:
            raise NetError(Failure.PROTOCOL_ERROR, "the proxy sends pages without an end")
        return line

    async def _more(self) -> None:
        data = await self._stream.read(_CHUNK, timeout=_left(self._deadline))
        if not data:
            raise NetError(Failure.CONNECTION_CLOSED, "the proxy closed the connection")
        self._data += data


# --- the way to the proxy -----------------------------------------------------------------------------


async def _reach(network: Network, proxy: ProxyUrl, deadline: float) -> Stream:
    with _told_as_unreachable(proxy, "resolve"):
        addresses = (await network.resolve(proxy.host, timeout=_left(deadline))).addresses[:_ADDRESSES]
        if not addresses:
            raise NetError(Failure.DNS_NO_ANSWER, f"{proxy.host} has no address")
    stream = await _connect_to_any(network, proxy, addresses, deadline)
    if proxy.scheme == "http":
        return stream
    with ExitStack() as undo, _told_as_unreachable(proxy, "tls", proxy_address=stream.peer[0]):
        undo.callback(stream.close)
        name = None if is_address(proxy.host) else proxy.host
        settings = TlsSettings(server_name=name, verify_name=proxy.host)
        secured = await network.start_tls(stream, settings, timeout=_left(deadline))
        undo.pop_all()
        return secured


async def _connect_to_any(
    network: Network, proxy: ProxyUrl, addresses: tuple[str, ...], deadline: float
) -> Stream:
    *others, last = addresses
    for address in others:
        with suppress(NetError):
            return await network.connect((address, proxy.port), timeout=_left(deadline) / 2)
    with _told_as_unreachable(proxy, "connect", proxy_address=last):
        return await network.connect((last, proxy.port), timeout=_left(deadline))


@contextmanager
def _told_as_unreachable(proxy: ProxyUrl, stage: str, **known: str) -> Iterator[None]:
    try:
        yield
    except NetError as error:
        if error.failure in LOCAL_FAILURES:  # this host did it, whatever the proxy is like
            raise
        facts = {"because": error.failure.value, "stage": stage, **known}
        if "offender" in error.facts:
            facts["offender"] = error.facts["offender"]
        raise NetError(Failure.PROXY_UNREACHABLE, f"{proxy}: {stage}: {error}", facts) from error


def _now() -> float:
    return asyncio.get_running_loop().time()


def _left(deadline: float) -> float:
    left = deadline - _now()
    if left <= 0:
        raise NetError(Failure.TIMED_OUT, "the proxy is too slow")
    return left
