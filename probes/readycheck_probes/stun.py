"""Asks STUN servers for a binding: the answer shows that UDP passes both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from readycheck.probe import Endpoint, Metric, MetricValue, Net, Observation, Question, Step, Target
from readycheck_probes.asking import ask_all
from readycheck_probes.binding import Binding
from readycheck_probes.tally import COMMON_METRICS, tally


@dataclass(frozen=True, slots=True)
class StunParams:
    """Servers, by address or by name."""

    targets: tuple[Target, ...] = ()


class StunProbe:
    """Binding requests to all targets at once."""

    name: ClassVar[str] = "stun"
    title: ClassVar[str] = "STUN binding requests over UDP"
    Params: ClassVar[type[StunParams]] = StunParams
    metrics: ClassVar[tuple[Metric, ...]] = COMMON_METRICS
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: StunParams, net: Net) -> None:
        await ask_all(net, params.targets, _question, once=True)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.ECHO)


def _question(target: Target, local: Endpoint) -> Question:
    binding = Binding()

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        facts = binding.recognise(data)
        # What a NAT made of the port is in the answer.
        return None if facts is None else {**facts, "local_port": local[1]}

    return Question(target, binding.payload, recognise)
