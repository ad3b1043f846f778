"""The token bucket, with time as an argument."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.net.pace import Pace


def test_without_a_burst_turns_are_one_interval_apart() -> None:
    pace = Pace(10)
    assert [pace.claim(5.0) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    pace = Pace(10, burst=3)
    assert [pace.claim(5.0) for _ in range(5)] == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])


def test_quiet_time_fills_the_bucket_no_further_than_the_burst() -> None:
    pace = Pace(10, burst=2)
    for _ in range(4):
        pace.claim(0.0)
    assert [pace.claim(100.0) for _ in range(3)] == pytest.approx([0.0, 0.0, 0.1])


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.integers(1, 20))
@settings(deadline=None, database=None)
def test_no_second_sees_more_than_rate_and_burst(gaps: list[float], burst: int) -> None:
    pace, now, left = Pace(50, burst), 0.0, []
    for gap in gaps:
        now += gap
        left.append(now + pace.claim(now))
    assert left == sorted(left)
    assert all(sum(at <= other < at + 1 for other in left) <= 50 + burst + 1 for at in left)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (10, 0)])
def test_an_impossible_pace_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        Pace(rate, burst)


async def test_a_free_turn_does_not_wait() -> None:
    await Pace(1, burst=1).take()
