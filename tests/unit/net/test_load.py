"""Throughput against a real responder on loopback, and against far ends that lie."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.media.throughput import bits_per_second
from readycheck.net import load
from readycheck.net.datagram import SocketOptions
from readycheck.net.interface import Endpoint, Filled, NetError
from readycheck.net.load import CONNECTIONS, fill
from readycheck.responder.load import LoadLimits
from readycheck.responder.server import Responder, Settings
from readycheck.wire.far_end import Kind, pack_message

KEY = b"of this site"


@contextmanager
def serving(host: str = "127.0.0.1", key: bytes = b"", **limits: Any) -> Iterator[Responder]:
    responder = Responder(Settings(listen=((host, 0),), key=key, loads=LoadLimits(**limits)))
    responder.start()
    try:
        yield responder
    finally:
        responder.stop()


def filled(
    to: Endpoint, *ways: str, seconds: float = 1.0, key: bytes = b"", family: Any = 4
) -> tuple[Filled, ...]:
    return fill(to, ways, seconds, SocketOptions(family=family), key, threading.Event())


def rate(one: Filled) -> float:
    return bits_per_second(one.windows, one.window_s, one.seconds) or 0.0


@pytest.mark.parametrize("ways", [("up",), ("down",), ("up", "down")], ids="+".join)
def test_the_rate_that_the_responder_lets_through(ways: tuple[str, ...]) -> None:
    with serving(bits_per_second=20e6) as responder:
        found = filled(responder.places[0], *ways)
    assert tuple(one.way for one in found) == ways
    for one in found:
        assert (one.connections, one.bits_per_second, one.spent) == (CONNECTIONS, 20e6, False)
        assert rate(one) == pytest.approx(20e6, rel=0.15)


def test_over_ipv6_with_a_key() -> None:
    with serving("::1", KEY, bits_per_second=8e6) as responder:
        (one,) = filled(responder.places[0], "down", seconds=0.5, key=KEY, family=6)
        assert one.windows
        with pytest.raises(NetError):
            filled(responder.places[0], "down", seconds=0.5, family=6)


def test_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    opening = load.open_socket
    monkeypatch.setattr(load, "open_socket", lambda *of: made.append(opening(*of)) or made[-1])
    with serving() as responder:
        filled(responder.places[0], "up", "down", seconds=0.3)
        assert [sock.fileno() for sock in made] == [-1] * (2 * CONNECTIONS + 1)


def test_two_at_once_are_told_that_they_are() -> None:
    found: list[Filled] = []
    with serving(bits_per_second=8e6) as responder:
        (alone,) = filled(responder.places[0], "down", seconds=0.3)
        both = [
            threading.Thread(target=lambda: found.extend(filled(responder.places[0], "down", seconds=0.6)))
            for _ in range(2)
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert (alone.shared, [one.shared for one in found]) == (False, [True, True])


def test_a_share_that_is_used_up_is_told() -> None:
    with serving(bytes_per_source=400_000) as responder:
        (up,) = filled(responder.places[0], "up", seconds=5.0)
        assert up.spent
        with pytest.raises(NetError) as refused:
            filled(responder.places[0], "up")
    assert refused.value.failure is Failure.RESPONDER_REFUSED


def test_a_responder_that_serves_none_says_so() -> None:
    with serving(bits_per_second=0) as responder, pytest.raises(NetError) as refused:
        filled(responder.places[0], "down")
    assert refused.value.failure is Failure.RESPONDER_REFUSED
    assert "not served" in refused.value.detail


def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(NetError) as refused:
            filled(bound.getsockname(), "down")
    assert refused.value.failure is Failure.CONNECTION_REFUSED


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux is silent when a queue of connections is full"
)
def test_who_connects_may_give_up() -> None:
    stop = threading.Event()
    with ExitStack() as open_ones:
        there = open_ones.enter_context(socket.socket())
        there.bind(("127.0.0.1", 0))
        there.listen(0)
        for _ in range(3):
            here = open_ones.enter_context(socket.socket())
            here.setblocking(False)
            here.connect_ex(there.getsockname())
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        with pytest.raises(NetError) as ended:
            fill(there.getsockname(), ("down",), 1.0, SocketOptions(), b"", stop)
        timer.join()
    assert ended.value.failure is Failure.INTERRUPTED


def test_who_asks_may_give_up() -> None:
    stop = threading.Event()
    with serving() as responder:
        threading.Timer(0.2, stop.set).start()
        (one,) = fill(responder.places[0], ("down",), 9.0, SocketOptions(), b"", stop)
        assert len(one.windows) < 8


# --- liars --------------------------------------------------------------------------------------------


@contextmanager
def far_end(say: Callable[[socket.socket], None]) -> Iterator[Endpoint]:
    """Lets each connection be served by `say`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

        def attend(connection: socket.socket) -> None:
            with connection:
                try:
                    say(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(5.0)


def framed(kind: Kind, body: dict[str, Any]) -> bytes:
    message = pack_message(kind, body)
    return len(message).to_bytes(2, "big") + message


def saying(*answers: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        for answer in answers:
            connection.recv(4096)
            connection.sendall(answer)
        while connection.recv(65536):
            pass

    return say


COOKIE = framed(Kind.COOKIE, {"cookie": "c"})
TERMS = {"way": "up", "seconds": 0.2, "bits_per_second": 1e6}


@pytest.mark.parametrize(
    "answers",
    [
        (b"\0\0",),
        (b"\xff\xff",),
        (b"\0\4RYFE",),
        (framed(Kind.COOKIE, {}),),
        (framed(Kind.COUNTED, {}),),
        (COOKIE, framed(Kind.LOADING, {**TERMS, "seconds": "long"})),
        (COOKIE, framed(Kind.LOADING, {**TERMS, "bits_per_second": -1})),
        (COOKIE, framed(Kind.COOKIE, {"cookie": "again"})),
    ],
)
def test_an_answer_that_makes_no_sense_is_named(answers: tuple[bytes, ...]) -> None:
    with far_end(saying(*answers)) as to, pytest.raises(NetError) as named:
        filled(to, "up")
    assert named.value.failure is Failure.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "told",
    [
        b"\xff\xffgarbage",
        b"\0\3abc",
        framed(Kind.LOADED, {"windows": ["x"]}),
        framed(Kind.LOADED, {"windows": 7}),
    ],
)
def test_windows_that_make_no_sense_are_none(told: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.net.load._TOLD_S", 0.2)

    def say(connection: socket.socket) -> None:
        for answer in (COOKIE, framed(Kind.LOADING, TERMS)):
            connection.recv(4096)
            connection.sendall(answer)
        connection.recv(4096)
        connection.sendall(told)
        while connection.recv(65536):
            pass

    with far_end(say) as to:
        (up,) = filled(to, "up", seconds=0.2)
    assert up.windows == ()


def test_one_that_is_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.net.load._PATIENCE_S", 0.2)
    with far_end(saying()) as to, pytest.raises(NetError) as silent:
        filled(to, "down")
    assert silent.value.failure is Failure.TIMED_OUT
