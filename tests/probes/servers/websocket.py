"""A WebSocket server, sound or not, for a `TcpServer`."""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from .tcp import Serve

Act = Callable[[socket.socket, "Conversation"], None]


class Conversation:
    """The server's side of one connection; `pings` counts what it was asked."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.protocol = ServerProtocol()
        self.pings = 0

    def accept(self, head: bytes) -> None:
        self.protocol.receive_data(head)
        (request,) = self.protocol.events_received()
        assert isinstance(request, Request)
        self.protocol.send_response(self.protocol.accept(request))
        self.flush()

    def take(self) -> bool:
        """Handle what comes next; False at the end."""
        data = self._connection.recv(65536)
        if not data:
            return False
        self.protocol.receive_data(data)
        events = self.protocol.events_received()
        self.pings += sum(isinstance(e, Frame) and e.opcode is Opcode.PING for e in events)
        return True

    def flush(self) -> None:
        self._connection.sendall(b"".join(self.protocol.data_to_send()))


def websocket(act: Act | None = None, *, heard: list[bytes] | None = None) -> Serve:
    """Accepts the upgrade, then does `act`, by default what a sound server does."""

    def serve(connection: socket.socket) -> None:
        head = connection.recv(65536)
        if not head:
            return
        if heard is not None:
            heard.append(head)
        conversation = Conversation(connection)
        conversation.accept(head)
        (act or _sound)(connection, conversation)

    return serve


def _sound(connection: socket.socket, conversation: Conversation) -> None:
    while conversation.take():
        conversation.flush()


def answering(pings: int, then: Act) -> Act:
    """Answers so many pings, then does something else when the next one comes."""

    def act(connection: socket.socket, conversation: Conversation) -> None:
        while conversation.pings < pings and conversation.take():
            conversation.flush()
        if conversation.take():
            conversation.protocol.data_to_send()  # the answer that is kept back
            then(connection, conversation)

    return act


def close_normally(connection: socket.socket, conversation: Conversation) -> None:
    conversation.protocol.send_close(4401, "who are you?\x1b[2J")
    conversation.flush()
    with suppress(OSError):
        while connection.recv(65536):
            pass


def hang_up(connection: socket.socket, conversation: Conversation) -> None:
    """Ends the connection without a word."""


def reset(connection: socket.socket, conversation: Conversation) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def deaf(connection: socket.socket, conversation: Conversation) -> None:
    """Reads and never answers."""
    while connection.recv(65536):
        pass


def saying(data: bytes) -> Act:
    """Sends bytes as they are, then only listens."""

    def act(connection: socket.socket, conversation: Conversation) -> None:
        connection.sendall(data)
        deaf(connection, conversation)

    return act


def flooding(connection: socket.socket, conversation: Conversation) -> None:
    """Talks without end."""
    frame = Frame(Opcode.TEXT, b"x" * 1000).serialize(mask=False)
    while True:
        connection.sendall(frame * 16)


def chatting(connection: socket.socket, conversation: Conversation) -> None:
    """Sends a message and a ping of its own, and wants the pong before it answers anything."""
    protocol = conversation.protocol
    protocol.send_text(b"welcome")
    protocol.send_ping(b"are you there?")
    conversation.flush()
    pongs = 0
    while not pongs and (data := connection.recv(65536)):
        protocol.receive_data(data)
        events = [e for e in protocol.events_received() if isinstance(e, Frame)]
        pongs = sum(e.opcode is Opcode.PONG and e.data == b"are you there?" for e in events)
    conversation.flush()
    _sound(connection, conversation)
