"""Numbers as blocks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from readycheck.history.trend import BLOCKS, GAP, buckets, plot, sparkline

NUMBERS = st.none() | st.floats(-1e6, 1e6)


def test_blocks_go_from_the_smallest_to_the_largest() -> None:
    assert sparkline([0, 50, 100]) == "▁▅█"
    assert sparkline([100, None, 0]) == "█ ▁"
    assert sparkline([7, 7]) == "▅▅"
    assert sparkline([]) == sparkline([None])[:0] == ""


@given(st.lists(NUMBERS, max_size=40))
def test_a_larger_number_never_has_a_lower_block(values: list[float | None]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    ordered = sorted((v, BLOCKS.index(b)) for v, b in zip(values, line, strict=True) if v is not None)
    assert all(low[1] <= high[1] for low, high in pairwise(ordered))
    assert [b == GAP for b in line] == [v is None for v in values]


def test_equal_times_are_medians_and_gaps_stay() -> None:
    points = [(0, 1.0), (1, 9.0), (2, 2.0), (90, 5.0), (99, None)]
    assert buckets(points, 3) == [2.0, None, 5.0]
    assert buckets(points, 0) == buckets([], 5) == []


def test_a_clock_that_jumped_back_breaks_nothing() -> None:
    assert buckets([(100, 1.0), (0, 2.0), (50, 3.0)], 2) == [2.0, 2.0]
    assert buckets([(5, 1.0), (5, 2.0)], 2) == [1.5, None]


@given(st.lists(st.tuples(st.integers(0, 10**13), NUMBERS), min_size=1, max_size=50), st.integers(1, 200))
def test_a_plot_fits_its_width(points: list[tuple[int, float | None]], width: int) -> None:
    rows = plot(points, width)
    assert all(len(row) <= max(width, 22) + 17 for row in rows)


def test_a_plot_has_its_scale_and_its_days() -> None:
    day = 24 * 3600 * 1000
    rows = plot([(day * number, float(number)) for number in range(60)], 80)
    assert rows[0].startswith("       59 │")
    assert rows[7].startswith("        0 │")
    assert rows[-1].split() == ["1970-01-01", "00:00", "1970-03-01", "00:00"]
    assert plot([(0, None)], 80) == ["nothing was measured"]
