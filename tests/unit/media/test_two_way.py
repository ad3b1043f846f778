"""Losses on each way: exact in number whatever is lost, and in place where only one way lose."""

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.media.stream import Stamp
from readycheck.media.two_way import Account, Pace, Returned, TwoWay, split

STEP_NS, THERE_NS, BACK_NS, HELD_NS = 20_000_000, 30_000_000, 25_000_000, 50_000
OFFSET_NS = 3_600_000_000_000  # the far end's clock is an hour ahead


def played(count: int, lost_up: Collection[int], lost_down: Collection[int], told: bool = True) -> TwoWay:
    """A stream; losses are by the agent's numbers."""
    sent = [Stamp(n, n * STEP_NS) for n in range(count)]
    reached = [n for n in range(count) if n not in lost_up]
    returned = [
        Returned(
            number=n,
            count=c & 0xFFFF,
            received_ns=n * STEP_NS + THERE_NS + OFFSET_NS,
            held_ns=HELD_NS,
            arrived_ns=n * STEP_NS + THERE_NS + HELD_NS + BACK_NS,
        )
        for c, n in enumerate(reached)
        if n not in lost_down
    ]
    return split(sent, returned, len(reached) if told else None)


def test_a_perfect_stream() -> None:
    found = played(200, (), ())
    assert (found.up.lost, found.down.lost) == (0, 0)
    assert (found.up.jitter_ms, found.down.jitter_ms) == (0, 0)
    assert set(found.round_trips_ms) == {55.0}


def test_each_way_has_its_own_losses() -> None:
    found = played(200, {10, 11, 12, 150}, {50, 100, 101})
    assert (found.up.lost, found.up.bursts) == (4, (3, 1))
    assert (found.down.lost, found.down.bursts, found.down.sent) == (3, (1, 2), 196)


def test_the_end_of_a_stream_needs_the_count_of_the_far_end() -> None:
    told, untold = (played(100, {99}, {97, 98}, told) for told in (True, False))
    assert (told.up.lost, told.down.lost) == (1, 2)
    assert (untold.up.lost, untold.down.lost) == (3, 0)


def test_nothing_came_back() -> None:
    found = played(50, (), range(50))
    assert (found.up.lost, found.down.lost, found.round_trips_ms) == (0, 50, ())
    found = played(50, range(50), ())
    assert (found.up.lost, found.down.sent) == (50, 0)


@given(st.sets(st.integers(0, 79)), st.sets(st.integers(0, 79)))
def test_totals_are_exact_whatever_is_lost(up: set[int], down: set[int]) -> None:
    found = played(80, up, down)
    assert found.up.lost == len(up)
    assert found.down.lost == len(down - up)


def test_the_count_of_the_far_end_wraps() -> None:
    rng = random.Random(1)
    up, down = (set(rng.sample(range(70_000), 300)) for _ in range(2))
    found = played(70_000, up, down)
    assert (found.up.lost, found.down.lost) == (len(up), len(down - up))


def test_an_answer_twice_is_a_duplicate_on_the_way_back() -> None:
    sent = [Stamp(n, n * STEP_NS) for n in range(3)]
    once = [Returned(number=n, count=n, received_ns=n, held_ns=0, arrived_ns=n * STEP_NS) for n in range(3)]
    found = split(sent, [*once, once[1]], 3)
    assert (found.down.duplicates, found.down.lost, found.up.lost, found.up.duplicates) == (1, 0, 0, 0)


def test_a_copy_made_on_the_way_there_is_told_from_one_made_on_the_way_back() -> None:
    sent = [Stamp(n, n * STEP_NS) for n in range(4)]
    order = [0, 0, 1, 3]  # packet 2 is lost on the way there
    back = [
        Returned(number=n, count=c, received_ns=c * STEP_NS, held_ns=0, arrived_ns=c * STEP_NS)
        for c, n in enumerate(order)
    ]
    found = split(sent, [*back, back[3]], 4)
    assert (found.up.duplicates, found.up.lost) == (1, 1)
    assert (found.down.duplicates, found.down.lost) == (1, 0)


def test_what_is_overtaken_on_the_way_there_is_reordered_there_alone() -> None:
    sent = [Stamp(n, n * STEP_NS) for n in range(5)]
    order = [0, 2, 1, 3, 4]
    back = [
        Returned(number=n, count=c, received_ns=c * STEP_NS, held_ns=0, arrived_ns=c * STEP_NS)
        for c, n in enumerate(order)
    ]
    found = split(sent, back, 5)
    assert (found.up.reordered, found.down.reordered, found.up.lost, found.down.lost) == (1, 0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 29), st.booleans()), max_size=60))
