"""One TCP connection: TLS or clear by its first byte, and in it control messages, streams, STUN or SIP.

Control messages and packets of streams stand behind a length of two bytes (as in RFC 4571); STUN and SIP frame
themselves.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from readycheck.net.headers import Headers
from readycheck.net.interface import Endpoint
from readycheck.responder.calls import Calls, Placed
from readycheck.responder.channel import Channel, TlsChannel
from readycheck.responder.control import Control, Said
from readycheck.responder.hold import Hold
from readycheck.responder.identity import Identity
from readycheck.responder.load import Load, Loads
from readycheck.responder.mirrors import Arrival
from readycheck.responder.others import Others
from readycheck.responder.session import Refused
from readycheck.wire.client_hello import greeting_size
from readycheck.wire.far_end import Kind, Message, answer_in_place, is_control, pack_message, peek
from readycheck.wire.rtp import HEADER_SIZE
from readycheck.wire.sip import MessageBuffer
from readycheck.wire.stun import MAGIC_COOKIE

MOST_BYTES = 256 * 1024
"""Of all that is no packet of a stream that was granted."""

_TLS = b"\x16"
_STUN = b"\x00\x01"
_STUN_HEAD = 20
_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
_LONGEST = 1500
_LONGEST_HELLO = 1 << 14
_CHUNK = 1 << 14
_RECORD = 64
"""More than TLS adds to what is written at once."""
_NOISE = os.urandom(_CHUNK)
"""What fills a connection: nothing on the way can make it shorter."""
_GRACE_S = 1.0
_MOST_IGNORED = 64
"""Frames and requests in a row that are worth no answer, each of which costs as much as one that is."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all connections of one port share; `others` answers STUN and SIP."""

    control: Control
    others: Others
    identity: Identity
    calls: Calls | None = None

    @property
    def patience_s(self) -> float:
        """In which a message has to be there as a whole, and its answer taken."""
        return self.control.sessions.limits.idle_s


class Overrun(ValueError):
    """More than anybody may say."""


class Intake:
    """What has arrived and was not taken, counted; `below` has what the same came in, if that is another."""

    def __init__(self, channel: Channel, below: "Intake | None" = None) -> None:
        self._channel, self._data, self._below = channel, bytearray(), below
        self._left = MOST_BYTES

    async def peek(self, size: int) -> bytes:
        """All that is there, `size` bytes at least. Raises `EOFError` at the end."""
        while len(self._data) < size:
            await self._fetch()
        return bytes(self._data)

    async def take(self, size: int) -> bytes:
        data = (await self.peek(size))[:size]
        del self._data[:size]
        return data

    async def read(self) -> bytes:
        """Some bytes, empty at the end: an intake is a channel, too."""
        try:
            return await self.take(len(await self.peek(1)))
        except EOFError:
            return b""

    async def write(self, data: bytes) -> None:
        await self._channel.write(data)

    def forgive(self, size: int) -> None:
        """So many bytes were what was agreed on; in records of TLS they are more."""
        self._left += size
        if self._below is not None:
            self._below.forgive(size + _RECORD)

    async def _fetch(self) -> None:
        data = await self._channel.read()
        if not data:
            raise EOFError
        self._left -= len(data)
        if self._left < 0:
            raise Overrun("too much was said")
        self._data += data


