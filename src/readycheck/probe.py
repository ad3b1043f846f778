"""The plug-in contract: what a probe is, and what it is given.

A probe is a class (or an object) named by an entry point of the group `readycheck.probes`.
It measures; it never judges, prints or scores.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from readycheck.failure import Failure, Step
from readycheck.net.interface import (
    Capability,
    Datagrams,
    Endpoint,
    Fathomed,
    Filled,
    Held,
    HopLimited,
    Leg,
    NetError,
    Network,
    PlainRequest,
    Played,
    Question,
    Reported,
    Rtcp,
    Schedule,
    Shown,
    Stream,
    TlsSettings,
)
from readycheck.observation import Observation, OpenStep, Target
from readycheck.units import Better, Metric, Unit

__all__ = [
    "Better",
    "Capability",
    "Datagrams",
    "Effort",
    "Endpoint",
    "Failure",
    "Fathomed",
    "Filled",
    "Held",
    "HopLimited",
    "Leg",
    "Metric",
    "Net",
    "NetError",
    "Network",
    "Observation",
    "OpenStep",
    "PlainRequest",
    "Played",
    "Probe",
    "Question",
    "Reported",
    "Rtcp",
    "Schedule",
    "Shown",
    "Step",
    "Stream",
    "Target",
    "TlsSettings",
    "Unit",
]

MetricValue = float | int | None


class Effort(StrEnum):
    """How much a run may cost: `--quick`, the default, `--thorough`."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


class Net(Network, Protocol):
    """The traced network: each verb records its step, so that evidence survives a timeout."""

    @property
    def effort(self) -> Effort:
        """How much the run may cost."""

    @property
    def plain(self) -> Network:
        """The network below, for steps that the probe records itself."""

    def now_ms(self) -> float:
        """Milliseconds since the run began."""

    def left_s(self) -> float:
        """Seconds until the check is ended, infinite without such a moment."""

    def towards(self, target: Target, **facts: Any) -> "Net":
        """The same network, whose verbs record `target` (completed by what the verb knows) and `facts`."""

    async def each(
        self, targets: Sequence[Target], visit: Callable[[Target, "Net"], Awaitable[None]]
    ) -> None:
        """Visit all targets concurrently within the run's limits; a `NetError` ends only its own visit."""

    def step(self, step: Step, target: Target | None = None) -> AbstractContextManager[OpenStep]:
        """A step of its own, such as a request; a `NetError` in it is its failure, and goes on."""

    def record(self, observation: Observation) -> None:
        """Keep an observation that the probe has timed itself."""

    def schedule(self) -> Schedule:
        """The retransmissions that fit the effort of this run."""

    async def ask(
        self, datagrams: Datagrams, questions: Sequence[Question], *, schedule: Schedule | None = None
    ) -> None:
        """Ask all, again as the schedule says; record one `echo` observation for each question."""


P_contra = TypeVar("P_contra", contravariant=True)


class Probe(Protocol[P_contra]):
    """One way to measure.

    `Params` is a frozen dataclass whose field `targets` (a tuple of `Target`) the plan fills; its other
    fields are what a profile may set. `proves` is the step whose success shows that the service answered;
    where that depends on what a profile sets, `Params` has a property `proves` of its own, which counts.
    A probe of services that healthy hosts may leave unanswered says so by `may_be_silent = True`, likewise; one
    whose connections have to stay open after the answer, which its step `echo` shows, by `must_stay = True`; one
    that takes longer than a run has for everything, by a method `lasts_s(effort)` of `Params`, in seconds, and if
    it spends most of it waiting, so that others that do may run beside it, by `waits = True`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Params: ClassVar[type[Any]]
    metrics: ClassVar[tuple[Metric, ...]]
    proves: ClassVar[Step]

    async def measure(self, params: P_contra, net: Net) -> None:
        """Do the steps, through `net`; return nothing. Only `NetError` may leave it."""

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        """Turn what was seen into the declared metrics; pure."""
