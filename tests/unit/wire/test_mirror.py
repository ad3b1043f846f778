"""What a mirror of SIP requests returns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.wire.mirror import mirrored, turned_over
from readycheck.wire.sip import pack_options

OPTIONS = pack_options(
    uri="sip:far.example:5060",
    via_transport="UDP",
    local=("192.168.1.20", 5060),
    branch="z9hG4bKabc",
    call_id="abc",
    tag="def",
)


def test_every_byte_is_turned_over_and_nothing_is_added() -> None:
    answer = mirrored(OPTIONS)
    assert answer is not None
    assert len(answer) == len(OPTIONS)
    assert not set(answer[:8]) & set(b"OPTIONS ")
    assert turned_over(answer) == OPTIONS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        OPTIONS[:-2],
        turned_over(OPTIONS),
        b"\0" * 20,
    ],
)
def test_nothing_else_is_answered(data: bytes) -> None:
    assert mirrored(data) is None


@given(data=st.binary(max_size=300))
def test_any_bytes_come_back_or_nothing(data: bytes) -> None:
    answer = mirrored(data)
    assert answer is None or turned_over(answer) == data
