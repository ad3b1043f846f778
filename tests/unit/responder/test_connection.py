"""What is said over TCP and TLS, against the whole responder on loopback."""

import base64
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from readycheck.net.interface import Endpoint
from readycheck.responder.connection import MOST_BYTES
from readycheck.responder.load import LoadLimits
from readycheck.responder.server import Responder, Settings
from readycheck.responder.session import Limits
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
from readycheck.wire.mirror import turned_over
from readycheck.wire.sip import pack_options
from readycheck.wire.stun import pack_binding_request
from readycheck.wire.stun import unpack_message as unpack_stun

WANTED = {"seconds": 10, "packets_per_second": 500, "payload_bytes": 160}
KEY = b"of this site"
SIP = pack_options(
    uri="sip:127.0.0.1", via_transport="TCP", local=("127.0.0.1", 5060), branch="z9hG4bKa", call_id="c", tag="t"
)  # fmt: skip


@pytest.fixture(params=[("127.0.0.1", b""), ("::1", b"")], ids=["IPv4", "IPv6"])
def place(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    host, key = request.param
    serving = Responder(Settings(listen=((host, 0),), key=key))
    serving.start()
    yield serving.places[0]
    serving.stop()


@pytest.fixture
def keyed() -> Iterator[Endpoint]:
    serving = Responder(Settings(listen=(("127.0.0.1", 0),), key=KEY))
    serving.start()
    yield serving.places[0]
    serving.stop()


class Agent:
    """A client that waits."""

    def __init__(self, to: Endpoint, stack: ExitStack, *, tls: bool = False, key: bytes = b"") -> None:
        self.key = key
        self.socket = stack.enter_context(socket.create_connection(to, timeout=3.0))
        self.sent = b""
        if tls:
            self.socket = stack.enter_context(
                unverified().wrap_socket(self.socket, server_hostname="far.example")
            )

    def say(self, frame: bytes) -> None:
        self.socket.sendall(len(frame).to_bytes(2, "big") + frame)

    def hear(self) -> bytes:
        return self.exactly(int.from_bytes(self.exactly(2), "big"))

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the responder hung up"
            data += more
        return data

    def ask(self, kind: Kind, body: dict[str, Any]) -> Message:
        request = pack_message(kind, body, self.key, size=REQUEST_SIZE)
        self.say(request)
        answer = self.hear()
        assert len(answer) <= len(request)
        return unpack_message(answer, self.key)

    def cookie(self) -> str:
        return str(self.ask(Kind.HELLO, {}).body["cookie"])

    def mirrored(self, token: str) -> bytes:
        whole = b""
        while True:
            told = self.ask(Kind.MIRROR, {"token": token, "offset": len(whole)}).body
            whole += base64.b64decode(told.get("data", ""))
            if len(whole) >= told["size"]:
                return whole

    def is_shut(self) -> bool:
        with suppress(ConnectionResetError):
            return self.socket.recv(1) == b""
        return True


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_a_stream_there_and_back(place: Endpoint, tls: bool) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack, tls=tls)
        hello = agent.ask(Kind.HELLO, {}).body
        assert (hello["hop_limit"], hello["traffic_class"], hello["tls"]) == (64, 0, tls)
        assert hello["seen_as"] == list(agent.socket.getsockname()[:2])
        terms = agent.ask(Kind.OPEN, {"cookie": hello["cookie"], **WANTED}).body
        for number in range(20):
            ask = Ask(ssrc=terms["ssrc"], payload_type=0, number=number, sent_ns=1, size=160)
            agent.say(pack_ask(ask))
            answer = unpack_answer(agent.hear())
            assert (answer.number, answer.count, answer.size) == (number, number, 160)
        assert agent.ask(Kind.CLOSE, {"token": terms["token"]}).body["received"] == 20


