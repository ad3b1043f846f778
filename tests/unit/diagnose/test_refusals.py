"""What takes connections and refuses them by turns is counted, and neither down nor blocked."""

from dataclasses import replace

import pytest

from readycheck.diagnose.finding import Confidence, Where
from readycheck.diagnose.refusals import in_question, refusing
from readycheck.failure import Failure, Step
from tests.unit.builders import Result, conclude_from
from tests.unit.diagnose.test_hosts import HOSTS, NAMES, host, of_hosts, world_of_hosts


def answering(times: int) -> Result:
    """One of the hosts refused its only connection of the run, and of eight more so many stood."""
    return of_hosts(closed=host(HOSTS[0], 443), flaky=lambda t: times)


@pytest.mark.parametrize(("times", "confidence"), [(1, "possible"), (3, "likely"), (7, "likely")])
def test_connections_that_stand_and_are_refused_at_the_same_port_are_counted(
    times: int, confidence: str
) -> None:
    only = answering(times).only
    assert (only.cause, only.where, only.confidence) == (
        "intermittent",
        Where.UNKNOWN,
        Confidence(confidence),
    )
    assert f"TCP 443 of {HOSTS[0]} some stand and some are refused at once" in only.summary
    assert f"by turns: {times} of 9 stood" in only.summary
    assert only.affects == ("web",)


def test_a_service_that_was_just_restarted_refuses_once() -> None:
    only = answering(8).only
    assert (only.cause, only.confidence) == ("intermittent", Confidence.POSSIBLE)


def test_what_refuses_each_time_is_down() -> None:
    result = answering(0)
    assert result.causes == ["service-down"]
    assert refusing(result.case) == []


def test_what_a_router_refuses_is_not_asked_again() -> None:
    result = of_hosts(wall=lambda t: "reject" if t.port == 443 else None)
    (door,) = (d for d in result.case.doors if d.address == NAMES[HOSTS[0]] and d.port == 443)
    assert in_question([door]) == [door]
    assert in_question([replace(door, offender="10.0.0.1")]) == []
    assert in_question([replace(door, transport="udp")]) == []


def test_a_router_that_says_so_itself_is_no_far_end() -> None:
    """Two uplinks of which one rejects: that is not told of the host."""
    world = world_of_hosts(closed=host(HOSTS[0], 443), flaky=lambda t: 4)
    made = [
        replace(
            outcome,
            observations=tuple(
                replace(o, facts={**o.facts, "offender": "203.0.113.1"})
                if o.failure is Failure.CONNECTION_REFUSED and o.step is Step.CONNECT
                else o
                for o in outcome.observations
            ),
        )
        for outcome in world.outcomes()
    ]
    assert refusing(conclude_from(world, tuple(made)).case) == []
