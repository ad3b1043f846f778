"""Streams to a responder and back: a thread of its own sends each packet at its moment.

asyncio wakes up to a millisecond late, which is more than the jitter of a good network. The kernel stamps what
arrives, so that reading it late does no harm; what leaves is stamped right before it does.
"""

import heapq
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from readycheck.failure import Failure, classify
from readycheck.media.stream import Stamp
from readycheck.media.two_way import Returned
from readycheck.net import guard
from readycheck.net.address import is_address
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.headers import Headers, receive, show_headers
from readycheck.net.interface import Endpoint, Leg, NetError, Played
from readycheck.net.punctuality import be_punctual
from readycheck.wire.far_end import (
    ANSWERS,
    REQUEST_SIZE,
    Ask,
    Kind,
    Message,
    pack_ask,
    pack_message,
    unpack_answer,
    unpack_message,
)

_TRIES_S = (0.5, 1.0, 1.5)
_LINGER_S = 1.0
_SENSIBLE = 1e6
_GLANCE_S = 0.1
"""How soon whoever waits sees that nobody wants the answer any more."""
_NEAR_NS = 150_000
"""Closer than this to its moment a packet is waited for with the processor, not with the kernel."""
_ROOM_NS = 400_000
_BUFFER = 1 << 20


@dataclass(slots=True, kw_only=True)
class _Line:
    leg: Leg
    sock: socket.socket
    terms: Mapping[str, Any]
    seen_as: Endpoint
    number: int = 0
    sent: list[Stamp] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)

    def take(self, data: bytearray, headers: Headers) -> None:
        """Keep an answer of this stream; `ValueError` for what is none."""
        answer = unpack_answer(bytes(data))
        if answer.ssrc == self.terms["ssrc"]:
            self.heard.add(answer.number)
            self.returned.append(
                Returned(
                    number=answer.number,
                    count=answer.count,
                    received_ns=answer.received_ns,
                    held_ns=answer.held_ns,
                    arrived_ns=headers.received_ns,
                    hop_limit=answer.hop_limit,
                    traffic_class=answer.traffic_class,
                )
            )

    @property
    def rate(self) -> float:
        return min(self.leg.packets_per_second, float(self.terms["packets_per_second"]))

    @property
    def packets(self) -> int:
        """As many as the far end has granted of what the leg wants."""
        seconds = min(self.leg.seconds, float(self.terms["seconds"]))
        return max(1, round(self.rate * seconds))

    @property
    def spacing_ns(self) -> int:
        return round(1e9 * self.leg.burst / self.rate)


def play(
    to: Endpoint, legs: Sequence[Leg], way_out: SocketOptions, key: bytes, stop: threading.Event
) -> tuple[Played, ...]:
    """All legs at once, for a thread of its own. Raises `NetError` when the far end does not grant them."""
    guard.allow(to[0])
    with ExitStack() as sockets:
        lines = [_open(to, leg, way_out, key, sockets, stop) for leg in legs]
        be_punctual()
        _Player(lines).run(stop)
        return tuple(_played(line, _told(line, key, stop)) for line in lines)


def ask(
    to: Endpoint,
    kind: Kind,
    body: Mapping[str, Any],
    way_out: SocketOptions,
    key: bytes,
    stop: threading.Event,
) -> Mapping[str, Any]:
    """One question, after a proof of this address; for a thread of its own. Raises `NetError`."""
    guard.allow(to[0])
    with open_socket(socket.SOCK_DGRAM, way_out) as sock:
        cookie = prove(sock, to, key, stop)
        return granted(converse(sock, kind, {"cookie": cookie, **body}, key, stop)).body


def prove(sock: socket.socket, to: Endpoint, key: bytes, stop: threading.Event) -> str:
    """Connect, and have the cookie that shows whose address this is. Raises `NetError`."""
    _connect(sock, to)
    try:
        return str(converse(sock, Kind.HELLO, {}, key, stop).body["cookie"])
    except KeyError as error:
        raise NetError(Failure.PROTOCOL_ERROR, "the responder gives no cookie") from error


def _connect(sock: socket.socket, to: Endpoint) -> None:
    try:
        sock.connect(to)
    except OSError as error:
        raise NetError(classify(error), f"opening a stream: {error.strerror or error}") from error


def granted(answer: Message) -> Message:
    """Raises `NetError` with the reason of a refusal."""
    if answer.kind is Kind.REFUSED:
        raise NetError(Failure.RESPONDER_REFUSED, str(answer.body.get("because", ""))[:200])
    return answer


def _open(
    to: Endpoint, leg: Leg, way_out: SocketOptions, key: bytes, sockets: ExitStack, stop: threading.Event
) -> _Line:
    options = SocketOptions(
        family=way_out.family, source=way_out.source, interface=way_out.interface,
        tos=leg.tos, source_port=leg.source_port,
    )  # fmt: skip
    sock = sockets.enter_context(open_socket(socket.SOCK_DGRAM, options))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    show_headers(sock)
    _connect(sock, to)
    try:
        return _agreed(leg, sock, key, stop)
    except (KeyError, TypeError, ValueError) as error:
        raise NetError(Failure.PROTOCOL_ERROR, f"terms of the responder: {type(error).__name__}") from error


def _agreed(leg: Leg, sock: socket.socket, key: bytes, stop: threading.Event) -> _Line:
    """What the far end grants; `LookupError` and the like for what makes no sense."""
    hello = converse(sock, Kind.HELLO, {}, key, stop)
    wanted = {
        "cookie": hello.body["cookie"],
        "seconds": leg.seconds,
        "packets_per_second": leg.packets_per_second,
        "payload_bytes": leg.payload_bytes,
    }
    opened = granted(converse(sock, Kind.OPEN, wanted, key, stop))
    return _Line(leg=leg, sock=sock, terms=_terms(opened.body), seen_as=_place(hello.body["seen_as"]))


