"""The websocket probe against loopback servers, directly and through a proxy."""

import re
import socket
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.utils import accept_key

from readycheck.errors import ProfileError
from readycheck.probe import Effort, Failure, Observation, Step, Target
from readycheck.registry import build_params
from readycheck.testing import FakeNetwork, FakeService, run_probe
from readycheck_probes.upgrade import MAX_HEAD_BYTES
from readycheck_probes.websocket import WebsocketParams, WebsocketProbe

from .conftest import Bench
from .servers.authority import Authority
from .servers.http import RESPONSES
from .servers.proxy import Proxy
from .servers.tcp import Serve, TcpServer, reset, saying, silent
from .servers.websocket import (
    Act,
    answering,
    chatting,
    close_normally,
    deaf,
    flooding,
    hang_up,
    websocket,
)
from .servers.websocket import reset as reset_later
from .servers.websocket import saying as saying_later

HOLD_S = 0.2


def _params(server: TcpServer, **said: object) -> WebsocketParams:
    host, port = server.endpoint
    given = {"scheme": "ws", "hold_s": HOLD_S, **said}
    return WebsocketParams((Target(address=host, port=port),), **given)  # type: ignore[arg-type]


def _steps(observations: Sequence[Observation]) -> list[tuple[Step, Failure | None]]:
    return [(one.step, one.failure) for one in observations]


# --- a sound server -----------------------------------------------------------------------------------


async def test_a_connection_is_upgraded_and_stays_open(bench: Bench) -> None:
    with TcpServer(websocket()) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert _steps(seen.observations) == [(Step.CONNECT, None), (Step.RESPONSE, None), (Step.ECHO, None)]
    assert seen.of(Step.RESPONSE)[0].facts == {"status": 101}
    held = seen.of(Step.ECHO)[0].facts
    assert held["hold_s"] == HOLD_S <= held["held_s"] < HOLD_S + 1
    assert held["rtt_ms"] > 0
    metrics = seen.metrics
    assert (metrics["sent"], metrics["answered"], metrics["upgraded"]) == (1, 1, 1)
    assert metrics["held_s"] == held["held_s"]


async def test_the_request_is_honest_and_offers_no_extension(bench: Bench) -> None:
    heard: list[bytes] = []
    bench.names = {"push.example": ("127.0.0.1",)}
    with TcpServer(websocket(heard=heard)) as server:
        target = Target(host="push.example", port=server.endpoint[1])
        await bench.measure(WebsocketProbe(), WebsocketParams((target,), "ws", "/a?b=c", HOLD_S))

    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert f"Host: push.example:{target.port}" in lines
    assert "User-Agent: readycheck" in lines
    assert not any(line.lower().startswith("sec-websocket-extensions") for line in lines)


async def test_a_server_that_talks_and_pings_is_listened_to_and_answered(bench: Bench) -> None:
    with TcpServer(websocket(chatting)) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert seen.failures(Step.ECHO) == [None]


async def test_a_quick_run_holds_for_a_second_at_most_and_never_beyond_the_budget(bench: Bench) -> None:
    with TcpServer(websocket()) as server:
        quick = await bench.measure(WebsocketProbe(), _params(server, hold_s=30))
        short = await bench.measure(
            WebsocketProbe(), _params(server, hold_s=30), effort=Effort.NORMAL, deadline_s=2.5
        )

    assert quick.of(Step.ECHO)[0].facts["hold_s"] == 1.0
    (held,) = short.of(Step.ECHO)
    assert held.failure is None and 0.1 < held.facts["hold_s"] < 0.5


async def test_where_no_time_is_left_nothing_is_said_of_holding(bench: Bench) -> None:
    with TcpServer(websocket()) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server), deadline_s=0.9)

    assert _steps(seen.observations) == [(Step.CONNECT, None), (Step.RESPONSE, None)]
    assert (seen.metrics["upgraded"], seen.metrics["held_s"]) == (1, None)


# --- answers that are no WebSocket --------------------------------------------------------------------


