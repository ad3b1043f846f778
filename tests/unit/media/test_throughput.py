"""Rates from windows, and calls from rates, by hand."""

import pytest

from readycheck.media.throughput import bits_per_second, calls, calls_as_cscan, together

WINDOW_S = 0.25


def test_a_steady_rate() -> None:
    assert bits_per_second([1000] * 16, WINDOW_S, 4.0) == 32_000


def test_the_beginning_does_not_count() -> None:
    assert bits_per_second([10, 100, 500, 900] + [1000] * 12, WINDOW_S, 4.0) == 32_000


def test_what_comes_after_the_end_does_not_count() -> None:
    assert bits_per_second([1000] * 16 + [77], WINDOW_S, 4.0) == 32_000


def test_a_pause_counts() -> None:
    assert bits_per_second([0] * 4 + [1000] * 6 + [0] * 6, WINDOW_S, 4.0) == 16_000


@pytest.mark.parametrize("windows", [[], [5]])
def test_too_little_to_tell(windows: list[int]) -> None:
    assert bits_per_second(windows, WINDOW_S, 0.2) is None


def test_connections_together() -> None:
    assert together([[1, 2, 3], [10, 20]]) == (11, 22, 3)
    assert together([]) == ()


def test_calls_by_the_published_formula() -> None:
    assert calls_as_cscan(2_000_000, 1_999_999) == 19


def test_calls_with_a_reserve() -> None:
    assert calls(2_000_000, 3_000_000) == 15
    assert calls(2_000_000, 3_000_000, legs=2) == 7
    assert calls(99_000, 99_000) == 0
