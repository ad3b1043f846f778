"""The ICMP echo codec: known bytes, headers before the message, and hostile bytes."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire import icmp
from readycheck.wire.icmp import Echo

ECHO = Echo(0x1234, 7, b"abcdefg")
IPV4 = bytes([0x45]) + bytes(19)

fuzz = settings(deadline=None, database=None, max_examples=300)
echoes = st.builds(Echo, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=100))
families = st.sampled_from((4, 6))


def test_known_bytes() -> None:
    assert icmp.pack_echo_request(ECHO, family=4) == bytes.fromhex("0800549712340007") + b"abcdefg"
    assert icmp.pack_echo_request(ECHO, family=6) == bytes.fromhex("8000000012340007") + b"abcdefg"


@given(echo=echoes, family=families)
@fuzz
def test_round_trip(echo: Echo, family: int) -> None:
    assert icmp.unpack_echo_reply(icmp.pack_echo_reply(echo, family=family), family=family) == echo
    assert icmp.unpack_echo_request(icmp.pack_echo_request(echo, family=family), family=family) == echo


@given(echo=echoes)
@fuzz
def test_a_message_with_its_checksum_sums_to_nothing(echo: Echo) -> None:
    assert icmp.checksum(icmp.pack_echo_request(echo, family=4)) == 0


@pytest.mark.parametrize("words", [5, 6, 15])
def test_a_header_before_the_message_is_skipped(words: int) -> None:
    header = bytes([0x40 | words]) + bytes(4 * words - 1)
    assert icmp.unpack_echo_reply(header + icmp.pack_echo_reply(ECHO, family=4), family=4) == ECHO


@pytest.mark.parametrize(
    ("data", "family", "reason"),
    [
        (b"", 4, "ICMP message of 0 bytes is shorter than its 8-byte header"),
        (bytes(7), 6, "ICMP message of 7 bytes is shorter"),
        (IPV4 + bytes(3), 4, "ICMP message of 3 bytes is shorter"),
        (b"\x4f" + bytes(30), 4, "IPv4 header of 60 bytes in a packet of 31"),
        (b"\x41" + bytes(30), 4, "IPv4 header of 4 bytes in a packet of 31"),
        (icmp.pack_echo_request(ECHO, family=4), 4, "ICMP type 8 code 0 is not type 0 code 0"),
        (icmp.pack_echo_reply(ECHO, family=4), 6, "ICMP type 0 code 0 is not type 129 code 0"),
        (b"\0\1" + bytes(6), 4, "ICMP type 0 code 1 is not type 0 code 0"),
    ],
)
def test_bad_bytes_are_named(data: bytes, family: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        icmp.unpack_echo_reply(data, family=family)


@pytest.mark.parametrize("echo", [Echo(-1, 0, b""), Echo(0, 0x10000, b"")])
def test_what_does_not_fit_is_not_packed(echo: Echo) -> None:
    with pytest.raises(ValueError, match="do not fit 16 bits"):
        icmp.pack_echo_request(echo, family=4)


@given(first=st.integers(0, 255), rest=st.binary(max_size=100), family=families)
@fuzz
def test_only_value_error_leaves(first: int, rest: bytes, family: int) -> None:
    for data in (rest, bytes([first]) + rest, bytes([first, 0]) + rest):
        for unpack in (icmp.unpack_echo_reply, icmp.unpack_echo_request):
            with suppress(ValueError):
                unpack(data, family=family)


def test_the_checksum_of_the_rfc() -> None:
    """RFC 1071 section 3 adds 0001 f203 f4f5 f6f7 to ddf2."""
    assert icmp.checksum(struct.pack("!4H", 0x0001, 0xF203, 0xF4F5, 0xF6F7)) == 0xFFFF ^ 0xDDF2
