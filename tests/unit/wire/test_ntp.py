"""The NTP codec: known bytes, the era change of 2036 and replies not to trust."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.ntp import (
    NtpReply,
    check_reply,
    offset_and_delay_ms,
    pack_reply,
    pack_request,
    unpack_reply,
)

SENT = 1_700_000_000.5
REQUEST = pack_request(SENT)
REPLY = pack_reply(REQUEST, receive=SENT + 0.25, transmit=SENT + 0.5)
ERA_1 = 2_085_978_496.0
LAST = -61_505_152 + 2**32

times = st.floats(-61_505_152, LAST, exclude_max=True)
fuzz = settings(deadline=None, database=None, max_examples=300)


def server_reply(**changes: object) -> NtpReply:
    return replace(unpack_reply(REPLY), **changes)  # type: ignore[arg-type]


def test_request_bytes() -> None:
    assert len(REQUEST) == 48
    assert REQUEST[0] == 0x23
    assert REQUEST[1:40] == bytes(39)
    assert REQUEST[40:] == (1_700_000_000 + 2_208_988_800).to_bytes(4, "big") + bytes.fromhex("80000000")


def test_reads_a_reply_byte_for_byte() -> None:
    data = bytes.fromhex(
        "240103e8" "00008000" "00010000" "47505300"
        "e8fdb39c00000000" "e8fdb39d00000000" "e8fdb39e40000000" "e8fdb39e80000000"
    )  # fmt: skip
    second = 0xE8FDB39D - 2_208_988_800
    assert unpack_reply(data) == NtpReply(
        leap=0,
        version=4,
        mode=4,
        stratum=1,
        reference_id="GPS",
        root_delay_ms=500.0,
        root_dispersion_ms=1000.0,
        origin=float(second),
        receive=second + 1.25,
        transmit=second + 1.5,
        origin_raw=0xE8FDB39D00000000,
    )


@pytest.mark.parametrize(
    ("stratum", "raw", "text"),
    [
        (0, b"RATE", "RATE"),
        (1, b"GPS\0", "GPS"),
        (1, b"\x1b\xff", "\ufffd\ufffd"),
        (2, b"\x7f\0\0\1", "127.0.0.1"),
    ],
)
def test_reference_id(stratum: int, raw: bytes, text: str) -> None:
    data = pack_reply(REQUEST, receive=SENT, transmit=SENT, stratum=stratum, reference_id=raw)
    assert unpack_reply(data).reference_id == text


@pytest.mark.parametrize(
    ("unix", "stamp"),
    [(ERA_1 - 1, "ffffffff00000000"), (ERA_1, "0000000000000001"), (ERA_1 + 1, "0000000100000000")],
)
def test_the_era_change_of_2036(unix: float, stamp: str) -> None:
    request = pack_request(unix)
    assert request[40:].hex() == stamp
    assert unpack_reply(pack_reply(request, receive=unix, transmit=unix)).transmit == unix


@given(receive=times, transmit=times, stratum=st.integers(0, 255), leap=st.integers(0, 3))
@fuzz
def test_round_trip(receive: float, transmit: float, stratum: int, leap: int) -> None:
    reply = unpack_reply(pack_reply(REQUEST, receive=receive, transmit=transmit, stratum=stratum, leap=leap))
    assert (reply.stratum, reply.leap, reply.version, reply.mode) == (stratum, leap, 4, 4)
    assert reply.receive == pytest.approx(receive, abs=1e-6)
    assert reply.transmit == pytest.approx(transmit, abs=1e-6)
    assert reply.origin == SENT
    assert reply.origin_raw == int.from_bytes(REQUEST[40:], "big")


def test_a_good_reply_passes_with_or_without_extensions() -> None:
    assert check_reply(REQUEST, unpack_reply(REPLY)) is None
    assert unpack_reply(REPLY + bytes(20)) == unpack_reply(REPLY)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (server_reply(mode=3), "mode"),
        (server_reply(origin_raw=0), "origin"),
        (server_reply(stratum=0, reference_id="RATE", leap=3), "kiss-of-death"),
        (server_reply(stratum=0, reference_id="INIT"), "unsynchronised"),
        (server_reply(stratum=0, reference_id=""), "unsynchronised"),
        (server_reply(stratum=16), "unsynchronised"),
        (server_reply(leap=3), "unsynchronised"),
        (server_reply(receive=0.0), "unsynchronised"),
        (server_reply(transmit=0.0), "zero-transmit"),
    ],
)
def test_replies_not_to_trust(reply: NtpReply, reason: str) -> None:
    assert check_reply(REQUEST, reply) == reason


def test_zero_stamps_read_as_zero() -> None:
    reply = unpack_reply(REPLY[:24] + bytes(24))
    assert (reply.origin, reply.receive, reply.transmit, reply.origin_raw) == (0.0, 0.0, 0.0, 0)


def test_offset_and_delay() -> None:
    reply = server_reply(receive=110.0, transmit=110.5)
    assert offset_and_delay_ms(reply, 100.0, 101.0) == (9750.0, 500.0)


def test_short_packets_are_named() -> None:
    for read in (unpack_reply, lambda data: check_reply(data, unpack_reply(REPLY))):
        with pytest.raises(ValueError, match="NTP packet of 47 bytes is shorter than 48"):
            read(bytes(47))
    with pytest.raises(ValueError, match="NTP packet of 0 bytes"):
        pack_reply(b"", receive=SENT, transmit=SENT)


@pytest.mark.parametrize("unix", [float("nan"), float("inf"), -1e300, -61_505_153.0, float(LAST)])
def test_times_out_of_range_are_named(unix: float) -> None:
    with pytest.raises(ValueError, match="outside the years 1968 to 2104"):
        pack_request(unix)


@pytest.mark.parametrize("field", [{"stratum": 256}, {"leap": 4}, {"reference_id": b"toolong"}])
def test_fields_that_do_not_fit_are_named(field: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pack_reply(REQUEST, receive=SENT, transmit=SENT, **field)  # type: ignore[arg-type]


@given(data=st.binary(max_size=100) | st.binary(min_size=48, max_size=60))
@fuzz
def test_only_value_error_leaves(data: bytes) -> None:
    with suppress(ValueError):
        reply = unpack_reply(data)
        check_reply(data, reply)
        offset_and_delay_ms(reply, SENT, SENT)
        pack_reply(data, receive=SENT, transmit=SENT)


@given(at=st.integers(0, 47), byte=st.integers(0, 255), size=st.integers(0, 48))
@fuzz
def test_only_value_error_leaves_a_mutated_reply(at: int, byte: int, size: int) -> None:
    with suppress(ValueError):
        check_reply(REQUEST, unpack_reply((REPLY[:at] + bytes([byte]) + REPLY[at + 1 :])[:size]))
