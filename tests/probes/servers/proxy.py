"""A CONNECT proxy with switchable manners: it leads every allowed name to a server of the test's."""

import base64
import select
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress

from .tcp import PATIENCE_S, Endpoint, Serve

MAX_HEAD_BYTES = 65536
Places = Mapping[str, Endpoint]


class Proxy:
    """`serve` is for a `TcpServer`; `places` are the hosts and ports that it leads to.

    `status` overrides what it answers to all others (403), `login` is the `user:password` that it wants by
    one of the `schemes`, `cut_after_s` how long a tunnel lasts; `heard` are the requests. It hands plain requests on
    and signs the answers with `via`; `connects` says whether it opens tunnels as well.
    """

    def __init__(
        self,
        places: Places,
        *,
        login: str = "",
        schemes: tuple[str, ...] = ("Basic",),
        status: int = 403,
        cut_after_s: float = 0.0,
        via: str = "Via: 1.1 test\r\n",
        connects: bool = True,
    ) -> None:
        self._via, self._connects = via, connects
        self._cut_after_s = cut_after_s
        self._places, self._schemes, self._status = places, schemes, status
        self._login = base64.b64encode(login.encode()).decode() if login else ""
        self.heard: list[str] = []

    @property
    def serve(self) -> Serve:
        return self._serve

    def asked(self) -> list[str]:
        """The places that it was asked for, in their order."""
        return [request.split()[1] for request in self.heard]

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
            part = connection.recv(1)
            if not part:
                return
            head += part
        request = head.decode("latin-1")
        self.heard.append(request)
        if self._login and f"Proxy-Authorization: Basic {self._login}\r\n" not in request:
            offers = "".join(f'Proxy-Authenticate: {scheme} realm="test"\r\n' for scheme in self._schemes)
            connection.sendall(f"HTTP/1.1 407 Login\r\n{offers}Content-Length: 0\r\n\r\n".encode())
            return
        method, asked = request.split()[:2]
        plain = method != "CONNECT"
        place = self._places.get(_place_of(asked) if plain else asked)
        if plain and place is not None:
            self._hand_on(connection, request, place)
            return
        if place is None or not self._connects:
            connection.sendall(f"HTTP/1.1 {self._status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(place, PATIENCE_S) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
            if self._cut_after_s:
                threading.Timer(self._cut_after_s, _cut, (onward,)).start()
            _lead({connection: onward, onward: connection})

    def _hand_on(self, connection: socket.socket, request: str, place: Endpoint) -> None:
        """In origin form, and the answer with a mark on it."""
        method, url = request.split()[:2]
        path = "/" + url.removeprefix("http://").partition("/")[2]
        with socket.create_connection(place, PATIENCE_S) as onward:
            onward.sendall(request.replace(f"{method} {url}", f"{method} {path}", 1).encode("latin-1"))
            onward.shutdown(socket.SHUT_WR)
            head, _, rest = _everything(onward).partition(b"\r\n")
            connection.sendall(head + b"\r\n" + self._via.encode() + rest)


def _place_of(url: str) -> str:
    host = url.removeprefix("http://").partition("/")[0]
    return host if ":" in host else f"{host}:80"


def _everything(sock: socket.socket) -> bytes:
    data = b""
    while more := sock.recv(65536):
        data += more
    return data


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _lead(sinks: dict[socket.socket, socket.socket]) -> None:
    """Both ways in one thread: OpenSSL damages the records of a connection that two threads read and write."""
    while sinks:
        for source in select.select(list(sinks), (), (), PATIENCE_S)[0]:
            if not _passed_on(source, sinks[source]):
                del sinks[source]


def _passed_on(source: socket.socket, sink: socket.socket) -> bool:
    with suppress(OSError):
        if data := source.recv(65536):
            sink.sendall(data)
            return True
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
    return False


def endless_headers(connection: socket.socket) -> None:
    """Starts well and never ends."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"y" * 1000 + b"\r\n")


def dripping(connection: socket.socket) -> None:
    """A byte now and then, so that no single read takes long."""
    connection.recv(65536)
    for letter in b"HTTP/1.1 200 Connection established\r\nX: " + b"y" * 10000:
        connection.sendall(bytes([letter]))
        threading.Event().wait(0.02)
