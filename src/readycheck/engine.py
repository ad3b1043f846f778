"""Runs any plan: structured concurrency, budgets and an absolute deadline; never prints, never judges."""

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePath

from readycheck.errors import leaves
from readycheck.failure import Failure
from readycheck.lateness import Lateness
from readycheck.observation import Observation, Trace
from readycheck.plan import Check
from readycheck.probe import MetricValue, Net, NetError
from readycheck.registry import Registry

_FIRST, _STEPS_TO_SEND = 48, 6
"""Of hundreds of checks the first send while the others are still being prepared; they are enough for the rate."""


class Status(StrEnum):
    """What became of a check, before anybody judges it."""

    MEASURED = "measured"
    SKIPPED = "skipped"
    CRASHED = "crashed"


class RunState(StrEnum):
    COMPLETE = "complete"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A check and all that was seen. `because` says why it was skipped or how it crashed."""

    check: Check
    status: Status
    observations: tuple[Observation, ...] = ()
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    because: str = ""
    started_ms: float = 0.0
    duration_ms: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A check began, or ended with an outcome."""

    check: Check
    outcome: Outcome | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Limits:
    """When the run must end (loop time), and how many checks may be under way at once."""

    deadline: float
    checks_at_once: int = 400


Tracer = Callable[[Trace, float], Net]
"""Makes the traced network of one check: its trace, and its own deadline in loop time."""


class Run:
    """One run of checks; what has been seen is readable at any moment, whatever ends it."""

    def __init__(
        self,
        registry: Registry,
        tracer: Tracer,
        now_ms: Callable[[], float],
        limits: Limits,
        watch: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._registry, self._tracer, self._now_ms = registry, tracer, now_ms
        self._limits, self._watch = limits, watch
        self._done: dict[str, Outcome] = {}
        self._running: dict[str, tuple[Check, Trace, float]] = {}
        self._planned: dict[str, None] = {}
        self.state = RunState.COMPLETE
        self.lateness = Lateness()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Outcomes so far in the order of the plan, those of checks under way included."""
        under_way = {
            name: self._close(check, deepcopy(trace), began, Failure.TIMED_OUT)
            for name, (check, trace, began) in self._running.items()
        }
        found = self._done | under_way
        return tuple(found[name] for name in self._planned if name in found)

    def extend(self, seconds: float) -> None:
        """Give the run more time, from now on if its deadline has gone by."""
        start = max(self._limits.deadline, asyncio.get_running_loop().time())
        self._limits = replace(self._limits, deadline=start + seconds)

    async def run(self, checks: Sequence[Check]) -> tuple[Outcome, ...]:
        """Run checks, each after those that it needs; returns their outcomes.

        Cancellation leaves `state` interrupted and the outcomes readable; then it goes on.
        """
        self._planned |= dict.fromkeys(check.id for check in checks)
        ended = {check.id: asyncio.Event() for check in checks}
        gate = asyncio.Semaphore(self._limits.checks_at_once)
        try:
            with self.lateness.felt(asyncio.get_running_loop()):
                async with asyncio.timeout_at(self._limits.deadline), asyncio.TaskGroup() as group:
                    for number, check in enumerate(checks, 1):
                        group.create_task(self._after(check, ended, gate))
                        if number == _FIRST:
                            await _let_them_send()
        except TimeoutError:
            self.state = RunState.DEADLINE
            self._settle(checks, Failure.TIMED_OUT, "the deadline of the run came first")
        except asyncio.CancelledError:
            self.state = RunState.INTERRUPTED
            self._settle(checks, Failure.INTERRUPTED, "interrupted")
            raise
        return tuple(self._done[check.id] for check in checks)

    async def _after(self, check: Check, ended: Mapping[str, asyncio.Event], gate: asyncio.Semaphore) -> None:
        for parent in check.needs:
            if parent in ended:
                await ended[parent].wait()
        async with gate:
            self._finish(await self._measure(check))
        ended[check.id].set()

    async def _measure(self, check: Check) -> Outcome:
        failed = next((p for p in check.needs if not _proved(self._done.get(p))), None)
        if failed:
            return Outcome(check=check, status=Status.SKIPPED, because=failed, started_ms=self._now_ms())
        trace, began = Trace(), self._now_ms()
        self._running[check.id] = check, trace, began
        self._watch(Progress(check, None, len(self._done), len(self._planned)))
        own, whole = asyncio.get_running_loop().time() + check.budget_s, self._limits.deadline
        probe = self._registry.probe(check.probe)
        try:
            # The deadline of the run is not the check's to meet: it cuts them all, and says so.
            async with asyncio.timeout_at(own if own < whole else None):
                await probe.measure(check.params, self._tracer(trace, min(own, whole)))
        except Exception as error:
            if not _is_result(error):
                return self._crashed(check, trace, began, error)
        return self._close(check, trace, began, Failure.TIMED_OUT)

    def _close(self, check: Check, trace: Trace, began: float, pending: Failure) -> Outcome:
        observations = trace.observations(self._now_ms(), pending)
        try:
            metrics = dict(self._registry.probe(check.probe).summarize(observations))
        except Exception as error:
            return self._crashed(check, trace, began, error)
        return Outcome(
            check=check,
            status=Status.MEASURED,
            observations=observations,
            metrics=metrics,
            started_ms=round(began, 3),
            duration_ms=round(self._now_ms() - began, 3),
        )

    def _crashed(self, check: Check, trace: Trace, began: float, error: Exception) -> Outcome:
        """A bug in a probe is reported as one, with its place, and ends nothing but its check."""
        bug = next((one for one in leaves(error) if not _is_result(one)), error)
        frame = (traceback.extract_tb(bug.__traceback__) or traceback.extract_tb(error.__traceback__))[-1]
        place = f"{PurePath(frame.filename).name}:{frame.lineno}"
        return Outcome(
            check=check,
            status=Status.CRASHED,
            observations=trace.observations(self._now_ms()),
            because=f"bug in probe '{check.probe}': {type(bug).__name__}: {str(bug)[:200]} ({place})",
            started_ms=round(began, 3),
            duration_ms=round(self._now_ms() - began, 3),
        )

    def _finish(self, outcome: Outcome) -> None:
        self._running.pop(outcome.check.id, None)
        self._done[outcome.check.id] = outcome
        self._watch(Progress(outcome.check, outcome, len(self._done), len(self._planned)))

    def _settle(self, checks: Sequence[Check], pending: Failure, because: str) -> None:
        """Close what was under way and name why the rest never began."""
        for check, trace, began in list(self._running.values()):
            outcome = self._close(check, trace, began, pending)
            self._done[check.id] = replace(outcome, because=outcome.because or because, cut=True)
        self._running.clear()
        for check in checks:
            if check.id not in self._done:
                self._done[check.id] = Outcome(check=check, status=Status.SKIPPED, because=because, cut=True)


async def _let_them_send() -> None:
    for _ in range(_STEPS_TO_SEND):
        await asyncio.sleep(0)


def _is_result(error: Exception) -> bool:
    """A network failure, alone or of the tasks that the probe started, is a result: the trace has it."""
    return all(isinstance(one, NetError | TimeoutError) for one in leaves(error))


def _proved(outcome: Outcome | None) -> bool:
    return (
        outcome is not None
        and outcome.status is Status.MEASURED
        and any(observation.failure is None for observation in outcome.observations)
    )