@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_a_stream_may_be_longer_than_all_else_that_is_said(tls: bool) -> None:
    size, wanted = 1200, {**WANTED, "packets_per_second": 9000, "payload_bytes": 1200}
    serving = Responder(Settings(listen=(("127.0.0.1", 0),), limits=Limits(packets_per_second=9000)))
    serving.start()
    with ExitStack() as stack:
        stack.callback(serving.stop)
        agent = Agent(serving.places[0], stack, tls=tls)
        terms = agent.ask(Kind.OPEN, {"cookie": agent.cookie(), **wanted}).body
        for number in range(1 + MOST_BYTES // size):
            agent.say(pack_ask(Ask(ssrc=terms["ssrc"], payload_type=0, number=number, sent_ns=1, size=size)))
            assert len(agent.hear()) > size


@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_a_connection_that_is_held_rings_after_its_silence(place: Endpoint, tls: bool) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack, tls=tls)
        wanted = {"cookie": agent.cookie(), "seconds": 0.1}
        for _ in range(2):
            assert agent.ask(Kind.HOLD, wanted).body["seconds"] == pytest.approx(0.1, abs=0.01)
            assert unpack_message(agent.hear()) == Message(Kind.HELD, {"rings": True})
            wanted = {"seconds": 0.1}  # its source has been proved
        agent.ask(Kind.HOLD, {"seconds": 30})
        assert agent.ask(Kind.HELLO, {}).kind is Kind.COOKIE, "who speaks first is heard"


def test_nothing_is_held_for_who_has_no_cookie_nor_over_udp(place: Endpoint) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack)
        agent.say(pack_message(Kind.HOLD, {"cookie": "0" * 32, "seconds": 1}, size=REQUEST_SIZE))
        assert agent.ask(Kind.HELLO, {}).kind is Kind.COOKIE, "no answer came before this one"
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        sock = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.settimeout(3.0)
        sock.connect(place)
        sock.send(pack_message(Kind.HELLO, {}, size=REQUEST_SIZE))
        cookie = unpack_message(sock.recv(2048)).body["cookie"]
        sock.send(pack_message(Kind.HOLD, {"cookie": cookie, "seconds": 1}, size=REQUEST_SIZE))
        assert unpack_message(sock.recv(2048)).kind is Kind.REFUSED


@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_requests_of_sip_come_back_as_they_came(place: Endpoint, tls: bool) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack, tls=tls)
        for _ in range(3):
            agent.socket.sendall(SIP)
            assert turned_over(agent.exactly(len(SIP))) == SIP


def test_stun_over_tcp(place: Endpoint) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack)
        agent.socket.sendall(pack_binding_request(bytes(12)))
        head = agent.exactly(20)
        answer = unpack_stun(head + agent.exactly(int.from_bytes(head[2:4], "big")))
        assert answer.xor_mapped_address == agent.socket.getsockname()[:2]


def test_a_client_reads_its_own_greeting_in_the_session_that_it_began(place: Endpoint) -> None:
    with ExitStack() as stack:
        raw = stack.enter_context(socket.create_connection(place, timeout=3.0))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = unverified().wrap_bio(incoming, outgoing, server_hostname="far.example")
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        raw.sendall(hello)

        def drive(operation: Any) -> Any:
            while True:
                try:
                    return operation()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(16384))
                finally:
                    raw.sendall(outgoing.read())

        def ask(body: dict[str, Any], kind: Kind = Kind.MIRROR) -> Message:
            request = pack_message(kind, body, size=REQUEST_SIZE)
            drive(lambda: tls.write(len(request).to_bytes(2, "big") + request))
            answer = drive(lambda: tls.read(2048))
            return unpack_message(answer[2:])

        drive(tls.do_handshake)
        token = ask({"cookie": ask({}, Kind.HELLO).body["cookie"]}).body["token"]
        whole = b""
        while len(whole) < len(hello):
            whole += base64.b64decode(ask({"token": token, "offset": len(whole)}).body["data"])
        assert whole == hello


def test_a_greeting_is_kept_though_its_handshake_was_given_up(place: Endpoint) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack)
        token = agent.ask(Kind.MIRROR, {"cookie": agent.cookie()}).body["token"]
        assert agent.mirrored(token) == b""
        outgoing = ssl.MemoryBIO()
        tls = unverified().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="far.example")
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        half = stack.enter_context(socket.create_connection(place, timeout=3.0))
        half.sendall(hello[:100])
        half.sendall(hello[100:])
        assert half.recv(1) == b"\x16"  # the server's flight: the greeting was read
        assert agent.mirrored(token) == hello


