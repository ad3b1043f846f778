"""The UDP side of the responder: an open socket for whoever comes, a connected one for each stream.

The kernel gives packets to a connected socket first, so that what floods the open port fills no stream's buffer.
"""

import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from readycheck.net.datagram import allow_fragments, forbid_fragments
from readycheck.net.headers import Ancillary, read_headers, receive_from, show_headers
from readycheck.net.interface import Endpoint, NetError
from readycheck.net.steady import SteadyClock
from readycheck.responder.control import Control
from readycheck.responder.filter import attach, program
from readycheck.responder.reports import answer_report, is_report
from readycheck.responder.session import Session, Sessions
from readycheck.wire.far_end import answer_in_place, is_control, peek, sent_at
from readycheck.wire.rtp import HEADER_SIZE

_OPEN_BATCH = 16  # before streams get their turn again
_TICK_S = 0.5
_BUFFER_BYTES = 2048
_SHORT = 400  # every answer, but for those whose length is the question
_RECEIVE_BUFFER = 1 << 20
_SO_RCVBUFFORCE = 33

Answering = Callable[[bytes, Endpoint], None]
"""Answers what is neither a control message nor of a stream; or not."""


@dataclass(slots=True)
class Counts:
    """Since the start: of streams, of control messages, and of all else that the open port read."""

    packets: int = 0
    packets_answered: int = 0
    messages: int = 0
    messages_answered: int = 0
    others: int = 0
    others_answered: int = 0
    failed: int = 0


