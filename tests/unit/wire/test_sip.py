"""The SIP codec: requests, responses, stream framing and hostile bytes."""

import time
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.sip import (
    MAX_BODY_BYTES,
    MAX_BUFFERED_BYTES,
    MAX_HEADER_BYTES,
    MessageBuffer,
    SipRequest,
    SipResponse,
    answers,
    pack_options,
    pack_response,
    parameter,
    unpack_request,
    unpack_response,
)

BRANCH = "z9hG4bK776asdhds"
CALL_ID = "a84b4c76e66710@192.0.2.1"
OPTIONS = (
    b"OPTIONS sip:example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/TLS 192.0.2.1:5061;rport;branch=z9hG4bK776asdhds\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:readycheck@192.0.2.1>;tag=1928301774\r\n"
    b"To: <sip:example.com>\r\n"
    b"Call-ID: a84b4c76e66710@192.0.2.1\r\n"
    b"CSeq: 7 OPTIONS\r\n"
    b"Contact: <sip:readycheck@192.0.2.1:5061;transport=tls>\r\n"
    b"Accept: application/sdp\r\n"
    b"User-Agent: readycheck/1\r\n"
    b"Content-Length: 0\r\n\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\n"
    b"v: SIP/2.0/TLS 192.0.2.1:5061;rport=40000;received=198.51.100.9\r\n ;branch=z9hG4bK776asdhds\r\n"
    b"i : a84b4c76e66710@192.0.2.1\r\n"
    b"l: 5\r\n\r\nhello"
)
fuzz = settings(deadline=None, database=None, max_examples=300)


def options(
    *,
    uri: str = "sip:example.com",
    via_transport: str = "TLS",
    host: str = "192.0.2.1",
    branch: str = BRANCH,
    call_id: str = CALL_ID,
    user_agent: str = "readycheck/1",
) -> bytes:
    return pack_options(
        uri=uri,
        via_transport=via_transport,
        local=(host, 5061),
        branch=branch,
        call_id=call_id,
        tag="1928301774",
        cseq=7,
        user_agent=user_agent,
    )


def taken(*chunks: bytes) -> list[bytes]:
    buffer, messages = MessageBuffer(), []
    for chunk in chunks:
        buffer.feed(chunk)
        while (message := buffer.take()) is not None:
            messages.append(message)
    return messages


def test_options_byte_for_byte() -> None:
    assert options() == OPTIONS


def test_options_over_ipv6_and_sips() -> None:
    request = unpack_request(options(uri="sips:example.com", host="fe80::1%eth0"))
    assert request.header("Via") == f"SIP/2.0/TLS [fe80::1]:5061;rport;branch={BRANCH}"
    assert request.header("Contact") == "<sips:readycheck@[fe80::1]:5061;transport=tls>"


def test_reads_a_request() -> None:
    request = unpack_request(OPTIONS)
    assert (request.method, request.uri, request.body) == ("OPTIONS", "sip:example.com", b"")
    assert request.header("cseq") == "7 OPTIONS"
    assert request.header("Route") is None


def test_reads_a_response_with_compact_and_folded_headers() -> None:
    response = unpack_response(OK)
    assert (response.status, response.reason, response.body) == (200, "OK", b"hello")
    assert response.header("Call-ID") == response.header("I") == CALL_ID
    via = response.header("Via")
    assert via is not None
    assert [parameter(via, name) for name in ("rport", "RECEIVED", "branch", "ttl")] == [
        "40000",
        "198.51.100.9",
        BRANCH,
        None,
    ]


def test_a_response_may_have_no_reason_and_a_datagram_no_length() -> None:
    assert unpack_response(b"SIP/2.0 200 \r\n\r\n") == SipResponse(200, "", (), b"")
    assert unpack_response(b"SIP/2.0 200\r\n\r\nrest").body == b"rest"


def test_bytes_after_the_body_are_dropped() -> None:
    assert unpack_response(OK + b"junk").body == b"hello"


def test_text_that_is_not_utf8_is_replaced() -> None:
    assert unpack_response(b"SIP/2.0 486 \xff\r\nServer: \xfe\r\n\r\n") == SipResponse(
        486, "\ufffd", (("Server", "\ufffd"),), b""
    )


def test_parameters_of_a_name_addr_follow_the_angle_bracket() -> None:
    assert parameter('"x;tag=no" <sip:a@b;tag=no>;tag="yes";lr', "tag") == "yes"
    assert parameter("<sip:a@b;tag=no>;lr", "tag") is None
    assert parameter("<sip:a@b>;lr", "lr") == ""


