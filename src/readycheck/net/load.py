"""Throughput to a responder and back: several TCP connections at once, filled for a time that the responder grants.

In a thread of its own, because the event loop has other work between two packets. Whoever takes the bytes counts them.
"""

import errno
import os
import secrets
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from readycheck.failure import Failure, classify
from readycheck.media.throughput import together
from readycheck.net import guard
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.far_end import granted
from readycheck.net.interface import Endpoint, Filled, NetError
from readycheck.wire.far_end import (
    ANSWERS,
    REQUEST_SIZE,
    WINDOW_S,
    Kind,
    Message,
    pack_message,
    unpack_message,
)

CONNECTIONS = 4
"""Of each way: a lost packet halves the rate of one of them only."""

_PATIENCE_S = 3.0
_TOLD_S = 3.0
_GLANCE_S = 0.1
_LONGEST_FRAME = 1500
_MOST_WINDOWS = 4096
_SENSIBLE = 1e12
_NOISE = os.urandom(1 << 16)
_BUFFER = 1 << 18
_TCP_NOTSENT_LOWAT, _UNSENT = 25, 1 << 17


@dataclass(slots=True, kw_only=True)
class _Line:
    sock: socket.socket
    way: str
    seconds: float
    bits_per_second: float
    began_s: float
    windows: list[int] = field(default_factory=list)
    said: bytearray = field(default_factory=bytearray)
    spent: bool = False
    ending: bool = False
    done: bool = False

    def note(self, size: int, now_s: float) -> None:
        index = int((now_s - self.began_s) / WINDOW_S)
        self.windows.extend([0] * (index + 1 - len(self.windows)))
        self.windows[index] += size


def fill(
    to: Endpoint,
    ways: Sequence[str],
    seconds: float,
    way_out: SocketOptions,
    key: bytes,
    stop: threading.Event,
) -> tuple[Filled, ...]:
    """All ways at once, for a thread of its own. Raises `NetError` when the far end does not grant them."""
    guard.allow(to[0])
    with ExitStack() as sockets:
        wanted = [way for way in ways for _ in range(CONNECTIONS)]
        socks = [sockets.enter_context(_connected(to, way_out, stop)) for _ in wanted]
        cookies = [_body(_ask(sock, Kind.HELLO, {}, key, stop), "cookie") for sock in socks]
        asked = {"group": secrets.token_hex(8), "seconds": seconds}
        lines = [
            _granted(sock, {"cookie": cookie, "way": way, **asked}, key, stop)
            for sock, way, cookie in zip(socks, wanted, cookies, strict=True)
        ]
        _run(lines, key, stop)
        shared = _is_shared(to, asked["group"], way_out, key, stop)
        return tuple(_filled(way, [line for line in lines if line.way == way], shared) for way in ways)


def _is_shared(to: Endpoint, group: Any, way_out: SocketOptions, key: bytes, stop: threading.Event) -> bool:
    """What the far end says of others; nothing when it does not answer, or knows no such question."""
    with suppress(NetError), _connected(to, way_out, stop) as sock:
        cookie = _body(_ask(sock, Kind.HELLO, {}, key, stop), "cookie")
        told = _ask(sock, Kind.LOAD, {"cookie": cookie, "group": group}, key, stop)
        return told.body.get("shared") is True
    return False


def _connected(to: Endpoint, way_out: SocketOptions, stop: threading.Event) -> socket.socket:
    sock = open_socket(socket.SOCK_STREAM, way_out)
    try:
        if sys.platform == "linux":  # what waits here to be sent would only come late
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)
        _connect(sock, to, stop)
    except OSError as error:
        sock.close()
        raise NetError(classify(error), f"opening a connection: {error.strerror or error}") from error
    except NetError:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, to: Endpoint, stop: threading.Event) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    error = sock.connect_ex(to)
    while error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        if stop.is_set():
            raise NetError(Failure.INTERRUPTED, "nobody waits for the connection")
        if time.monotonic() > until_s:
            raise TimeoutError("no answer")
        _, done, failed = select.select([], [sock], [sock], _GLANCE_S)  # Windows tells of failures apart
        if done or failed:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


def _granted(sock: socket.socket, wanted: Mapping[str, Any], key: bytes, stop: threading.Event) -> _Line:
    answer = granted(_ask(sock, Kind.LOAD, wanted, key, stop))
    return _Line(
        sock=sock,
        way=wanted["way"],
        seconds=min(wanted["seconds"], _number(answer.body, "seconds")),
        bits_per_second=_number(answer.body, "bits_per_second"),
        began_s=time.monotonic(),
    )


def _body(message: Message, name: str) -> Any:
    if name not in message.body:
        raise NetError(Failure.PROTOCOL_ERROR, f"the responder says nothing of {name}")
    return message.body[name]


