"""HTTP/1.1 answers in any pieces, and what is none."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.http import Exchange, NotHttp

ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nServer: a\r\nVIA: b\r\nvia: c\r\nContent-Length: 5\r\n\r\nhello"
)
fuzz = settings(deadline=None, database=None, max_examples=300)


def asked(method: str = "GET", target: str = "/") -> Exchange:
    return Exchange(method, target, {"Host": "config.example"})


def test_the_request() -> None:
    assert asked("HEAD", "/a?b").request == b"HEAD /a?b HTTP/1.1\r\nHost: config.example\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/a b"), ("GET", "/\r\nX: y"), ("G T", "/"), ("GET", "/\u2028")]
)
def test_what_cannot_be_asked(method: str, target: str) -> None:
    with pytest.raises(NotHttp):
        asked(method, target)


@given(st.lists(st.integers(1, len(ANSWER)), max_size=9))
@fuzz
def test_an_answer_comes_in_any_pieces(cuts: list[int]) -> None:
    exchange = asked()
    places = sorted({0, len(ANSWER), *cuts})
    for begin, end in pairwise(places):
        assert not exchange.ended
        exchange.feed(ANSWER[begin:end])
    assert (exchange.status, bytes(exchange.body), exchange.ended) == (200, b"hello", True)
    assert exchange.headers == {"server": "a", "via": "b, c", "content-length": "5"}


def test_an_answer_to_head_has_no_body() -> None:
    exchange = asked("HEAD")
    exchange.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (exchange.ended, bytes(exchange.body)) == (True, b"")


def test_a_body_without_length_lasts_until_the_end() -> None:
    exchange = asked()
    exchange.feed(b"HTTP/1.0 200 OK\r\nX: \xc3\xa9\r\nY: \xe9\r\n\r\npart")
    assert not exchange.ended
    exchange.feed(b"")
    assert (exchange.ended, bytes(exchange.body)) == (True, b"part")
    assert exchange.headers == {"x": "\u00e9", "y": "\u00e9"}


def test_crumbs_are_not_counted_for_ever() -> None:
    exchange = asked()
    exchange.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10_000)
    assert exchange.ended and len(exchange.body) == 4096


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(NotHttp):
        asked().feed(data)


def test_a_connection_that_ends_early_is_no_answer() -> None:
    exchange = asked()
    exchange.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    with pytest.raises(NotHttp):
        exchange.feed(b"")


@given(st.binary(max_size=400))
@fuzz
def test_rubbish_is_refused_or_awaited(data: bytes) -> None:
    try:
        asked().feed(data)
    except NotHttp as error:
        assert str(error)
