"""The loop: plan, run, look for what only hop-limited packets can prove, judge, diagnose, score."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from readycheck.diagnose.case import Case
from readycheck.diagnose.situation import Situation, can_hear_routers
from readycheck.diagnose.table import diagnose, follow_ups
from readycheck.engine import Limits, Outcome, Progress, Run, RunState, Status
from readycheck.evidence import Evidence, gather
from readycheck.failure import Failure
from readycheck.net.address import is_address, is_site_address
from readycheck.net.environment import Environment, is_ipv6_only
from readycheck.net.interface import NetError
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Observation
from readycheck.plan import Plan, Scope, Selection, plan
from readycheck.profile import Profile
from readycheck.registry import Registry
from readycheck.report import Report, RunFacts, compose, iso
from readycheck.sampling import PER_RUN
from readycheck.score import Grade, Score, score
from readycheck.verdict import Verdict, bench, judge_all, overall

NAMES_S = 1.0
HEAD_START_S = 0.4
FOLLOW_UP_ROUNDS = 2
TOO_BUSY = "this host was too busy to wait for the answer"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run as it was asked for; `draft` is its plan before any address is known."""

    profile: Profile
    registry: Registry
    selection: Selection
    draft: Plan
    deadline_s: float
    options: Mapping[str, Any]
    site: str | None = None
    trusted_pins: frozenset[str] = frozenset()
    trust_roots: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def seed(self) -> int:
        return self.draft.seed


async def assess(
    request: Request,
    shared: SharedNetwork,
    environment: Environment,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """One run, as a report; cancellation gives the report of what is known, marked interrupted."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.deadline_s
    run = Run(request.registry, shared.traced, shared.now_ms, Limits(deadline), watch)
    known: tuple[str, ...] = ()
    made = request.draft
    try:
        async with asyncio.TaskGroup() as group:
            # Names first: what they cost is to be told apart from what the samples cost this host.
            first = [check for check in made.checks if check.scope is Scope.RESOLVERS]
            asked = group.create_task(run.run(first))
            head_start = group.create_task(asyncio.wait({asked}, timeout=HEAD_START_S))
            known = await _known_addresses(request, shared)
            await head_start
            made = plan(request.profile, request.registry, request.selection, request.seed, known)
            await run.run([check for check in made.checks if check.scope is not Scope.RESOLVERS])
        for _ in range(FOLLOW_UP_ROUNDS if run.state is RunState.COMPLETE else 0):
            extra = follow_ups(_situation(request, made, run, environment, deadline - loop.time()))
            if not extra:
                break
            await run.run(extra)
    except asyncio.CancelledError:
        run.state = RunState.INTERRUPTED
    facts = _facts(request, made, run, shared.now_ms())
    return conclude(facts, request.profile, made, run.outcomes, environment, known)


def _situation(request: Request, made: Plan, run: Run, environment: Environment, left_s: float) -> Situation:
    seen = tuple(run.outcomes)

    def judged(evidence: Evidence) -> Case:
        return judge(request.profile, made, seen, evidence, environment, set(request.trusted_pins))

    return Situation(
        plan=made,
        registry=request.registry,
        outcomes=seen,
        environment=environment,
        left_s=left_s,
        judged=judged,
    )


def judge(
    profile: Profile,
    made: Plan,
    seen: tuple[Outcome, ...],
    evidence: Evidence,
    environment: Environment,
    trusted_pins: Set[str],
) -> Case:
    """What was seen, with its verdicts."""
    pins = {pin.spki_sha256 for pin in profile.pins} | trusted_pins
    basis = bench(
        made.selected,
        evidence,
        pins,
        hops=can_hear_routers(environment),
        ipv4=not is_ipv6_only(environment),
    )
    verdicts = judge_all(made, seen, basis)
    return Case(profile, environment, verdicts, tuple(map(_seen_to_its_end, seen)), evidence, made.roles)


def conclude(
    run: RunFacts,
    profile: Profile,
    made: Plan,
    outcomes: Sequence[Outcome],
    environment: Environment,
    known: Sequence[str],
) -> Report:
    """Everything after the run; pure, and all that it needs is in the report that it makes."""
    seen = tuple(map(_unhurried, outcomes)) if run.self_limited else tuple(outcomes)
    case = judge(profile, made, seen, gather(seen), environment, set(run.trusted_pins))
    verdicts = case.verdicts
    return compose(
        run=run,
        profile=profile,
        known=known,
        environment=environment,
        readiness=overall(verdicts, run.state),
        score=_scored(verdicts, profile, run.state),
        verdicts=verdicts,
        outcomes=outcomes,
        findings=diagnose(case),
    )


def _scored(verdicts: Sequence[Verdict], profile: Profile, state: RunState) -> Score:
    """A run that somebody ended says nothing of the whole."""
    found = score(verdicts, profile)
    if state is not RunState.INTERRUPTED:
        return found
    return replace(found, overall=None, grade=Grade.NOT_GRADED, because="not graded: interrupted")


def _unhurried(outcome: Outcome) -> Outcome:
    """A host too busy to look in time may have had the answer: what it took for silence shows nothing.

    Hop-limited packets are left as they are: each is compared with a control that had to wait as long.
    """
    measured = outcome.status is Status.MEASURED and outcome.check.scope is not Scope.PATH
    if not measured or not any(map(_is_silence, outcome.observations)):
        return outcome
    kept = tuple(
        replace(o, failure=Failure.INTERRUPTED) if _is_silence(o) else o for o in outcome.observations
    )
    return replace(outcome, observations=kept, because=outcome.because if outcome.cut else TOO_BUSY, cut=True)


def _is_silence(observation: Observation) -> bool:
    return observation.failure is Failure.TIMED_OUT


def _seen_to_its_end(outcome: Outcome) -> Outcome:
    """Without the steps that were under way when the user ended the run: they show nothing."""
    kept = tuple(o for o in outcome.observations if o.failure is not Failure.INTERRUPTED)
    return replace(outcome, observations=kept)


def _facts(request: Request, made: Plan, run: Run, duration_ms: float) -> RunFacts:
    return RunFacts(
        id=request.run_id,
        state=run.state,
        self_limited=run.lateness.too_late,
        started_at=iso(request.started),
        duration_ms=round(duration_ms, 1),
        seed=request.seed,
        site=request.site,
        profile=request.profile.name,
        profile_revision=request.profile.revision,
        profile_hash=request.profile.hash,
        roles=made.roles,
        options=request.options,
        trust_roots=request.trust_roots,
        trusted_pins=tuple(sorted(request.trusted_pins)),
        notes=request.notes,
    )


async def _known_addresses(request: Request, shared: SharedNetwork) -> tuple[str, ...]:
    """Addresses of given and profile names: asked first, because named nodes are likelier to be alive."""
    hosts = [text.partition("=")[0] for text in request.selection.targets if "=" not in text]
    hosts += [
        host for group in request.profile.names.values() for entry in group.domains for host in entry.hosts
    ]
    hosts = [host for host in dict.fromkeys(hosts) if not is_address(host)][:PER_RUN]
    found: dict[str, tuple[str, ...]] = {}

    async def look_up(host: str) -> None:
        try:
            found[host] = (await shared.names.resolve(host, timeout=NAMES_S)).addresses
        except NetError:
            found[host] = ()

    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(look_up(host))
    addresses = [a for host in hosts for a in found.get(host, ())]
    return tuple(dict.fromkeys(a for a in addresses if not is_site_address(a)))
