"""The ladder of idle connections in networks that cut them, on a clock that jumps."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from readycheck.net.interface import Held
from readycheck.observation import Observation
from readycheck.probe import Effort, Failure, MetricValue, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.idle import IdleParams, IdleProbe

FAR_END = Target(address="203.0.113.99", port=3478, transport="udp")
LADDER = (15.0, 60.0, 300.0)


def cutting(lives_s: float, busy_s: float = 1e9, **how: Any) -> Callable[[Sequence[float], bool], Held]:
    """Every silence of at least `lives_s` kills; the busy connection lives for `busy_s`."""

    def held(pauses_s: Sequence[float], secure: bool) -> Held:
        if pauses_s[0] < lives_s and sum(pauses_s) <= busy_s:
            return Held(rang=True, outlived_s=sum(pauses_s))
        return Held(
            rang=False, outlived_s=min(busy_s, sum(pauses_s[:-1])), **(how or {"ended": Failure.TIMED_OUT})
        )

    return held


def measured(
    holds: Callable[[Sequence[float], bool], Held] | Failure, upto_s: float = 300.0
) -> tuple[tuple[Observation, ...], dict[str, MetricValue]]:
    network = FakeNetwork()
    network.holds = holds
    params = IdleParams(targets=(FAR_END,), ladder_s=LADDER, upto_s=upto_s)
    seen, metrics = run_probe(IdleProbe(), params, network)
    return seen, dict(metrics)


@pytest.mark.parametrize(
    ("lives_s", "idle_s", "died_s"),
    [(1e6, 300.0, None), (200.0, 60.0, 300.0), (30.0, 15.0, 60.0), (10.0, 0.0, 15.0)],
)
def test_the_longest_silence_that_is_outlived(lives_s: float, idle_s: float, died_s: float | None) -> None:
    seen, metrics = measured(cutting(lives_s))
    assert metrics == {"held": 6, "idle_s": idle_s, "idle_died_s": died_s}
    assert {o.facts["transport"] for o in seen if "purpose" in o.facts} == {"tcp", "tls"}
    assert max(o.started_ms + o.elapsed_ms for o in seen) == pytest.approx(300e3)


def test_how_it_ends_is_recorded() -> None:
    seen, _ = measured(cutting(100.0, ended=Failure.CONNECTION_RESET, ended_after_s=100.0))
    told = [o.facts for o in seen if o.facts.get("pause_s") == 300.0]
    assert {(facts["ended"], facts["ended_after_s"]) for facts in told} == {("connection_reset", 100.0)}


def test_what_kills_the_busy_one_is_not_the_silence() -> None:
    _, metrics = measured(cutting(30.0, busy_s=50.0))
    assert metrics == {"held": 6, "idle_s": 15.0, "idle_died_s": None}


def test_a_short_silence_that_kills_where_a_longer_one_does_not_shows_nothing() -> None:
    odd = cutting(1e6)
    _, metrics = measured(
        lambda pauses_s, secure: (
            Held(rang=False, outlived_s=0.0, ended=Failure.TIMED_OUT)
            if pauses_s == [60.0]
            else odd(pauses_s, secure)
        )
    )
    assert (metrics["idle_s"], metrics["idle_died_s"]) == (None, None)


def test_the_worse_of_tcp_and_tls_counts() -> None:
    short, long = cutting(30.0), cutting(1e6)
    _, metrics = measured(lambda pauses_s, secure: (short if secure else long)(pauses_s, secure))
    assert (metrics["idle_s"], metrics["idle_died_s"]) == (15.0, 60.0)


def test_a_responder_that_does_not_answer() -> None:
    seen, metrics = measured(Failure.RESPONDER_REFUSED)
    assert metrics == {"held": 0, "idle_s": None, "idle_died_s": None}
    assert {o.failure for o in seen} == {Failure.RESPONDER_REFUSED}


def test_the_ladder_ends_where_it_should() -> None:
    params = IdleParams(ladder_s=(15, 60, 115, 300), upto_s=100)
    assert params.rungs_s == (15, 60, 100)
    assert params.lasts_s(Effort.NORMAL) == pytest.approx(118.0)
    assert IdleParams().rungs_s == (15, 60, 115)
    with pytest.raises(ValueError, match="above 0"):
        IdleParams(ladder_s=(0,))
