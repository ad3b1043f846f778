"""XMPP stream headers, and what hostile XML must not do."""

import time
from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.xmpp import MAX_HEADER_BYTES, StreamHeader, pack_header, pack_response, unpack_header

STREAMS = "http://etherx.jabber.org/streams"
OPEN = f"<stream:stream xmlns:stream='{STREAMS}' from='im.example' version='1.0'>".encode()
UNKNOWN = (
    OPEN + b"<stream:error><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no</text>"
    b"<host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
)
BOMB = (
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
    + OPEN.replace(b"im.example", b"&b;")
)
fuzz = settings(deadline=None, database=None, max_examples=300)


def test_the_header_is_xml_with_the_name_of_the_server() -> None:
    root = ElementTree.fromstring(pack_header("im.example") + b"</stream:stream>")
    assert root.tag == f"{{{STREAMS}}}stream"
    assert (root.get("to"), root.get("version")) == ("im.example", "1.0")


def test_a_name_cannot_leave_its_attribute() -> None:
    root = ElementTree.fromstring(pack_header("a' b=\"<&>") + b"</stream:stream>")
    assert root.get("to") == "a' b=\"<&>"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (OPEN, StreamHeader("im.example", "1.0", "")),
        (b"<?xml version='1.0' encoding='UTF-8'?>\n" + OPEN, StreamHeader("im.example", "1.0", "")),
        (pack_response("a.example"), StreamHeader("a.example", "1.0", "")),
        (pack_response("a", error="host-unknown"), StreamHeader("a", "1.0", "host-unknown")),
        (UNKNOWN, StreamHeader("im.example", "1.0", "host-unknown")),
        (OPEN + b"rubbish <", StreamHeader("im.example", "1.0", "")),
        (OPEN + b"</wrong>", StreamHeader("im.example", "1.0", "")),
        (f"<s:stream xmlns:s='{STREAMS}'>".encode(), StreamHeader("", "", "")),
        (f"<stream xmlns='{STREAMS}' id='&lt;'>".encode(), StreamHeader("", "", "")),
        (
            f"<s:error xmlns:s='{STREAMS}'><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>".encode(),
            StreamHeader("", "", "reset"),
        ),
        (b"", None),
        (b"  \n", None),
        (b"<?xml version='1.0'?>", None),
    ],
)
def test_headers(data: bytes, header: StreamHeader | None) -> None:
    assert unpack_header(data) == header


def test_a_part_waits_for_the_rest() -> None:
    assert {unpack_header(OPEN[:size]) for size in range(len(OPEN))} == {None}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", r"invalid token\): it begins with b'HTTP/1.1 400"),
        (b"* OK IMAP\r\n", "not an XMPP stream"),
        (b"\x16\x03\x01", "not an XMPP stream"),
        (b"<html>", "begins with the element 'html'"),
        (b"<stream:stream>", "unbound prefix"),
        (OPEN.replace(STREAMS.encode(), b"urn:other"), "begins with the element 'stream'"),
        (BOMB, "document type declaration"),
        (b"<!DOCTYPE html>", "document type declaration"),
        (b"<!DOCTYPE x SYSTEM 'file:///etc/hostname'>" + OPEN, "document type declaration"),
        (OPEN.replace(b"im.example", b"&undeclared;"), "undefined entity"),
        (b"<?xml version='1.0' encoding='UTF-16'?>" + b"\xff\xfe", "not an XMPP stream"),
        (b" " * MAX_HEADER_BYTES, "no XMPP stream header within 16384 bytes"),
        (b"<a b='" + b"x" * MAX_HEADER_BYTES, "no XMPP stream header within"),
    ],
)
def test_what_is_something_else_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_header(data)


@pytest.mark.parametrize("filler", [b"<a>", b"<a/>", b"x", b"&lt;", b"<!---->", b" a='b'", b"<![CDATA["])
def test_hostile_repetition_takes_bounded_time(filler: bytes) -> None:
    started = time.process_time()
    with suppress(ValueError):
        unpack_header(OPEN + filler * 100_000)
    with suppress(ValueError):
        unpack_header(OPEN[:-1] + filler * 100_000)
    assert time.process_time() - started < 0.25


@given(data=st.binary(max_size=200))
@fuzz
def test_only_value_error_leaves_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"<", OPEN, OPEN[:-1], b"<!DOCTYPE "):
        with suppress(ValueError):
            unpack_header(prefix + data)


@given(seed=st.sampled_from((OPEN, UNKNOWN, BOMB)), data=st.data())
@fuzz
def test_only_value_error_leaves_mutated_headers(seed: bytes, data: st.DataObject) -> None:
    message = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, len(seed) - 1), max_size=6)):
        message[at] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        unpack_header(bytes(message))
