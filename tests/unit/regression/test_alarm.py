"""k of n with a hold that grows."""

import pytest

from readycheck.regression.alarm import Alarm, Edge, Rule, hold_s, mark, turn
from readycheck.regression.policy import DAY_S, HOUR_S, Policy

RULE, POLICY = Rule(2, 3, 2 * HOUR_S), Policy()


def play(pattern: str) -> list[Edge | None]:
    alarm, edges = Alarm(), []
    for number, letter in enumerate(pattern):
        now = number * 900.0
        alarm, edge = turn(mark(alarm, letter == "x", now, RULE), now, RULE, POLICY)
        edges.append(edge)
    return edges


def test_two_of_three_raise_it_and_an_hour_of_calm_ends_it() -> None:
    assert play("x.x......") == [None, None, Edge.RAISED, None, None, None, Edge.OVER, None, None]


@pytest.mark.parametrize(("raises", "hours"), [(1, 1), (2, 2), (3, 4), (8, 24)])
def test_each_time_doubles_how_long_it_must_be_calm(raises: int, hours: float) -> None:
    assert hold_s(Alarm(raises=(DAY_S,) * raises), DAY_S, POLICY) == hours * HOUR_S


def test_what_is_going_on_is_not_idle() -> None:
    assert Alarm().is_idle
    assert not mark(Alarm(), True, 0.0, RULE).is_idle
