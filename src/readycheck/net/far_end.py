"""Streams to a responder and back: a thread of its own sends each packet at its moment.

asyncio wakes up to a millisecond late, which is more than the jitter of a good network. The kernel stamps what
arrives, so that reading it late does no harm; what leaves is stamped right before it does.
"""

import heapq
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from readycheck.failure import Failure, classify
from readycheck.media.stream import Stamp
from readycheck.media.two_way import Returned
from readycheck.net import guard
from readycheck.net.account import Told, read_account
from readycheck.net.address import is_address
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.headers import Headers, receive, show_headers
from readycheck.net.interface import Endpoint, Leg, NetError, Played, Rtcp
from readycheck.net.punctuality import be_punctual
from readycheck.net.reports import SPACING_NS, Reports
from readycheck.net.steady import SteadyClock
from readycheck.wire.far_end import (
    ANSWERS,
    NONSENSE,
    REQUEST_SIZE,
    Ask,
    Kind,
    Message,
    pack_ask,
    pack_message,
    unpack_answer,
    unpack_message,
)
from readycheck.wire.rtp import is_rtcp

_TRIES_S = (0.25, 0.35, 0.5, 0.6, 0.65, 0.65)
"""Three seconds in all: a flood leaves a chance to each, and no more."""
_LINGER_S, _MOST_LINGER_S = 1.0, 4.0
"""For the last answers; longer where others have taken longer, for late is not lost."""
_SENSIBLE = 1e6
_GLANCE_S = 0.1
"""How soon whoever waits sees that nobody wants the answer any more."""
_NEAR_NS = 150_000
"""Closer than this to its moment a packet is waited for with the processor, not with the kernel."""
_ROOM_NS = 400_000
_BUFFER = 1 << 20
_TURN = 64
"""Datagrams that are read of a socket before it is another's turn, and that of the clock."""
_MOST_COPIES, _SPARE = 4, 64
"""More answers than these to each packet are a flood, of which no more is kept."""
_AT_ONCE = 16
"""How many streams are agreed on at once: each takes two round trips."""
_PAIRS = 16
"""How often two neighbouring ports are looked for where any will do."""


_Pair = tuple[socket.socket, socket.socket | None]


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
    slowest_ns: int = 0
    clock: SteadyClock = field(default_factory=SteadyClock)
    reports: Reports | None = None

    def take(self, data: bytes, headers: Headers) -> None:
        """Keep an answer of this stream; `ValueError` for what is none."""
        if self.leg.rtcp is Rtcp.MUX and self.reports is not None and is_rtcp(data):
            return self.reports.take(data, headers)
        answer = unpack_answer(data)
        has_room = len(self.returned) < _MOST_COPIES * len(self.sent) + _SPARE
        if answer.ssrc == self.terms["ssrc"] and has_room:
            self._note(answer.number, headers.received_ns)
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

    def _note(self, number: int, arrived_ns: int) -> None:
        self.heard.add(number)
        if number < len(self.sent):
            self.slowest_ns = max(self.slowest_ns, arrived_ns - self.sent[number].at_ns)

    def is_whole(self, now_ns: int) -> bool:
        """Nothing more is to come: a copy of the last packet takes no longer than the slowest one did."""
        reported = self.reports is None or self.reports.answered >= self.reports.sent
        waited_ns = now_ns - self.sent[-1].at_ns if self.sent else 0
        return reported and len(self.heard) >= len(self.sent) and waited_ns >= self.slowest_ns

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

    @property
    def clock_rate(self) -> float:
        """Of RTP: frames a second, each so many steps of the clock."""
        return self.leg.packets_per_second / self.leg.burst * self.leg.clock_step

    def progress(self) -> tuple[int, int, int]:
        """What a sender report tells: packets, octets, and the time on RTP's clock."""
        return self.number, self.number * self.leg.payload_bytes, self.timestamp

    @property
    def timestamp(self) -> int:
        return self.number // self.leg.burst * self.leg.clock_step

    def send(self, at_ns: int) -> None:
        """What is due at this moment: a packet, or all of a frame."""
        for _ in range(min(self.leg.burst, self.packets - self.number)):
            data = pack_ask(
                Ask(
                    ssrc=self.terms["ssrc"],
                    payload_type=self.leg.payload_type,
                    number=self.number,
                    sent_ns=self.clock.now_ns(),
                    timestamp=self.timestamp,
                    size=self.leg.payload_bytes,
                )
            )
            late_ns = time.monotonic_ns() - at_ns
            left_ns = self.clock.now_ns()
            with suppress(OSError):  # a full queue of ours, or an ICMP error: it counts as sent, and lost
                self.sock.send(data)
            self.sent.append(Stamp(self.number, left_ns))
            self.late_ns.append(late_ns)
            self.number += 1


