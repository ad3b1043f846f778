"""Greetings that stall by turns: which tries count, what they say, and of what they acquit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.case import Case
from readycheck.diagnose.finding import Confidence, Where
from readycheck.diagnose.stalls import by_turns
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from tests.unit.builders import Result, World, conclude_from, make_check, make_outcome, seen

STALL = Failure.TIMED_OUT
PLACES = [Target(host=f"{n}.example", sni=f"{n}.example", address=f"192.0.2.{n}", port=443) for n in range(4)]


def greeting(target: Target, answered: bool, at_ms: float = 0.0, **facts: Any) -> Observation:
    failure, took_ms = (None, 30.0) if answered else (STALL, 1500.0)
    return replace(
        seen(Step.TLS_HANDSHAKE, target, failure, took_ms=took_ms, **facts), started_ms=at_ms, failure=failure
    )


def by(tries: Sequence[bool], target: Target, **facts: Any) -> list[Observation]:
    return [greeting(target, answered, 1000.0 * turn, **facts) for turn, answered in enumerate(tries)]


def run(*greetings: Observation, late: int = 0) -> Result:
    """They are the last of the checks: all else in the run is well, but for connections that open late."""
    world = World()
    before = world.outcomes()
    opened = [
        replace(seen(Step.CONNECT, place, None, took_ms=1200.0, rtt_ms=20.0), started_ms=0.0)
        for place in PLACES * late
    ]
    check = make_check("sip/again", requirement=before[0].check.requirement, scope=Scope.NAMED)
    return conclude_from(world, (*before, make_outcome(check, *opened, *greetings)))


def case(*greetings: Observation) -> Case:
    return run(*greetings).case


TURNS = (False, True, False)


def everywhere(
    tries: Sequence[bool] = TURNS, places: Sequence[Target] = PLACES, **facts: Any
) -> list[Observation]:
    return [o for place in places for o in by(tries, place, **facts)]


def test_greetings_that_stall_by_turns_where_connections_open() -> None:
    found = next(f for f in run(*everywhere()).findings if f.cause == "intermittent")
    assert (found.where, found.confidence) == (Where.UNKNOWN, Confidence.LIKELY)
    assert "by turns: 4 of 12 (14% to 61% at 95 % confidence)." in found.summary


@pytest.mark.parametrize(("unacked", "told"), [(0, True), (1, False)])
def test_what_was_acknowledged_lost_its_answer(unacked: int, told: bool) -> None:
    found = next(f for f in run(*everywhere(unacked=unacked)).findings if f.cause == "intermittent")
    assert ("it is the answer that is lost" in found.summary) is told


@pytest.mark.parametrize(
    ("tries", "places"),
    [
        (TURNS, PLACES[:2]),  # two servers may be slow
        ((False, True, True), PLACES),  # the first greetings of a run come all at once
        ((False, False, False), PLACES),  # a wall
        ((True, True, True), PLACES),
    ],
)
def test_what_else_stalls_is_not_by_turns(tries: Sequence[bool], places: Sequence[Target]) -> None:
    assert "intermittent" not in run(*everywhere(tries, places)).causes


def test_where_connections_open_late_the_line_is_poor() -> None:
    assert "intermittent" not in run(*everywhere(), late=20).causes


@pytest.mark.parametrize(
    "facts",
    [{"max_segment": 1200}, {"variant": "segments"}, {"variant": "records"}, {"received_bytes": 1448}],
)
def test_greetings_that_are_said_in_another_way_or_begin_to_be_answered_do_not_count(
    facts: dict[str, Any],
) -> None:
    assert by_turns(case(greeting(PLACES[0], True), greeting(PLACES[0], False, **facts))) == []


def test_an_answer_that_others_would_not_have_waited_for_counts_for_nothing() -> None:
    slow = replace(greeting(PLACES[0], True), elapsed_ms=1400.0)
    assert by_turns(case(slow, greeting(PLACES[0], False))) == []


def test_another_name_at_the_same_address_is_another_greeting() -> None:
    other = replace(PLACES[0], sni="other.example")
    assert by_turns(case(greeting(PLACES[0], False), greeting(other, True))) == []
    (found,) = by_turns(case(greeting(PLACES[0], False), greeting(PLACES[0], True, 1.0)))
    assert (found.address, found.name, found.tries) == ("192.0.2.0", "0.example", (False, True))


def test_one_without_a_name_is_told_by_its_port() -> None:
    bare = Target(address="192.0.2.9", port=8934)
    (found,) = by_turns(case(greeting(bare, True), greeting(bare, False)))
    assert found.name == "TCP 8934 of 192.0.2.9"