def test_a_stand_in_answers_the_request() -> None:
    data = pack_response(unpack_request(OPTIONS), 200, "OK", headers=(("Allow", "INVITE, OPTIONS"),))
    response = unpack_response(data)
    assert response.header("Via") == unpack_request(OPTIONS).header("Via")
    assert response.header("To") == "<sip:example.com>;tag=readycheck"
    assert response.header("From") == "<sip:readycheck@192.0.2.1>;tag=1928301774"
    assert response.header("Allow") == "INVITE, OPTIONS"
    assert data.endswith(b"Content-Length: 0\r\n\r\n")
    assert answers(response, call_id=CALL_ID, branch=BRANCH)


def test_a_stand_in_keeps_a_given_tag_and_every_via() -> None:
    request = SipRequest(
        "OPTIONS",
        "sip:b",
        (
            ("Via", "one"),
            ("v", "two"),
            ("f", "<sip:a>"),
            ("t", "<sip:b>;tag=x"),
            ("i", "1"),
            ("CSeq", "1 OPTIONS"),
        ),
        b"",
    )
    response = unpack_response(pack_response(request, 404, "Not Found"))
    assert [value for name, value in response.headers if name == "Via"] == ["one", "two"]
    assert response.header("To") == "<sip:b>;tag=x"


def test_trying_has_no_tag() -> None:
    assert (
        unpack_response(pack_response(unpack_request(OPTIONS), 100, "Trying")).header("To")
        == "<sip:example.com>"
    )


def test_a_stand_in_says_where_the_request_came_from() -> None:
    data = pack_response(unpack_request(OPTIONS), 200, "OK", source=("198.51.100.9", 40000))
    assert unpack_response(data).header("Via") == (
        f"SIP/2.0/TLS 192.0.2.1:5061;rport=40000;branch={BRANCH};received=198.51.100.9"
    )


def test_answers_compares_the_topmost_branch_and_the_call() -> None:
    response = unpack_response(b"SIP/2.0 200 OK\r\nVia: a;branch=1, b;branch=2\r\nCall-ID: c\r\n\r\n")
    assert answers(response, call_id="c", branch="1")
    assert not answers(response, call_id="c", branch="2")
    assert not answers(response, call_id="d", branch="1")
    assert not answers(SipResponse(200, "OK", (), b""), call_id="c", branch="1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SIP/2.0 200 OK\r\nVia: a\r\n", "no blank line after its headers"),
        (b"a" * (MAX_HEADER_BYTES + 4), "header section exceeds 16384 bytes"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a SIP status line: 'HTTP/1.1 400 Bad Request'"),
        (b"SIP/2.0 700 No\r\n\r\n", "not a SIP status line"),
        (b"SIP/2.0 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", "has 101 headers, more than 100"),
        (b"SIP/2.0 200 OK\r\nVia\r\n\r\n", "header line 'Via' has no name"),
        (b"SIP/2.0 200 OK\r\n: a\r\n\r\n", "header line ': a' has no name"),
        (b"SIP/2.0 200 OK\r\nVia: a\nb\r\n\r\n", "holds a control character"),
        (b"SIP/2.0 200 \x1b[2J\r\n\r\n", "holds a control character"),
        (b"SIP/2.0 200 OK\r\nl: +1\r\n\r\n", "Content-Length is not one decimal number"),
        (b"SIP/2.0 200 OK\r\nl: " + b"9" * 5000 + b"\r\n\r\n", "Content-Length is not one decimal number"),
        (
            b"SIP/2.0 200 OK\r\nl: 1\r\nContent-Length: 2\r\n\r\nab",
            "Content-Length is not one decimal number",
        ),
        (b"SIP/2.0 200 OK\r\nl: 65537\r\n\r\n", "body of 65537 bytes exceeds 65536"),
        (b"SIP/2.0 200 OK\r\n\r\n" + bytes(MAX_BODY_BYTES + 1), "body of 65537 bytes exceeds 65536"),
        (b"SIP/2.0 200 OK\r\nl: 6\r\n\r\nhello", "body of 5 bytes is shorter than its Content-Length 6"),
    ],
)
def test_bad_responses_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_response(data)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1", b"SIP/2.0 200 OK", b"a" * 33 + b" sip:x SIP/2.0", b""])
def test_bad_requests_are_named(start: bytes) -> None:
    with pytest.raises(ValueError, match="not a SIP request line"):
        unpack_request(start + b"\r\n\r\n")


def test_bad_options_are_named() -> None:
    with pytest.raises(ValueError, match="transport 'tls' is none of TLS, TCP, UDP"):
        options(via_transport="tls")
    with pytest.raises(ValueError, match="'sip:a b' is not a SIP URI"):
        options(uri="sip:a b")
    with pytest.raises(ValueError, match="branch 'x' does not start with z9hG4bK"):
        options(branch="x")
    with pytest.raises(ValueError, match="is not a SIP token"):
        options(call_id="a;b")
    with pytest.raises(ValueError, match="holds a control character"):
        options(user_agent="a\r\nb: c")