def play(
    to: Endpoint, legs: Sequence[Leg], way_out: SocketOptions, key: bytes, stop: threading.Event
) -> tuple[Played, ...]:
    """All legs at once, for a thread of its own. Raises `NetError` when the far end does not grant them."""
    guard.allow(to[0])
    with ExitStack() as sockets, ThreadPoolExecutor(_AT_ONCE) as pool:
        pairs = [_pair(leg, way_out, sockets) for leg in legs]
        lines = list(pool.map(lambda leg, pair: _open(to, leg, pair, key, stop), legs, pairs))
        be_punctual()
        _Player(lines).run(stop)
        told = pool.map(lambda line: _told(line, key, stop), lines)
        return tuple(map(_played, lines, told))


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
    to: Endpoint,
    leg: Leg,
    pair: _Pair,
    key: bytes,
    stop: threading.Event,
) -> _Line:
    sock, beside = pair
    _connect(sock, to)
    try:
        line = _agreed(leg, sock, key, stop)
        if beside is not None and "rtcp_above" in line.terms:
            line.reports = _reports(line, beside, (to[0], to[1] + line.terms["rtcp_above"]))
        return line
    except NONSENSE as error:
        raise NetError(Failure.PROTOCOL_ERROR, f"terms of the responder: {type(error).__name__}") from error


def _pair(leg: Leg, way_out: SocketOptions, sockets: ExitStack) -> _Pair:
    """The socket of a stream, and that of its RTCP: the same one, or the next where the stream's is even."""
    if leg.rtcp is not Rtcp.ODD:
        sock = _bound(leg, way_out, leg.source_port, sockets)
        return sock, sock if leg.rtcp is Rtcp.MUX else None
    for left in reversed(range(_PAIRS)):
        with ExitStack() as undo, suppress(NetError) if left and not leg.source_port else nullcontext():
            sock = _bound(leg, way_out, leg.source_port, undo)
            port = sock.getsockname()[1]
            if leg.source_port or not port % 2:
                beside = _bound(leg, way_out, port + 1, undo)
                sockets.enter_context(undo.pop_all())
                return sock, beside
    raise NetError(Failure.ADDRESS_NOT_AVAILABLE, "no even port with a free one above it")


def _bound(leg: Leg, way_out: SocketOptions, port: int, sockets: ExitStack) -> socket.socket:
    options = replace(way_out, tos=leg.tos, source_port=port, ttl=None, whole=False)
    sock = sockets.enter_context(open_socket(socket.SOCK_DGRAM, options))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    show_headers(sock)
    return sock


def _reports(line: _Line, sock: socket.socket, to: Endpoint) -> Reports:
    if sock is not line.sock:
        _connect(sock, to)
    return Reports(
        sock=sock,
        ssrc=line.terms["ssrc"],
        clock_rate=line.clock_rate,
        seconds=line.packets / line.rate,
        progress=line.progress,
        now_ns=lambda: line.clock.now_ns(),
    )


def _agreed(leg: Leg, sock: socket.socket, key: bytes, stop: threading.Event) -> _Line:
    """What the far end grants; `LookupError` and the like for what makes no sense."""
    hello = converse(sock, Kind.HELLO, {}, key, stop)
    wanted = {
        "cookie": hello.body["cookie"],
        "name": secrets.token_hex(8),
        "seconds": leg.seconds,
        "packets_per_second": leg.packets_per_second,
        "payload_bytes": leg.payload_bytes,
        "clock_rate": max(1, round(leg.packets_per_second / leg.burst * leg.clock_step)),
    }
    opened = granted(converse(sock, Kind.OPEN, wanted, key, stop))
    return _Line(leg=leg, sock=sock, terms=_terms(opened.body), seen_as=_place(hello.body["seen_as"]))


def _terms(body: Mapping[str, Any]) -> Mapping[str, Any]:
    rate, seconds, ssrc = float(body["packets_per_second"]), float(body["seconds"]), int(body["ssrc"])
    if not (0 < rate < _SENSIBLE and 0 < seconds < _SENSIBLE and 0 <= ssrc < 1 << 32):
        raise ValueError("out of range")
    terms = {"packets_per_second": rate, "seconds": seconds, "ssrc": ssrc, "token": str(body["token"])}
    return terms | ({"rtcp_above": int(bool(body["rtcp_above"]))} if "rtcp_above" in body else {})


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
    fits: Callable[[Message], bool] = lambda message: True,
) -> Message:
    """Ask on a connected socket until what fits is answered; once `stop` is set, only say it. Raises `NetError`."""
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
                if message.kind in ANSWERS[kind] and fits(message):
                    return message
    raise NetError(Failure.TIMED_OUT, f"the responder does not answer {kind.name}")


