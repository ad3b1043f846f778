"""What a follow-up may look at: a round of measuring, and what a run has left. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.doors import Door, find_doors
from readycheck.engine import Outcome
from readycheck.evidence import Evidence, gather
from readycheck.net.environment import Environment
from readycheck.net.interface import Capability
from readycheck.observation import Target
from readycheck.plan import Check, CheckTarget, Plan, Scope
from readycheck.profile import Importance
from readycheck.registry import Registry, build_params

COUNTING = (Importance.REQUIRED, Importance.RECOMMENDED)
LONGEST_S = 6.0
LEAST_S = 0.5
SPARE_S = 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """A run between two rounds. `judged` judges it: of use to what hangs on a failure, and not free of cost.

    `gone_silent` are addresses that answered earlier runs and not this one.
    """

    plan: Plan
    registry: Registry
    outcomes: tuple[Outcome, ...]
    environment: Environment
    left_s: float
    judged: Callable[[Evidence], Case]
    gone_silent: frozenset[str] = frozenset()

    @cached_property
    def evidence(self) -> Evidence:
        return gather(self.outcomes)

    @cached_property
    def doors(self) -> tuple[Door, ...]:
        return find_doors(self.outcomes)

    @cached_property
    def case(self) -> Case:
        return self.judged(self.evidence)

    @cached_property
    def counting(self) -> frozenset[str]:
        """The checks that the verdict hangs on: others are worth no time that those would miss."""
        needed = {r.id for r in self.plan.selected if r.importance in COUNTING}
        return frozenset(o.check.id for o in self.outcomes if o.check.requirement in needed)

    @cached_property
    def done(self) -> frozenset[str]:
        """The checks that were made."""
        return frozenset(outcome.check.id for outcome in self.outcomes)

    @property
    def has_followed(self) -> bool:
        """Whether something was in doubt before."""
        return any(o.check.scope in (Scope.FOLLOW_UP, Scope.PATH) for o in self.outcomes)

    def check(
        self, name: str, probe: str, targets: Sequence[Target], *, longest_s: float = LONGEST_S, **values: Any
    ) -> Check | None:
        """A check that no requirement asks for; None without its probe, or without time for it."""
        if not targets or self.left_s < LEAST_S or probe not in self.registry.installed:
            return None
        found = self.registry.probe(probe)
        first = targets[0]
        only = len(targets) == 1
        return Check(
            id=name,
            requirement=None,
            probe=probe,
            scope=Scope.FOLLOW_UP,
            target=CheckTarget(
                host=first.host if only else None,
                address=first.address if only else None,
                ports=str(first.port or "") if len({t.port for t in targets}) == 1 else "",
                transport=first.transport,
            ),
            params=build_params(found.Params, {}, where=name, targets=tuple(targets), **values),
            budget_s=min(self.left_s - SPARE_S, longest_s),
            proves=found.proves,
        )


def can_hear_routers(environment: Environment) -> bool:
    """The error queue or raw sockets: either shows who answered a hop-limited packet."""
    return bool({Capability.ICMP_ERRORS.value, Capability.RAW_SOCKETS.value} & set(environment.capabilities))


def local_address(environment: Environment) -> str:
    """The address of the link that the default route takes."""
    links = sorted(environment.interfaces, key=lambda i: i.name != environment.default_interface)
    found = [a for link in links for a in link.addresses if ":" not in a and not a.startswith("127.")]
    return found[0] if found else "127.0.0.1"


def round_trip(outcomes: Sequence[Outcome]) -> float | None:
    """The longest usual round trip to what answered."""
    times = [float(o.metrics["rtt_ms"] or 0.0) for o in outcomes if o.metrics.get("rtt_ms")]
    return max(times, default=None)
