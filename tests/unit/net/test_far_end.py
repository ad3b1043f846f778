"""Streams against a real responder on loopback."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.media.two_way import Account, split
from readycheck.net import far_end
from readycheck.net.datagram import SocketOptions
from readycheck.net.far_end import ask, play, prove
from readycheck.net.headers import Headers, receive
from readycheck.net.interface import Endpoint, Leg, NetError, Rtcp
from readycheck.net.steady import SteadyClock
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Sources
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions
from readycheck.wire.far_end import Answer, Kind, pack_answer, pack_message

AUDIO = Leg(payload_type=0, payload_bytes=160, packets_per_second=50, seconds=0.5, tos=0xB8)
KEY = b"of this site"
TRIES_S = far_end._TRIES_S


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.net.far_end._TRIES_S", (0.2, 0.2))
    monkeypatch.setattr("readycheck.net.far_end._LINGER_S", 0.2)


@pytest.fixture
def responder() -> Iterator[Any]:
    started: list[tuple[Reflector, threading.Thread]] = []

    def start(address: str = "127.0.0.1", key: bytes = b"", **limits: Any) -> Endpoint:
        sources = Sources(1000.0, 1000.0, 9999.0)
        control = Control(Sessions(Limits(**limits)), Cookies(secrets.token_bytes(16)), sources, key)
        reflector = Reflector((address, 0), control)
        thread = threading.Thread(target=reflector.run)
        thread.start()
        started.append((reflector, thread))
        return reflector.local

    yield start
    for reflector, thread in started:
        reflector.stop()
        thread.join(5.0)


def test_a_stream_there_and_back(responder: Any) -> None:
    (played,) = play(responder(), [AUDIO], SocketOptions(), b"", threading.Event())
    assert len(played.sent) == 25
    assert played.counted == 25
    assert played.seen_as == played.local
    assert {one.traffic_class for one in played.returned} == {0xB8}
    assert {one.hop_limit for one in played.returned} == {64}
    found = split(played.sent, played.returned, played.counted)
    assert (found.up.lost, found.down.lost, found.up.duplicates, found.down.duplicates) == (0, 0, 0, 0)
    assert all(0 < trip < 100 for trip in found.round_trips_ms)


def test_several_streams_at_once_and_over_ipv6(responder: Any) -> None:
    video = Leg(
        payload_type=96, payload_bytes=1000, packets_per_second=200, seconds=0.3, burst=5, clock_step=3600
    )
    way_out = SocketOptions(family=6)
    found = play(responder("::1"), [AUDIO, video, AUDIO], way_out, b"", threading.Event())
    assert [one.counted for one in found] == [25, 60, 25]


def test_reports_go_from_the_odd_port_above(responder: Any) -> None:
    legs = [replace(AUDIO, rtcp=Rtcp.ODD), replace(AUDIO, rtcp=Rtcp.MUX)]
    apart, together = play(responder(), legs, SocketOptions(), b"", threading.Event())
    assert apart.reported is not None and together.reported is not None
    assert apart.local[1] % 2 == 0 and apart.reported.local[1] == apart.local[1] + 1
    assert together.reported.local == together.local
    for one in (apart.reported, together.reported):
        assert (one.sent, one.answered, one.counted) == (1, 1, 1)
        assert all(0 <= trip < 100 for trip in one.round_trips_ms)


def test_the_port_above_is_taken(responder: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1] - 1
        leg = replace(AUDIO, rtcp=Rtcp.ODD, source_port=port)
        with pytest.raises(NetError) as refused:
            play(responder(), [leg], SocketOptions(), b"", threading.Event())
    assert refused.value.failure is Failure.ADDRESS_NOT_AVAILABLE


def test_the_far_end_wants_its_key(responder: Any) -> None:
    to = responder(key=KEY)
    with pytest.raises(NetError) as silent:
        play(to, [AUDIO], SocketOptions(), b"", threading.Event())
    assert silent.value.failure is Failure.TIMED_OUT
    (played,) = play(to, [AUDIO], SocketOptions(), KEY, threading.Event())
    assert played.counted == 25


def test_a_refusal_is_told_in_the_words_of_the_far_end(responder: Any) -> None:
    with pytest.raises(NetError, match="all sessions are taken") as refused:
        play(responder(sessions=0), [AUDIO], SocketOptions(), b"", threading.Event())
    assert refused.value.failure is Failure.RESPONDER_REFUSED


def test_what_is_granted_is_what_is_sent(responder: Any) -> None:
    (played,) = play(responder(packets_per_second=20.0), [AUDIO], SocketOptions(), b"", threading.Event())
    assert played.counted == len(played.sent) == 10


def test_a_far_end_that_dies_leaves_what_was_heard() -> None:
    sources = Sources(1000.0, 1000.0, 9999.0)
    control = Control(Sessions(Limits()), Cookies(b"secret"), sources)
    reflector = Reflector(("127.0.0.1", 0), control)
    thread = threading.Thread(target=reflector.run)
    thread.start()
    timer = threading.Timer(0.3, reflector.stop)
    timer.start()
    (played,) = play(reflector.local, [AUDIO], SocketOptions(), b"", threading.Event())
    thread.join(5.0)
    timer.join(5.0)
    assert played.counted is None
    assert 0 < len(played.returned) < len(played.sent) == 25


@pytest.mark.parametrize("terms", [{"ssrc": float("inf")}, {"seconds": 10**400}, {"ssrc": None}])
def test_terms_beyond_all_bounds_are_no_terms(
    responder: Any, monkeypatch: pytest.MonkeyPatch, terms: dict[str, Any]
) -> None:
    granted = {"token": "x", "ssrc": 1, "seconds": 1, "packets_per_second": 50, "payload_bytes": 160}
    monkeypatch.setattr("readycheck.responder.control._terms", lambda session: {**granted, **terms})
    with pytest.raises(NetError) as refused:
        play(responder(), [AUDIO], SocketOptions(), b"", threading.Event())
    assert refused.value.failure is Failure.PROTOCOL_ERROR


def test_which_packets_arrived_is_read_in_parts(responder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.responder.arrivals._PART_BYTES", 1)
    (played,) = play(responder(), [AUDIO], SocketOptions(), b"", threading.Event())
    assert played.account == Account(reached=frozenset(range(25)), duplicates=0, reordered=0)


def test_it_stops_when_it_is_told_to(responder: Any) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(NetError) as ended:
        play(responder(), [AUDIO], SocketOptions(), b"", stop)
    assert ended.value.failure is Failure.INTERRUPTED


def test_it_stops_between_packets_that_are_far_apart(responder: Any) -> None:
    leg = replace(AUDIO, packets_per_second=0.1, seconds=30.0)
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    began_s = time.monotonic()
    (played,) = play(responder(), [leg], SocketOptions(), b"", stop)
    timer.join()
    assert len(played.sent) == 1 and time.monotonic() - began_s < 5.0


def test_a_flood_of_answers_takes_neither_time_nor_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        line = far_end._Line(leg=AUDIO, sock=sock, terms={"ssrc": 1}, seen_as=("192.0.2.1", 1))
        answer = pack_answer(
            Answer(
                ssrc=1,
                payload_type=0,
                count=0,
                number=0,
                received_ns=1,
                held_ns=0,
                hop_limit=1,
                traffic_class=0,
            )
        )
        read: list[int] = []

        def endless(_: socket.socket, buffer: bytearray) -> tuple[int, Headers]:
            buffer[: len(answer)] = answer
            read.append(len(answer))
            return len(answer), Headers(1, 0, 0)

        monkeypatch.setattr(far_end, "receive", endless)
        player = far_end._Player([line])
        monkeypatch.setattr(player, "_ready", lambda: iter([sock.fileno()]))
        for _ in range(10):
            player._read()
    assert len(read) == 640
    assert len(line.returned) == 64


def test_no_socket_is_left(responder: Any) -> None:
    """An unclosed one is an error of the test run."""
    with pytest.raises(NetError):
        play(responder(sessions=1), [AUDIO, AUDIO], SocketOptions(), b"", threading.Event())


def test_nobody_is_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        to = sock.getsockname()
    with pytest.raises(NetError) as silent:
        play(to, [AUDIO], SocketOptions(), b"", threading.Event())
    assert silent.value.failure in (Failure.TIMED_OUT, Failure.PORT_UNREACHABLE)


@pytest.mark.parametrize("step_s", [-3600, 0.25])
def test_a_clock_that_is_set_in_mid_stream_moves_no_packet(
    responder: Any, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    read: list[int] = []

    def step_ns() -> int:
        return round(step_s * 1e9) if len(read) > 5 else 0

    def stamped(sock: socket.socket, buffer: bytearray) -> tuple[int, Headers] | None:
        if (found := receive(sock, buffer)) is None:
            return None
        read.append(found[0])
        return found[0], found[1]._replace(received_ns=found[1].received_ns + step_ns())

    monkeypatch.setattr(far_end, "receive", stamped)
    monkeypatch.setattr(far_end, "SteadyClock", lambda: SteadyClock(lambda: time.time_ns() + step_ns()))
    (played,) = play(responder(), [AUDIO], SocketOptions(), b"", threading.Event())
    sent = {one.sequence: one.at_ns for one in played.sent}
    trips_ms = [(one.arrived_ns - sent[one.number]) / 1e6 for one in played.returned]
    assert len(trips_ms) == 25 and 0 < min(trips_ms) <= max(trips_ms) < 200


def test_what_a_flood_swallows_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_end, "_TRIES_S", [patience_s / 10 for patience_s in TRIES_S])
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))

        def answer_the_last() -> None:
            source = [there.recvfrom(2048)[1] for _ in TRIES_S][-1]
            there.sendto(pack_message(Kind.COOKIE, {"cookie": "late"}), source)

        answering = threading.Thread(target=answer_the_last)
        answering.start()
        assert prove(here, there.getsockname(), b"", threading.Event()) == "late"
        answering.join()


def test_whoever_asks_is_known_to_a_far_end_with_a_key(responder: Any) -> None:
    to = responder(key=KEY)
    assert "cookie" in ask(to, Kind.HELLO, {}, SocketOptions(), KEY, threading.Event())
    with pytest.raises(NetError) as silent:
        ask(to, Kind.HELLO, {}, SocketOptions(), b"", threading.Event())
    assert silent.value.failure is Failure.TIMED_OUT


def test_a_question_that_is_refused_is_told_in_the_words_of_the_far_end(responder: Any) -> None:
    with pytest.raises(NetError, match="over TCP") as refused:
        ask(responder(), Kind.MIRROR, {}, SocketOptions(), b"", threading.Event())
    assert refused.value.failure is Failure.RESPONDER_REFUSED
