"""Greetings as OpenSSL makes them: the name in them, and shapes that mean the same."""

import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.wire.client_hello import (
    as_records,
    as_segments,
    cut_point,
    greeting_size,
    is_greeting,
    name_span,
    unpack_server_name,
)


def hello(name: str | None, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = maximum
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def answer(greeting: bytes) -> bytes:
    """What a server without a certificate says to it: an alert about the suites, when it understood all of it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    heard: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda session, name, _: heard.append(name)
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(greeting)
    with suppress(ssl.SSLError):
        session.do_handshake()
    return str(heard).encode()


@pytest.mark.parametrize("name", ["a.example", "u2c.wbx2.example", "x" * 60 + ".example", "MiXeD.example"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_is_found(name: str, version: ssl.TLSVersion) -> None:
    assert unpack_server_name(hello(name, version)) == name


def test_a_greeting_may_have_no_name() -> None:
    assert unpack_server_name(hello(None)) is None
    assert is_greeting(hello(None))


@pytest.mark.parametrize("shape", [as_segments, lambda data: (as_records(data),)])
@pytest.mark.parametrize("name", ["calls.example", None])
def test_a_server_hears_the_same_in_every_shape(shape: object, name: str | None) -> None:
    greeting = hello(name)
    assert callable(shape)
    parts = shape(greeting)
    assert answer(b"".join(parts)) == answer(greeting) == str([name]).encode()


def test_no_part_shows_the_whole_name() -> None:
    greeting = hello("calls.example")
    first, rest = as_segments(greeting)
    assert first + rest == greeting
    assert all(b"calls.example" not in part for part in (first, rest, as_records(greeting)))
    with pytest.raises(ValueError, match="cut off"):
        unpack_server_name(first)
    with pytest.raises(ValueError, match="cut off"):
        unpack_server_name(as_records(greeting))


def test_two_records_have_two_heads() -> None:
    greeting = hello("calls.example")
    records = as_records(greeting)
    assert len(records) == len(greeting) + 5
    size = int.from_bytes(records[3:5], "big")
    assert records[5 + size : 8 + size] == greeting[:3]


def test_what_follows_the_greeting_is_kept() -> None:
    assert as_records(hello("a.example") + b"later").endswith(b"later")


def test_the_cut_is_in_the_name() -> None:
    greeting = hello("calls.example")
    span = name_span(greeting)
    assert span is not None
    assert span[0] < cut_point(greeting) < span[1]
    assert cut_point(hello(None)) == len(hello(None)) // 2


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"\x15\x03\x03\x00\x02\x02\x28"]
)
def test_other_bytes_are_no_greeting(data: bytes) -> None:
    assert not is_greeting(data)
    with pytest.raises(ValueError, match="no ClientHello"):
        unpack_server_name(data)


@given(st.integers(0, 700), st.integers(0, 255))
def test_damaged_greetings_are_refused_or_read(at: int, value: int) -> None:
    data = bytearray(hello("calls.example"))
    data[at % len(data)] = value
    with suppress(ValueError):
        name = unpack_server_name(bytes(data))
        assert name is None or len(name) <= len(data)


@pytest.mark.parametrize("shape", [bytes, as_records], ids=["one record", "two records"])
def test_the_size_of_a_greeting_is_known_when_it_is_whole(shape: Callable[[bytes], bytes]) -> None:
    greeting = shape(hello("far.example"))
    assert greeting_size(greeting + b"\x17\x03\x03\x00\x01x") == len(greeting)
    assert all(greeting_size(greeting[:size]) is None for size in range(len(greeting)))


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"]
)
def test_what_begins_otherwise_has_no_size(data: bytes) -> None:
    with pytest.raises(ValueError, match="no ClientHello"):
        greeting_size(data)


@given(st.binary(max_size=100))
def test_no_bytes_crash_the_measuring(data: bytes) -> None:
    with suppress(ValueError):
        greeting_size(b"\x16" + data)