class Connection:
    def __init__(self, desk: Desk, source: Endpoint, seen: Headers) -> None:
        self._desk, self._source, self._seen = desk, source, seen
        self._hello: Arrival | None = None
        self._placed: Placed | None = None
        self._ignored = 0
        self._call: asyncio.Task[None] | None = None

    async def talk(self, channel: Channel) -> None:
        """Until the other end has no more to say, or says what is not answered."""
        async with asyncio.TaskGroup() as group:
            try:
                await self._listen(channel, group)
            finally:
                self._close_sessions()
                self._end_call()

    async def _listen(self, channel: Channel, group: asyncio.TaskGroup) -> None:
        try:
            intake = Intake(channel)
            async with asyncio.timeout(self._desk.patience_s):
                first = (await intake.peek(1))[:1]
                if first == _TLS:
                    intake = Intake(await self._secured(intake), intake)
                    first = (await intake.peek(1))[:1]
            if first.isalpha():
                await self._return_requests(intake)
            else:
                await self._answer_frames(intake, group)
        except (EOFError, ValueError, OSError, ssl.SSLError, TimeoutError):
            return

    async def _secured(self, intake: Intake) -> TlsChannel:
        data = await intake.peek(1)
        while (size := greeting_size(data)) is None:
            if len(data) > _LONGEST_HELLO:
                raise Overrun("a ClientHello without an end")
            data = await intake.peek(len(data) + 1)
        hello = data[:size]
        self._hello = Arrival(
            data=hello,
            source=self._source,
            hop_limit=self._seen.hop_limit,
            traffic_class=self._seen.traffic_class,
        )
        if self._desk.control.mirrors is not None:
            self._desk.control.mirrors.keep(self._hello, time.monotonic())
        tls = TlsChannel(intake, self._desk.identity.context)
        await tls.handshake()
        return tls

    async def _return_requests(self, intake: Intake) -> None:
        buffer, ends_s = MessageBuffer(), self._ends_s()
        while time.monotonic() < ends_s:
            async with asyncio.timeout(self._desk.patience_s):
                while (request := buffer.take()) is None:
                    data = await intake.read()
                    if not data:
                        return
                    buffer.feed(data)
                await self._answer_other(intake, request)

    def _ends_s(self) -> float:
        """However busy it is: there is a time for everything that may be granted."""
        return time.monotonic() + self._desk.control.sessions.limits.seconds + 3 * self._desk.patience_s

    async def _answer_frames(self, intake: Intake, group: asyncio.TaskGroup) -> None:
        ends_s = self._ends_s()
        while time.monotonic() < ends_s:
            async with asyncio.timeout(self._desk.patience_s):
                head = await intake.peek(2)
                if head[:2] == _STUN and (await intake.peek(8))[4:8] == _COOKIE:
                    rest = int.from_bytes((await intake.peek(4))[2:4], "big")
                    await self._answer_other(intake, await intake.take(_STUN_HEAD + rest))
                    continue
                size = int.from_bytes(head[:2], "big")
                if not 0 < size <= _LONGEST:
                    return
                await self._answer_frame(intake, (await intake.take(2 + size))[2:], group)
            if (load := self._load) is not None:
                await self._fill(load, intake)
                return
            if (hold := self._hold) is not None:
                ends_s = max(ends_s, hold.rings_s + 2 * self._desk.patience_s)
                await self._keep_silent(hold, intake)

    async def _answer_frame(self, intake: Intake, frame: bytes, group: asyncio.TaskGroup) -> None:
        if is_control(frame):
            answer = await self._controlled(frame, intake, group)
            if self._hold is not None:  # what it may say is bounded by the rate of questions
                intake.forgive(2 + len(frame))
        elif self._placed is not None:
            if self._placed.call.feed(frame):  # what is not admitted is borne: places for calls are few
                intake.forgive(2 + len(frame))
            return
        else:
            answer = self._reflected(bytearray(frame), intake)
        self._bear(useful=answer is not None)
        if answer is not None:
            await intake.write(_framed(answer))

    def _bear(self, *, useful: bool) -> None:
        """Raises `Overrun` for who has nothing to say."""
        self._ignored = 0 if useful else self._ignored + 1
        if self._ignored > _MOST_IGNORED:
            raise Overrun("nothing of it is worth an answer")

    @property
    def _load(self) -> Load | None:
        loads = self._desk.control.loads
        return loads.of(self._source) if loads is not None else None

    @property
    def _hold(self) -> Hold | None:
        holds = self._desk.control.holds
        return holds.of(self._source) if holds is not None else None

    async def _keep_silent(self, hold: Hold, intake: Intake) -> None:
        """Until it is time to ring, or the agent has spoken or hung up."""
        left_s = hold.rings_s - time.monotonic()
        if left_s <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await intake.peek(1)
                return
        async with asyncio.timeout(self._desk.patience_s):
            await intake.write(_framed(pack_message(Kind.HELD, {"rings": True}, self._desk.control.key)))

    async def _fill(self, load: Load, intake: Intake) -> None:
        """As long as was granted, however slowly the other end takes it or gives it."""
        loads = self._desk.control.loads
        assert loads is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(load.seconds):
                await (_pour if load.way == "down" else _drain)(load, loads, intake)
        if load.way == "up":
            async with asyncio.timeout(_GRACE_S):
                await intake.write(_framed(pack_message(Kind.LOADED, load.told(), self._desk.control.key)))
                # What is unread when a connection closes would take the answer with it.
                while await _taken(intake):
                    pass

    async def _controlled(self, frame: bytes, intake: Intake, group: asyncio.TaskGroup) -> bytes | None:
        now_s, control = time.monotonic(), self._desk.control
        message = control.read(frame, self._source, now_s)
        if message is None:
            return None
        if message.kind is Kind.OFFER:
            said = await self._offered(message, intake, group)
        else:
            said = self._of_call(message) or control.reply(
                message, self._source, now_s, self._shown(), size=len(frame)
            )
        answer = control.packed(said, len(frame)) if said else None
        if self._hello is not None and control.mirrors is not None:
            control.mirrors.keep(self._hello, now_s)
        return answer

    async def _offered(self, message: Message, intake: Intake, group: asyncio.TaskGroup) -> Said | None:
        """One call a connection, for who has shown that its address is its own."""
        calls = self._desk.calls
        if calls is None or not self._desk.control.is_proved(message.body, self._source, time.monotonic()):
            return None
        try:
            if self._placed is not None:
                raise Refused("a connection carries one call")
            self._placed = placed = await calls.open(message.body, self._source, intake.write)
        except Refused as refused:
            return Kind.REFUSED, {"because": str(refused)}
        self._call = group.create_task(placed.call.run())
        self._call.add_done_callback(lambda _: calls.close(placed))
        return Kind.ACCEPTED, placed.answer()

    def _of_call(self, message: Message) -> Said | None:
        """What is asked of the call of this connection."""
        placed = self._placed
        if placed is None or message.body.get("token") != placed.token:
            return None
        if message.kind is Kind.CLOSE:
            self._end_call()
            return Kind.CLOSED, placed.call.counted()
        return (Kind.COUNTED, placed.call.counted()) if message.kind is Kind.REPORT else None

    def _end_call(self) -> None:
        if self._call is not None:
            self._call.cancel()

    def _shown(self) -> Mapping[str, Any]:
        """With the key of its certificate, which the tag of the message vouches for to who has the other key."""
        return {
            "hop_limit": self._seen.hop_limit,
            "traffic_class": self._seen.traffic_class,
            "tls": self._hello is not None,
            "pin": self._desk.identity.pin,
        }

    def _reflected(self, packet: bytearray, intake: Intake) -> bytes | None:
        ssrc, number = peek(packet)
        session = self._desk.control.sessions.carrying(ssrc, self._source)
        if session is None or not session.admits(number, len(packet) - HEADER_SIZE, time.monotonic()):
            return None
        intake.forgive(len(packet) + 2)
        answer_in_place(
            packet, session.received - 1, time.time_ns(), 0, self._seen.hop_limit, self._seen.traffic_class
        )
        return bytes(packet)

    async def _answer_other(self, intake: Intake, data: bytes) -> None:
        said = self._desk.others.answer(data, self._source, time.monotonic())
        self._bear(useful=said is not None)
        if said is not None:
            await intake.write(said.data)

    def _close_sessions(self) -> None:
        if (load := self._load) is not None and self._desk.control.loads is not None:
            self._desk.control.loads.close(load)
        if self._desk.control.holds is not None:
            self._desk.control.holds.close(self._source)
        for session in self._desk.control.sessions:
            if session.source == self._source:
                self._desk.control.sessions.close(session)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


async def _pour(load: Load, loads: Loads, intake: Intake) -> None:
    while not load.is_over(time.monotonic()):
        await intake.write(_NOISE)
        await asyncio.sleep(loads.moved(load, len(_NOISE), time.monotonic()))


async def _drain(load: Load, loads: Loads, intake: Intake) -> None:
    while not load.is_over(time.monotonic()):
        size = await _taken(intake)
        if not size:
            return
        await asyncio.sleep(loads.moved(load, size, time.monotonic()))


async def _taken(intake: Intake) -> int:
    """How much came in; none of it counts as said."""
    size = len(await intake.read())
    intake.forgive(size)
    return size
