"""The error-queue codec: kernel layouts, meanings and hostile bytes."""

import struct
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.extended_error import ExtendedError, Origin, meaning, unpack_extended_error

fuzz = settings(deadline=None, database=None, max_examples=300)


def entry(origin: int, kind: int, code: int, *, errno: int = 113, info: int = 0) -> bytes:
    return struct.pack("=IBBBBII", errno, origin, kind, code, 0, info, 0)


def inet(host: str) -> bytes:
    return struct.pack("=HH4s8x", 2, 0, ip_address(host).packed)


def inet6(host: str, scope: int = 0) -> bytes:
    return struct.pack("=HHI16sI", 10, 0, 0, ip_address(host).packed, scope)


def test_a_hop_that_answers_over_ipv4() -> None:
    error = unpack_extended_error(entry(2, 11, 0) + inet("192.0.2.7"))
    assert error == ExtendedError(113, Origin.ICMP, 11, 0, 0, "192.0.2.7")
    assert meaning(error) == "time_exceeded"


def test_a_hop_that_answers_over_ipv6() -> None:
    assert unpack_extended_error(entry(3, 3, 0) + inet6("2001:db8::7")).offender == "2001:db8::7"
    assert unpack_extended_error(entry(3, 3, 0) + inet6("fe80::1", 3)).offender == "fe80::1%3"


def test_the_path_mtu_is_in_info() -> None:
    error = unpack_extended_error(entry(2, 3, 4, errno=90, info=1400) + inet("192.0.2.7"))
    assert (error.errno, error.info, meaning(error)) == (90, 1400, "fragmentation_needed")


@pytest.mark.parametrize("offender", [b"", b"\0", bytes(16), struct.pack("=H14x", 77)])
def test_no_offender(offender: bytes) -> None:
    assert unpack_extended_error(entry(1, 0, 0) + offender).offender is None


@pytest.mark.parametrize(
    ("number", "origin"),
    [
        (0, Origin.NONE),
        (1, Origin.LOCAL),
        (4, Origin.TXSTATUS),
        (4, Origin.TIMESTAMPING),
        (5, Origin.ZEROCOPY),
    ],
)
def test_known_origins(number: int, origin: Origin) -> None:
    assert unpack_extended_error(entry(number, 0, 0)).origin is origin


def test_an_unknown_origin_means_other() -> None:
    error = unpack_extended_error(entry(200, 11, 0))
    assert error.origin is Origin.UNKNOWN
    assert meaning(error) == "other"


@pytest.mark.parametrize(
    ("origin", "kind", "code", "word"),
    [
        (2, 3, 0, "net_unreachable"),
        (2, 3, 1, "host_unreachable"),
        (2, 3, 2, "protocol_unreachable"),
        (2, 3, 3, "port_unreachable"),
        (2, 3, 5, "other"),
        (2, 3, 9, "admin_prohibited"),
        (2, 3, 10, "admin_prohibited"),
        (2, 3, 13, "admin_prohibited"),
        (2, 11, 1, "other"),
        (3, 1, 0, "net_unreachable"),
        (3, 1, 1, "admin_prohibited"),
        (3, 1, 3, "host_unreachable"),
        (3, 1, 4, "port_unreachable"),
        (3, 2, 0, "fragmentation_needed"),
        (3, 3, 0, "time_exceeded"),
        (3, 4, 1, "protocol_unreachable"),
        (1, 3, 3, "other"),
    ],
)
def test_meanings(origin: int, kind: int, code: int, word: str) -> None:
    assert meaning(unpack_extended_error(entry(origin, kind, code))) == word


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(15), "extended error of 15 bytes is shorter than 16"),
        (entry(2, 11, 0) + inet("192.0.2.7")[:7], "offender address of 7 bytes is shorter than 8"),
        (entry(3, 3, 0) + inet6("::1")[:27], "offender address of 27 bytes is shorter than 28"),
    ],
)
def test_bad_bytes_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_extended_error(data)


@given(
    head=st.binary(min_size=16, max_size=16),
    family=st.sampled_from((0, 2, 10, 77)),
    rest=st.binary(max_size=40),
)
@fuzz
def test_only_value_error_leaves(head: bytes, family: int, rest: bytes) -> None:
    for data in (rest, head + rest, head + struct.pack("=H", family) + rest):
        with suppress(ValueError):
            meaning(unpack_extended_error(data))
