"""A SIP server on a connection or over UDP, talkative or not."""

import socket
from collections.abc import Iterator

from readycheck.wire import sip

from .tcp import Serve, silent
from .udp import Endpoint, Reply

FAULTS = ("silent", "truncated", "oversized", "garbage", "other-call", "hang-up", "mirror")


def sip_server(fault: str | None = None, *, status: int = 200, server: str = "test") -> Serve:
    """Answers OPTIONS after a provisional response and a request of its own."""

    def serve(connection: socket.socket) -> None:
        buffer = sip.MessageBuffer()
        while (message := buffer.take()) is None:
            data = connection.recv(65536)
            if not data:
                return
            buffer.feed(data)
        if fault == "hang-up":
            return
        if fault != "silent":
            connection.sendall(_answer(message, fault, status, server))
        if fault != "truncated":
            silent(connection)

    return serve


def trying(connection: socket.socket) -> None:
    """Provisional responses without end, faster than they are read."""
    flood = b"SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\n" * 1000
    while True:
        connection.sendall(flood)


def sip_datagrams(fault: str | None = None, *, status: int = 200, mute_first: int = 0) -> Reply:
    """The same over UDP, after `mute_first` requests that it ignores; it notes where each came from."""
    ignored = iter(range(mute_first))

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        if fault == "silent" or next(ignored, None) is not None:
            return
        request = sip.unpack_request(data)
        if fault is not None:
            yield _answer(data, fault, status, "test")
            return
        yield b"\r\n\r\n"
        yield sip.pack_response(request, 100, "Trying")
        yield _own_request(data)
        yield sip.pack_response(request, status, "OK", headers=(("Server", "test"),), source=source)

    return reply


def _answer(message: bytes, fault: str | None, status: int, server: str) -> bytes:
    request = sip.unpack_request(message)
    final = sip.pack_response(request, status, "OK", headers=(("Server", server),))
    return {
        None: b"\r\n\r\n" + sip.pack_response(request, 100, "Trying") + _own_request(message) + final,
        "other-call": final.replace(b"Call-ID: ", b"Call-ID: not-"),
        "truncated": final[:40],
        "oversized": b"SIP/2.0 200 OK\r\n" + b"X: " + b"x" * 60000,
        "garbage": b"\0\1\2 nothing like SIP\r\n\r\n",
        "mirror": message,
    }[fault]


def _own_request(message: bytes) -> bytes:
    return message.replace(b"Call-ID: ", b"Call-ID: own-")