def _told(line: _Line, key: bytes, stop: threading.Event) -> Told:
    return read_account(lambda offset: _closed(line, offset, key, stop), len(line.sent))


def _closed(line: _Line, offset: int, key: bytes, stop: threading.Event) -> Mapping[str, Any]:
    """An answer that comes twice is none to the question after it."""
    wanted = {"token": line.terms["token"], "offset": offset}
    return converse(
        line.sock, Kind.CLOSE, wanted, key, stop, lambda answer: answer.body.get("offset", offset) == offset
    ).body


def _played(line: _Line, told: Told) -> Played:
    return Played(
        leg=line.leg,
        sent=tuple(line.sent),
        returned=tuple(line.returned),
        counted=told.counts.get("received"),
        paced_late_ns=tuple(line.late_ns),
        local=line.sock.getsockname()[:2],
        seen_as=line.seen_as,
        reported=line.reports.told(told.counts.get("reports")) if line.reports else None,
        account=told.account,
    )


class _Player:
    """Sends what is due and reads what is there when there is room before the next packet."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        self._lines = lines
        reports = [line.reports for line in lines if line.reports is not None]
        readers: Sequence[_Line | Reports] = (*reports, *lines)
        self._readers = {one.sock.fileno(): one for one in readers}
        self._ready = _readiness(self._readers)
        self._buffer = bytearray(2048)
        self._clock = SteadyClock()
        for line in lines:
            line.clock = self._clock

    def run(self, stop: threading.Event) -> None:
        began_ns = time.monotonic_ns() + 5_000_000
        due = list(self._first(began_ns))
        heapq.heapify(due)
        while due and not stop.is_set():
            at_ns, rank, line, reports = due[0]
            self._wait(at_ns, stop)
            if stop.is_set():
                break
            if reports is not None:
                reports.send()
                more, spacing_ns = reports.sent < reports.due, SPACING_NS
            else:
                line.send(at_ns)
                more, spacing_ns = line.number < line.packets, line.spacing_ns
            if more:
                heapq.heapreplace(due, (at_ns + spacing_ns, rank, line, reports))
            else:
                heapq.heappop(due)
        self._linger(stop)

    def _first(self, began_ns: int) -> Iterator[tuple[int, int, _Line, Reports | None]]:
        """Streams take turns within the spacing of the quickest; reports come between the packets of their own."""
        step_ns = min(line.spacing_ns for line in self._lines) // len(self._lines)
        for turn, line in enumerate(self._lines):
            at_ns = began_ns + turn * step_ns
            yield at_ns, 2 * turn, line, None
            if line.reports is not None:
                yield at_ns + line.reports.first_ns + step_ns // 2, 2 * turn + 1, line, line.reports

    def _wait(self, at_ns: int, stop: threading.Event) -> None:
        while (left_ns := at_ns - time.monotonic_ns()) > _ROOM_NS:
            self._read()
            left_ns = at_ns - time.monotonic_ns()
            if left_ns > _NEAR_NS:
                time.sleep(min(_GLANCE_S, (left_ns - _NEAR_NS) / 1e9))
            if stop.is_set():
                return
        if left_ns > _NEAR_NS:
            time.sleep((left_ns - _NEAR_NS) / 1e9)
        while time.monotonic_ns() < at_ns:
            pass

    def _linger(self, stop: threading.Event) -> None:
        began_s = time.monotonic()
        while time.monotonic() < began_s + self._linger_s() and not stop.is_set() and not self._is_whole():
            self._read()
            time.sleep(0.005)
        self._read()

    def _linger_s(self) -> float:
        slowest_s = max(line.slowest_ns for line in self._lines) / 1e9
        return min(_MOST_LINGER_S, slowest_s + _LINGER_S)

    def _is_whole(self) -> bool:
        now_ns = self._clock.now_ns()
        return all(line.is_whole(now_ns) for line in self._lines)

    def _read(self) -> None:
        for number in self._ready():
            reader = self._readers[number]
            for _ in range(_TURN):
                if (found := receive(reader.sock, self._buffer)) is None:
                    break
                size, headers = found
                with suppress(ValueError):
                    arrived_ns = self._clock.of(headers.received_ns, self._clock.now_ns())
                    reader.take(bytes(self._buffer[:size]), headers._replace(received_ns=arrived_ns))


def _readiness(files: Iterable[int]) -> Callable[[], Iterator[int]]:
    """Which sockets have something; `select` where there is no poll."""
    if not hasattr(select, "poll"):
        return lambda: iter(select.select(list(files), [], [], 0)[0])
    poll = select.poll()
    for number in files:
        poll.register(number, select.POLLIN)
    return lambda: (number for number, _ in poll.poll(0))
