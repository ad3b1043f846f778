"""The responder's messages: there and back, and nothing accepted that is not whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.wire.far_end import (
    LEAST_PAYLOAD,
    REQUEST_SIZE,
    Answer,
    Ask,
    Kind,
    answer_in_place,
    is_control,
    pack_answer,
    pack_ask,
    pack_message,
    peek,
    unpack_answer,
    unpack_ask,
    unpack_message,
)
from readycheck.wire.rtp import unpack_packet

KEY = b"of this site"


def test_a_message_comes_back_with_its_key_alone() -> None:
    data = pack_message(Kind.OPEN, {"cookie": "ab", "streams": [{"rate": 50}]}, KEY, size=REQUEST_SIZE)
    assert len(data) == REQUEST_SIZE
    assert is_control(data)
    assert unpack_message(data, KEY).body == {"cookie": "ab", "streams": [{"rate": 50}]}
    for other in (b"", b"of another"):
        with pytest.raises(ValueError, match="tag"):
            unpack_message(data, other)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_damage_is_noticed(place: int, change: int) -> None:
    data = bytearray(pack_message(Kind.HELLO, {"want": 1}, KEY, size=200))
    data[place % len(data)] ^= change
    with pytest.raises(ValueError, match="control message"):
        unpack_message(bytes(data), KEY)


@given(st.binary(max_size=1500) | st.binary(max_size=100).map(lambda tail: b"RYFE\x01\x01" + tail))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_message(data)


@pytest.mark.parametrize("text", [b"[]", b"1", b"{", b"\xff", b"[" * 1000])
def test_a_body_is_an_object(text: bytes) -> None:
    from readycheck.wire import far_end

    bare = far_end._HEAD.pack(b"RYFE", 1, 1, len(text)) + text
    with pytest.raises(ValueError):
        unpack_message(bare + far_end._tag(bare, b""))


def test_lengths_and_versions_that_lie() -> None:
    from readycheck.wire import far_end

    for head in (far_end._HEAD.pack(b"RYFE", 1, 1, 60000), far_end._HEAD.pack(b"RYFE", 9, 1, 2)):
        bare = head + b"{}"
        with pytest.raises(ValueError, match=r"overruns|version 9"):
            unpack_message(bare + far_end._tag(bare, b""))


def test_a_body_that_fits_no_datagram_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pack_message(Kind.OPEN, {"text": "x" * 2000})


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 127), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1),
    st.integers(LEAST_PAYLOAD, 1200),
)  # fmt: skip
def test_packets_there_and_back(ssrc: int, kind: int, number: int, at_ns: int, size: int) -> None:
    ask = Ask(ssrc=ssrc, payload_type=kind, number=number, sent_ns=at_ns, timestamp=number, size=size)
    data = pack_ask(ask)
    assert unpack_ask(data) == ask
    answer = Answer(
        ssrc=ssrc, payload_type=kind, count=number & 0xFFFF, number=number, received_ns=at_ns,
        held_ns=number, hop_limit=57, traffic_class=0xB8, timestamp=number, size=size,
    )  # fmt: skip
    back = pack_answer(answer)
    assert unpack_answer(back) == answer
    assert len(back) == len(data)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(LEAST_PAYLOAD, 400),
    st.integers(0, 10**6),
)
def test_an_answer_in_place_is_the_answer(ssrc: int, number: int, size: int, count: int) -> None:
    data = bytearray(
        pack_ask(Ask(ssrc=ssrc, payload_type=8, number=number, sent_ns=9, timestamp=5, size=size))
    )
    assert peek(data) == (ssrc, number)
    answer_in_place(data, count, 123456789, 777, 57, 0xB8)
    answer = Answer(
        ssrc=ssrc, payload_type=8, count=count, number=number, received_ns=123456789, held_ns=777,
        hop_limit=57, traffic_class=0xB8, timestamp=5, size=size,
    )  # fmt: skip
    assert bytes(data) == pack_answer(answer)


@pytest.mark.parametrize("data", [b"", b"\x80" * 29, b"\x90" + bytes(60), b"\x00" * 60])
def test_what_is_no_plain_packet_has_no_stream(data: bytes) -> None:
    assert peek(data) == (-1, -1)


def test_a_packet_is_rtp_and_as_long_as_that_of_the_codec() -> None:
    data = pack_ask(Ask(ssrc=7, payload_type=18, number=65537, sent_ns=1, size=20))  # G.729, 20 ms
    packet = unpack_packet(data)
    assert (packet.sequence, packet.payload_type, packet.ssrc, len(packet.payload)) == (1, 18, 7, 20)
    assert not is_control(data)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader_of_packets(data: bytes) -> None:
    for read in (unpack_ask, unpack_answer):
        try:
            assert read(data).size >= LEAST_PAYLOAD
        except ValueError:
            pass
