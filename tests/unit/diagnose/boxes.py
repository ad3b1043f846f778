"""Boxes that mind server names, and what the follow-ups of a run meet at them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from readycheck.diagnose.server_names import nameless_in_question, names_in_question
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Check
from readycheck_probes.sni import Greeting, SniParams, Variant, shuffled
from tests.unit.builders import Result, World, conclude_from, make_outcome, seen

CUT_UP = (Variant.SEGMENTS, Variant.RECORDS)
ARRIVES = 9
"""The hop limit with which a packet comes to a server."""

Minds = Callable[[str | None], bool]
Server = Callable[[Target, str | None], Failure | None]


@dataclass(kw_only=True)
class Box:
    """Kills, by `kill`, greetings whose name it `minds`, at a hop limit of `hop` and more, but to what it `spares`.

    `reassembles`: cutting a greeting up does not help. `grudge`: an address that it was seen to be greeted at is dead
    to the client from then on. `signs`: it answers, with a certificate that is
    untrusted, or that is made for the target. `server(target, name)` is how a real server ends a greeting;
    `looks` is how far hop limits go.
    """

    minds: Minds = lambda name: False
    kill: Failure | None = Failure.CONNECTION_RESET
    hop: int = 3
    spares: Callable[[Target], bool] = lambda target: False
    reassembles: bool = False
    grudge: bool = False
    signs: Any = None
    server: Server = lambda target, name: None
    icmp: bool = True
    looks: int = 12
    hated: set[str | None] = field(default_factory=set)

    def stands_against(self, greeting: Greeting) -> bool:
        if self.grudge and greeting.at.address in self.hated:
            return True
        name = greeting.server_name
        seen_name = name.lower() if name else name
        hidden = greeting.variant in CUT_UP and not self.reassembles
        if hidden or self.spares(greeting.at) or not self.minds(seen_name):
            return False
        self.hated.add(greeting.at.address)
        return True

    def measure(self, check: Check) -> Outcome:
        """What the probe would see."""
        params = check.params
        assert isinstance(params, SniParams)
        greetings = [o for g in shuffled(params) for o in self._greet(g)]
        rungs = [o for target in params.targets for o in self._climb(target, params)]
        return make_outcome(check, *greetings, *rungs)

    def _greet(self, greeting: Greeting) -> Iterator[Observation]:
        at = greeting.at
        target = Target(host=greeting.target.host, address=at.address, port=at.port, sni=greeting.server_name)
        about = f"{greeting.target.address}:{greeting.target.port}"
        facts: dict[str, Any] = {
            "variant": greeting.variant.value,
            "asked": greeting.target.host,
            "about": about,
        }
        yield seen(Step.CONNECT, target, None, **facts)
        killed = self.stands_against(greeting)
        failure = self.kill if killed else self.server(at, greeting.server_name)
        signed = self.signs(target) if callable(self.signs) else self.signs
        shown = {"tls": signed if killed else {"chain": [], "trust_failure": None}} if not failure else {}
        yield seen(Step.TLS_HANDSHAKE, replace(target, transport="tls"), failure, **facts, **shown)

    def _climb(self, target: Target, params: SniParams) -> Iterator[Observation]:
        for ttl in range(1, self.looks + 1):
            greetings = [
                Greeting(target, Variant.ASKED, target.host, target),
                Greeting(target, Variant.DECOY, params.decoy, target),
                *(Greeting(target, Variant.ELSEWHERE, params.decoy, at) for at in params.controls[:1]),
            ]
            for greeting in greetings:
                at, name = greeting.at, greeting.server_name
                yield seen(
                    Step.HOP,
                    Target(host=target.host, address=at.address, port=at.port, sni=name),
                    self._at_hop(greeting, ttl),
                    purpose="greeting",
                    ttl=ttl,
                    variant=greeting.variant.value,
                    asked=target.host,
                    about=f"{target.address}:{target.port}",
                )

    def _at_hop(self, greeting: Greeting, ttl: int) -> Failure | None:
        if ttl >= self.hop and self.stands_against(greeting):
            return self.kill
        if ttl < ARRIVES:
            return Failure.HOST_UNREACHABLE if self.icmp else Failure.TIMED_OUT
        return self.server(greeting.at, greeting.server_name)


def asked(world: World, outcomes: Sequence[Outcome] | None = None) -> list[Check]:
    """The checks that the follow-ups on names want."""
    made = [world.measure(check) for check in world.plan.checks] if outcomes is None else outcomes
    situation = world.situation(made)
    return [*names_in_question(situation), *nameless_in_question(situation)]


def behind(world: World, box: Box) -> Result:
    """The whole run, follow-ups included."""
    outcomes = world.outcomes()
    return conclude_from(world, (*outcomes, *(box.measure(check) for check in asked(world, outcomes))))
