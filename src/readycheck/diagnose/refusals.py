"""Ports of named hosts that refuse connections and take them by turns, as where a member of a group has no service."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from readycheck.diagnose.case import Case
from readycheck.diagnose.doors import Door
from readycheck.diagnose.finding import Confidence, Finding, counted, shown
from readycheck.evidence import Sign
from readycheck.failure import Failure, Step
from readycheck.observation import Observation

LEAST_OF_EACH = 2
"""Connections that stood and that were refused: one may have met a service that was just started or stopped."""


@dataclass(frozen=True, slots=True)
class Refusing:
    """A door of a named host, and what became of each connection to it, in order: it stood, or was refused."""

    door: Door
    stood: tuple[bool, ...]

    @property
    def refused(self) -> int:
        return len(self.stood) - sum(self.stood)

    @property
    def by_turns(self) -> bool:
        return any(self.stood) and self.refused > 0


def in_question(doors: Sequence[Door]) -> list[Door]:
    """TCP ports that the far end itself seemed to refuse: what a router says it says each time."""
    return [d for d in doors if d.transport == "tcp" and d.sign is Sign.REFUSED and not d.offender]


def refusing(case: Case) -> list[Refusing]:
    """The doors of the product at which connections stood and were refused within the run."""
    tries: dict[tuple[str | None, int | None], list[Observation]] = {}
    for _, o in case.observations():
        if o.step is Step.CONNECT and not o.target.via and _is_answer(o):
            tries.setdefault((o.target.address, o.target.port), []).append(o)
    found = [
        Refusing(door, _stood(tries.get((door.address, door.port), ())))
        for door in case.doors
        if door.transport == "tcp" and door.checks
    ]
    return [each for each in found if each.by_turns]


def _is_answer(o: Observation) -> bool:
    return o.failure is None or (o.failure is Failure.CONNECTION_REFUSED and not o.facts.get("offender"))


def _stood(tries: Sequence[Observation]) -> tuple[bool, ...]:
    return tuple(o.failure is None for o in sorted(tries, key=lambda o: o.started_ms))


def refused_by_turns(case: Case) -> Iterator[Finding]:
    """The same port of the same address takes connections and refuses them: no rule of a firewall does."""
    found = refusing(case)
    asked = list(dict.fromkeys(check for each in found for check in each.door.checks))
    failed = case.failing_among(asked)
    if not failed:
        return
    stood, tried = sum(sum(each.stood) for each in found), sum(len(each.stood) for each in found)
    sure = min(stood, tried - stood) >= LEAST_OF_EACH
    names = shown(f"TCP {each.door.port} of {each.door.name}" for each in found)
    yield case.finding(
        "intermittent",
        failed,
        f"Of connections to {names} some stand and some are refused at once, by turns: "
        f"{counted(stood, tried, ' stood')}.",
        confidence=Confidence.LIKELY if sure else Confidence.POSSIBLE,
        remedy="A load balancer with members that have no service, or a service that starts again and again, does "
        "this: ask who runs the host. Look for a limit on connections that resets those beyond it, too.",
    )
