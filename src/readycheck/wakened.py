"""Name servers that were all silent when the run began, and answered when they were asked again later. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from readycheck.denials import UNWILLING
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from readycheck.plan import Scope

AGAIN = "lookups/"
LEAST = 3
"""An answer or two may be luck on a line that loses nearly all."""


@dataclass(frozen=True, slots=True)
class Waking:
    """`silent_ms` is until when nothing had answered; of `asked` questions put later, so many were `answered`."""

    servers: frozenset[str]
    silent_ms: float
    answered: int
    asked: int


def waking(outcomes: Sequence[Outcome]) -> Waking | None:
    """None where a name server answered at first, or none does now.

    That it could not look a name up, said late, is what a forwarder says whose line is down: it is no waking.
    """
    if not are_all_silent(outcomes):
        return None
    asked = list(_again(outcomes))
    heard = [o for o in asked if o.failure is None or o.failure is Failure.DNS_NXDOMAIN]
    if len(heard) < LEAST or any(o.failure in UNWILLING for o in asked):
        return None
    begun = min(o.started_ms for o in heard)
    since = [o for o in asked if o.started_ms >= begun]
    servers = frozenset(str(o.target.address) for o in heard)
    return Waking(servers, begun, len(heard), len(since))


def wakened(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """The servers that were silent and no longer are."""
    found = waking(outcomes)
    return found.servers if found else frozenset()


def are_all_silent(outcomes: Sequence[Outcome]) -> bool:
    """Every name server was asked, none said anything, nor was one heard by whoever else looked names up."""
    first = [
        o for outcome in outcomes if outcome.check.scope is Scope.RESOLVERS for o in outcome.observations
    ]
    looked_up = [
        o
        for outcome in outcomes
        if outcome.check.scope is not Scope.FOLLOW_UP
        for o in outcome.observations
        if o.step is Step.RESOLVE
    ]
    return bool(first) and all(map(_is_unheard, (*first, *looked_up)))


def _is_unheard(observation: Observation) -> bool:
    return observation.failure is Failure.TIMED_OUT and not observation.facts.get("answered_by_server")


def _again(outcomes: Sequence[Outcome]) -> Iterator[Observation]:
    for outcome in outcomes:
        if outcome.check.scope is Scope.FOLLOW_UP and outcome.check.id.startswith(AGAIN):
            yield from (o for o in outcome.observations if not (outcome.cut and _is_unheard(o)))
