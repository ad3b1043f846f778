"""The loop: plan, run, run what diagnosis asks for besides, conclude."""

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from readycheck.engine import Limits, Outcome, Progress, Run, RunState
from readycheck.net.address import is_address, is_site_address
from readycheck.net.environment import Environment
from readycheck.net.interface import NetError
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Remembered
from readycheck.plan import Check, Plan, Scope, Selection, plan
from readycheck.profile import Profile
from readycheck.registry import Registry
from readycheck.sampling import PER_RUN

if TYPE_CHECKING:
    from readycheck.report import Report, RunFacts

NAMES_S = 1.0
LEAVING_S, HEAD_START_S = 0.005, 0.4
ASKED_S = 0.02
"""As soon as the name servers have been asked, the processor has nothing to do until they answer."""
BUSY_S = 0.5
"""A round begins with handshakes, which keep the processor busy that long."""
FOLLOW_UP_ROUNDS = 2
LATELY = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run as it was asked for; `draft` is its plan before any address is known.

    `remembered` are addresses of the vendor that answered earlier runs: they are asked first. `get_ready` makes ready,
    while name servers are asked, what else the first handshake would have to wait for.
    """

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
    remembered: tuple[Remembered, ...] = ()
    get_ready: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)
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
) -> "Report":
    """One run, as a report; cancellation gives the report of what is known, marked interrupted."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.deadline_s
    run = Run(request.registry, shared.traced, shared.now_ms, Limits(deadline), watch)
    known: tuple[str, ...] = ()
    made = request.draft
    try:
        async with asyncio.TaskGroup() as group:
            # Names first: what they cost is to be told apart from what the samples cost this host. Of these, the name
            # servers that are tested themselves: over TCP they take two round trips.
            first = [check for check in made.checks if check.scope is Scope.RESOLVERS]
            asked = group.create_task(run.run(first))
            group.create_task(_import_meanwhile(ASKED_S, partial(_get_ready_for_answers, request)))
            head_start = group.create_task(asyncio.wait({asked}, timeout=HEAD_START_S))
            await asyncio.wait({asked}, timeout=LEAVING_S)
            earlier = (one.address for one in request.remembered)
            known = tuple(dict.fromkeys((*earlier, *await _known_addresses(request, shared))))
            made = plan(request.profile, request.registry, request.selection, request.seed, known)
            await head_start
            meanwhile = group.create_task(_import_meanwhile(BUSY_S, _get_ready_to_conclude))
            await run.run([check for check in made.checks if check.scope not in _APART])
            meanwhile.cancel()
        for _ in range(FOLLOW_UP_ROUNDS if run.state is RunState.COMPLETE else 0):
            extra = _further(request, made, run, environment, deadline - loop.time())
            if not extra:
                break
            await run.run(extra)
        await _stream(run, made)
    except asyncio.CancelledError:
        run.state = RunState.INTERRUPTED
    from readycheck.conclude import conclude

    facts = _facts(request, made, run, shared.now_ms())
    return conclude(facts, request.profile, made, run.outcomes, environment, known)


_APART = frozenset({Scope.RESOLVERS, Scope.FAR_END})


async def _stream(run: Run, made: Plan) -> None:
    """What is measured against the responder comes last, one by one: nothing else may disturb its timing.

    What mostly waits does so together.
    """
    asked = [check for check in made.checks if check.scope is Scope.FAR_END]
    waiting = [check for check in asked if check.waits]
    rounds = [[check] for check in asked if not check.waits] + ([waiting] if waiting else [])
    if rounds:
        run.extend(sum(max(check.lasts_s for check in checks) for checks in rounds))
    for checks in rounds:
        await run.run(checks)


async def _import_meanwhile(busy_s: float, get_ready: Callable[[], None]) -> None:
    """What comes next, while the round waits for answers."""
    await asyncio.sleep(busy_s)
    await asyncio.to_thread(get_ready)


def _get_ready_for_answers(request: Request) -> None:
    """What reads those of name servers, and then greets."""
    import_module("dns.message")
    import_module("readycheck.net.tls")
    request.get_ready()


def _get_ready_to_conclude() -> None:
    import_module("readycheck.conclude")
    import_module("readycheck.report").adapter()


def _further(
    request: Request, made: Plan, run: Run, environment: Environment, left_s: float
) -> Sequence[Check]:
    from readycheck.conclude import further_checks

    silent = tuple(_gone_silent(request, run.outcomes))
    return further_checks(
        request.profile,
        made,
        run.outcomes,
        environment,
        request.trusted_pins,
        request.registry,
        left_s,
        silent,
    )


def _facts(request: Request, made: Plan, run: Run, duration_ms: float) -> "RunFacts":
    from readycheck.report import RunFacts, iso

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
        gone_silent=tuple(_gone_silent(request, run.outcomes)),
    )


def _gone_silent(request: Request, outcomes: Sequence[Outcome]) -> Iterator[Remembered]:
    """What answered lately and, asked again, did not now: what that shows is the rules' business."""
    heard: dict[str | None, bool] = {}
    for outcome in outcomes:
        for seen in outcome.observations:
            answered = seen.failure is None and seen.step is outcome.check.proves
            heard[seen.target.address] = heard.get(seen.target.address, False) or answered
    for one in request.remembered:
        lately = request.started - datetime.fromisoformat(one.last) <= LATELY
        if lately and heard.get(one.address) is False:
            yield one


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
