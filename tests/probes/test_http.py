"""The http probe against loopback servers."""

import json
import socket

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck_probes.http import HttpParams, HttpProbe

from .conftest import Bench
from .servers.authority import Authority
from .servers.http import RESPONSES
from .servers.tcp import Serve, TcpServer, reset, saying, silent


def _params(server: TcpServer, **said: object) -> HttpParams:
    host, port = server.endpoint
    return HttpParams((Target(address=host, port=port),), **{"scheme": "http", "method": "GET", **said})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("response", "status"),
    [("ok", 200), ("moved", 302), ("missing", 404), ("until-close", 200), ("hostile", 200)],
)
async def test_what_is_spoken_is_an_answer(bench: Bench, response: str, status: int) -> None:
    with TcpServer(saying(RESPONSES[response])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    (answer,) = seen.of(Step.RESPONSE)
    assert (answer.failure, answer.facts["status"]) == (None, status)
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert server.connections == 1


async def test_a_redirect_is_noted_not_followed(bench: Bench) -> None:
    with TcpServer(saying(RESPONSES["moved"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    assert seen.of(Step.RESPONSE)[0].facts["location"] == "http://portal.example/"
    assert server.connections == 1


async def test_what_a_server_says_of_http_3_is_noted(bench: Bench) -> None:
    with TcpServer(saying(RESPONSES["ok"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    assert seen.of(Step.RESPONSE)[0].facts["alt-svc"] == 'h3=":443"'


async def test_bodies_are_read_within_bounds(bench: Bench) -> None:
    with TcpServer(saying(RESPONSES["until-close"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    assert 64 * 1024 <= seen.of(Step.RESPONSE)[0].facts["body_bytes"] < 200_000


async def test_a_body_of_crumbs_is_read_within_bounds(bench: Bench) -> None:
    crumbs = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nc\r\n" * 20_000
    with TcpServer(saying(crumbs)) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    assert seen.of(Step.RESPONSE)[0].facts["body_bytes"] == 4096


async def test_hostile_headers_are_tamed(bench: Bench) -> None:
    with TcpServer(saying(RESPONSES["hostile"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    said = seen.of(Step.RESPONSE)[0].facts["server"]
    assert len(said) <= 200 and said.isprintable()


async def test_a_long_word_that_is_no_http_is_cut(bench: Bench) -> None:
    with TcpServer(saying(b"HTTP/9.9 " + b"y" * 60_000 + b"\r\n\r\n")) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    (answer,) = seen.of(Step.RESPONSE)
    assert answer.failure is Failure.PROTOCOL_ERROR
    assert len(answer.detail) <= 200


async def test_what_the_answer_says_of_its_way_is_kept(bench: Bench) -> None:
    marked = b"HTTP/1.1 200 OK\r\nVia: 1.1 box\r\nX-Cache: HIT\r\nSet-Cookie: s=1\r\nContent-Length: 6\r\n\r\nhi\r\nyo"
    with TcpServer(saying(marked)) as server:
        seen = await bench.measure(HttpProbe(), _params(server, contains="hello"))

    told = seen.of(Step.RESPONSE)[0].facts["http"]
    assert told["headers"] == {"via": "1.1 box", "x-cache": "HIT", "content-length": "6"}
    assert (told["body"], told["expected"]) == ("hi yo", False)


@pytest.mark.parametrize("response", ["hostile", "until-close", "many-headers"])
async def test_what_is_kept_is_bounded(bench: Bench, response: str) -> None:
    with TcpServer(saying(RESPONSES[response])) as server:
        seen = await bench.measure(HttpProbe(), _params(server))

    told = seen.of(Step.RESPONSE)[0].facts["http"]
    assert len(json.dumps(told)) < 8000
    assert all(text.isprintable() for text in (*told["headers"], *told["headers"].values()))


@pytest.mark.parametrize(("text", "expected"), [("hi", True), ("ho", False)])
async def test_a_page_has_the_text_that_it_must_have(bench: Bench, text: str, expected: bool) -> None:
    with TcpServer(saying(RESPONSES["ok"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server, contains=text))

    assert seen.of(Step.RESPONSE)[0].facts["http"]["expected"] is expected


async def test_head_asks_for_no_body(bench: Bench) -> None:
    with TcpServer(saying(RESPONSES["truncated-body"])) as server:
        seen = await bench.measure(HttpProbe(), _params(server, method="HEAD"))

    assert seen.failures(Step.RESPONSE) == [None]


async def test_the_request_is_honest(bench: Bench) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(RESPONSES["ok"])

    bench.names = {"config.example": ("127.0.0.1",)}
    with TcpServer(serve) as server:
        target = Target(host="config.example", port=server.endpoint[1])
        await bench.measure(HttpProbe(), HttpParams((target,), scheme="http", path="/a?b=c", method="GET"))

    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert f"Host: config.example:{target.port}" in lines
    assert "User-Agent: readycheck" in lines


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (saying(RESPONSES["broken"]), Failure.HTTP_STATUS),
        (saying(RESPONSES["truncated-headers"]), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["truncated-body"]), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["oversized-headers"]), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["bad-chunks"]), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["garbage"]), Failure.PROTOCOL_ERROR),
        (saying(RESPONSES["empty"]), Failure.CONNECTION_CLOSED),
        (reset, Failure.CONNECTION_RESET),
        (silent, Failure.TIMED_OUT),
    ],
)
async def test_faults(bench: Bench, serve: Serve, failure: Failure) -> None:
    with TcpServer(serve) as server:
        seen = await bench.measure(HttpProbe(), _params(server), deadline_s=0.6)

    assert seen.failures(Step.CONNECT) == [None]
    assert seen.failures(Step.RESPONSE) == [failure]
    assert seen.metrics["answered"] == 0


async def test_https_checks_the_certificate(bench: Bench, authority: Authority) -> None:
    bench.names = {"config.example": ("127.0.0.1",), "other.example": ("127.0.0.1",)}
    bench.trusted = authority.certificate
    with TcpServer(saying(RESPONSES["ok"]), authority.context("config.example")) as server:
        targets = tuple(Target(host=name, port=server.endpoint[1]) for name in bench.names)
        seen = await bench.measure(HttpProbe(), HttpParams(targets))

    by_name = {one.target.host: one.failure for one in seen.of(Step.TLS_HANDSHAKE)}
    assert by_name == {"config.example": None, "other.example": Failure.CERTIFICATE_NAME_MISMATCH}
    assert [(one.target.host, one.failure) for one in seen.of(Step.RESPONSE)] == [("config.example", None)]
    assert 29 <= float(seen.metrics["expires_days"] or 0) <= 30