def test_bad_answers_are_named() -> None:
    with pytest.raises(ValueError, match="status 99 is outside"):
        pack_response(unpack_request(OPTIONS), 99, "OK")
    with pytest.raises(ValueError, match="SIP request has no From"):
        pack_response(SipRequest("OPTIONS", "sip:b", (), b""), 200, "OK")
    with pytest.raises(ValueError, match="holds a control character"):
        pack_response(unpack_request(OPTIONS), 200, "OK\r\nX: y")


@given(cuts=st.lists(st.integers(0, len(OK + OPTIONS) + 8), max_size=6).map(sorted))
@fuzz
def test_the_buffer_frames_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = b"\r\n\r\n" + OK + b"\r\n\r\n" + OPTIONS
    edges = [0, *cuts, len(stream)]
    assert taken(*(stream[a:b] for a, b in pairwise(edges))) == [OK, OPTIONS]


def test_the_buffer_frames_single_bytes() -> None:
    assert taken(*(bytes([byte]) for byte in OK + OPTIONS)) == [OK, OPTIONS]


def test_a_keep_alive_is_not_a_message() -> None:
    assert taken(b"\r\n", b"\r\n\r\n", b"") == []


def test_no_content_length_means_no_body() -> None:
    first = b"SIP/2.0 200 OK\r\nVia: a\r\n\r\n"
    assert taken(first + OK) == [first, OK]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"GET / HTTP/1.1\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"\x15\x03\x01\x00\x02",
        b"<html>",
        b"a" * 33,
    ],
)
def test_a_stream_that_cannot_be_sip_is_refused_at_once(data: bytes) -> None:
    buffer = MessageBuffer()
    buffer.feed(data)
    for _ in range(2):
        with pytest.raises(ValueError, match="not SIP: the stream starts with"):
            buffer.take()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SIP/2.0 200 " + b"a" * MAX_HEADER_BYTES, "header section exceeds 16384 bytes"),
        (b"SIP/2.0 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n", "has 101 headers"),
        (b"SIP/2.0 200 OK\r\nl: 65537\r\n\r\n", "body of 65537 bytes exceeds"),
        (b"SIP/2.0 200 OK\r\nl: -1\r\n\r\n", "not one decimal number"),
    ],
)
def test_the_buffer_is_bounded(data: bytes, reason: str) -> None:
    buffer = MessageBuffer()
    buffer.feed(data)
    with pytest.raises(ValueError, match=reason):
        buffer.take()


def test_the_buffer_does_not_grow_without_end() -> None:
    buffer = MessageBuffer()
    buffer.feed(bytes(MAX_BUFFERED_BYTES))
    with pytest.raises(ValueError, match="more than 262144 bytes of SIP wait to be taken"):
        buffer.feed(b"a")


@pytest.mark.parametrize("filler", [b" ", b"\t", b";", b":", b",", b"\r\n ", b";rport ", b"a=", b'"', b">"])
def test_hostile_repetition_takes_bounded_time(filler: bytes) -> None:
    data = b"SIP/2.0 200 OK\r\nVia: a" + filler * (16_000 // len(filler)) + b"x\r\n\r\n"
    started = time.process_time()
    response = unpack_response(data)
    answers(response, call_id="", branch="")
    request = SipRequest(
        "OPTIONS", "sip:b", (*response.headers, *((n, "1") for n in ("f", "t", "i", "CSeq"))), b""
    )
    pack_response(request, 200, "OK", source=("192.0.2.1", 1))
    assert time.process_time() - started < 0.25


@given(seed=st.sampled_from((OK, OPTIONS)), data=st.data())
@fuzz
def test_only_value_error_leaves_mutated_messages(seed: bytes, data: st.DataObject) -> None:
    message = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, len(seed) - 1), max_size=6)):
        message[at] = data.draw(st.integers(0, 255))
    read_all(bytes(message[: data.draw(st.integers(0, len(seed)) | st.just(len(seed)))]))


@given(data=st.binary(max_size=200))
@fuzz
def test_only_value_error_leaves_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"SIP/2.0 200 OK\r\n", b"OPTIONS sip:a SIP/2.0\r\nVia:"):
        read_all(prefix + data)
        read_all(prefix + data + b"\r\n\r\n")


def read_all(data: bytes) -> None:
    with suppress(ValueError):
        answers(unpack_response(data), call_id=CALL_ID, branch=BRANCH)
    with suppress(ValueError):
        unpack_response(pack_response(unpack_request(data), 200, "OK", source=("192.0.2.1", 1)))
    with suppress(ValueError):
        taken(data)