def _refusing(status: str, more: bytes = b"") -> Serve:
    return saying(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode() + more)


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (_refusing("401 Unauthorized"), 401),
        (_refusing("403 Forbidden"), 403),
        (_refusing("404 Not Found"), 404),
        (_refusing("426 Upgrade Required", b"x" * 100_000), 426),
        (saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9999999\r\n\r\nnever all of it"), 404),
        (saying(RESPONSES["moved"]), 302),
        (saying(RESPONSES["until-close"]), 200),
    ],
)
async def test_any_answer_below_500_is_the_services(bench: Bench, response: Serve, status: int) -> None:
    with TcpServer(response) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert _steps(seen.observations) == [(Step.CONNECT, None), (Step.RESPONSE, None)]
    assert seen.of(Step.RESPONSE)[0].facts == {"status": status}
    assert (seen.metrics["answered"], seen.metrics["upgraded"], seen.metrics["held_s"]) == (1, 0, None)


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def _endless(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"y" * 1000 + b"\r\n")


def _dripping(connection: socket.socket) -> None:
    connection.recv(65536)
    for letter in b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 10000:
        connection.sendall(bytes([letter]))
        threading.Event().wait(0.02)


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (saying(RESPONSES["broken"]), Failure.HTTP_STATUS),
        (saying(SWITCH + b"\r\n"), Failure.PROTOCOL_ERROR),
        (
            saying(SWITCH + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"),
            Failure.PROTOCOL_ERROR,
        ),
        (saying(SWITCH + b"X-Y: " + b"z" * MAX_HEAD_BYTES + b"\r\n\r\n"), Failure.PROTOCOL_ERROR),
        (saying(SWITCH + b"Sec-"), Failure.PROTOCOL_ERROR),
        (saying(b"HTTP/1.1 101\r\n\r\n"), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["garbage"]), Failure.PROTOCOL_ERROR),
        (saying(b"SSH-2.0-x\r\n\r\n"), Failure.PROTOCOL_ERROR),
        (saying(b"HTTP/1.1 999 What\r\n\r\n"), Failure.PROTOCOL_ERROR),
        (saying(b""), Failure.CONNECTION_CLOSED),
        (_endless, Failure.PROTOCOL_ERROR),
        (_dripping, Failure.TIMED_OUT),
        (reset, Failure.CONNECTION_RESET),
        (silent, Failure.TIMED_OUT),
    ],
)
async def test_faults_of_the_upgrade(bench: Bench, serve: Serve, failure: Failure) -> None:
    with TcpServer(serve) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server), deadline_s=0.8)

    assert _steps(seen.observations) == [(Step.CONNECT, None), (Step.RESPONSE, failure)]
    assert (seen.metrics["answered"], seen.metrics["upgraded"]) == (0, 0)
    assert all(one.detail.isprintable() and len(one.detail) < 300 for one in seen.observations)


# --- connections that do not last ---------------------------------------------------------------------

COMPRESSED = b"\xc1\x05\xaa\x56\x4a\x4d\x4e"
GIANT = b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"x"


@pytest.mark.parametrize(
    ("act", "failure"),
    [
        (hang_up, Failure.CONNECTION_CLOSED),
        (reset_later, Failure.CONNECTION_RESET),
        (close_normally, Failure.CONNECTION_CLOSED),
        (answering(1, hang_up), Failure.CONNECTION_CLOSED),
        (answering(1, reset_later), Failure.CONNECTION_RESET),
        (answering(1, close_normally), Failure.CONNECTION_CLOSED),
        (answering(1, deaf), Failure.TIMED_OUT),
        (deaf, Failure.TIMED_OUT),
        (saying_later(COMPRESSED), Failure.PROTOCOL_ERROR),
        (saying_later(GIANT), Failure.PROTOCOL_ERROR),
        (saying_later(b"\x8a\x00" * 100), Failure.TIMED_OUT),
        (saying_later(b"\xff" * 40), Failure.PROTOCOL_ERROR),
        (flooding, Failure.PROTOCOL_ERROR),
    ],
)
async def test_a_connection_that_does_not_last(bench: Bench, act: Act, failure: Failure) -> None:
    with TcpServer(websocket(act)) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert _steps(seen.observations)[1:] == [(Step.RESPONSE, None), (Step.ECHO, failure)]
    (held,) = seen.of(Step.ECHO)
    assert 0 <= held.facts["held_s"] <= HOLD_S + 1
    assert (seen.metrics["answered"], seen.metrics["upgraded"]) == (1, 1)


