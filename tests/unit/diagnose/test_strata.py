"""The words for a part of a range of ports claim no more than was seen."""

import pytest

from readycheck.diagnose.strata import describe_part, enclosed, side_of
from readycheck.notation import PortRange

RANGE = PortRange(low=10, high=49)
LABELS = [f"{low}-{low + 9} {parity}" for low in (10, 20, 30, 40) for parity in ("even", "odd")]


@pytest.mark.parametrize(
    ("blocked", "words"),
    [
        (["10-19 even", "10-19 odd"], "the lower part, 10-19"),
        (["30-39 even", "30-39 odd", "40-49 even", "40-49 odd"], "the upper part, 30-49"),
        (["20-29 odd"], "the odd ports of 20-29"),
        ([label for label in LABELS if label.endswith("odd")], "the odd ports"),
        ([label for label in LABELS if label.endswith("even")], "the even ports"),
    ],
)
def test_the_words_for_a_part(blocked: list[str], words: str) -> None:
    assert describe_part(RANGE, blocked, set(LABELS) - set(blocked)) == words


@pytest.mark.parametrize(
    ("blocked", "passed", "words"),
    [
        (["10-19 odd"], ["10-19 even", "40-49 even"], "the odd ports, as was seen in 10-19"),
        (["10-19 odd"], ["20-29 even", "40-49 odd"], "the lower part, 10-19"),
        (["20-29 odd"], ["10-19 even"], "20-29"),
    ],
)
def test_the_words_claim_no_more_than_was_seen(blocked: list[str], passed: list[str], words: str) -> None:
    assert describe_part(RANGE, blocked, passed) == words


@pytest.mark.parametrize(
    ("dropped", "passed", "words"),
    [
        ({26, 34}, {10, 15, 23}, "the upper part: 26 is dropped while 23 passes"),
        ({11, 14}, {24, 45}, "the lower part: 14 is dropped while 24 passes"),
        ({26, 34}, {11, 15, 23}, ""),
        ({26}, {10, 15, 34}, ""),
    ],
    ids=["upper", "lower", "may be the even ones", "between"],
)
def test_one_bound_tells_more_than_even_and_odd(dropped: set[int], passed: set[int], words: str) -> None:
    assert side_of(dropped, passed) == words


@pytest.mark.parametrize(
    ("strata", "within"),
    [
        (["10-19 odd", "30-39 odd"], {"20-29 even", "30-39 even"}),
        (["20-29 odd"], {"20-29 even"}),
        ([], set()),
    ],
)
def test_what_lies_between_the_bounds(strata: list[str], within: set[str]) -> None:
    candidates = {"20-29 even", "30-39 even", "40-49 even"} if strata else set()
    assert enclosed(candidates, set(strata)) == within
