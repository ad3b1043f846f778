"""The long wire decides by its seed, and packets that cross it take the time they should."""

import random
from itertools import pairwise

import pytest

from .cloud import NODES, CloudMode
from .forwarder import Direction, Wire
from .row import RowMode
from .test_world import ask
from .world import World


def _fates(wire: Wire, packets: int = 20_000) -> list[list[float]]:
    way = Direction(wire, random.Random(wire.seed))
    return [way.due(i * 0.001) for i in range(packets)]


def test_delay_is_exact_without_jitter() -> None:
    assert _fates(Wire(delay_ms=20.0), 3) == [[0.02], [0.021], [0.022]]


def test_the_same_seed_decides_alike() -> None:
    wire = Wire(delay_ms=5.0, jitter_ms=3.0, loss_ratio=0.1, reorder_ratio=0.1, seed=4)
    assert _fates(wire) == _fates(wire)


def test_loss_has_its_ratio_and_its_bursts() -> None:
    lost = [not due for due in _fates(Wire(loss_ratio=0.05, burst=4.0), 200_000)]
    runs = sum(now and not before for before, now in pairwise([False, *lost]))
    assert sum(lost) / len(lost) == pytest.approx(0.05, rel=0.1)
    assert sum(lost) / runs == pytest.approx(4.0, rel=0.1)


def test_jitter_keeps_the_order_and_reordering_does_not() -> None:
    in_order = [due[0] for due in _fates(Wire(delay_ms=5.0, jitter_ms=9.0))]
    assert in_order == sorted(in_order)
    mixed = [due[0] for due in _fates(Wire(delay_ms=5.0, reorder_ratio=0.1))]
    assert sum(later < earlier for earlier, later in pairwise(mixed)) == pytest.approx(2000, rel=0.2)


def test_a_rate_queues_and_drops() -> None:
    way = Direction(Wire(rate_mbit=1.0, queue_ms=40.0), random.Random(1))
    fates = [way.due(0.0, 1250) for _ in range(10)]  # 10 ms each
    assert [round(due[0], 3) for due in fates if due] == [0.01, 0.02, 0.03, 0.04, 0.05]
    assert way.due(1.0, 1250) == [1.01]


def test_duplicates_come_together() -> None:
    assert sum(len(due) == 2 for due in _fates(Wire(duplicate_ratio=0.5))) == pytest.approx(10_000, rel=0.1)


@pytest.mark.lab
@pytest.mark.timeout(120)
def test_a_long_wire_delays_both_ways(world: World) -> None:
    world.arrange(RowMode(wire=Wire(delay_ms=20.0)), CloudMode())
    answers = ask(
        world, f"stun {NODES[0]} 5004", f"stun {NODES[0]} 5004", f"hop {NODES[0]} 3", f"hop {NODES[0]} 4"
    )
    assert 40 <= answers[1]["ms"] < 80
    assert answers[2]["ms"] < 20 and 40 <= answers[3]["ms"]