def _terms(body: Mapping[str, Any]) -> Mapping[str, Any]:
    rate, seconds, ssrc = float(body["packets_per_second"]), float(body["seconds"]), int(body["ssrc"])
    if not (0 < rate < _SENSIBLE and 0 < seconds < _SENSIBLE and 0 <= ssrc < 1 << 32):
        raise ValueError("out of range")
    return {"packets_per_second": rate, "seconds": seconds, "ssrc": ssrc, "token": str(body["token"])}


def _place(told: Any) -> Endpoint:
    address, port = told
    if not isinstance(address, str) or not is_address(address):
        raise ValueError("no address")
    return address, int(port)


def converse(
    sock: socket.socket,
    kind: Kind,
    body: Mapping[str, Any],
    key: bytes,
    stop: threading.Event | None = None,
) -> Message:
    """Ask on a connected socket until the far end answers; once `stop` is set, only say it. Raises `NetError`."""
    request = pack_message(kind, body, key, size=REQUEST_SIZE)
    for patience_s in _TRIES_S:
        with suppress(ConnectionError):
            sock.send(request)
        until = time.monotonic() + patience_s
        while (left_s := until - time.monotonic()) > 0:
            if stop is not None and stop.is_set():
                raise NetError(Failure.INTERRUPTED, f"nobody waits for the answer to {kind.name}")
            if not select.select([sock], [], [], min(left_s, _GLANCE_S))[0]:
                continue
            with suppress(OSError, ValueError):
                message = unpack_message(sock.recv(2048), key)
                if message.kind in ANSWERS[kind]:
                    return message
    raise NetError(Failure.TIMED_OUT, f"the responder does not answer {kind.name}")


def _told(line: _Line, key: bytes, stop: threading.Event) -> int | None:
    with suppress(NetError, KeyError, TypeError, ValueError):
        closed = converse(line.sock, Kind.CLOSE, {"token": line.terms["token"]}, key, stop)
        return int(closed.body["received"])
    return None


def _played(line: _Line, counted: int | None) -> Played:
    return Played(
        leg=line.leg,
        sent=tuple(line.sent),
        returned=tuple(line.returned),
        counted=counted,
        paced_late_ns=tuple(line.late_ns),
        local=line.sock.getsockname()[:2],
        seen_as=line.seen_as,
    )


class _Player:
    """Sends what is due and reads what is there when there is room before the next packet."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = {line.sock.fileno(): line for line in lines}
        self._ready = _readiness(self._lines)
        self._buffer = bytearray(2048)

    def run(self, stop: threading.Event) -> None:
        began_ns = time.monotonic_ns() + 5_000_000
        step_ns = min(line.spacing_ns for line in self._lines.values()) // len(self._lines)
        due = [(began_ns + i * step_ns, i, line) for i, line in enumerate(self._lines.values())]
        heapq.heapify(due)
        while due and not stop.is_set():
            at_ns, rank, line = due[0]
            self._wait(at_ns)
            self._send(line, at_ns)
            if line.number < line.packets:
                heapq.heapreplace(due, (at_ns + line.spacing_ns, rank, line))
            else:
                heapq.heappop(due)
        self._linger(stop)

    def _wait(self, at_ns: int) -> None:
        while (left_ns := at_ns - time.monotonic_ns()) > _ROOM_NS:
            self._read()
            left_ns = at_ns - time.monotonic_ns()
            if left_ns > _NEAR_NS:
                time.sleep((left_ns - _NEAR_NS) / 1e9)
        if left_ns > _NEAR_NS:
            time.sleep((left_ns - _NEAR_NS) / 1e9)
        while time.monotonic_ns() < at_ns:
            pass

    def _send(self, line: _Line, at_ns: int) -> None:
        for _ in range(min(line.leg.burst, line.packets - line.number)):
            left_ns = time.time_ns()
            data = pack_ask(
                Ask(
                    ssrc=line.terms["ssrc"],
                    payload_type=line.leg.payload_type,
                    number=line.number,
                    sent_ns=left_ns,
                    timestamp=line.number // line.leg.burst * line.leg.clock_step,
                    size=line.leg.payload_bytes,
                )
            )
            late_ns = time.monotonic_ns() - at_ns
            left_ns = time.time_ns()
            with suppress(
                OSError
            ):  # a full queue of ours, or an ICMP error: the packet counts as sent, and lost
                line.sock.send(data)
            line.sent.append(Stamp(line.number, left_ns))
            line.late_ns.append(late_ns)
            line.number += 1

    def _linger(self, stop: threading.Event) -> None:
        until = time.monotonic() + _LINGER_S
        while time.monotonic() < until and not stop.is_set() and not self._is_whole():
            self._read()
            time.sleep(0.005)
        self._read()

    def _is_whole(self) -> bool:
        return all(len(line.heard) >= len(line.sent) for line in self._lines.values())

    def _read(self) -> None:
        for number in self._ready():
            line = self._lines[number]
            while (found := receive(line.sock, self._buffer)) is not None:
                with suppress(ValueError):
                    line.take(self._buffer[: found[0]], found[1])


def _readiness(lines: Mapping[int, _Line]) -> Callable[[], Iterator[int]]:
    """Which sockets have something; `select` where there is no poll."""
    if not hasattr(select, "poll"):
        return lambda: iter(select.select(list(lines), [], [], 0)[0])
    poll = select.poll()
    for number in lines:
        poll.register(number, select.POLLIN)
    return lambda: (number for number, _ in poll.poll(0))