async def test_a_connection_was_held_as_long_as_something_was_heard(bench: Bench) -> None:
    with TcpServer(websocket(answering(1, deaf))) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert HOLD_S / 2 <= seen.of(Step.ECHO)[0].facts["held_s"] < HOLD_S + 0.5
    assert seen.of(Step.ECHO)[0].elapsed_ms >= 1000  # waiting for the pong that never came


async def test_a_farewell_says_why(bench: Bench) -> None:
    with TcpServer(websocket(close_normally)) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    (held,) = seen.of(Step.ECHO)
    assert held.facts["close_code"] == 4401
    assert held.facts["close_reason"].startswith("who are you?") and held.facts["close_reason"].isprintable()


async def test_an_end_without_a_farewell_has_no_code(bench: Bench) -> None:
    with TcpServer(websocket(hang_up)) as server:
        seen = await bench.measure(WebsocketProbe(), _params(server))

    assert "close_code" not in seen.of(Step.ECHO)[0].facts


# --- TLS and the proxy --------------------------------------------------------------------------------


async def test_wss_checks_the_certificate(bench: Bench, authority: Authority) -> None:
    bench.names = {"push.example": ("127.0.0.1",), "other.example": ("127.0.0.1",)}
    bench.trusted = authority.certificate
    with TcpServer(websocket(), authority.context("push.example")) as server:
        targets = tuple(Target(host=name, port=server.endpoint[1]) for name in bench.names)
        seen = await bench.measure(WebsocketProbe(), WebsocketParams(targets, hold_s=HOLD_S))

    by_name = {one.target.host: one.failure for one in seen.of(Step.TLS_HANDSHAKE)}
    assert by_name == {"push.example": None, "other.example": Failure.CERTIFICATE_NAME_MISMATCH}
    assert [(one.target.host, one.failure) for one in seen.of(Step.ECHO)] == [("push.example", None)]
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30
    assert (seen.metrics["sent"], seen.metrics["upgraded"]) == (2, 1)


async def test_a_server_that_wants_a_certificate_has_answered_the_greeting(
    bench: Bench, authority: Authority
) -> None:
    bench.names = {"push.example": ("127.0.0.1",)}
    bench.trusted = authority.certificate
    context = authority.context("push.example", versions=("TLSv1_2", "TLSv1_2"), wants_client=True)
    with TcpServer(websocket(), context) as server:
        target = Target(host="push.example", port=server.endpoint[1])
        seen = await bench.measure(WebsocketProbe(), WebsocketParams((target,)))

    (greeting,) = seen.of(Step.TLS_HANDSHAKE)
    assert (greeting.failure, greeting.facts["client_certificate_requested"]) == (None, True)
    assert seen.metrics["answered"] == 0


@pytest.mark.parametrize("scheme", ["wss", "ws"])
async def test_through_a_proxy(bench: Bench, authority: Authority, scheme: str) -> None:
    bench.trusted = authority.certificate
    context = authority.context("push.example") if scheme == "wss" else None
    with TcpServer(websocket(), context) as server:
        proxy = Proxy({"push.example:443": server.endpoint})
        with TcpServer(proxy.serve) as between:
            bench.proxy = f"http://127.0.0.1:{between.endpoint[1]}"
            target = Target(host="push.example", port=443, transport="tcp", via="proxy")
            params = WebsocketParams((target,), scheme, hold_s=HOLD_S)  # type: ignore[arg-type]
            seen = await bench.measure(WebsocketProbe(), params)

    greeting = [Step.TLS_HANDSHAKE] if scheme == "wss" else []
    assert _steps(seen.observations) == [
        (step, None) for step in (Step.PROXY_CONNECT, *greeting, Step.RESPONSE, Step.ECHO)
    ]
    assert {one.target.address for one in seen.observations} == {None}  # the proxy knows it, we do not
    assert proxy.asked() == ["push.example:443"] and bench.looked_up == []
    assert (seen.metrics["upgraded"], seen.metrics["rtt_ms"]) == (1, None)


