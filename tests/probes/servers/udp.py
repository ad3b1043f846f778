"""A UDP server made of a function."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

Endpoint = tuple[str, int]
Reply = Callable[[bytes, Endpoint], Iterable[bytes]]


class UdpServer:
    """Sends what `reply(data, source)` yields; `received` is what came in."""

    def __init__(self, reply: Reply) -> None:
        self.received: list[bytes] = []
        self._reply = reply
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def endpoint(self) -> Endpoint:
        host, port = self._socket.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._address = self.endpoint
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", self._address)
        self._thread.join()
        self._socket.close()

    _stopping = False

    def _serve(self) -> None:
        while True:
            data, source = self._socket.recvfrom(65535)
            if self._stopping:
                return
            self.received.append(data)
            for answer in self._reply(data, source):
                with suppress(OSError):
                    self._socket.sendto(answer, source)
