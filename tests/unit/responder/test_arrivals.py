"""What arrived is known whatever becomes of its answers, and costs no more memory than was granted."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.responder.arrivals import Arrivals


def noted(*numbers: int, most: int = 10_000) -> Arrivals:
    arrivals = Arrivals(most)
    for number in numbers:
        arrivals.note(number)
    return arrivals


def seen(arrivals: Arrivals) -> set[int]:
    bits = b""
    while len(bits) < (told := arrivals.told(len(bits)))["size"]:
        bits += base64.b64decode(told["seen"])
    return {n for n in range(8 * len(bits)) if bits[n >> 3] >> (n & 7) & 1}


@given(st.lists(st.integers(0, 200)))
def test_each_number_is_seen_once_and_its_copies_are_counted(numbers: list[int]) -> None:
    arrivals = noted(*numbers)
    assert seen(arrivals) == set(numbers)
    assert arrivals.duplicates == len(numbers) - len(set(numbers))


def test_what_was_overtaken_is_counted_and_its_copies_are_not() -> None:
    assert noted(0, 2, 1, 1, 3, 2).reordered == 1


def test_a_long_stream_is_told_in_parts() -> None:
    arrivals = noted(0, 4799, 4800, 9999)
    assert seen(arrivals) == {0, 4799, 4800, 9999}
    assert len(arrivals.told(0)["seen"]) == 800


def test_what_was_not_granted_takes_no_memory() -> None:
    arrivals = noted(5, 1 << 32, 10, -1, most=10)
    assert seen(arrivals) == {5}
    assert (arrivals.duplicates, arrivals.told(0)["size"]) == (0, 1)


def test_no_account_is_kept_of_what_is_longer_than_any_stream() -> None:
    endless = noted(0, (1 << 30) - 1, most=1 << 30)
    assert (endless.told(0), len(endless._bits)) == ({}, 0)


@pytest.mark.parametrize("offset", [None, -1, 2, "0", [], 10**30])
def test_a_place_that_is_none_is_the_beginning(offset: Any) -> None:
    assert noted(3).told(offset)["offset"] == 0
