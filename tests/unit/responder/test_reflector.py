"""The UDP side on loopback: streams come back, and strangers get nothing."""

import errno
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from readycheck.responder.control import Control
from readycheck.responder.filter import attach, program
from readycheck.responder.guard import Cookies, Sources
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions
from readycheck.wire.far_end import (
    REQUEST_SIZE,
    Ask,
    Kind,
    Message,
    pack_ask,
    pack_message,
    unpack_answer,
    unpack_message,
)
from readycheck.wire.rtcp import SenderReport, pack_sender_report
from readycheck.wire.stun import pack_binding_request

WANTED = {"seconds": 10, "packets_per_second": 500, "payload_bytes": 160}
FAMILIES = [
    pytest.param(socket.AF_INET, "127.0.0.1", id="IPv4"),
    pytest.param(socket.AF_INET6, "::1", id="IPv6"),
]


class Agent:
    """A client that waits."""

    def __init__(self, family: int, to: tuple[str, int]) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(2.0)
        self.socket.connect(to)

    def ask(self, kind: Kind, body: dict[str, Any]) -> Message:
        self.socket.send(pack_message(kind, body, size=REQUEST_SIZE))
        return unpack_message(self.socket.recv(2048))

    def open(self, **changes: Any) -> Message:
        cookie = self.ask(Kind.HELLO, {}).body["cookie"]
        return self.ask(Kind.OPEN, {"cookie": cookie, **WANTED, **changes})

    def send(self, terms: Message, number: int, **changes: Any) -> None:
        ask = Ask(
            **{
                "ssrc": terms.body["ssrc"],
                "payload_type": 0,
                "number": number,
                "sent_ns": 1,
                "size": 160,
                **changes,
            }
        )
        self.socket.send(pack_ask(ask))

    def hears(self, seconds: float = 0.2) -> bytes | None:
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(2048)
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(2.0)


def served(address: str, **limits: Any) -> Reflector:
    control = Control(
        Sessions(Limits(**limits)), Cookies(secrets.token_bytes(16)), Sources(1000.0, 1000.0, 9999.0)
    )
    return Reflector((address, 0), control)


@pytest.fixture
def called() -> Iterator[Callable[..., Agent]]:
    """Makes agents that call a responder."""
    with ExitStack() as sockets:

        def call(reflector: Reflector, family: int = socket.AF_INET) -> Agent:
            agent = Agent(family, reflector.local)
            sockets.enter_context(agent.socket)
            return agent

        yield call


@pytest.fixture
def running() -> Iterator[Any]:
    started: list[tuple[Reflector, threading.Thread]] = []

    def start(address: str, **limits: Any) -> Reflector:
        reflector = served(address, **limits)
        thread = threading.Thread(target=reflector.run)
        thread.start()
        started.append((reflector, thread))
        return reflector

    yield start
    for reflector, thread in started:
        reflector.stop()
        thread.join(5.0)
        assert not thread.is_alive()


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_a_stream_comes_back_with_what_the_far_end_saw(
    running: Any, called: Any, family: int, address: str
) -> None:
    reflector = running(address)
    agent = called(reflector, family)
    if family == socket.AF_INET:
        agent.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
    terms = agent.open()
    assert terms.kind is Kind.OPENED
    for number in range(20):
        before_ns = time.time_ns()
        agent.send(terms, number)
        answer = unpack_answer(agent.socket.recv(2048))
        assert (answer.number, answer.count, answer.size) == (number, number, 160)
        assert before_ns <= answer.received_ns <= time.time_ns()
        assert answer.hop_limit == 64
        assert answer.traffic_class == (0xB8 if family == socket.AF_INET else 0)
    assert agent.ask(Kind.REPORT, {"token": terms.body["token"]}).body["received"] == 20
    assert agent.ask(Kind.CLOSE, {"token": terms.body["token"]}).body["received"] == 20
    agent.send(terms, 99)
    assert agent.hears() is None