def test_a_token_is_of_no_use_to_another_connection_s_address_nor_without_one(place: Endpoint) -> None:
    with ExitStack() as stack:
        agent, other = Agent(place, stack), Agent(place, stack)
        stolen = agent.cookie()
        other.say(pack_message(Kind.MIRROR, {"cookie": stolen}, size=REQUEST_SIZE))
        other.say(pack_message(Kind.MIRROR, {"token": secrets.token_hex(16)}, size=REQUEST_SIZE))
        other.say(pack_message(Kind.OPEN, {"cookie": stolen, **WANTED}, size=REQUEST_SIZE))
        assert other.ask(Kind.HELLO, {}).kind is Kind.COOKIE  # the first answer that it hears


def test_without_the_key_nothing_is_said_inside(keyed: Endpoint) -> None:
    with ExitStack() as stack:
        for data in (
            SIP,
            pack_binding_request(bytes(12)),
            b"\x04\xb0" + pack_message(Kind.HELLO, {}, size=1200),
        ):
            agent = Agent(keyed, stack)
            agent.socket.sendall(data)
            agent.socket.shutdown(socket.SHUT_WR)
            assert agent.is_shut()
        known = Agent(keyed, stack, key=KEY)
        terms = known.ask(Kind.OPEN, {"cookie": known.cookie(), **WANTED})
        assert terms.kind is Kind.OPENED
        agent = Agent(keyed, stack)
        agent.socket.sendall(SIP)
        assert turned_over(agent.exactly(len(SIP))) == SIP


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",
        b"\xff\xff" + bytes(100),
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"\x00\x01\x00\x03\x21\x12\xa4\x42" + bytes(15),
    ],
)
def test_rubbish_ends_the_connection_and_nothing_else(place: Endpoint, data: bytes) -> None:
    with ExitStack() as stack:
        rude = Agent(place, stack)
        rude.socket.sendall(data)
        rude.socket.shutdown(socket.SHUT_WR)
        while rude.socket.recv(4096):  # an alert of TLS is an answer, too
            pass
        assert Agent(place, stack).cookie()


@pytest.mark.parametrize("frame", [b"xx", bytes(16), pack_message(Kind.HELLO, {}, b"another key")])
def test_who_has_nothing_to_say_is_left_long_before_that(place: Endpoint, frame: bytes) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack)
        agent.cookie()
        for _ in range(64):
            agent.say(frame)
        agent.cookie()
        with suppress(OSError):
            for _ in range(65):
                agent.say(frame)
        assert agent.is_shut()


