"""A TCP server made of a function, with or without TLS: blocking, because asyncio's sends no alerts."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Endpoint = tuple[str, int]
Serve = Callable[[socket.socket], None]

PATIENCE_S = 10.0


class TcpServer:
    """Hands each connection to `serve` in a thread of its own; with `context`, after the handshake."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._serve = serve
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def endpoint(self) -> Endpoint:
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown wakes the threads that wait in accept and recv; close alone does not.
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for sock in (self._listener, *self._open):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE_S)
            self._open.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # ssl.SSLError is one
            if self._context is None:
                self._serve(connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._serve(secured)


def silent(connection: socket.socket) -> None:
    """Reads until the client goes, says nothing."""
    while connection.recv(65536):
        pass


def hang_up(connection: socket.socket) -> None:
    """Closes at once."""


def reset(connection: socket.socket) -> None:
    """Reads once, then ends the connection with a reset."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def saying(data: bytes) -> Serve:
    """Reads once, says `data`, closes."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        silent(connection)

    return serve
