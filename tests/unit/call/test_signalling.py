"""What a caller says, to a responder that is a table."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from readycheck.call.signalling import Signalling, greet, offer
from readycheck.failure import Failure
from readycheck.net.interface import Endpoint, NetError, TlsFacts
from readycheck.wire.far_end import Kind, Message, pack_message, unpack_message

KEY = b"of this site"
Answers = Callable[[Message], tuple[Kind, dict[str, Any]] | None]


class Line:
    """A stream whose other end answers by a function; None is silence."""

    local: Endpoint = ("192.0.2.200", 50000)
    peer: Endpoint = ("192.0.2.1", 3478)
    tls: TlsFacts | None = None

    def __init__(self, answers: Answers, key: bytes = KEY) -> None:
        self._answers, self._key = answers, key
        self.arriving: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self, limit: int, *, timeout: float) -> bytes:
        return await self.arriving.get()

    async def write(self, data: bytes, *, timeout: float) -> None:
        said = self._answers(unpack_message(data[2:], KEY))
        if said is not None:
            self.say(pack_message(*said, self._key))

    def say(self, frame: bytes) -> None:
        framed = len(frame).to_bytes(2, "big") + frame
        for part in (framed[:1], framed[1:7], framed[7:]):
            self.arriving.put_nowait(part)

    def close(self) -> None: ...


@asynccontextmanager
async def listening(
    line: Line, media: Callable[[bytes], None] = lambda data: None
) -> AsyncIterator[Signalling]:
    signalling = Signalling(line, KEY, media)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(signalling.listen())
        yield signalling
        task.cancel()


async def test_the_greeting_gets_a_cookie_and_frames_come_in_any_parts() -> None:
    async with listening(Line(lambda asked: (Kind.COOKIE, {"cookie": "c"}))) as line:
        assert (await greet(line, timeout=1.0))["cookie"] == "c"


async def test_media_in_between_is_no_answer() -> None:
    heard: list[bytes] = []
    stream = Line(lambda asked: (Kind.COUNTED, {"received": 3}))
    async with listening(stream, heard.append) as line:
        stream.say(b"\x80media")
        assert (await line.ask(Kind.REPORT, {}, timeout=1.0)).body == {"received": 3}
    assert heard == [b"\x80media"]


async def test_a_late_answer_to_another_question_is_passed_over() -> None:
    stream = Line(lambda asked: (Kind.ACCEPTED, {"token": "t"}))
    async with listening(stream) as line:
        stream.say(pack_message(Kind.COUNTED, {}, KEY))
        assert await offer(line, {}, timeout=1.0) == {"token": "t"}


@pytest.mark.parametrize("key", [b"", b"another"])
async def test_silence_to_the_greeting_says_that_a_key_may_be_wanted(key: bytes) -> None:
    """An answer with another tag is none."""
    async with listening(Line(lambda asked: (Kind.COOKIE, {"cookie": "c"}), key)) as line:
        with pytest.raises(NetError) as caught:
            await greet(line, timeout=0.05)
    assert caught.value.failure is Failure.TIMED_OUT and caught.value.facts == {"far_end": True}
    assert "another key than --responder-key" in caught.value.detail


async def test_a_refusal_is_the_far_ends_own() -> None:
    async with listening(Line(lambda asked: (Kind.REFUSED, {"because": "full"}))) as line:
        with pytest.raises(NetError, match="the responder refused: full") as caught:
            await offer(line, {}, timeout=1.0)
    assert caught.value.facts == {"far_end": True}


@pytest.mark.parametrize("ending", [b"", b"\x00\x00", b"\xff\xff"], ids=["closed", "no length", "too long"])
async def test_a_connection_that_ends_or_talks_rubbish_fails_every_question(ending: bytes) -> None:
    stream = Line(lambda asked: None)
    async with listening(stream) as line:
        stream.arriving.put_nowait(ending)
        for _ in range(2):
            with pytest.raises(NetError) as caught:
                await line.ask(Kind.REPORT, {}, timeout=1.0)
            assert caught.value.failure is Failure.CONNECTION_CLOSED


class Slow(Line):
    """Takes what is written when its gate is open."""

    def __init__(self) -> None:
        super().__init__(lambda asked: None)
        self.written: list[bytes] = []
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def write(self, data: bytes, *, timeout: float) -> None:
        self.written.append(data)
        self.begun.set()
        await self.gate.wait()


async def test_what_is_said_at_once_goes_one_after_the_other() -> None:
    slow = Slow()
    line = Signalling(slow, KEY)
    async with asyncio.TaskGroup() as group:
        for text in (b"one", b"two"):
            group.create_task(line.write_frame(text))
        await slow.begun.wait()
        assert slow.written == [b"\0\3one"]
        slow.gate.set()
    assert slow.written == [b"\0\3one", b"\0\3two"]


async def test_nothing_is_said_after_what_was_cut_short() -> None:
    slow = Slow()
    line = Signalling(slow, KEY)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.write_frame(b"one"))
        await slow.begun.wait()
        task.cancel()
    with pytest.raises(NetError, match="cut short"):
        await line.write_frame(b"two")
