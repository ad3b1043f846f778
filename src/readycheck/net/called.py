"""Being called back by a responder: listens at ports of this host, asks for the calls and waits, in a thread."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.far_end import ask
from readycheck.net.interface import Call, Endpoint, NetError
from readycheck.wire.far_end import NONSENSE, Kind, is_call

_GLANCE_S = 0.1
_LONGEST_S = 5.0
_SETTLED_S = 1.0
_MOST_DATAGRAMS = 64


@dataclass(slots=True)
class _Door:
    """A port that is listened at, or why it could not be."""

    port: int
    sock: socket.socket | None = None
    failure: Failure | None = None


def be_called(
    to: Endpoint,
    transport: str,
    ports: Sequence[int],
    way_out: SocketOptions,
    key: bytes,
    stop: threading.Event,
) -> tuple[Call, ...]:
    """What came to each port. Raises `NetError` when the responder does not grant it."""
    with ExitStack() as sockets:
        doors = [_open(port, transport, way_out, sockets) for port in ports]
        granted = ask(to, Kind.CALL_BACK, {"transport": transport, "ports": list(ports)}, way_out, key, stop)
        try:
            token, lasts_s = str(granted["token"]), min(_LONGEST_S, float(granted["seconds"]))
            is_call(b"", token)
        except NONSENSE as error:
            raise NetError(Failure.PROTOCOL_ERROR, "the responder does not say how long it calls") from error
        came = _wait(doors, token, lasts_s, stop)
        outcomes = _told(lambda: ask(to, Kind.CALL_BACK, {"token": token}, way_out, key, stop), ports, stop)
        return tuple(
            Call(
                port=door.port,
                came=door.port in came
                and (transport == "udp" or outcomes.get(str(door.port)) == "connected"),
                outcome=str(outcomes.get(str(door.port), ""))[:20],
                failure=door.failure,
            )
            for door in doors
        )


def _told(
    asked: Callable[[], Mapping[str, Any]], ports: Sequence[int], stop: threading.Event
) -> Mapping[str, object]:
    """What the responder says of each port; that a call is over it may see a little later than who was called."""
    until_s = time.monotonic() + _SETTLED_S
    while True:
        told = asked().get("outcomes")
        outcomes = told if isinstance(told, dict) else {}
        if outcomes.keys() >= set(map(str, ports)) or time.monotonic() >= until_s or stop.is_set():
            return outcomes
        stop.wait(_GLANCE_S)


def _open(port: int, transport: str, way_out: SocketOptions, sockets: ExitStack) -> _Door:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        sock = sockets.enter_context(open_socket(kind, replace(way_out, source_port=port)))
        if transport == "tcp":
            sock.listen(4)
    except NetError as error:
        return _Door(port, failure=error.failure)
    except OSError:
        return _Door(port, failure=Failure.ADDRESS_NOT_AVAILABLE)
    return _Door(port, sock)


def _wait(doors: Sequence[_Door], token: str, lasts_s: float, stop: threading.Event) -> set[int]:
    """The ports that a call came to, until all have or the time is over."""
    came: set[int] = set()
    until_s = time.monotonic() + lasts_s
    while (left_s := until_s - time.monotonic()) > 0 and not stop.is_set():
        waiting = {door.sock: door.port for door in doors if door.sock and door.port not in came}
        if not waiting:
            if came:
                break
            stop.wait(min(left_s, _GLANCE_S))  # for what the responder says of ports that others have
            continue
        ready = select.select(list(waiting), (), (), min(left_s, _GLANCE_S))[0]
        came |= {waiting[sock] for sock in ready if any(_arrivals(sock, token))}
    return came


def _arrivals(sock: socket.socket, token: str) -> Iterator[bool]:
    """Of datagrams whether they are the call; of connections the responder says which were made."""
    with suppress(OSError):
        if sock.type == socket.SOCK_STREAM:
            sock.accept()[0].close()
            yield True
        else:
            for _ in range(_MOST_DATAGRAMS):
                yield is_call(sock.recv(2048), token)