def test_who_says_too_much_is_cut_off(place: Endpoint) -> None:
    with ExitStack() as stack:
        agent = Agent(place, stack)
        frame = b"\x05\x78" + bytes(1400)
        with suppress(OSError):
            for _ in range(MOST_BYTES // 1400 + 100):
                agent.socket.sendall(frame)
        assert agent.is_shut()


def test_threads_are_gone_at_the_end() -> None:
    before = threading.active_count()
    serving = Responder(Settings(listen=(("127.0.0.1", 0),)))
    serving.start()
    with ExitStack() as stack:
        agent = Agent(serving.places[0], stack)
        assert agent.cookie()
        serving.stop()
        assert agent.is_shut()
    assert threading.active_count() == before


# --- throughput ---------------------------------------------------------------------------------------


@contextmanager
def serving(key: bytes = b"", **limits: Any) -> Iterator[Endpoint]:
    settings = Settings(listen=(("127.0.0.1", 0),), key=key, loads=LoadLimits(**limits))
    responder = Responder(settings)
    responder.start()
    try:
        yield responder.places[0]
    finally:
        responder.stop()


def poured(agent: Agent) -> int:
    size = 0
    with suppress(ConnectionResetError):
        while data := agent.socket.recv(1 << 16):
            size += len(data)
    return size


@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_throughput_down_has_its_time_and_its_rate(tls: bool) -> None:
    with serving(bits_per_second=16e6) as place, ExitStack() as stack:
        agent = Agent(place, stack, tls=tls)
        wanted = {"cookie": agent.cookie(), "way": "down", "seconds": 0.5}
        answer = agent.ask(Kind.LOAD, wanted)
        assert (answer.kind, answer.body["bits_per_second"]) == (Kind.LOADING, 16e6)
        assert 0.5e6 < poured(agent) < 1.3e6  # a megabyte in half a second, and what the pace lets go at once


def test_throughput_up_is_told_in_windows() -> None:
    with serving(KEY) as place, ExitStack() as stack:
        agent = Agent(place, stack, key=KEY)
        agent.ask(Kind.LOAD, {"cookie": agent.cookie(), "way": "up", "seconds": 5})
        agent.socket.sendall(bytes(500_000))
        agent.socket.shutdown(socket.SHUT_WR)
        told = unpack_message(agent.hear(), KEY)
        assert (told.kind, told.body["moved"]) == (Kind.LOADED, 500_000)
        assert sum(told.body["windows"]) == 500_000
        assert agent.is_shut()


def test_throughput_up_ends_by_the_clock_of_the_responder() -> None:
    with serving(bits_per_second=8e6) as place, ExitStack() as stack:
        agent = Agent(place, stack)
        agent.ask(Kind.LOAD, {"cookie": agent.cookie(), "way": "up", "seconds": 0.3})
        agent.socket.setblocking(False)
        told = b""
        while not told:
            with suppress(BlockingIOError):
                agent.socket.send(bytes(65536))
            with suppress(BlockingIOError):
                told = agent.socket.recv(2048)
        assert unpack_message(told[2:]).body["moved"] < 8e6 / 8 * 0.3 + 200_000


def test_nothing_is_poured_without_a_cookie_of_this_connection() -> None:
    with serving() as place, ExitStack() as stack:
        honest, thief = Agent(place, stack), Agent(place, stack)
        stolen = honest.cookie()
        for cookie in (stolen, "", "0" * 32):
            wanted = {"cookie": cookie, "way": "down", "seconds": 1}
            thief.say(pack_message(Kind.LOAD, wanted, size=REQUEST_SIZE))
        thief.say(pack_message(Kind.HELLO, {}, size=REQUEST_SIZE))
        assert unpack_message(thief.hear()).kind is Kind.COOKIE


def test_nothing_is_poured_without_the_key() -> None:
    with serving(KEY) as place, ExitStack() as stack:
        honest, stranger = Agent(place, stack, key=KEY), Agent(place, stack)
        wanted = {"cookie": honest.cookie(), "way": "down", "seconds": 1}
        stranger.say(pack_message(Kind.LOAD, wanted, size=REQUEST_SIZE))
        stranger.socket.shutdown(socket.SHUT_WR)
        assert stranger.is_shut()


def test_who_takes_nothing_is_left_when_the_time_is_over() -> None:
    """A slow reader holds its place no longer than it was granted; what it then takes all the same ends nothing."""
    limits = LoadLimits(per_source=1, bits_per_second=1e10, bytes_per_source=1e12)
    responder = Responder(Settings(listen=(("127.0.0.1", 0),), loads=limits))
    responder.start()
    with ExitStack() as stack:
        stack.callback(responder.stop)
        place = responder.places[0]
        slow, next_one = Agent(place, stack), Agent(place, stack)
        slow.ask(Kind.LOAD, {"cookie": slow.cookie(), "way": "down", "seconds": 0.2})
        wanted = {"cookie": next_one.cookie(), "way": "down", "seconds": 0.1}
        assert next_one.ask(Kind.LOAD, wanted).kind is Kind.REFUSED
        while any(figure.name == "loads" and figure.value for figure in responder.figures()):
            pass
        poured(slow)
        assert next_one.ask(Kind.LOAD, wanted).kind is Kind.LOADING
        poured(next_one)
        assert Agent(place, stack).cookie()


def test_the_share_of_the_hour_ends_it() -> None:
    with serving(bytes_per_source=400_000) as place, ExitStack() as stack:
        agent = Agent(place, stack)
        agent.ask(Kind.LOAD, {"cookie": agent.cookie(), "way": "down", "seconds": 5})
        assert poured(agent) <= 400_000 + 2 * 16_384
