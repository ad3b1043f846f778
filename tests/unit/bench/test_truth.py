"""The forwarder's record says what was true of each flow."""

from typing import Any

import pytest

from bench.media.truth import Flow, fates

MS = 1_000_000
UP = Flow(0, 8500, 3478, 200)


def head(source: int, destination: int, length: int = 200, protocol: int = 17) -> str:
    ip = bytearray(20)
    ip[0], ip[2:4], ip[9] = 0x45, length.to_bytes(2, "big"), protocol
    return (bytes(ip) + source.to_bytes(2, "big") + destination.to_bytes(2, "big") + bytes(4)).hex()


def record(*delays_ms: tuple[float, ...], spacing_ms: float = 20.0) -> list[list[Any]]:
    """One packet for each, which left so long after it had entered: nothing, once or twice."""
    events: list[list[Any]] = []
    for number, left in enumerate(delays_ms):
        at_ns = round(number * spacing_ms * MS)
        events.append(["in", number, 0, at_ns, head(8500, 3478)])
        events += [["out", number, at_ns + round(delay * MS)] for delay in left]
    return sorted(events, key=lambda event: event[3] if event[0] == "in" else event[2])


def test_what_was_lost_and_how_many_in_a_row() -> None:
    fate = fates(record((5,), (), (), (5,), ()))[UP]
    assert (fate.sent, fate.lost, fate.longest_burst, fate.mean_burst) == (5, 3, 2, 1.5)


def test_what_was_overtaken_and_what_came_twice() -> None:
    fate = fates(record((5,), (60,), (5, 5), (5,), (5,)))[UP]
    assert (fate.reordered, fate.duplicates) == (1, 1)


def test_delay_and_jitter_are_of_what_left() -> None:
    fate = fates(record((5,), (9,), (), (5,)))[UP]
    assert fate.delay_ms == 5
    assert fate.jitter_ms == pytest.approx((0.25 + 0.25 + (4 - 0.25) / 16) / 2)
    assert fate.variation_ms == 4


def test_directions_and_ports_are_told_apart() -> None:
    events = [
        ["in", 1, 0, 0, head(8500, 3478)],
        ["in", 2, 1, 0, head(3478, 8500)],
        ["in", 3, 0, 0, head(8502, 3478)],
        ["in", 4, 0, 0, head(8502, 3478, protocol=6)],
        ["in", 5, 0, 0, "60"],
    ]
    assert sorted(fates(events)) == [UP, Flow(0, 8502, 3478, 200), Flow(1, 8500, 3478, 200)]