class Reflector:
    """Serves one address until `stop`; `run` is for a thread of its own."""

    def __init__(self, listen: Endpoint, control: Control) -> None:
        self.control = control
        self.counts = Counts()
        self.other: Answering = lambda data, source: None
        self.asked: Callable[[], None] = lambda: None
        """Called after each control message: something may have been ordered."""
        self.streams_below: tuple[Sessions, ...] = ()
        """Those of the even port whose RTCP comes here."""
        self._family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self._selector = selectors.DefaultSelector()
        self._refuse_taken(listen)
        self._open = self._bound(listen)
        self.local: Endpoint = self._open.getsockname()[:2]
        self.filtered = attach(self._open, program(streams=not _own_sockets()))
        self._streams: dict[str, socket.socket] = {}
        self._buffer = bytearray(_BUFFER_BYTES)
        self._waker, self._woken = socket.socketpair()
        self._stopping = False
        self._clock = SteadyClock()
        self._selector.register(self._open, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Streams first, then a few datagrams of the open port, then what time brings."""
        tick_s = time.monotonic() + _TICK_S
        try:
            while not self._stopping:
                strangers = False
                for key, _ in self._selector.select(max(0.0, tick_s - time.monotonic())):
                    if key.data is not None:
                        self._reflect(key.fileobj, key.data)  # type: ignore[arg-type]
                    strangers |= key.fileobj is self._open
                if strangers:
                    self._answer_strangers()
                if time.monotonic() >= tick_s:
                    self._expire()
                    tick_s = time.monotonic() + _TICK_S
        finally:
            self.close()

    def stop(self) -> None:
        self._stopping = True
        with suppress(OSError):
            self._waker.send(b"x")

    def _refuse_taken(self, listen: Endpoint) -> None:
        """Streams share the port with the open one; another program would share it just as silently."""
        with socket.socket(self._family, socket.SOCK_DGRAM) as alone:
            if self._family == socket.AF_INET6:
                alone.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            alone.bind(listen)

    def _bound(self, to: Endpoint) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        if _own_sockets():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self._family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _widen(sock)
        show_headers(sock)
        sock.bind(to)
        return sock

    def connected(self, peer: Endpoint) -> socket.socket:
        """A socket of this port for one peer; other threads may ask. Raises `OSError` for want of one."""
        if not _own_sockets():
            raise OSError("only Linux has sockets of one port with a peer of their own")
        sock = self._bound(self.local)
        try:
            sock.connect(peer)
        except OSError:
            sock.close()
            raise
        return sock

    # --- streams ---

    def _attach(self, session: Session) -> None:
        """A socket of its own; what came to it of others before it was connected is theirs."""
        if session.token in self._streams or not _own_sockets():
            return
        try:
            sock = self.connected(session.source)
        except OSError:  # no file is left: the open port serves it
            self.filtered = attach(self._open, program(streams=True))
            return
        self._streams[session.token] = sock
        self._selector.register(sock, selectors.EVENT_READ, session)

    def _reflect(self, sock: socket.socket, session: Session) -> None:
        """One packet: the selector tells of more, and finding out that there is none costs as much as one."""
        try:
            size, ancillary, source = receive_from(sock, self._buffer)
        except OSError:  # an ICMP error that says that the agent has gone
            return
        packet = self._buffer[:size]
        if is_control(packet):
            self._converse(bytes(packet), source[:2])
        elif is_report(packet):
            self._report(sock, bytes(packet), source[:2], ancillary)
        elif source[:2] == session.source:
            self._send_back(sock, session, packet, ancillary)

    def _send_back(
        self,
        sock: socket.socket,
        session: Session,
        packet: bytearray,
        ancillary: Ancillary,
    ) -> None:
        self.counts.packets += 1
        ssrc, number = peek(packet)
        if ssrc != session.ssrc or not session.admits(number, len(packet) - HEADER_SIZE, time.monotonic()):
            return
        stamp_ns, hop_limit, traffic_class = read_headers(ancillary)
        now_ns = self._clock.now_ns()
        received_ns = self._clock.of(stamp_ns, now_ns) if stamp_ns else now_ns
        session.note_transit(sent_at(packet), received_ns)
        answer_in_place(
            packet, session.received - 1, received_ns, now_ns - received_ns, hop_limit, traffic_class
        )
        try:
            if sock is self._open:
                sock.sendto(packet, session.source)
            else:
                sock.send(packet)
        except OSError:  # a full buffer is a lost packet, as on any link
            return
        self.counts.packets_answered += 1

    def _report(self, sock: socket.socket, data: bytes, source: Endpoint, ancillary: Ancillary) -> None:
        self.counts.others += 1
        now_ns, stamp_ns = self._clock.now_ns(), read_headers(ancillary).received_ns
        received_ns = self._clock.of(stamp_ns, now_ns) if stamp_ns else now_ns
        streams = (self.control.sessions, *self.streams_below)
        answer = answer_report(data, source, streams, received_ns, now_ns, time.monotonic())
        if answer is not None:
            with suppress(OSError):
                sock.sendto(answer, source)
                self.counts.others_answered += 1

    # --- everybody else ---

    def _answer_strangers(self) -> None:
        for _ in range(_OPEN_BATCH):
            try:
                size, ancillary, source = receive_from(self._open, self._buffer)
            except OSError:
                return
            self._answer(self._buffer[:size], source[:2], ancillary)

    def _answer(self, packet: bytearray, source: Endpoint, ancillary: Ancillary) -> None:
        if is_control(packet):
            self._converse(bytes(packet), source)
        elif is_report(packet):
            self._report(self._open, bytes(packet), source, ancillary)
        elif (session := self.control.sessions.carrying(peek(packet)[0], source)) is not None:
            self._send_back(self._open, session, packet, ancillary)
        else:
            self.counts.others += 1
            with self._spared():
                self.other(bytes(packet), source)

    def _converse(self, data: bytes, source: Endpoint) -> None:
        self.counts.messages += 1
        answer = None
        with self._spared():
            answer = self.control.answer(data, source, time.monotonic())
        if answer is None:
            return
        known = {session.token for session in self.control.sessions}
        for token in self._streams.keys() - known:
            self._detach(token)
        for session in self.control.sessions:
            if session.source == source:
                self._attach(session)
        self.asked()
        self.counts.messages_answered += 1
        self._say_in_one_piece(answer, source)

    @contextmanager
    def _spared(self) -> Iterator[None]:
        """A fault that a stranger's bytes lay bare costs the stranger an answer, and nobody a stream."""
        try:
            yield
        except Exception:
            self.counts.failed += 1

    def _say_in_one_piece(self, answer: bytes, to: Endpoint) -> None:
        """What is long was asked for to see whether it passes as it is."""
        if len(answer) <= _SHORT:
            self.say(answer, to)
            return
        with suppress(OSError, NetError):
            forbid_fragments(self._open)
            self.say(answer, to)
            allow_fragments(self._open)

    def say(self, answer: bytes, to: Endpoint) -> None:
        """From the open port; other threads may, too."""
        with suppress(OSError):
            self._open.sendto(answer, to)

    def _expire(self) -> None:
        for session in self.control.sessions.expired(time.monotonic()):
            self._detach(session.token)

    def _detach(self, token: str) -> None:
        sock = self._streams.pop(token, None)
        if sock is not None:
            self._selector.unregister(sock)
            sock.close()

    def close(self) -> None:
        for token in list(self._streams):
            self._detach(token)
        self._selector.close()
        for sock in (self._open, self._waker, self._woken):
            sock.close()


def _widen(sock: socket.socket) -> None:
    """Beyond what the system grants to everybody, where this process may (CAP_NET_ADMIN)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if sys.platform == "linux":
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)


def _own_sockets() -> bool:
    """Whether several sockets of one port can each have a peer of their own."""
    return hasattr(socket, "SO_REUSEPORT") and sys.platform == "linux"
