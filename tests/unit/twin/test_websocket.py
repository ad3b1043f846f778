"""The WebSocket of the stand-in servers, against the client that the library has, and against nonsense."""

from collections import deque

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from readycheck.twin.websocket import converse


class Wire:
    """A channel that gives what it was given and keeps what it is told."""

    def __init__(self, *coming: bytes) -> None:
        self.coming = deque(coming)
        self.told = b""

    async def read(self) -> bytes:
        return self.coming.popleft() if self.coming else b""

    async def write(self, data: bytes) -> None:
        self.told += data


def client() -> tuple[ClientProtocol, bytes]:
    protocol = ClientProtocol(parse_uri("ws://web.vendor.example/"))
    protocol.send_request(protocol.connect())
    return protocol, b"".join(protocol.data_to_send())


async def test_it_agrees_answers_pings_and_parts() -> None:
    protocol, request = client()
    wire = Wire()
    await converse(wire, request)
    protocol.receive_data(wire.told)
    assert protocol.handshake_exc is None
    protocol.events_received()

    protocol.send_ping(b"are you there?")
    protocol.send_text(b"hello")
    frames = b"".join(protocol.data_to_send())
    protocol.send_close(1000)
    farewell = b"".join(protocol.data_to_send())
    wire = Wire(frames, farewell, b"never read")
    await converse(wire, request)
    protocol.receive_data(wire.told.partition(b"\r\n\r\n")[2])
    pong, end = protocol.events_received()
    assert isinstance(pong, Frame) and (pong.opcode, pong.data) == (Opcode.PONG, b"are you there?")
    assert isinstance(end, Frame) and end.opcode is Opcode.CLOSE
    assert list(wire.coming) == [b"never read"]


@pytest.mark.parametrize("missing", [b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Connection"])
async def test_a_request_that_lacks_something_is_refused(missing: bytes) -> None:
    _, request = client()
    wire = Wire()
    await converse(wire, request.replace(missing, b"X-Something"))
    assert wire.told.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("nonsense", [b"\xff" * 40, b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(8)])
async def test_nonsense_ends_it(nonsense: bytes) -> None:
    _, request = client()
    wire = Wire(nonsense, b"never read")
    await converse(wire, request)
    assert list(wire.coming) == [b"never read"]


async def test_what_is_no_request_ends_it() -> None:
    wire = Wire()
    await converse(wire, b"nonsense\r\n\r\n")
    assert not wire.told.startswith(b"HTTP/1.1 101")
