"""A stream's account, read in parts, and from far ends that tell nonsense or fall silent."""

from collections.abc import Mapping
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.media.two_way import Account
from readycheck.net.account import Told, read_account
from readycheck.net.interface import NetError

PARTS = {0: "BQ==", 1: "AQ=="}  # 0, 2 and 8
COUNTS = {"received": 4, "reports": 1, "duplicates": 1, "reordered": 0}


def told(offset: int) -> Mapping[str, Any]:
    return {**COUNTS, "size": 2, "offset": offset, "seen": PARTS[offset]}


def test_parts_make_one_account() -> None:
    account = Account(reached=frozenset({0, 2, 8}), duplicates=1, reordered=0)
    assert read_account(told, 9) == Told({"received": 4, "reports": 1}, account)


def test_nothing_arrived() -> None:
    found = read_account(lambda _: {**COUNTS, "received": 0, "duplicates": 0, "size": 0, "seen": ""}, 9)
    assert found.account == Account(reached=frozenset(), duplicates=0, reordered=0)


def test_a_far_end_that_falls_silent_leaves_its_counts() -> None:
    def silent(offset: int) -> Mapping[str, Any]:
        if offset:
            raise NetError(Failure.TIMED_OUT, "silent")
        return told(0)

    assert read_account(silent, 9) == Told({"received": 4, "reports": 1})


@pytest.mark.parametrize(
    ("lie", "counts"),
    [
        ({"size": 10**9}, {"received": 4, "reports": 1}),  # told for ever
        ({"seen": ""}, {"received": 4, "reports": 1}),
        ({"seen": 5}, {"received": 4, "reports": 1}),
        ({"size": 1, "duplicates": float("inf")}, {"received": 4, "reports": 1}),
        ({"received": float("inf")}, {}),
    ],
)
def test_an_account_that_makes_no_sense_is_none(lie: Mapping[str, Any], counts: Mapping[str, int]) -> None:
    assert read_account(lambda _: {**told(0), **lie}, 9) == Told(counts)


def test_a_responder_that_keeps_no_account() -> None:
    assert read_account(lambda _: {"received": 4}, 9) == Told({"received": 4})
