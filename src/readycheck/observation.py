"""What was seen: one observation per step, kept in a trace that outlives the probe."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from readycheck.failure import Failure, Step

_LONGEST_DETAIL = 500  # what a plug-in quotes of a server's words may be of any length


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a step went. Only what is known is set."""

    host: str | None = None
    network: str | None = None
    address: str | None = None
    port: int | None = None
    transport: str | None = None
    sni: str | None = None
    via: str | None = None

    def __str__(self) -> str:
        where = self.host or self.address or self.network or "?"
        return f"{where}:{self.port}" if self.port else where


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One step against one target, with at most one failure. Times are milliseconds since the run began."""

    step: Step
    target: Target
    started_ms: float
    elapsed_ms: float
    failure: Failure | None = None
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class OpenStep:
    """A step that has begun; the probe adds facts to it until it ends."""

    def __init__(self, step: Step, target: Target, started_ms: float) -> None:
        self.step = step
        self.target = target
        self.started_ms = started_ms
        self.facts: dict[str, Any] = {}
        self.closed: Observation | None = None

    def at(self, **known: Any) -> None:
        """Fill in what has become known of the target."""
        self.target = replace(self.target, **known)

    def end(self, now_ms: float, failure: Failure | None = None, detail: str = "") -> Observation:
        """Close the step, once; a second call returns what the first one recorded."""
        self.closed = self.closed or Observation(
            step=self.step,
            target=self.target,
            started_ms=round(self.started_ms, 3),
            elapsed_ms=round(max(0.0, now_ms - self.started_ms), 3),
            failure=failure,
            detail="".join(c if c.isprintable() else "\ufffd" for c in detail[:_LONGEST_DETAIL]),
            facts=self.facts,
        )
        return self.closed


class Trace:
    """The steps of one check, in the order in which they began."""

    def __init__(self) -> None:
        self._steps: list[OpenStep] = []

    def open(self, step: Step, target: Target, started_ms: float) -> OpenStep:
        entry = OpenStep(step, target, started_ms)
        self._steps.append(entry)
        return entry

    def add(self, observation: Observation) -> None:
        """Keep a step that the caller has timed itself."""
        entry = self.open(observation.step, observation.target, observation.started_ms)
        entry.closed = observation

    def observations(self, now_ms: float, pending: Failure = Failure.TIMED_OUT) -> tuple[Observation, ...]:
        """All steps; those still under way end `now` with the failure `pending`."""
        return tuple(entry.end(now_ms, pending) for entry in self._steps)


@dataclass(frozen=True, slots=True)
class Remembered:
    """An address of the vendor that answered earlier runs: since when that is known, and the last time."""

    address: str
    since: str
    last: str
