"""The doors of named hosts, a port of an address each: how they answered, and what follow-ups showed. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readycheck.engine import Outcome, Status
from readycheck.evidence import Rung, Sign, refusal, rungs_of
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope

FIRST_STEPS: Mapping[str, tuple[Step, ...]] = {
    "tcp": (Step.CONNECT,),
    "udp": (Step.ECHO, Step.RESPONSE),
}
"""The steps that show whether anything at the port answers."""

LOST = (Sign.SILENT, Sign.REFUSED, Sign.REJECTED)

_RANK = (Sign.ANSWERED, Sign.REJECTED, Sign.REFUSED, Sign.SILENT, Sign.LOCAL, Sign.UNKNOWN)

Key = tuple[str, str, int]
"""Transport, address and port."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How far the packets to a door came beside those to its control (the probe `flow`).

    `fate` is `left`, `stopped`, `rejected`, `refused`, `answered` or `unknown`; `own` says that the control is
    another port of the same address, `last` how far its packets were seen, `next` the router after `reached`.
    """

    fate: str
    reached: int
    own: bool
    last: int
    arrived: int | None
    edge: int | None
    ttl: int
    offender: str | None
    router: str | None
    next: str | None

    @property
    def comes_through(self) -> bool:
        """As far as the last router before the host: nothing on the way stops them."""
        end = self.last if self.arrived is None else self.arrived - 1
        return self.fate == "left" and self.own and self.reached >= min(end, self.last) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A port of an address. `checks` are those of requirements, `outside` says that it is none of the product's.

    `tried` and `answered` count the tries of the run, and `again` those of the follow-up: answered, of how many.
    `quiet` says that healthy hosts may keep silent there.
    """

    transport: str
    address: str
    port: int
    hosts: tuple[str, ...]
    checks: tuple[str, ...]
    outside: bool
    sign: Sign
    tried: int
    answered: int
    offender: str | None = None
    again: tuple[int, int] = (0, 0)
    flow: Flow | None = None
    quiet: bool = False

    @property
    def key(self) -> Key:
        return self.transport, self.address, self.port

    @property
    def name(self) -> str:
        return next(iter(self.hosts), self.address)

    @property
    def service(self) -> tuple[str, int]:
        return self.transport, self.port

    @property
    def is_lost(self) -> bool:
        """Nothing ever came from it but refusals."""
        answered_later = self.again[0] > 0 or (self.flow is not None and self.flow.fate == "answered")
        return self.sign in LOST and not answered_later

    @property
    def target(self) -> Target:
        return Target(address=self.address, port=self.port, transport=self.transport)


def find_doors(outcomes: Sequence[Outcome]) -> tuple[Door, ...]:
    """Every door that was tried directly, in the order of the plan."""
    tries: dict[Key, list[tuple[Outcome, Observation]]] = {}
    for outcome in outcomes:
        for observation in _first_steps(outcome):
            tries.setdefault(_key(observation.target), []).append((outcome, observation))
    if not any(o.failure for some in tries.values() for _, o in some):
        return tuple(_door(key, some, frozenset()) for key, some in tries.items())
    seen = [o for outcome in outcomes for o in outcome.observations]
    rungs = tuple(rungs_of(seen))
    routers = frozenset(r.address for r in rungs if r.purpose == "ladder")
    flows = _flows(seen, rungs)
    again = _again(seen)
    return tuple(
        _door(key, some, routers, again.get(key, (0, 0)), flows.get(key)) for key, some in tries.items()
    )


def alone(doors: Sequence[Door], among: Iterable[Door]) -> list[Door]:
    """Those of the lost `doors` whose host answers nothing, while other hosts of the product serve the same port."""
    answered = [d for d in among if d.sign is Sign.ANSWERED]
    served, alive = {d.service for d in answered if not d.outside}, {d.address for d in answered}
    return [d for d in doors if d.service in served and d.address not in alive]


