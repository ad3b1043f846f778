"""What is normal at a time of day."""

from readycheck.regression.level import Level, drifted, feed, reference
from readycheck.regression.policy import DAY_S, HOUR_S, Policy

POLICY = Policy()


def after(days: int, every_s: float = 3600.0, more_each_day: float = 0.0) -> Level:
    """40 at night, 80 from 9 to 18."""
    level = Level()
    for number in range(int(days * DAY_S / every_s)):
        now = number * every_s
        busy = 9 * HOUR_S <= now % DAY_S < 18 * HOUR_S
        level = feed(level, (80.0 if busy else 40.0) + more_each_day * (now // DAY_S), now, POLICY)
    return level


def test_nothing_is_normal_before_a_day_is_known() -> None:
    assert reference(Level(), 0.0, 5400, 10.0, POLICY) is None
    assert reference(after(1), DAY_S, 5400, 10.0, POLICY) is None


def test_before_the_rhythm_is_known_the_worst_is_normal() -> None:
    found = reference(after(2), 2 * DAY_S, 5400, 10.0, POLICY)
    assert found and found.normal == 80


def test_each_time_of_day_has_its_own() -> None:
    level = after(8)
    night = reference(level, 8 * DAY_S + 4 * HOUR_S, 3600, 10.0, POLICY)
    noon = reference(level, 8 * DAY_S + 13 * HOUR_S, 3600, 10.0, POLICY)
    assert night and noon
    assert (night.normal, night.limit, night.over) == (40, 50, 45)
    assert (noon.normal, noon.limit) == (80, 100)


def test_where_two_meet_the_worse_may_be_and_the_better_must_come_back() -> None:
    found = reference(after(8), 8 * DAY_S + 8 * HOUR_S, 3600, 10.0, POLICY)
    assert found and (found.normal, found.over) == (80, 45)


def test_what_creeps_shows_from_week_to_week() -> None:
    assert drifted(after(28), 10.0, POLICY) is None
    found = drifted(after(28, more_each_day=1.5), 10.0, POLICY)
    assert found and found[1] > found[0] + 10


def test_it_does_not_grow() -> None:
    level = after(60)
    assert max(map(len, level.parts)) == POLICY.days and len(level.weeks) <= POLICY.weeks
