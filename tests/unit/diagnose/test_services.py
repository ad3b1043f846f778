"""What servers say of themselves: another protocol fails, an error to a stranger is a note."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.verdict import Readiness
from tests.unit.builders import World, conclude_from, seen


def with_words(world: World, failure: Failure | None, **facts: Any) -> tuple[Outcome, ...]:
    """What answers on the signalling port speaks after the handshake."""

    def spoken(outcome: Outcome) -> Outcome:
        hands = [o for o in outcome.observations if o.step is Step.TLS_HANDSHAKE and not o.failure]
        words = [
            replace(seen(Step.RESPONSE, o.target, failure, **facts), detail="'HTTP/1.1 400'") for o in hands
        ]
        return replace(outcome, observations=(*outcome.observations, *words))

    return tuple(spoken(o) if o.check.requirement == "sip" else o for o in world.outcomes())


def test_another_protocol_on_the_port_of_the_service() -> None:
    """The right certificate, and no telephone: silence after the handshake may be a policy, an answer is none."""
    world = World()
    found = conclude_from(world, with_words(world, Failure.PROTOCOL_ERROR, foreign=True))
    only = found.only
    assert (only.cause, only.where, only.confidence) == ("service-down", Where.UNKNOWN, Confidence.LIKELY)
    assert only.affects == ("sip",) and "HTTP/1.1 400" in only.summary
    assert found.readiness is Readiness.NOT_READY


def test_who_answers_in_clear_text_may_be_anybody() -> None:
    """A port that is led to a server of the site: nothing shows that it is the vendor's."""
    world = World()
    clear = tuple(
        replace(
            outcome,
            observations=tuple(o for o in outcome.observations if o.step is not Step.TLS_HANDSHAKE),
        )
        if outcome.check.requirement == "sip"
        else outcome
        for outcome in with_words(world, Failure.PROTOCOL_ERROR, foreign=True)
    )
    only = conclude_from(world, clear).only
    assert (only.cause, only.where, only.confidence) == ("service-down", Where.UNKNOWN, Confidence.POSSIBLE)


@pytest.mark.parametrize(
    "failure", [None, Failure.TIMED_OUT, Failure.CONNECTION_CLOSED, Failure.PROTOCOL_ERROR]
)
def test_a_service_that_says_little_to_strangers_is_there(failure: Failure | None) -> None:
    world = World()
    assert conclude_from(world, with_words(world, failure)).findings == ()


@pytest.mark.parametrize(("status", "told"), [(503, True), (500, True), (403, False), (200, False)])
def test_servers_that_cannot_serve_are_noted(status: int, told: bool) -> None:
    world = World()
    found = conclude_from(world, with_words(world, None, status=status))
    assert found.causes == (["service-down"] if told else []) and found.readiness is Readiness.READY
    if told:
        only = found.only
        assert (only.severity, only.confidence, only.where) == (
            Severity.NOTE,
            Confidence.POSSIBLE,
            Where.UNKNOWN,
        )
        assert str(status) in only.summary and only.affects == ("sip",)


def test_one_server_that_cannot_serve_is_one_servers_matter() -> None:
    world = World()
    spoken = list(with_words(world, None, status=503))
    last = max(n for n, o in enumerate(spoken) if any(x.step is Step.RESPONSE for x in o.observations))

    def well(o: Observation) -> Observation:
        return replace(o, facts={**o.facts, "status": 200}) if o.step is Step.RESPONSE else o

    spoken[last] = replace(spoken[last], observations=tuple(map(well, spoken[last].observations)))
    assert conclude_from(world, tuple(spoken)).findings == ()