def test_with_an_account_both_ways_are_exact_in_number_and_place(arrivals: list[tuple[int, bool]]) -> None:
    """Copies and overtaken packets on the way there, and any answers of theirs lost on the way back."""
    order = [number for number, _ in arrivals]
    sent = [Stamp(n, n * STEP_NS) for n in range(30)]
    back = [
        Returned(number=n, count=c, received_ns=c * STEP_NS, held_ns=0, arrived_ns=c * STEP_NS)
        for c, (n, answered) in enumerate(arrivals)
        if answered
    ]
    first = list(dict.fromkeys(order))
    overtaken = sum(n < max(first[:i], default=-1) for i, n in enumerate(first))
    account = Account(reached=frozenset(order), duplicates=len(order) - len(first), reordered=overtaken)
    found = split(sent, back, len(order), account)
    assert (found.up.lost, found.up.duplicates, found.up.reordered) == (
        30 - len(first), len(order) - len(first), overtaken
    )  # fmt: skip
    assert sum(found.up.bursts) == found.up.lost
    assert (found.down.lost, found.down.duplicates) == (len(order) - len(back), 0)


@pytest.mark.parametrize("lie", [{"duplicates": 10_000}, {"duplicates": -1}, {"reordered": 2}])
def test_an_account_that_cannot_be_is_refused(lie: dict[str, int]) -> None:
    account = Account(**{"reached": frozenset({0}), "duplicates": 0, "reordered": 0, **lie})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="never sent"):
        split([Stamp(0, 0)], [], 1, account)


def test_counts_of_what_was_never_sent_are_refused() -> None:
    with pytest.raises(ValueError, match="never sent"):
        split([Stamp(0, 0)], [], 1_000_000_000_000)


def delayed(stalls: Collection[int], lost_up: Collection[int] = (), held: Collection[int] = ()) -> TwoWay:
    """A stream of 100 packets; from each stall on, ten packets leave at once; of `held` the far end comes late.

    The ten that the far end holds leave it together, and the last five of them are lost.
    """
    at_ns = {n: max((s + 9 for s in stalls if s <= n < s + 10), default=n) * STEP_NS for n in range(100)}
    late_ns = {n: (h + 9 - n) * STEP_NS for h in held for n in range(h, h + 10)}
    gone = {n for h in held for n in range(h + 5, h + 10)}
    reached = [n for n in range(100) if n not in lost_up]
    returned = [
        Returned(
            number=n,
            count=count,
            received_ns=at_ns[n] + OFFSET_NS,
            held_ns=late_ns.get(n, 0),
            arrived_ns=at_ns[n] + late_ns.get(n, 0),
        )
        for count, n in enumerate(reached)
        if n not in gone
    ]
    sent = [Stamp(n, at_ns[n]) for n in range(100)]
    return split(sent, returned, len(reached), pace=Pace(at_once=1, spacing_ns=STEP_NS))


def test_what_a_late_host_sends_at_once_and_loses_is_not_the_ways() -> None:
    assert (delayed({40}).up.sent, delayed({40}).up.lost) == (100, 0)
    found = delayed({40}, lost_up={45, 46, 47, 48, 49})
    assert (found.up.sent, found.up.lost, found.up.worst_200_ms_ratio) == (91, 0, 0)
    assert (found.down.sent, found.down.lost) == (95, 0)


def test_other_losses_count_whatever_left_late() -> None:
    found = delayed({40}, lost_up={20, 45, 46, 80})
    assert (found.up.sent, found.up.lost) == (91, 2)
    punctual = delayed((), lost_up={45, 46, 47, 48, 49})
    assert (punctual.up.sent, punctual.up.lost) == (100, 5)


def test_what_the_far_end_was_late_with_is_not_the_ways() -> None:
    found = delayed((), held={60})
    assert found.up.lost == 0
    assert (found.down.sent, found.down.lost) == (90, 0)


def test_frames_leave_all_at_once_by_right() -> None:
    sent = [Stamp(n, n // 5 * STEP_NS) for n in range(100)]
    pace = Pace(at_once=5, spacing_ns=STEP_NS)
    found = split(
        sent, [], 0, Account(reached=frozenset(range(0, 100, 2)), duplicates=0, reordered=0), pace=pace
    )
    assert (found.up.sent, found.up.lost) == (100, 50)
