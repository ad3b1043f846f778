"""What the caller says to the responder over TCP or TLS: the handshake, the offer, and how the call goes there."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from readycheck.failure import Failure
from readycheck.net.interface import NetError, Stream
from readycheck.wire.far_end import (
    ANSWERS,
    REQUEST_SIZE,
    Kind,
    Message,
    is_control,
    pack_message,
    unpack_message,
)

_LONGEST = 1500
_CHUNK = 1 << 14
_LONG_S = 3600.0
_WRITE_S = 5.0


@dataclass(slots=True)
class Signalling:
    """One connection: questions one after the other, and in `media` what else comes in frames (RFC 4571)."""

    stream: Stream
    key: bytes
    media: Callable[[bytes], None] = lambda data: None
    _answers: asyncio.Queue[Message | None] = field(default_factory=asyncio.Queue)
    _data: bytearray = field(default_factory=bytearray)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _is_cut: bool = False

    async def listen(self) -> None:
        """For a task of its own, until the connection ends or is no responder's."""
        with suppress(NetError):
            while data := await self.stream.read(_CHUNK, timeout=_LONG_S):
                self._data += data
                if not self._take():
                    break
        self._answers.put_nowait(None)

    def _take(self) -> bool:
        """All whole frames; False for what is none."""
        while len(self._data) >= 2:
            size = int.from_bytes(self._data[:2], "big")
            if not 0 < size <= _LONGEST:
                return False
            if len(self._data) < 2 + size:
                return True
            frame = bytes(self._data[2 : 2 + size])
            del self._data[: 2 + size]
            self._sort(frame)
        return True

    def _sort(self, frame: bytes) -> None:
        if not is_control(frame):
            self.media(frame)
            return
        with suppress(ValueError):
            self._answers.put_nowait(unpack_message(frame, self.key))

    async def ask(self, kind: Kind, body: Mapping[str, Any], *, timeout: float) -> Message:
        """The answer to a question. Raises `NetError`."""
        try:
            async with asyncio.timeout(timeout):
                await self.write_frame(pack_message(kind, body, self.key, size=REQUEST_SIZE))
                while (answer := await self._answers.get()) is not None:
                    if answer.kind in ANSWERS[kind]:
                        return answer
        except TimeoutError:
            raise NetError(Failure.TIMED_OUT, f"no answer to {kind.name}") from None
        self._answers.put_nowait(None)  # for who asks next
        raise NetError(Failure.CONNECTION_CLOSED, f"the connection ended before {kind.name} was answered")

    async def write_frame(self, frame: bytes) -> None:
        await self.write(len(frame).to_bytes(2, "big") + frame)

    async def write(self, framed: bytes) -> None:
        """One after the other; what was cut short would be the begin of the next. Raises `NetError`."""
        async with self._writing:
            if self._is_cut:
                raise NetError(Failure.CONNECTION_CLOSED, "an earlier message was cut short")
            self._is_cut = True
            await self.stream.write(framed, timeout=_WRITE_S)
            self._is_cut = False

    def close(self) -> None:
        self.stream.close()


async def greet(line: Signalling, *, timeout: float) -> Mapping[str, Any]:
    """What it tells, with the `cookie` that proves this host's address. A silent one may have another key."""
    try:
        told = (await line.ask(Kind.HELLO, {}, timeout=timeout)).body
        if "cookie" not in told:
            raise NetError(Failure.PROTOCOL_ERROR, "the responder's greeting has no cookie")
        return told
    except NetError as error:
        if error.failure is not Failure.TIMED_OUT:
            raise
        why = "it wants another key than --responder-key" if line.key else "it wants a key (--responder-key)"
        detail = f"the port is open, and the greeting got no answer: {why}, or it is no responder"
        raise NetError(Failure.TIMED_OUT, detail, {"far_end": True}) from None


async def offer(line: Signalling, body: Mapping[str, Any], *, timeout: float) -> Mapping[str, Any]:
    """What the responder says of itself."""
    answer = await line.ask(Kind.OFFER, body, timeout=timeout)
    if answer.kind is Kind.REFUSED:
        because = str(answer.body.get("because", ""))[:200]
        raise NetError(Failure.RESPONDER_REFUSED, f"the responder refused: {because}", {"far_end": True})
    return answer.body
