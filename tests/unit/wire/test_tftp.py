"""The TFTP codec: the packets of the RFC, names that cannot be asked for, and hostile bytes."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire import tftp

fuzz = settings(deadline=None, database=None, max_examples=300)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255)


def test_known_bytes() -> None:
    assert tftp.pack_read_request("SEP01.cnf.xml") == b"\0\1SEP01.cnf.xml\0octet\0"
    assert tftp.pack_data(1, b"hello") == b"\0\3\0\1hello"
    assert tftp.pack_error(1, "File not found") == b"\0\5\0\1File not found\0"


@given(file=names)
@fuzz
def test_a_request_is_read_as_it_was_asked(file: str) -> None:
    assert tftp.unpack_read_request(tftp.pack_read_request(file)) == tftp.ReadRequest(file)


def test_a_request_may_have_options_and_a_mode_in_capitals() -> None:
    data = b"\0\1a\0OCTET\0blksize\x001400\0"
    assert tftp.unpack_read_request(data) == tftp.ReadRequest("a", "octet")


@pytest.mark.parametrize("file", ["", "x" * 256, "a\0netascii", "line\nfeed", "größe"])
def test_a_name_that_cannot_be_asked_for_is_refused(file: str) -> None:
    with pytest.raises(ValueError, match="not a file name for TFTP"):
        tftp.pack_read_request(file)


@given(block=st.integers(0, 0xFFFF), payload=st.binary(max_size=512))
@fuzz
def test_data_round_trip(block: int, payload: bytes) -> None:
    assert tftp.unpack_answer(tftp.pack_data(block, payload)) == tftp.Data(block, payload)


@given(code=st.integers(0, 0xFFFF), message=names)
@fuzz
def test_error_round_trip(code: int, message: str) -> None:
    packed = tftp.pack_error(code, message)
    assert tftp.unpack_answer(packed) == tftp.unpack_answer(packed[:-1]) == tftp.Error(code, message)
    assert tftp.is_error(packed)


@pytest.mark.parametrize(
    ("data", "options"),
    [(b"\0\6", ()), (b"\0\6tsize\x0012\0", ("tsize", "12")), (b"\0\6\xff\0", ("\ufffd",))],
)
def test_acknowledged_options(data: bytes, options: tuple[str, ...]) -> None:
    assert tftp.unpack_answer(data) == tftp.OptionAcknowledgement(options)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "TFTP packet of 0 bytes has no opcode"),
        (b"\0", "TFTP packet of 1 bytes has no opcode"),
        (b"\0\3\0", "TFTP packet of 3 bytes is shorter than its 4-byte header"),
        (b"\0\4\0\1", "TFTP opcode 4 is no answer to a read request"),
        (b"\0\1a\0octet\0", "TFTP opcode 1 is no answer to a read request"),
        (b"\xff\xff\xff\xff", "TFTP opcode 65535 is no answer to a read request"),
        (b"\0\3\0\1" + bytes(513), "TFTP block of 513 bytes is longer than 512"),
        (b"\0\6tsize", "TFTP string without its end"),
    ],
)
def test_bad_answers_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tftp.unpack_answer(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\2a\0octet\0", "TFTP opcode 2 is no read request"),
        (b"\0\1", "TFTP packet has 0 strings, not 2"),
        (b"\0\1a\0", "TFTP packet has 1 strings, not 2"),
        (b"\0\1a\0octet", "TFTP string without its end"),
    ],
)
def test_bad_requests_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tftp.unpack_read_request(data)


def test_what_is_too_long_is_not_packed() -> None:
    with pytest.raises(ValueError, match="TFTP block of 513 bytes"):
        tftp.pack_data(1, bytes(513))


@given(opcode=st.integers(0, 7), rest=st.binary(max_size=600))
@fuzz
def test_only_value_error_leaves(opcode: int, rest: bytes) -> None:
    for data in (rest, bytes([0, opcode]) + rest, bytes([0, opcode]) + rest + b"\0"):
        for unpack in (tftp.unpack_answer, tftp.unpack_read_request):
            with suppress(ValueError):
                unpack(data)