def test_a_stream_for_which_no_file_is_left_is_served_all_the_same(
    running: Any, called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the open port, whose filter has to let it through."""
    reflector = running("127.0.0.1")

    def without_files(peer: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(reflector, "connected", without_files)
    agent = called(reflector)
    terms = agent.open()
    agent.send(terms, 0)
    assert unpack_answer(agent.socket.recv(2048)).number == 0


def test_streams_do_not_meet(running: Any, called: Any) -> None:
    reflector = running("127.0.0.1")
    agents = [called(reflector) for _ in range(10)]
    terms = [agent.open() for agent in agents]
    for number in range(5):
        for agent, mine in zip(agents, terms, strict=True):
            agent.send(mine, number)
    for agent, mine in zip(agents, terms, strict=True):
        answers = [unpack_answer(agent.socket.recv(2048)) for _ in range(5)]
        assert [(a.ssrc, a.number) for a in answers] == [(mine.body["ssrc"], n) for n in range(5)]


def test_a_stream_from_another_port_is_not_answered(running: Any, called: Any) -> None:
    reflector = running("127.0.0.1")
    terms = called(reflector).open()
    thief = called(reflector)
    thief.send(terms, 0)
    assert thief.hears() is None


def test_a_packet_larger_than_granted_is_not_answered(running: Any, called: Any) -> None:
    reflector = running("127.0.0.1")
    agent = called(reflector)
    terms = agent.open(payload_bytes=100)
    agent.send(terms, 0, size=160)
    assert agent.hears() is None


@pytest.mark.parametrize(
    "data", [b"", b"x" * 1000, b"\x80" + bytes(400), b"RYFE" + bytes(60), b"OPTIONS sip:a SIP/2.0"]
)
def test_strangers_hear_nothing(running: Any, called: Any, data: bytes) -> None:
    reflector = running("127.0.0.1")
    agent = called(reflector)
    agent.socket.send(data)
    assert agent.hears(0.1) is None
    assert agent.open().kind is Kind.OPENED


def test_a_fault_that_a_stranger_meets_stops_no_stream(running: Any, called: Any) -> None:
    reflector = running("127.0.0.1")

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    reflector.other = broken
    agent = called(reflector)
    terms = agent.open()
    called(reflector).socket.send(pack_binding_request(bytes(12)))
    while not reflector.counts.failed:
        agent.send(terms, 0)
        assert agent.hears(3.0) is not None
    agent.send(terms, 1)
    assert agent.hears(3.0) is not None


def test_an_agent_that_goes_away_stops_nothing(running: Any, called: Any) -> None:
    reflector = running("127.0.0.1")
    gone = called(reflector)
    terms = gone.open()
    gone.send(terms, 0)
    gone.socket.close()
    other = called(reflector)
    mine = other.open()
    other.send(mine, 0)
    assert unpack_answer(other.socket.recv(2048)).number == 0


STUN = struct.pack("!HHI", 1, 4, 0x2112A442) + bytes(16)
REPORT = pack_sender_report(SenderReport(ssrc=1, ntp=2, timestamp=3, packets=4, octets=5), "name")
HELLO = pack_message(Kind.HELLO, {"a": 1}, b"any key", size=REQUEST_SIZE)
RTP = b"\x80" + bytes(40)
SHAPELY = [
    HELLO,
    pack_message(Kind.CLOSE, {}),
    STUN,
    REPORT,
    b"OPTIONS sip:a SIP/2.0",
    b"REGISTER sip:a SIP/2.0",
    b"INVITE sip:a SIP/2.0",
    b"ACK sip:a SIP/2.0",
    b"SUBSCRIBE sip:a SIP/2.0",
]
RUBBISH = [
    b"RYFE" + bytes(60),
    HELLO[:4] + b"\x02" + HELLO[5:],
    pack_message(Kind.COOKIE, {"a": 1}),
    HELLO[:6] + b"\xff\xff" + HELLO[8:],
    HELLO[:8] + b"[" + HELLO[9:],
    STUN + bytes(4),
    b"\x01\x01" + STUN[2:],
    STUN[:4] + bytes(16),
    REPORT[:28],
    REPORT[:28] + bytes(40),
    b"",
    b"a",
    bytes(60),
    b"SIP/2.0 200 OK",
    b"OPT",
    b"ACKNOWLEDGE",
    b"\xff" * 900,
    b"\x16\x03",
]


@pytest.mark.skipif(sys.platform != "linux", reason="classic BPF is Linux's")
@pytest.mark.parametrize("streams", [False, True])
def test_the_filter_lets_through_what_has_the_shape_of_what_the_open_port_serves(streams: bool) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))
        assert attach(there, program(streams=streams))
        there.settimeout(1.0)
        heard, last = [], pack_message(Kind.HELLO, {"last": True})
        for data in (*RUBBISH, *SHAPELY, RTP, last):
            here.sendto(data, there.getsockname())
        while (data := there.recv(2048)) != last:
            heard.append(data)
        assert heard == ([*SHAPELY, RTP] if streams else SHAPELY)
