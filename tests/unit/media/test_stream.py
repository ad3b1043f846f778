"""Streams with known faults: every figure is what was put in."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.media.stream import Stamp, can_judge, interval, measure, unwrapped, worst_window

STEP_NS = 20_000_000
DELAY_NS = 33_000_000


def sent(count: int) -> list[Stamp]:
    return [Stamp(n, n * STEP_NS) for n in range(count)]


def arrived(numbers: Iterable[int], delay_ns: int = DELAY_NS) -> list[Stamp]:
    return [Stamp(n, n * STEP_NS + delay_ns) for n in numbers]


def test_a_perfect_stream() -> None:
    found = measure(sent(1000), arrived(range(1000)))
    assert (found.lost, found.duplicates, found.reordered, found.bursts) == (0, 0, 0, ())
    assert (found.jitter_ms, found.variation_ms, found.worst_200_ms_ratio, found.worst_15_s_ratio) == (
        0,
        0,
        0,
        0,
    )
    assert found.loss.high == pytest.approx(0.003)


@pytest.mark.parametrize("gone", [{5}, {0}, {99}, {0, 1, 50, 51, 52, 99}, set(range(100))])
def test_loss_is_exact(gone: set[int]) -> None:
    found = measure(sent(100), arrived(n for n in range(100) if n not in gone))
    assert (found.lost, found.received) == (len(gone), 100 - len(gone))
    assert found.loss.ratio == len(gone) / 100
    assert sum(found.bursts) == len(gone)


def test_runs_of_lost_packets_and_how_bursty_they_are() -> None:
    gone = {10, 11, 12, 13, 40, 90, 91}
    found = measure(sent(100), arrived(n for n in range(100) if n not in gone))
    assert found.bursts == (4, 1, 2)
    assert found.burst_ratio == pytest.approx(7 / 3 * 0.93)


def test_reordering_and_duplicates_are_exact() -> None:
    order = [0, 1, 3, 2, 4, 4, 7, 5, 6, 8, 8, 8]
    found = measure(sent(9), [Stamp(n, (i + 1) * STEP_NS) for i, n in enumerate(order)])
    assert (found.reordered, found.duplicates, found.lost) == (3, 3, 0)
    assert found.reordering_ratio == pytest.approx(3 / 9)


def test_jitter_is_that_of_rfc_3550_and_clock_offsets_cancel() -> None:
    """Delays that alternate by 8 ms: |D| is 8 always, and the estimate tends to it."""
    stamps = [Stamp(n, n * STEP_NS + DELAY_NS + (n % 2) * 8_000_000) for n in range(500)]
    shifted = [Stamp(s.sequence, s.at_ns + 86_400_000_000_000) for s in stamps]
    for there in (stamps, shifted):
        found = measure(sent(500), there)
        assert found.jitter_ms == pytest.approx(8.0, abs=1e-6)
        assert found.variation_ms == pytest.approx(8.0)


def test_jitter_counts_from_when_packets_really_left() -> None:
    """A sender that paces badly is no jitter of the network."""
    rng = random.Random(1)
    left = [Stamp(n, n * STEP_NS + rng.randrange(5_000_000)) for n in range(300)]
    found = measure(left, [Stamp(s.sequence, s.at_ns + DELAY_NS) for s in left])
    assert found.jitter_ms == 0


def test_the_worst_window_is_found_wherever_it_begins() -> None:
    gone = {103, 104, 105, 300}
    assert worst_window(sent(1000), set(range(1000)) - gone, 200.0) == pytest.approx(3 / 10)
    assert worst_window(sent(1000), set(range(1000)) - gone, 15_000.0) == pytest.approx(4 / 750)


def test_a_window_longer_than_the_stream_says_nothing() -> None:
    assert worst_window(sent(9), range(9), 200.0) is None
    assert worst_window(sent(10), range(10), 200.0) == 0
    assert worst_window(sent(700), range(700), 15_000.0) is None
    assert worst_window([], [], 200.0) is None


def test_nothing_arrived() -> None:
    found = measure(sent(50), [])
    assert (found.lost, found.jitter_ms, found.variation_ms) == (50, None, None)
    assert found.loss.ratio == found.worst_200_ms_ratio == 1.0


def test_what_was_never_sent_is_not_counted() -> None:
    found = measure(sent(10), arrived([*range(10), 77, -3]))
    assert (found.received, found.duplicates, found.lost) == (10, 0, 0)


@pytest.mark.parametrize(
    ("events", "of", "low", "high"),
    [
        (0, 100, 0.0, 0.03),
        (1, 7, 0.0257, 0.5131),
        (10, 100, 0.0552, 0.1744),
        (7, 7, 0.6457, 1.0),
        (0, 0, 0, 1),
    ],
)
def test_the_interval_of_a_ratio(events: int, of: int, low: float, high: float) -> None:
    found = interval(events, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize(
    ("edge", "packets", "can"), [(0.01, 300, True), (0.01, 299, False), (0.0005, 6000, True)]
)
def test_a_band_is_judged_only_with_packets_enough(edge: float, packets: int, can: bool) -> None:
    assert can_judge(edge, packets) is can


@given(st.integers(-70_000, 1_000_000), st.integers(-32_000, 32_000))
def test_sequence_numbers_are_unwrapped(near: int, away: int) -> None:
    assert unwrapped((near + away) % 65536, near) == near + away


@given(st.lists(st.integers(0, 40), max_size=120))
def test_the_counts_add_up(order: list[int]) -> None:
    found = measure(sent(41), [Stamp(n, i * STEP_NS) for i, n in enumerate(order)])
    assert found.received + found.lost == found.sent
    assert found.received + found.duplicates == len(order)
    assert sum(found.bursts) == found.lost
    assert found.loss.low <= found.loss.ratio <= found.loss.high
