"""What answers by turns is counted; what only fails in a burst meets a limit of the rate; nothing is a block."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.media.stream import wilson
from readycheck.observation import Target
from readycheck.plan import Scope
from tests.unit.builders import NODES, World, conclude, conclude_from, seen
from tests.unit.diagnose.test_hosts import HOSTS, host, of_hosts, port


@pytest.mark.parametrize("answers", [1, 4, 7])
def test_a_host_that_answers_by_turns_is_no_block(answers: int) -> None:
    only = of_hosts(wall=lambda t: "drop" if t.port == 443 else None, flaky=lambda t: answers).only
    assert (only.cause, only.where, only.confidence) == ("intermittent", Where.UNKNOWN, Confidence.CERTAIN)
    assert f"{4 * answers} of 36 tries" in only.summary
    assert (only.affects, only.severity) == (("web",), Severity.BLOCKING)


def test_a_host_that_failed_once_and_answers_ever_since() -> None:
    only = of_hosts(dead=host(HOSTS[0], 443), flaky=lambda t: 8).only
    assert (only.cause, only.confidence) == ("intermittent", Confidence.LIKELY)
    assert "8 of 9 tries (56% to 98% at 95 % confidence)" in only.summary


def test_a_port_of_the_networks_that_answers_by_turns() -> None:
    world = World(wall=lambda t: "drop" if t.port == 8934 else None, flaky=lambda t: 3)
    found = conclude(world)
    assert found.only.cause == "intermittent"
    assert f"TCP 8934 of {NODES[0]}" in found.only.summary


def test_what_never_answers_again_is_none() -> None:
    assert of_hosts(wall=lambda t: "drop" if port(443)(t) else None).only.cause == "port-blocked"


# --- a limit of the rate ------------------------------------------------------------------------------


def policed(slow: int, burst: int, nodes: int = 2) -> Any:
    """A run whose media port was silent, and what came of asking slowly and at once."""
    world = World(mute=lambda t: t.port in (5004, 9000), icmp=False)
    made = [o for o in world.outcomes() if o.check.scope is not Scope.FOLLOW_UP]
    again = next(o for o in world.outcomes() if o.check.scope is Scope.FOLLOW_UP)
    targets = [
        Target(network=t.network, address=t.address, port=t.port, transport="udp")
        for t in again.check.params.targets
    ]
    told = [
        seen(Step.ECHO, target, None if turn < count else Failure.TIMED_OUT, purpose=purpose, turn=turn)
        for target in targets
        if target.address in NODES[:nodes]
        for purpose, count in (("repeat", slow), ("burst", burst))
        for turn in range(8)
    ]
    return conclude_from(
        world, (*made, Outcome(check=again.check, status=again.status, observations=tuple(told)))
    )


def test_what_is_whole_when_slow_and_broken_at_once() -> None:
    only = policed(8, 3).only
    assert (only.cause, only.where, only.confidence) == ("rate-limited", Where.UNKNOWN, Confidence.LIKELY)
    assert "32 of 32" in only.summary
    assert "12 of 32, at 2 addresses" in only.summary
    assert only.affects == ("stun",)


@pytest.mark.parametrize(("slow", "burst", "nodes"), [(6, 3, 2), (8, 7, 2), (8, 3, 1)])
def test_loss_at_any_rate_or_at_one_address_is_no_limit(slow: int, burst: int, nodes: int) -> None:
    assert policed(slow, burst, nodes).causes == ["intermittent"]


@pytest.mark.parametrize(
    ("successes", "tries", "low", "high"),
    [(0, 8, 0.0, 0.324), (8, 8, 0.676, 1.0), (5, 10, 0.237, 0.763), (1, 100, 0.002, 0.054)],
)
def test_the_interval_of_a_share(successes: int, tries: int, low: float, high: float) -> None:
    assert wilson(successes, tries) == pytest.approx((low, high), abs=0.001)
