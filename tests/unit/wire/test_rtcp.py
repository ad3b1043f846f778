"""RTCP reports, there and back, and what is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.wire.rtcp import (
    PLAIN_SENDER_REPORT,
    UNITS_PER_SECOND,
    Block,
    Reports,
    SenderReport,
    middle,
    ntp_time,
    pack_receiver_report,
    pack_sender_report,
    round_trip_ms,
    unpack_reports,
)
from readycheck.wire.rtp import is_rtcp

U32 = st.integers(0, 2**32 - 1)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=255)
SENT = SenderReport(ssrc=7, ntp=ntp_time(0), packets=3, octets=480)


def test_known_bytes() -> None:
    data = pack_sender_report(SENT, "ab")
    assert data[:16].hex() == "80c80006" + "00000007" + "83aa7e80" + "00000000"  # 1970 in NTP's seconds
    assert data[28:].hex() == "81ca0003" + "00000007" + "01026162" + "00000000"
    assert data.startswith(PLAIN_SENDER_REPORT) and is_rtcp(data)


@given(
    st.builds(SenderReport, ssrc=U32, ntp=st.integers(0, 2**64 - 1), timestamp=U32, packets=U32, octets=U32),
    NAMES,
)
def test_a_senders_report_comes_back(report: SenderReport, name: str) -> None:
    data = pack_sender_report(report, name)
    assert not len(data) % 4
    assert unpack_reports(data) == Reports(ssrc=report.ssrc, sender=report)


@given(
    U32,
    st.builds(
        Block,
        ssrc=U32,
        lost_share=st.integers(0, 255).map(lambda share: share / 256),
        lost=st.integers(-(2**23), 2**23 - 1),
        highest=U32,
        jitter=U32,
        last_report=U32,
        delay=U32,
    ),
    NAMES,
)
def test_a_receivers_report_comes_back(ssrc: int, block: Block, name: str) -> None:
    data = pack_receiver_report(ssrc, block, name)
    assert unpack_reports(data) == Reports(ssrc=ssrc, blocks=(block,))


def test_a_loss_beyond_24_bits_is_the_largest() -> None:
    data = pack_receiver_report(1, Block(ssrc=2, lost=1 << 30, lost_share=1.0), "x")
    (block,) = unpack_reports(data).blocks
    assert (block.lost, block.lost_share) == (2**23 - 1, 255 / 256)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no RTCP header"),
        (bytes.fromhex("40c80000"), "version 1"),
        (bytes.fromhex("80ca0000"), "not with type 202"),
        (bytes.fromhex("a0c80000"), "without padding"),
        (bytes.fromhex("80c80006") + bytes(8), "overruns"),
        (bytes.fromhex("80c80001") + bytes(4), "sender report of 4"),
        (bytes.fromhex("80c90000"), "without its source"),
        (bytes.fromhex("83c90001") + bytes(4), "no room for 3"),
        (pack_sender_report(SENT, "x") + b"\x80", "1 bytes hold no"),
    ],
)
def test_bad_bytes_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_reports(data)


@given(st.sampled_from((b"", b"\x80\xc8", b"\x81\xc9\x00\x07", b"\x9f\xc8")), st.binary(max_size=200))
def test_only_value_error_leaves(head: bytes, rest: bytes) -> None:
    with suppress(ValueError):
        unpack_reports(head + rest)


@given(st.integers(0, 2**62), st.integers(0, 30_000), st.integers(0, 60_000))
def test_the_round_trip_is_without_the_time_at_the_far_end(at_ns: int, trip_ms: int, held_ms: int) -> None:
    block = Block(ssrc=1, last_report=middle(ntp_time(at_ns)), delay=round(held_ms * UNITS_PER_SECOND / 1000))
    told = round_trip_ms(at_ns + (trip_ms + held_ms) * 1_000_000, block)
    if block.last_report and trip_ms:
        assert told == pytest.approx(trip_ms, abs=0.05)


def test_no_report_and_what_cannot_be_tell_no_round_trip() -> None:
    assert round_trip_ms(10**18, Block(ssrc=1)) is None
    assert round_trip_ms(10**18, Block(ssrc=1, last_report=middle(ntp_time(10**18 + 10**9)))) is None