def find_flows(outcomes: Sequence[Outcome]) -> Mapping[Key, Flow]:
    """How far packets came, of whatever port was compared with a control: its host need not be the product's."""
    seen = [o for outcome in outcomes for o in outcome.observations]
    return _flows(seen, tuple(rungs_of(seen)))


def _flows(seen: Sequence[Observation], rungs: Sequence[Rung]) -> Mapping[Key, Flow]:
    return {_key(o.target): _flow(o, rungs) for o in seen if "control_own" in o.facts}


def _first_steps(outcome: Outcome) -> Iterator[Observation]:
    named = outcome.check.scope in (Scope.NAMED, Scope.CONTROL) and not outcome.check.target.via
    if not named or outcome.status is not Status.MEASURED:
        return
    for observation in outcome.observations:
        target = observation.target
        steps = FIRST_STEPS.get(outcome.check.target.transport or "", ())
        placed = target.address and target.port and not target.via
        if placed and observation.step in steps and not (outcome.cut and observation.failure):
            yield observation


def _key(target: Target) -> Key:
    transport = "tcp" if target.transport == "tls" else target.transport or ""
    return transport, target.address or "", target.port or 0


def _door(
    key: Key,
    tries: Sequence[tuple[Outcome, Observation]],
    routers: frozenset[str],
    again: tuple[int, int] = (0, 0),
    flow: Flow | None = None,
) -> Door:
    signs = [_sign(o, routers) for _, o in tries]
    refusing = [o for _, o in tries if o.facts.get("offender")]
    return Door(
        transport=key[0],
        address=key[1],
        port=key[2],
        hosts=tuple(dict.fromkeys(o.target.host for _, o in tries if o.target.host)),
        checks=tuple(dict.fromkeys(outcome.check.id for outcome, _ in tries if outcome.check.requirement)),
        outside=all(outcome.check.scope is Scope.CONTROL for outcome, _ in tries),
        sign=min(signs, key=_RANK.index),
        tried=sum(sign in (Sign.ANSWERED, Sign.SILENT) for sign in signs),
        answered=signs.count(Sign.ANSWERED),
        offender=str(refusing[0].facts["offender"]) if refusing else None,
        again=again,
        flow=flow,
        quiet=all(outcome.check.may_be_silent for outcome, _ in tries),
    )


def _sign(observation: Observation, routers: frozenset[str]) -> Sign:
    failure = observation.failure
    if failure is None or observation.facts.get("answered_by_server"):
        return Sign.ANSWERED
    if failure in LOCAL_FAILURES:
        return Sign.LOCAL
    if failure is Failure.TIMED_OUT:
        return Sign.SILENT
    found = refusal(observation, routers)
    return Sign.REFUSED if found is Sign.LEFT else found


def _again(observations: Iterable[Observation]) -> Mapping[Key, tuple[int, int]]:
    found: dict[Key, tuple[int, int]] = {}
    for o in observations:
        if o.facts.get("purpose") in ("repeat", "pair") and o.failure in (None, Failure.TIMED_OUT):
            answered, tried = found.get(_key(o.target), (0, 0))
            found[_key(o.target)] = answered + (o.failure is None), tried + 1
    return found


def _flow(observation: Observation, rungs: Sequence[Rung]) -> Flow:
    facts: Mapping[str, Any] = observation.facts
    reached = int(facts["reached"])
    mine = {r.ttl: r.address for r in rungs if r.target == str(observation.target) and r.purpose == "stopped"}
    beside = {r.ttl: r.address for r in rungs if r.target == facts["control"] and r.purpose == "ladder"}
    return Flow(
        fate=str(facts["fate"]),
        reached=reached,
        own=bool(facts["control_own"]),
        last=int(facts["control_reached"]),
        arrived=facts["control_arrived"],
        edge=int(facts["edge_ttl"]) if facts["edge_proven"] else None,
        ttl=int(facts["ttl"]),
        offender=facts.get("offender"),
        router=mine.get(reached),
        next=beside.get(reached + 1),
    )
