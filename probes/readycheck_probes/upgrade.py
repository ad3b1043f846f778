"""A WebSocket on a stream that is already open: the protocol is that of `websockets`, the clock is ours."""

import re
import secrets
from collections.abc import Callable
from contextlib import suppress

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from readycheck.probe import Failure, NetError, Stream
from readycheck_probes.hostile import tame

USER_AGENT = "readycheck"
SWITCHING_PROTOCOLS = 101
MAX_HEAD_BYTES = 32 * 1024
MAX_MESSAGE_BYTES = 64 * 1024
MAX_RECEIVED_BYTES = 128 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)[ \r\n]")
_END_OF_HEAD = b"\r\n\r\n"
_NORMAL_CLOSURE = 1000
_READ_BYTES = 16 * 1024
_WRITE_MS = 1000.0


class WebSocket:
    """A client that offers no extension, so that nothing that comes in can unfold.

    `heard_ms` is when the other side was last heard of, the end of the connection included. What goes wrong is
    a `NetError`; a farewell by WebSocket's own rules has its code as the fact `close_code`.
    """

    def __init__(self, url: str, stream: Stream, now_ms: Callable[[], float]) -> None:
        self._protocol = ClientProtocol(parse_uri(url), max_size=MAX_MESSAGE_BYTES)
        self._stream = stream
        self._now_ms = now_ms
        self._received = 0
        self._awaited = b""
        self._early = b""
        self.heard_ms = now_ms()

    async def upgrade(self, deadline_ms: float) -> int:
        """Ask to switch protocols; the status of the answer, whose body is not read."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._protocol.send_request(request)
        await self._flush(deadline_ms)
        head, self._early = await self._head(deadline_ms)
        found = _STATUS.match(head)
        if found is None:
            raise NetError(Failure.PROTOCOL_ERROR, "what answers the upgrade is not HTTP")
        if int(found[1]) == SWITCHING_PROTOCOLS:
            await self._take(head)
        return int(found[1])

    async def listen(self, until_ms: float) -> None:
        """Take what comes until then."""
        while await self._receive(until_ms):
            pass

    async def ping(self, deadline_ms: float) -> float:
        """Ask for a sign of life; the milliseconds until it came."""
        self._awaited, began_ms = secrets.token_bytes(8), self._now_ms()
        self._protocol.send_ping(self._awaited)
        await self._flush(deadline_ms)
        while self._awaited:
            if not await self._receive(deadline_ms):
                raise NetError(Failure.TIMED_OUT, "no pong came back")
        return self.heard_ms - began_ms

    async def part(self) -> None:
        """Say farewell, without waiting for the other side's."""
        self._protocol.send_close(_NORMAL_CLOSURE)
        await self._flush(self._now_ms() + _WRITE_MS)

    async def _head(self, deadline_ms: float) -> tuple[bytes, bytes]:
        """The answer as far as its empty line, and what came along with it."""
        data = b""
        while _END_OF_HEAD not in data:
            more = await self._stream.read(_READ_BYTES, timeout=self._left_s(deadline_ms))
            if not more:
                failure = Failure.PROTOCOL_ERROR if data else Failure.CONNECTION_CLOSED
                raise NetError(failure, "closed before the end of an answer")
            data, self.heard_ms = data + more, self._now_ms()
            if len(data) > MAX_HEAD_BYTES:
                raise NetError(Failure.PROTOCOL_ERROR, f"more than {MAX_HEAD_BYTES} bytes of headers")
        size = data.index(_END_OF_HEAD) + len(_END_OF_HEAD)
        return data[:size], data[size:]

    async def _receive(self, until_ms: float) -> bool:
        """Handle the next bytes; False when there were none until then."""
        if self._early:
            data, self._early = self._early, b""
            await self._take(data)
            return True
        try:
            data = await self._stream.read(_READ_BYTES, timeout=self._left_s(until_ms))
        except NetError as error:
            if error.failure is Failure.TIMED_OUT:
                return False
            self.heard_ms = self._now_ms()
            raise
        self.heard_ms = self._now_ms()
        if not data:
            raise NetError(Failure.CONNECTION_CLOSED, "the connection was closed without a farewell")
        await self._take(data)
        return True

    async def _take(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_RECEIVED_BYTES:
            raise NetError(
                Failure.PROTOCOL_ERROR, f"more than {MAX_RECEIVED_BYTES} bytes that nobody asked for"
            )
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.PONG and event.data == self._awaited:
                self._awaited = b""
        ended = self._ended()
        if ended is None:
            await self._flush(self._now_ms() + _WRITE_MS)
            return
        with suppress(NetError):  # the other side may be gone
            await self._flush(self._now_ms() + _WRITE_MS)
        raise ended

    def _ended(self) -> NetError | None:
        """Why there is no connection any more."""
        protocol = self._protocol
        wrong = protocol.handshake_exc or protocol.parser_exc
        if wrong is not None:
            return NetError(Failure.PROTOCOL_ERROR, tame(str(wrong)) or "")
        if protocol.close_rcvd is None:
            return None
        code, reason = protocol.close_rcvd.code, tame(protocol.close_rcvd.reason) or ""
        detail = f"the other side closes with code {code}"
        return NetError(Failure.CONNECTION_CLOSED, detail, {"close_code": code, "close_reason": reason})

    async def _flush(self, deadline_ms: float) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            await self._stream.write(data, timeout=self._left_s(deadline_ms))

    def _left_s(self, deadline_ms: float) -> float:
        return max(0.0, deadline_ms - self._now_ms()) / 1000
