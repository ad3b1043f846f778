"""A SIP server behind TLS, talkative or not."""

import socket

from readycheck.wire import sip

from .tcp import Serve, silent

FAULTS = ("silent", "truncated", "oversized", "garbage", "other-call", "hang-up")


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


def _answer(message: bytes, fault: str | None, status: int, server: str) -> bytes:
    request = sip.unpack_request(message)
    final = sip.pack_response(request, status, "OK", headers=(("Server", server),))
    if fault == "other-call":
        return final.replace(b"Call-ID: ", b"Call-ID: not-")
    return {
        None: b"\r\n\r\n" + sip.pack_response(request, 100, "Trying") + message + final,
        "truncated": final[:40],
        "oversized": b"SIP/2.0 200 OK\r\n" + b"X: " + b"x" * 70000,
        "garbage": b"\0\1\2 nothing like SIP\r\n\r\n",
    }[fault]
