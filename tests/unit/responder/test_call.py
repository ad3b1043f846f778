"""What a stranger may do to the far end of a call: over TCP, and at the open port."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from aioice import stun

from readycheck.net.interface import Endpoint
from readycheck.responder.call import ADDRESSES, Call
from readycheck.responder.offer import CallLimits, Offer
from readycheck.responder.server import Responder, Settings
from readycheck.wire.far_end import REQUEST_SIZE, Kind, Message, pack_message, unpack_message

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="call: UDP needs the sockets of Linux at the far end"
)

OFFER = {
    "via": "udp",
    "user": "abcd",
    "password": "p" * 22,
    "fingerprint": ":".join(["0A"] * 32),
    "seconds": 10,
}


@pytest.fixture
def serving() -> Iterator[Responder]:
    made = Responder(Settings(listen=(("127.0.0.1", 0),)))
    made.start()
    yield made
    made.stop()


class Caller:
    """A client that waits."""

    def __init__(self, to: Endpoint, stack: ExitStack) -> None:
        self.socket = stack.enter_context(socket.create_connection(to, timeout=3.0))

    def ask(self, kind: Kind, body: dict[str, Any]) -> Message:
        self.say(pack_message(kind, body, size=REQUEST_SIZE))
        answer = self._exactly(int.from_bytes(self._exactly(2), "big"))
        assert len(answer) <= REQUEST_SIZE
        return unpack_message(answer)

    def say(self, frame: bytes) -> None:
        self.socket.sendall(len(frame).to_bytes(2, "big") + frame)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the responder hung up"
            data += more
        return data

    def offer(self, **other: Any) -> Message:
        cookie = self.ask(Kind.HELLO, {}).body["cookie"]
        return self.ask(Kind.OFFER, {**OFFER, "cookie": cookie, **other})


def check(answer: Message, password: str | None = None) -> bytes:
    return signed(answer.body["user"], password or answer.body["password"])


def signed(user: str, password: str) -> bytes:
    """A check of ICE, as the caller's end would send it."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{user}:abcd"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 1
    request.add_message_integrity(password.encode())
    return bytes(request)


def heard_from(caller: Caller, answer: Message) -> int:
    return int(caller.ask(Kind.REPORT, {"token": answer.body["token"]}).body["heard_from"])


def test_no_call_without_the_cookie_of_this_very_address(serving: Responder) -> None:
    with ExitStack() as stack:
        first, second = (Caller(serving.places[0], stack) for _ in range(2))
        stolen = first.ask(Kind.HELLO, {}).body["cookie"]
        for cookie in (stolen, "0" * 32, None):
            second.say(pack_message(Kind.OFFER, {**OFFER, "cookie": cookie}, size=REQUEST_SIZE))
        assert second.ask(Kind.HELLO, {}).kind is Kind.COOKIE  # the answer to this, and to nothing before it
        assert first.offer().kind is Kind.ACCEPTED


def test_a_call_is_not_agreed_on_over_udp(serving: Responder) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3.0)
        sock.connect(serving.places[0])
        sock.send(pack_message(Kind.HELLO, {}, size=REQUEST_SIZE))
        cookie = unpack_message(sock.recv(2048)).body["cookie"]
        sock.send(pack_message(Kind.OFFER, {**OFFER, "cookie": cookie}, size=REQUEST_SIZE))
        sock.send(pack_message(Kind.HELLO, {}, size=REQUEST_SIZE))
        assert unpack_message(sock.recv(2048)).kind is Kind.COOKIE


def test_a_connection_carries_one_call_and_its_end_ends_it(serving: Responder) -> None:
    with ExitStack() as stack:
        caller = Caller(serving.places[0], stack)
        token = caller.offer().body["token"]
        assert caller.offer().body["because"] == "a connection carries one call"
        assert calls(serving) == 1
        assert caller.ask(Kind.CLOSE, {"token": token}).kind is Kind.CLOSED
        until(lambda: calls(serving) == 0)
    with ExitStack() as stack:
        Caller(serving.places[0], stack).offer()
    until(lambda: calls(serving) == 0)


def test_a_token_is_of_no_use_on_another_connection(serving: Responder) -> None:
    with ExitStack() as stack:
        first, second = (Caller(serving.places[0], stack) for _ in range(2))
        token = first.offer().body["token"]
        second.say(pack_message(Kind.CLOSE, {"token": token}, size=REQUEST_SIZE))
        assert second.ask(Kind.HELLO, {}).kind is Kind.COOKIE
        assert first.ask(Kind.REPORT, {"token": token}).kind is Kind.COUNTED


def test_only_a_signed_check_costs_a_socket_and_only_so_many_do(serving: Responder) -> None:
    with ExitStack() as stack:
        caller = Caller(serving.places[0], stack)
        answer = caller.offer()
        before = len(os.listdir("/proc/self/fd"))
        senders = []
        for number in range(ADDRESSES + 3):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.connect(serving.places[0])
            senders.append(sock)
            sock.send(check(answer, "x" * 22))
            sock.send(
                b"\x00\x01\x00\x00\x21\x12\xa4\x42" + f"{answer.body['user']}:".encode() + bytes(number)
            )
        serving_still = caller.ask(Kind.HELLO, {}).kind
        assert serving_still is Kind.COOKIE and heard_from(caller, answer) == 0
        for sock in senders:
            sock.send(check(answer))
        until(lambda: heard_from(caller, answer) == ADDRESSES)
        opened = len(os.listdir("/proc/self/fd")) - before - len(senders)
        assert opened <= ADDRESSES
        senders[0].settimeout(3.0)
        assert stun.parse_message(senders[0].recv(2048)).message_class in (
            stun.Class.RESPONSE,
            stun.Class.REQUEST,
        )


@pytest.mark.parametrize("turns", range(1, 9))
async def test_a_call_that_is_cut_short_twice_leaves_no_socket(turns: int) -> None:
    """Its caller leaves, and while it says goodbye the responder stops."""
    opened: asyncio.Queue[socket.socket] = asyncio.Queue()

    def connected(source: Endpoint) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(source)
        opened.put_nowait(sock)
        return sock

    async def nobody(data: bytes) -> None: ...

    call = Call(Offer(**OFFER), CallLimits(), ("127.0.0.1", 9), connected, nobody)
    await call.prepare()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(call.run())
            call.introduce(signed(call.identity.user, call.identity.password), peer.getsockname())
            sock = await opened.get()
            for _ in range(2):
                for _ in range(turns):
                    await asyncio.sleep(0)
                running.cancel()
    await asyncio.sleep(0)
    assert sock.fileno() == -1


@pytest.mark.parametrize(
    "rubbish", [b"\x16\xfe\xff" + bytes(60), b"\x80\x00" + bytes(40), b"\x90", b"\x3f" * 1400]
)
def test_rubbish_in_place_of_media_ends_no_more_than_the_call(serving: Responder, rubbish: bytes) -> None:
    with ExitStack() as stack:
        caller = Caller(serving.places[0], stack)
        answer = caller.offer(via="tcp")
        for _ in range(300):  # more than a call is allowed, too
            caller.say(rubbish)
        told = caller.ask(Kind.REPORT, {"token": answer.body["token"]}).body
        assert (told["received"], told["secured"]) == (0, False)
        assert Caller(serving.places[0], stack).offer().kind is Kind.ACCEPTED


def calls(serving: Responder) -> int:
    return next(one.value for one in serving.figures() if one.name == "calls")


def until(holds: Any) -> None:
    """What another thread does soon; the test's timeout ends it."""
    while not holds():
        time.sleep(0.005)