async def test_a_proxy_that_cuts_what_it_let_through(bench: Bench) -> None:
    with TcpServer(websocket(answering(1, reset_later))) as server:
        with TcpServer(Proxy({"push.example:80": server.endpoint}).serve) as between:
            bench.proxy = f"http://127.0.0.1:{between.endpoint[1]}"
            target = Target(host="push.example", port=80, transport="tcp", via="proxy")
            seen = await bench.measure(WebsocketProbe(), WebsocketParams((target,), "ws", hold_s=HOLD_S))

    assert _steps(seen.observations)[-1] in (
        (Step.ECHO, Failure.CONNECTION_CLOSED),
        (Step.ECHO, Failure.CONNECTION_RESET),
    )


# --- without a server ---------------------------------------------------------------------------------


def test_the_same_without_a_server() -> None:
    refusal = FakeService(answer=lambda request: b"HTTP/1.1 401 Unauthorized\r\n\r\n")
    network = FakeNetwork(tcp={("192.0.2.1", 80): refusal})
    observations, metrics = run_probe(
        WebsocketProbe(), WebsocketParams((Target(address="192.0.2.1", port=80),), "ws"), network
    )
    assert [one.step for one in observations] == [Step.CONNECT, Step.RESPONSE]
    assert (metrics["answered"], metrics["upgraded"], metrics["held_s"]) == (1, 0, None)


@settings(deadline=None, database=None, max_examples=100)
@given(first=st.integers(0, 255), second=st.integers(0, 255), rest=st.binary(max_size=300))
def test_whatever_comes_after_the_upgrade_is_a_result(first: int, second: int, rest: bytes) -> None:
    def answer(data: bytes) -> bytes | None:
        if not data.startswith(b"GET "):
            return None
        key = re.search(rb"Sec-WebSocket-Key: (.*)\r", data)
        assert key is not None
        accepted = accept_key(key[1].decode()).encode()
        return SWITCH + b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n" + bytes([first, second]) + rest

    network = FakeNetwork(tcp={("192.0.2.1", 80): FakeService(answer=answer)})
    observations, _ = run_probe(
        WebsocketProbe(), WebsocketParams((Target(address="192.0.2.1", port=80),), "ws"), network
    )
    assert [one.step for one in observations] == [Step.CONNECT, Step.RESPONSE, Step.ECHO]
    assert observations[1].failure is None
    endings = (Failure.TIMED_OUT, Failure.PROTOCOL_ERROR, Failure.CONNECTION_CLOSED)
    assert observations[2].failure in endings and observations[2].detail.isprintable()


@settings(deadline=None, database=None, max_examples=100)
@given(
    st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 101 ", b"HTTP/1.1 200 OK\r\n", SWITCH]),
    st.binary(max_size=200),
)
def test_whatever_answers_the_upgrade_is_a_result(head: bytes, rest: bytes) -> None:
    service = FakeService(answer=lambda request: head + rest + b"\r\n\r\n", then=None)
    network = FakeNetwork(tcp={("192.0.2.1", 80): service})
    observations, _ = run_probe(
        WebsocketProbe(), WebsocketParams((Target(address="192.0.2.1", port=80),), "ws"), network
    )
    assert [one.step for one in observations] == [Step.CONNECT, Step.RESPONSE]
    assert observations[1].failure in (None, Failure.PROTOCOL_ERROR, Failure.HTTP_STATUS)
    assert observations[1].detail.isprintable()


def test_nothing_to_ask() -> None:
    observations, metrics = run_probe(WebsocketProbe(), WebsocketParams(), FakeNetwork())
    assert (observations, metrics["sent"], metrics["upgraded"]) == ((), 0, 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("path", "no slash"), ("path", "/a b"), ("path", "/a#b"), ("path", "/\r\nX: y"), ("hold_s", -1),
     ("hold_s", 61), ("scheme", "https")],
)  # fmt: skip
def test_a_profile_cannot_ask_for_what_makes_no_sense(key: str, value: object) -> None:
    with pytest.raises(ProfileError, match=rf"x\.params\.{key}"):
        build_params(WebsocketParams, {key: value}, where="x")
