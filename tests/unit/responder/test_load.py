"""What throughput is granted, and when it ends: every guard against those who would have more."""

from typing import Any

import pytest

from readycheck.responder.load import Load, LoadLimits, Loads, Pace
from readycheck.responder.session import Refused
from readycheck.wire.far_end import WINDOW_S

WANTED = {"way": "down", "seconds": 5}


def place(number: int, host: str = "192.0.2.1") -> tuple[str, int]:
    return host, 40_000 + number


def loads(**limits: Any) -> Loads:
    return Loads(LoadLimits(**limits))


def refusal(of: Loads, source: tuple[str, int], wanted: dict[str, Any], now_s: float = 0.0) -> str:
    with pytest.raises(Refused) as refused:
        of.open(source, wanted, now_s)
    return str(refused.value)


def test_what_is_granted_is_cut_to_the_limits() -> None:
    load = loads(seconds=3.0, bits_per_second=8e6).open(place(1), {"way": "up", "seconds": 60}, 0.0)
    assert load.terms() == {"way": "up", "seconds": 3.0, "bits_per_second": 8e6}
    assert not load.is_over(2.9)
    assert load.is_over(3.0)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"way": "down"},
        {"way": "both", "seconds": 1},
        {"way": "up", "seconds": 0},
        {"way": "up", "seconds": "2"},
        {"way": ["up"], "seconds": 1},
        {"way": "up", "seconds": float("inf")},
        {"way": "up", "seconds": True},
    ],
)
def test_what_makes_no_sense_is_refused(wanted: dict[str, Any]) -> None:
    assert "is to be" in refusal(loads(), place(1), wanted)


def test_a_responder_may_serve_nobody() -> None:
    assert refusal(loads(bits_per_second=0), place(1), WANTED) == "throughput is not served here"


def test_so_many_at_once_of_a_source_and_of_all() -> None:
    busy = loads(at_once=3, per_source=2)
    first = busy.open(place(1), WANTED, 0.0)
    assert "filled already" in refusal(busy, place(1), WANTED)
    busy.open(place(2), WANTED, 0.0)
    assert "2 connections of this source" in refusal(busy, place(3), WANTED)
    busy.open(place(4, "192.0.2.2"), WANTED, 0.0)
    assert "all that may" in refusal(busy, place(5, "192.0.2.3"), WANTED)
    busy.close(first)
    assert busy.of(place(1)) is None
    busy.open(place(3), WANTED, 0.0)


def test_all_together_keep_to_the_rate() -> None:
    """Ten seconds of two connections that take whatever they get."""
    shared = loads(bits_per_second=8e6, seconds=10.0, bytes_per_source=1e12)
    both = [shared.open(place(n), {**WANTED, "seconds": 10}, 0.0) for n in range(2)]
    ready = {load.source: 0.0 for load in both}
    while any(not load.is_over(ready[load.source]) for load in both):
        load = min(both, key=lambda one: ready[one.source])
        now_s = ready[load.source]
        ready[load.source] = now_s + max(1e-6, shared.moved(load, 16_384, now_s))
    assert sum(load.moved for load in both) == pytest.approx(10e6, rel=0.02)
    assert both[0].moved == pytest.approx(both[1].moved, rel=0.02)


@pytest.mark.parametrize(
    ("other", "way", "size", "shared"),
    [
        (place(2, "192.0.2.9"), "down", 1e6, True),  # both want more than there is
        (place(2, "192.0.2.9"), "down", 10, False),
        (place(2), "down", 10, True),  # behind the same line
        (place(2, "192.0.2.9"), "up", 1e6, False),
        (place(2), "up", 10, False),
    ],
)
def test_who_shares_with_another_is_told(other: tuple[str, int], way: str, size: float, shared: bool) -> None:
    busy, mine, theirs = loads(bits_per_second=8e6), {"group": "mine"}, {"group": "theirs"}
    own = [busy.open(place(n), {**WANTED, **mine}, 0.0) for n in (0, 1)]
    for load in own:
        busy.moved(load, 600_000, 0.0)
    assert not busy.crowded(place(5), mine), "its own connections are no others"
    load = busy.open(other, {**WANTED, **theirs, "way": way}, 5.0)
    busy.moved(load, int(size), 5.0)
    busy.moved(own[0], int(size), 5.0)
    assert (busy.crowded(place(5), mine), busy.crowded(other, theirs)) == (shared, shared)
    assert not busy.crowded(place(5, "192.0.2.77"), mine), "names are told to nobody else"


def test_each_way_has_its_rate() -> None:
    shared = loads(bits_per_second=8e3)
    up, down = (
        shared.open(place(n), {"way": way, "seconds": 5}, 9.0) for n, way in enumerate(("up", "down"))
    )
    assert shared.moved(up, 5_000, 9.0) == pytest.approx(shared.moved(down, 5_000, 9.0))


def test_who_has_had_the_share_of_the_hour_is_done() -> None:
    shared = loads(bytes_per_source=1e6)
    load = shared.open(place(1), WANTED, 0.0)
    shared.moved(load, 800_000, 0.1)
    assert not load.spent
    shared.moved(load, 200_000, 0.2)
    assert load.spent and load.is_over(0.2)
    shared.moved(load, 99_990, 0.2)  # what was on its way is charged as far as it goes
    shared.close(load)
    greedy = loads(bytes_per_source=100_000)
    greedy.open(place(1), WANTED, 0.0)
    assert refusal(greedy, place(2), WANTED) == "this source has had its share of the hour"
    greedy.open(place(2), WANTED, 3601.0)
    greedy.open(place(1, "192.0.2.9"), WANTED, 0.0)


def test_windows_of_time() -> None:
    load = Load(source=place(1), way="up", group="", seconds=5, bits_per_second=1e6, began_s=100.0)
    for at_s in (100.0, 100.0 + 0.9 * WINDOW_S, 100.0 + 2.5 * WINDOW_S):
        load.note(10, at_s)
    assert load.told() == {"moved": 30, "windows": [20, 0, 10], "spent": False}
    load.note(5, 99.0)  # a clock that jumps back
    assert load.windows[0] == 25


def test_an_idle_pace_saves_nothing_up() -> None:
    pace = Pace(1000.0)
    assert pace.wait_s(1000, 0.0) == pytest.approx(1.0)
    assert pace.wait_s(1000, 100.0) == pytest.approx(1.0, abs=0.06)