def _number(body: Mapping[str, Any], name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _SENSIBLE:
        raise NetError(Failure.PROTOCOL_ERROR, f"terms of the responder: {name}")
    return float(value)


# --- talking ------------------------------------------------------------------------------------------


def _ask(
    sock: socket.socket, kind: Kind, body: Mapping[str, Any], key: bytes, stop: threading.Event
) -> Message:
    request = pack_message(kind, body, key, size=REQUEST_SIZE)
    until_s = time.monotonic() + _PATIENCE_S
    try:
        sock.sendall(len(request).to_bytes(2, "big") + request)
        size = int.from_bytes(_exactly(sock, 2, until_s, kind, stop), "big")
        if not 0 < size <= _LONGEST_FRAME:
            raise ValueError(f"a frame of {size} bytes")
        message = unpack_message(_exactly(sock, size, until_s, kind, stop), key)
    except OSError as error:
        raise NetError(classify(error), f"asking for {kind.name}: {error.strerror or error}") from error
    except ValueError as error:
        raise NetError(Failure.PROTOCOL_ERROR, f"answer to {kind.name}: {error}") from error
    if message.kind not in ANSWERS[kind]:
        raise NetError(Failure.PROTOCOL_ERROR, f"{kind.name} is answered with {message.kind.name}")
    return message


def _exactly(sock: socket.socket, size: int, until_s: float, kind: Kind, stop: threading.Event) -> bytes:
    """Not one byte more: what follows is the load."""
    data = b""
    while len(data) < size:
        if stop.is_set():
            raise NetError(Failure.INTERRUPTED, f"nobody waits for the answer to {kind.name}")
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise NetError(Failure.TIMED_OUT, f"the responder does not answer {kind.name}")
        if select.select([sock], [], [], min(left_s, _GLANCE_S))[0]:
            more = sock.recv(size - len(data))
            if not more:
                raise NetError(Failure.CONNECTION_CLOSED, f"the responder hangs up at {kind.name}")
            data += more
    return data


# --- filling ------------------------------------------------------------------------------------------


def _run(lines: Sequence[_Line], key: bytes, stop: threading.Event) -> None:
    """Until each has had its time, and the far end has told what came up."""
    buffer = bytearray(_BUFFER)
    with selectors.DefaultSelector() as selector:
        for line in lines:
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            selector.register(line.sock, both if line.way == "up" else selectors.EVENT_READ, line)
        while not stop.is_set() and (going := [line for line in lines if not line.done]):
            for found, events in selector.select(_GLANCE_S):
                with suppress(BlockingIOError):
                    _move(found.data, events, buffer, key)
            for line in going:
                _look_at_the_clock(line, selector)


def _move(line: _Line, events: int, buffer: bytearray, key: bytes) -> None:
    try:
        if events & selectors.EVENT_READ and line.way == "down":
            size = line.sock.recv_into(buffer)
            line.note(size, time.monotonic())
            line.done = size == 0
        elif events & selectors.EVENT_READ:
            _listen(line, key)
        elif events & selectors.EVENT_WRITE:
            line.sock.send(_NOISE)
    except BlockingIOError:
        raise
    except OSError:
        line.done = True


def _listen(line: _Line, key: bytes) -> None:
    """What the far end took, in its own windows."""
    data = line.sock.recv(_LONGEST_FRAME)
    line.said += data
    size = 2 + int.from_bytes(line.said[:2], "big")
    line.done = not data or len(line.said) > _LONGEST_FRAME
    if len(line.said) >= max(size, 3):
        line.done = True
        with suppress(ValueError):
            message = unpack_message(bytes(line.said[2:size]), key)
            line.windows = list(_windows(message.body.get("windows")))
            line.spent = message.body.get("spent") is True


def _windows(told: Any) -> Iterator[int]:
    if isinstance(told, list):
        for size in told[:_MOST_WINDOWS]:
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _SENSIBLE:
                raise ValueError("no windows")
            yield size


def _look_at_the_clock(line: _Line, selector: selectors.BaseSelector) -> None:
    """A time that is over ends what comes down; of what goes up the far end has yet to tell."""
    over_s = time.monotonic() - line.began_s - line.seconds
    line.done = line.done or over_s > (_TOLD_S if line.way == "up" else 0.0)
    if line.done:
        selector.unregister(line.sock)
        line.sock.close()
    elif over_s > 0 and not line.ending:
        line.ending = True
        selector.modify(line.sock, selectors.EVENT_READ, line)


def _filled(way: str, lines: Sequence[_Line], shared: bool) -> Filled:
    return Filled(
        way=way,
        connections=len(lines),
        windows=together([line.windows for line in lines]),
        window_s=WINDOW_S,
        seconds=min(line.seconds for line in lines),
        bits_per_second=min(line.bits_per_second for line in lines),
        spent=any(line.spent for line in lines),
        shared=shared,
    )
