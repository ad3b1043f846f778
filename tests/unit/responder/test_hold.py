"""Who may keep an idle connection, and for how long: every guard against those who would have more."""

from typing import Any

import pytest

from readycheck.responder.hold import HoldLimits, Holds
from readycheck.responder.session import Refused


def place(number: int, host: str = "192.0.2.1") -> tuple[str, int]:
    return host, 40_000 + number


def holds(**limits: Any) -> Holds:
    return Holds(HoldLimits(**limits))


def refusal(of: Holds, source: tuple[str, int], wanted: dict[str, Any], now_s: float = 0.0) -> str:
    with pytest.raises(Refused) as refused:
        of.open(source, wanted, now_s)
    return str(refused.value)


def test_a_connection_is_held_again_and_again_until_its_time_is_over() -> None:
    kept = holds(seconds=100.0)
    assert kept.open(place(1), {"seconds": 60}, 5.0).rings_s == 65.0
    assert kept.open(place(1), {"seconds": 35}, 70.0).rings_s == 105.0
    assert "for 100 s at most" in refusal(kept, place(1), {"seconds": 1}, 105.0)
    assert len(kept) == 1


@pytest.mark.parametrize("seconds", [None, 0, -1, "5", True, float("inf"), float("nan")])
def test_what_makes_no_sense_is_refused(seconds: Any) -> None:
    assert "is to be" in refusal(holds(), place(1), {"seconds": seconds})


def test_so_many_at_once_of_a_source_and_of_all() -> None:
    kept = holds(at_once=3, per_source=2)
    for number in (1, 2):
        kept.open(place(number), {"seconds": 5}, 0.0)
    assert "2 connections of this source" in refusal(kept, place(3), {"seconds": 5})
    kept.open(place(1, "192.0.2.2"), {"seconds": 5}, 0.0)
    assert "all connections" in refusal(kept, place(1, "192.0.2.3"), {"seconds": 5})
    kept.close(place(1))
    kept.close(place(1))
    kept.open(place(3), {"seconds": 5}, 0.0)


def test_a_responder_may_hold_none() -> None:
    assert refusal(holds(at_once=0), place(1), {"seconds": 5}) == "connections are not held here"


def test_one_subscriber_is_an_ipv6_network() -> None:
    kept = holds(per_source=1)
    kept.open(place(1, "2001:db8::1"), {"seconds": 5}, 0.0)
    assert "of this source" in refusal(kept, place(1, "2001:db8::2"), {"seconds": 5})
