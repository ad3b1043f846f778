"""A TFTP server, sound or not: it answers from a port of its own choice, as RFC 1350 has it."""

import socket
import threading
from contextlib import suppress
from typing import Self

from readycheck.wire import tftp

from .udp import Endpoint

FILE = b"<device/>\n"
PATIENCE_S = 10.0


class TftpServer:
    """Knows the file `known`; `requests` is what it was asked, `heard` what its transfers were told."""

    known = "SEP01.cnf.xml"

    def __init__(self, fault: str | None = None, *, mute_first: int = 0) -> None:
        self.requests: list[bytes] = []
        self.heard: list[bytes] = []
        self._fault = fault
        self._mute = mute_first
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._transfers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def endpoint(self) -> Endpoint:
        host, port = self._socket.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", self.endpoint)
        self._thread.join(PATIENCE_S)
        for transfer in self._transfers:
            transfer.settimeout(0)
            with suppress(OSError):
                while True:
                    self.heard.append(transfer.recv(1024))
            transfer.close()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(65535)
            if not data:
                return
            if data[:2] != b"\0\1":
                self.heard.append(data)
                continue
            self.requests.append(data)
            if self._fault == "silent" or len(self.requests) <= self._mute:
                continue
            host = "127.0.0.2" if self._fault == "other-host" else "127.0.0.1"
            transfer = self._socket if self._fault == "same-port" else self._open(host)
            transfer.sendto(self._answer(data), client)

    def _open(self, host: str) -> socket.socket:
        transfer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        transfer.bind((host, 0))
        self._transfers.append(transfer)
        return transfer

    def _answer(self, request: bytes) -> bytes:
        damaged = {
            "acknowledgement": b"\0\4\0\1",
            "options": b"\0\6tsize\x0010\0",
            "late-block": tftp.pack_data(2, FILE),
            "oversized": b"\0\3\0\1" + bytes(60000),
            "truncated": b"\0\3",
            "garbage": b"\xff" * 33,
            "mirror": request,
            "escape": tftp.pack_error(2, "\x1b[2J" + "x" * 400),
        }
        if self._fault in damaged:
            return damaged[self._fault]
        if tftp.unpack_read_request(request).file == self.known:
            return tftp.pack_data(1, FILE)
        return tftp.pack_error(1, "File not found")
