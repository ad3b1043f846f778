"""`repeat`: asks what failed once more, several times and slowly: does it fail always, or by turns?"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from readycheck.probe import Better, Metric, MetricValue, Net, Observation, Step, Target, Unit
from readycheck_probes.hops import Sender

# Less than the second after which the kernel sends a lost SYN again (RFC 6298 section 2.1): a try is one packet.
WAIT_S = 0.9
GAP_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatParams:
    """`targets`, each asked `tries` times; `kinds` names the probe whose packet a UDP port is sent."""

    targets: tuple[Target, ...] = ()
    kinds: tuple[tuple[int, str], ...] = ()
    tries: int = 8


class RepeatProbe:
    """One packet at a time, spaced; the tries overlap, so that all take hardly longer than one timeout."""

    name: ClassVar[str] = "repeat"
    title: ClassVar[str] = "Failed ports asked again"
    Params: ClassVar[type[RepeatParams]] = RepeatParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="tries"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "tries that were answered"),
    )
    proves: ClassVar[Step] = Step.CONNECT

    async def measure(self, params: RepeatParams, net: Net) -> None:
        sender = Sender(net, dict(params.kinds), WAIT_S)
        async with asyncio.TaskGroup() as group:
            for turn in range(params.tries):
                for target in params.targets:
                    group.create_task(_ask(target, turn, sender))
                if net.left_s() < WAIT_S + GAP_S or turn + 1 == params.tries:
                    break
                await net.sleep(GAP_S)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return {"sent": len(observations), "answered": sum(o.failure is None for o in observations)}


async def _ask(target: Target, turn: int, sender: Sender) -> None:
    began = sender.net.now_ms()
    failure, facts = await sender.once(target, None)
    sender.net.record(
        Observation(
            step=Step.CONNECT if target.transport == "tcp" else Step.ECHO,
            target=target,
            started_ms=round(began, 3),
            elapsed_ms=round(sender.net.now_ms() - began, 3),
            failure=failure,
            facts={"purpose": "repeat", "turn": turn, **facts},
        )
    )
