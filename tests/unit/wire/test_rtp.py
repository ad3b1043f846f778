"""The RTP codec: header forms, the RTCP split and hostile bytes."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.rtp import RtpPacket, is_rtcp, pack_packet, unpack_packet

PACKET = RtpPacket(payload_type=111, sequence=0x1234, timestamp=0x56789ABC, ssrc=0xDEADBEEF, payload=b"voice")
HEADER = "123456789abcdeadbeef"

packets = st.builds(
    RtpPacket,
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200),
    st.booleans(),
)
fuzz = settings(deadline=None, database=None, max_examples=300)


def test_known_bytes() -> None:
    assert pack_packet(PACKET) == bytes.fromhex("806f" + HEADER) + b"voice"
    assert pack_packet(replace(PACKET, marker=True))[1] == 0xEF


@given(packet=packets)
@fuzz
def test_round_trip(packet: RtpPacket) -> None:
    assert unpack_packet(pack_packet(packet)) == packet


@pytest.mark.parametrize(
    ("first", "between", "after"),
    [
        ("82", "0000000100000002", ""),
        ("90", "bede000110ff0000", ""),
        ("a0", "", "000003"),
        ("b1", "0000000100000000", "01"),
    ],
)
def test_csrc_extension_and_padding_are_dropped(first: str, between: str, after: str) -> None:
    data = bytes.fromhex(first + "6f" + HEADER + between) + b"voice" + bytes.fromhex(after)
    assert unpack_packet(data) == PACKET


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(11), "RTP packet of 11 bytes is shorter than its 12-byte header"),
        (bytes(12), "RTP version 0 is not 2"),
        (b"\x81" + bytes(11), "RTP header of 16 bytes overruns the 12-byte packet"),
        (b"\x90" + bytes(11), "RTP header extension overruns the packet"),
        (b"\x90" + bytes(11) + b"\0\0\xff\xff", "RTP header of 262156 bytes overruns the 16-byte packet"),
        (b"\xa0" + bytes(11) + b"\0", "RTP padding of 0 bytes does not fit the packet"),
        (b"\xa0" + bytes(11) + b"\2", "RTP padding of 2 bytes does not fit the packet"),
    ],
)
def test_bad_bytes_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_packet(data)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (replace(PACKET, payload_type=128), "payload_type 128 does not fit 7 bits"),
        (replace(PACKET, sequence=-1), "sequence -1 does not fit 16 bits"),
        (replace(PACKET, timestamp=1 << 32), "timestamp 4294967296 does not fit 32 bits"),
        (replace(PACKET, ssrc=-1), "ssrc -1 does not fit 32 bits"),
    ],
)
def test_what_does_not_fit_is_not_packed(packet: RtpPacket, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pack_packet(packet)


@pytest.mark.parametrize("kind", [192, 200, 204, 205, 207, 223])
def test_rtcp_types(kind: int) -> None:
    assert is_rtcp(bytes([0x80, kind, 0, 1]) + bytes(4))


@pytest.mark.parametrize("kind", [0, 72, 111, 191, 224, 239])
def test_rtp_types(kind: int) -> None:
    assert not is_rtcp(bytes([0x80, kind, 0, 1]) + bytes(8))


@pytest.mark.parametrize("data", [b"", b"\x80\xc8\0", b"\0\xc8\0\1"])
def test_neither_is_not_rtcp(data: bytes) -> None:
    assert not is_rtcp(data)


@given(first=st.integers(0, 255), rest=st.binary(max_size=120))
@fuzz
def test_only_value_error_leaves(first: int, rest: bytes) -> None:
    for data in (rest, bytes([first]) + rest, bytes([first]) + pack_packet(PACKET)[1:] + rest):
        is_rtcp(data)
        with suppress(ValueError):
            unpack_packet(data)
