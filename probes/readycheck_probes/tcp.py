"""Opens TCP connections: the handshake of a port, or a proxy's word for it, shows that it is reachable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from readycheck.probe import Metric, MetricValue, Net, Observation, Step, Target
from readycheck_probes.dialling import dial
from readycheck_probes.tally import COMMON_METRICS, tally


@dataclass(frozen=True, slots=True)
class TcpParams:
    """Ports, by address or by name."""

    targets: tuple[Target, ...] = ()


class TcpProbe:
    """One connection to each target, closed at once."""

    name: ClassVar[str] = "tcp"
    title: ClassVar[str] = "TCP connections"
    Params: ClassVar[type[TcpParams]] = TcpParams
    metrics: ClassVar[tuple[Metric, ...]] = COMMON_METRICS
    proves: ClassVar[Step] = Step.CONNECT

    async def measure(self, params: TcpParams, net: Net) -> None:
        await net.each(params.targets, _visit)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.CONNECT)


async def _visit(target: Target, net: Net) -> None:
    stream = await dial(net, target)
    stream.close()
