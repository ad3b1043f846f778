"""What a line carries: against lines that are made up, and a real responder on loopback."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.probe import Effort, Failure, Filled, Leg, Observation, Played, Target
from readycheck.responder.load import LoadLimits
from readycheck.responder.server import Responder, Settings
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.capacity import CapacityParams, CapacityProbe
from tests.unit.far_side import PLACE, way

from .conftest import Bench

THERE = Target(address=PLACE[0], port=PLACE[1], transport="udp")
WINDOW_S = 0.25
Metrics = dict[str, Any]


def line(
    up: float, down: float, *, both: float = 1.0, granted: float = 100e6, spent_after: int = 0
) -> Callable[[str, tuple[str, ...], float], Filled]:
    """Rates in bits a second, and the share of them when both ways are full."""

    def throughput(direction: str, ways: tuple[str, ...], seconds: float) -> Filled:
        rate = min((up if direction == "up" else down) * (both if len(ways) > 1 else 1.0), granted)
        windows = (round(rate / 8 * WINDOW_S),) * (spent_after or int(seconds / WINDOW_S))
        return Filled(
            way=direction,
            connections=4,
            windows=windows,
            window_s=WINDOW_S,
            seconds=seconds,
            bits_per_second=granted,
            spent=bool(spent_after),
        )

    return throughput


def measured(params: CapacityParams, **network: Any) -> tuple[Sequence[Observation], Metrics]:
    made = FakeNetwork(**{"responder": way(), **network})
    observations, metrics = run_probe(CapacityProbe(), params, made, effort=Effort.QUICK)
    return observations, dict(metrics)


class Counted(FakeNetwork):
    """Loses packets when more calls than `most` are played at once, and its host is `late_ms` late then."""

    def __init__(self, most: int, late_ms: float = 0.02, late_times: int = 99, **network: Any) -> None:
        super().__init__(**network)
        self.most, self.late_ms, self.late_times, self.steps = most, late_ms, late_times, list[int]()

    async def play(self, to: Any, legs: Sequence[Leg]) -> Sequence[Played]:
        calls = sum(leg.packets_per_second for leg in legs) / 50
        lossy = calls > self.most
        late_ms = self.late_ms if lossy and self.late_times > 0 else 0.02
        self.late_times -= lossy
        self.responder = way(lost_up=lambda n: lossy and n % 10 == 0, late_ms=late_ms)
        self.steps.append(int(calls))
        return await super().play(to, legs)


def stairs(wanted: int, most: int, **network_of: Any) -> tuple[list[int], Metrics]:
    network = Counted(most, **network_of, throughput=line(10e6, 10e6))
    params = CapacityParams(targets=(THERE,), wanted=wanted)
    _, metrics = run_probe(CapacityProbe(), params, network, effort=Effort.QUICK)
    return network.steps[4:], dict(metrics)


def test_rates_and_calls_by_hand() -> None:
    _, metrics = measured(CapacityParams(targets=(THERE,), wanted=10), throughput=line(2e6, 6e6, both=0.8))
    assert metrics["throughput_up_bits_per_second"] == 2e6
    assert metrics["throughput_down_bits_per_second"] == 6e6
    assert metrics["throughput_up_together_bits_per_second"] == 1.6e6
    assert metrics["throughput_capped"] == 0
    assert (metrics["calls_cscan"], metrics["calls_line"], metrics["calls_both_legs"]) == (20, 12, 6)
    assert (metrics["calls_line_ratio"], metrics["calls_loaded_ratio"]) == (1.2, 1.0)
    assert metrics["idle_trip_ms"] == pytest.approx(40, abs=1)
    assert metrics["queue_up_ms"] == metrics["queue_down_ms"] == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    ("wanted", "most", "steps", "loaded"),
    [
        (20, 99, [5, 10, 15, 20], 20),
        (20, 12, [5, 10, 15, 12, 13], 12),
        (20, 3, [5, 2, 3], 3),
        (20, 0, [5, 2, 1], 0),
        (1, 99, [1], 1),
        (1, 0, [1], 0),
        (120, 99, [30, 60, 90, 120, 105, 97], 97),
    ],
)
def test_calls_are_added_until_they_are_out_of_order(
    wanted: int, most: int, steps: list[int], loaded: int
) -> None:
    tried, metrics = stairs(wanted, most)
    assert tried == steps
    assert metrics["calls_loaded"] == loaded
    assert metrics["calls_loaded_ratio"] == round(loaded / wanted, 4)


def test_calls_of_which_nothing_arrives_are_out_of_order() -> None:
    _, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=4),
        throughput=line(1e6, 1e6),
        responder=way(lost_up=lambda n: True),
    )
    assert (metrics["calls_loaded"], metrics["calls_broken"]) == (0, 1)


def test_a_responder_that_falls_silent_says_nothing_of_calls() -> None:
    observations, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=4),
        throughput=line(1e6, 1e6),
        responder=way(lost_up=lambda n: n > 20, counted=lambda count: None),
    )
    assert metrics["calls_loaded"] is None
    assert "fell silent" in observations[-1].facts["because"]


def test_the_limit_of_the_responder_is_none_of_the_line() -> None:
    _, metrics = measured(CapacityParams(targets=(THERE,), wanted=20), throughput=line(9e9, 9e9, granted=1e6))
    assert metrics["throughput_capped"] == 4
    assert metrics["calls_line"] == 7
    assert "calls_line_ratio" not in metrics


def test_a_share_that_is_used_up_leaves_what_was_measured_before() -> None:
    _, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=1), throughput=line(4e6, 4e6, spent_after=5)
    )
    assert metrics["throughput_up_bits_per_second"] == 4e6


def test_a_responder_that_serves_no_throughput() -> None:
    observations, metrics = measured(CapacityParams(targets=(THERE,), wanted=5))
    assert any(one.failure is Failure.RESPONDER_REFUSED for one in observations)
    assert "throughput_up_bits_per_second" not in metrics
    assert metrics.get("calls_loaded_ratio") is None


def test_nobody_answers() -> None:
    observations, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=5), responder=Failure.TIMED_OUT, throughput=line(1e6, 1e6)
    )
    assert [one.failure for one in observations] == [Failure.TIMED_OUT]
    assert metrics["calls_wanted"] is None


def test_a_busy_host_says_nothing_of_the_line() -> None:
    _, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=4),
        responder=way(late_ms=30.0, lost_up=lambda n: n % 5 == 0),
        throughput=line(4e6, 4e6),
    )
    assert (metrics["calls_loaded"], metrics["calls_broken"]) == (None, None)
    assert metrics["calls_loaded_ratio"] == 0, "the least that it may be"


def test_a_host_that_is_very_late_tells_no_queue() -> None:
    params = CapacityParams(targets=(THERE,), wanted=4)
    found = {
        late_ms: measured(params, responder=way(late_ms=late_ms), throughput=line(4e6, 4e6))[1]
        for late_ms in (40.0, 60.0)
    }
    assert [found[late_ms]["queue_up_ms"] for late_ms in (40.0, 60.0)] == [0.0, None]
    assert found[60.0]["throughput_up_bits_per_second"] == 4e6


def test_a_step_that_shows_nothing_ends_it_and_breaks_nothing() -> None:
    tried, metrics = stairs(20, 12, late_ms=30.0)
    assert tried == [5, 10, 15, 15, 15], "a host that is late has two more chances"
    assert (metrics["calls_loaded"], metrics["calls_broken"], metrics["calls_loaded_ratio"]) == (
        10,
        None,
        0.5,
    )


def test_a_host_that_is_late_for_a_moment_plays_the_step_again() -> None:
    tried, metrics = stairs(20, 12, late_ms=30.0, late_times=1)
    assert tried == [5, 10, 15, 15, 12, 13]
    assert (metrics["calls_loaded"], metrics["calls_broken"]) == (12, 13)


def test_a_rate_of_which_others_had_a_share_is_none_of_the_line() -> None:
    alone = line(1e6, 1e6)
    _, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=20),
        throughput=lambda *asked: replace(alone(*asked), shared=True),
    )
    assert metrics["throughput_capped"] == 4
    assert "calls_line_ratio" not in metrics


def test_a_queue_that_grows_ends_it() -> None:
    """No packet is lost yet, and the last ones take a second."""
    _, metrics = measured(
        CapacityParams(targets=(THERE,), wanted=4), responder=way(rtt_ms=900.0), throughput=line(4e6, 4e6)
    )
    assert metrics["calls_loaded"] == 0


@pytest.mark.parametrize("values", [{"wanted": -1}, {"wanted": 501}, {"loss_ratio": 0}])
def test_bad_parameters(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is to be"):
        CapacityParams(**values)


async def test_a_real_responder(bench: Bench) -> None:
    limits = LoadLimits(bits_per_second=10e6)
    responder = Responder(Settings(listen=(("127.0.0.1", 0),), loads=limits))
    responder.start()
    try:
        host, port = responder.places[0]
        params = CapacityParams(targets=(Target(address=host, port=port, transport="udp"),), wanted=3)
        seen = await bench.measure(CapacityProbe(), params, deadline_s=30.0)
    finally:
        responder.stop()
    for name in ("up", "down", "up_together", "down_together"):
        assert seen.metrics[f"throughput_{name}_bits_per_second"] == pytest.approx(10e6, rel=0.15), name
    assert seen.metrics["throughput_capped"] == 4
    assert seen.metrics["calls_loaded"] == 3
