"""Greetings as any program would say them, some answered and some not: counted place by place. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from readycheck.diagnose.case import Case
from readycheck.diagnose.greetings import SHAPES
from readycheck.failure import Failure, Step
from readycheck.observation import Observation

WAIT_MS = 850.0
"""What was waited for less shows nothing, and an answer that came later may be missed by those who wait less."""

Key = tuple[str, int, str | None]


@dataclass(frozen=True, slots=True)
class Place:
    """The same greeting to the same port of an address, each time that it was said: whether it was answered."""

    address: str
    name: str
    tries: tuple[bool, ...]

    @property
    def alternates(self) -> bool:
        return len(set(self.tries)) > 1

    @property
    def stalled_again(self) -> int:
        return self.tries[1:].count(False)


def by_turns(case: Case) -> list[Place]:
    """Where the same greeting was answered, and stalled."""
    tries: dict[Key, list[bool]] = {}
    for o in sorted(greetings(case), key=lambda o: o.started_ms):
        key = o.target.address or "", o.target.port or 0, o.target.sni
        tries.setdefault(key, []).append(o.failure is None)
    places = (Place(key[0], _name(key), tuple(some)) for key, some in tries.items())
    return [place for place in places if place.alternates]


def _name(key: Key) -> str:
    return key[2] or f"TCP {key[1]} of {key[0]}"


def greetings(case: Case) -> Iterator[Observation]:
    """All that were answered at once, and all that stalled."""
    for outcome, o in case.observations():
        plain = o.facts.get("max_segment") is None and o.facts.get("variant") not in SHAPES
        direct = o.target.address and not o.target.via and not outcome.cut
        if plain and direct and (is_stall(o) or _is_prompt(o)):
            yield o


def is_stall(o: Observation) -> bool:
    """A connection stood, and nothing came back over it."""
    silent = o.failure is Failure.TIMED_OUT and not o.facts.get("received_bytes")
    return o.step is Step.TLS_HANDSHAKE and silent and o.elapsed_ms >= WAIT_MS


def _is_prompt(o: Observation) -> bool:
    return o.step is Step.TLS_HANDSHAKE and o.failure is None and o.elapsed_ms < WAIT_MS
