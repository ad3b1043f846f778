"""The LDAP codec: the search for the root DSE, what answers it, and hostile bytes."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.ldap import (
    MAX_MESSAGE_BYTES,
    LdapMessage,
    Operation,
    pack_result,
    pack_root_entry,
    pack_root_search,
    unpack_message,
)

ENTRY = pack_root_entry(1)
# As Active Directory writes it: every length in four bytes, and a NUL behind the text.
REFUSAL = bytes.fromhex(
    "30 84 00 00 00 1b 02 01 01 65 84 00 00 00 12 0a 01 35 04 00 04 0b 75 6e 77 69 6c 6c 69 6e 67 3a 00"
)
NOTICE = bytes.fromhex("30 0c 02 01 00 78 07 0a 01 34 04 00 04 00")
fuzz = settings(deadline=None, database=None, max_examples=300)


def test_the_search_byte_for_byte() -> None:
    assert pack_root_search().hex(" ") == (
        "30 2a 02 01 01 63 25 04 00 0a 01 00 0a 01 00 02 01 01 02 01 00 01 01 00 "
        "87 0b 6f 62 6a 65 63 74 43 6c 61 73 73 30 05 04 03 31 2e 31"
    )


def test_reads_its_own_search() -> None:
    assert unpack_message(pack_root_search(7)) == LdapMessage(7, Operation.SEARCH)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ENTRY, LdapMessage(1, Operation.ENTRY)),
        (pack_result(1, 0), LdapMessage(1, Operation.DONE, 0)),
        (pack_result(300, 50, "no"), LdapMessage(300, Operation.DONE, 50, "no")),
        (NOTICE, LdapMessage(0, Operation.EXTENDED_RESPONSE, 52)),
        (bytes.fromhex("30 06 02 01 01 73 01 00"), LdapMessage(1, Operation.REFERENCE)),
        (pack_result(1, 8, "x" * 200), LdapMessage(1, Operation.DONE, 8, "x" * 200)),
        (b"", None),
        (b"\x30", None),
        (b"\x30\x82\x01", None),
        (ENTRY[:10], None),
    ],
)
def test_messages(data: bytes, message: LdapMessage | None) -> None:
    assert unpack_message(data) == message


def test_active_directorys_lengths_and_its_nul() -> None:
    assert unpack_message(REFUSAL) == LdapMessage(1, Operation.DONE, 53, "unwilling:")


def test_a_part_waits_for_the_rest() -> None:
    first = pack_result(1, 50, "insufficient")
    assert {unpack_message(first[:size]) for size in range(len(first))} == {None}
    assert unpack_message(first + ENTRY) == unpack_message(first)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 400\r\n", "tag 0x48 where 0x30 belongs"),
        (b"\x30\x80", "length begins with 0x80"),
        (b"\x30\x85\0\0\0\0\1", "length begins with 0x85"),
        (b"\x30\x83\1\0\1", f"65537 bytes exceeds {MAX_MESSAGE_BYTES}"),
        (b"\x30\x00", "does not fit"),
        (b"\x30\x03\x02\x02\x01", "does not fit"),
        (b"\x30\x02\x02\x00", "number of 0 bytes"),
        (b"\x30\x07\x02\x05" + bytes(5), "number of 5 bytes"),
        (b"\x30\x03\x02\x01\x01", "tag 0x00 is none that answers"),
        (b"\x30\x05\x02\x01\x01\x42\x00", "tag 0x42 is none that answers"),
        (b"\x30\x05\x02\x01\x01\x30\x00", "tag 0x30 is none that answers"),
        (b"\x30\x05\x02\x01\x01\x65\x00", "does not fit"),
        (b"\x30\x08\x02\x01\x01\x65\x03\x02\x01\x00", "tag 0x02 where 0x0a belongs"),
        (b"\x30\x08\x02\x01\x01\x65\x03\x0a\x01\x00", "does not fit"),
    ],
)
def test_bad_bytes_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_message(data)


def test_what_does_not_fit_is_not_packed() -> None:
    with pytest.raises(ValueError, match="number -1 is outside"):
        pack_root_search(-1)


@given(data=st.binary(max_size=200))
@fuzz
def test_only_value_error_leaves_any_bytes(data: bytes) -> None:
    for prefix in (b"", b"\x30", b"\x30\x20\x02\x01\x01", b"\x30\x20\x02\x01\x01\x65\x1b"):
        with suppress(ValueError):
            unpack_message(prefix + data)


@given(seed=st.sampled_from((ENTRY, REFUSAL, NOTICE, pack_root_search())), data=st.data())
@fuzz
def test_only_value_error_leaves_mutated_messages(seed: bytes, data: st.DataObject) -> None:
    message = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, len(seed) - 1), max_size=6)):
        message[at] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        unpack_message(bytes(message))


@given(number=st.integers(0, 2**31 - 1), code=st.integers(0, 2**31 - 1), text=st.text("abc", max_size=300))
@fuzz
def test_round_trip(number: int, code: int, text: str) -> None:
    assert unpack_message(pack_result(number, code, text)) == LdapMessage(number, Operation.DONE, code, text)
