"""Reports as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.history.packing import (
    PackingError,
    digest,
    number_in,
    pack,
    pack_numbers,
    unpack,
    unpack_numbers,
)
from readycheck.report import compact
from tests.unit.history.runs import case

MOST_BYTES = 40 * 1024
NAMES = st.text('ab.-"\\é', max_size=8)


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_what_is_packed_comes_back(document: bytes, basis: bytes) -> None:
    assert unpack(pack(document, basis), basis) == document


def test_a_run_against_another_of_its_profile_is_small() -> None:
    """The promise is for the median; these are runs of the widest profile on broken networks."""
    basis = compact(case("quic-blocked"))
    document = compact(case("sni-filter"))
    assert len(pack(document, basis)) < MOST_BYTES < len(pack(document))


@pytest.mark.parametrize("place", [0, 5, 40, -1])
def test_damage_is_noticed(place: int) -> None:
    body = bytearray(pack(bytes(range(200)), b"some other text"))
    body[place] ^= 0xFF
    with pytest.raises(PackingError):
        unpack(bytes(body), b"some other text")


def test_another_basis_is_noticed() -> None:
    body = pack(b"some text " * 100, b"some text some text")
    with pytest.raises(PackingError):
        unpack(body, b"other text other tex")


def test_numbers_come_back() -> None:
    assert unpack_numbers(pack_numbers({"score": 98.0, "dns.rtt_ms": 1.5})) == {
        "score": 98.0,
        "dns.rtt_ms": 1.5,
    }


@given(
    st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False)),
    NAMES,
)
def test_one_number_is_what_it_is_among_all(numbers: dict[str, float], other: str) -> None:
    body = pack_numbers(numbers)
    assert {name: number_in(body, name) for name in numbers} == numbers
    assert number_in(body, other) == numbers.get(other)


def test_one_number_of_what_is_damaged() -> None:
    assert number_in(b"x", "score") is None


@pytest.mark.parametrize("body", [b"", b"x", pack(b"{}")])
def test_numbers_that_are_damaged(body: bytes) -> None:
    with pytest.raises(PackingError):
        unpack_numbers(body)


def test_the_digest_is_of_the_text() -> None:
    assert digest(b"a") != digest(b"b")
    assert len(digest(b"a")) == 64
