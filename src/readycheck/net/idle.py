"""A connection to a responder that is left idle: whether the far end still comes through when it speaks first."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from readycheck.failure import Failure
from readycheck.net.certificate import refuse_another
from readycheck.net.interface import Endpoint, Held, NetError, Network, Stream, TlsSettings
from readycheck.wire.far_end import ANSWERS, REQUEST_SIZE, Kind, Message, pack_message, unpack_message

_PATIENCE_S = 3.0
LATE_S = 7.0
"""Five repetitions of a lost segment (RFC 6298) fit into it."""
_LONGEST_FRAME = 1500
_CHUNK = 4096
_ENDINGS = (Failure.CONNECTION_RESET, Failure.CONNECTION_CLOSED)


async def hold(
    network: Network, to: Endpoint, pauses_s: Sequence[float], *, secure: bool, key: bytes
) -> Held:
    """One pause after the other, until one is not outlived. Raises `NetError` when the far end grants none.

    It does so, too, where somebody opens TLS on the way: the connection that would be left idle is theirs.
    Nothing keeps the connection alive meanwhile: sockets have no keep-alives unless they are asked for.
    """
    stream = await network.connect(to, timeout=_PATIENCE_S)
    try:
        if secure:
            # What is asked says nothing to anybody; that it is the responder's TLS is told by its greeting.
            stream = await network.start_tls(stream, TlsSettings(verify=False), timeout=_PATIENCE_S)
        line = _Line(stream, key)
        hello = await line.ask(Kind.HELLO, {})
        if stream.tls is not None:
            refuse_another(stream.tls, hello.get("pin"))
        outlived_s = 0.0
        for pause_s in pauses_s:
            held = await _pause(line, {"cookie": hello.get("cookie"), "seconds": pause_s}, outlived_s)
            outlived_s = held.outlived_s
            if not held.rang:
                break
        return held
    finally:
        stream.close()


async def _pause(line: "_Line", wanted: Mapping[str, Any], before_s: float) -> Held:
    granted = (await line.ask(Kind.HOLD, wanted)).get("seconds")
    if not isinstance(granted, int | float) or not granted >= wanted["seconds"] - 0.5:
        raise NetError(Failure.RESPONDER_REFUSED, "the responder holds connections for a shorter time only")
    began_s = asyncio.get_running_loop().time()

    def passed_s() -> float:
        return asyncio.get_running_loop().time() - began_s

    try:
        await line.hear(Kind.HELD, timeout=wanted["seconds"] + LATE_S)
    except NetError as error:
        if error.failure in _ENDINGS:
            return Held(
                rang=False, outlived_s=before_s, ended=error.failure, ended_after_s=round(passed_s(), 3)
            )
        if error.failure is not Failure.TIMED_OUT:
            raise
        return await _called_back(line, before_s)
    return Held(rang=True, outlived_s=before_s + passed_s())


async def _called_back(line: "_Line", before_s: float) -> Held:
    """The far end was not heard: does it come through once this host speaks?"""
    try:
        await line.ask(Kind.HELLO, {})
    except NetError as error:
        return Held(rang=False, outlived_s=before_s, ended=error.failure)
    return Held(rang=False, outlived_s=before_s, revived=True)


@dataclass(slots=True)
class _Line:
    """Control messages over one connection, each behind its length (RFC 4571)."""

    stream: Stream
    key: bytes
    _data: bytearray = field(default_factory=bytearray)

    async def ask(self, kind: Kind, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises `NetError`."""
        request = pack_message(kind, body, self.key, size=REQUEST_SIZE)
        await self.stream.write(len(request).to_bytes(2, "big") + request, timeout=_PATIENCE_S)
        answer = await self.hear(*ANSWERS[kind], timeout=_PATIENCE_S)
        if answer.kind is Kind.REFUSED:
            raise NetError(Failure.RESPONDER_REFUSED, str(answer.body.get("because", ""))[:200])
        return answer.body

    async def hear(self, *kinds: Kind, timeout: float) -> Message:
        """The next message of these kinds. Raises `NetError`."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = await self._next(timeout)
                    if message.kind in kinds:
                        return message
        except TimeoutError:
            raise NetError(Failure.TIMED_OUT, f"the responder does not answer within {timeout:g} s") from None

    async def _next(self, timeout: float) -> Message:
        while len(self._data) < (size := 2 + int.from_bytes(self._data[:2], "big")) or size == 2:
            if size > _LONGEST_FRAME:
                raise NetError(Failure.PROTOCOL_ERROR, f"a frame of {size} bytes")
            more = await self.stream.read(_CHUNK, timeout=timeout)
            if not more:
                raise NetError(Failure.CONNECTION_CLOSED, "the connection was closed")
            self._data += more
        frame = bytes(self._data[2:size])
        del self._data[:size]
        try:
            return unpack_message(frame, self.key)
        except ValueError as error:
            raise NetError(Failure.PROTOCOL_ERROR, f"no message of a responder: {error}") from None
