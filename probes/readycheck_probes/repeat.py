"""`repeat`: asks what failed once more, several times and slowly: does it fail always, or by turns?"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from readycheck.probe import Better, Failure, Metric, MetricValue, Net, Observation, Step, Target, Unit
from readycheck_probes.hops import Sender

# Less than the second after which the kernel sends a lost SYN again (RFC 6298 section 2.1): a try is one packet.
WAIT_S = 0.9
GAP_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatParams:
    """`targets`, each asked `tries` times; `kinds` names the probe whose packet a UDP port is sent.

    With a longer `wait_s` a try at TCP is as many packets as the kernel sends in that time.
    """

    targets: tuple[Target, ...] = ()
    kinds: tuple[tuple[int, str], ...] = ()
    tries: int = 8
    wait_s: float = WAIT_S


class RepeatProbe:
    """One packet at a time, spaced; the tries overlap, so that all take hardly longer than one timeout.

    UDP is asked once more with two packets of one flow: some firewalls lose the first of each, and let pass the rest.

    UDP that answers then, at two addresses or more, is sent the same number of packets at once.
    """

    name: ClassVar[str] = "repeat"
    title: ClassVar[str] = "Failed ports asked again"
    Params: ClassVar[type[RepeatParams]] = RepeatParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="tries"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "tries that were answered"),
    )
    proves: ClassVar[Step] = Step.CONNECT

    async def measure(self, params: RepeatParams, net: Net) -> None:
        sender = Sender(net, dict(params.kinds), params.wait_s)
        answered: Counter[Target] = Counter()
        asked = 0
        async with asyncio.TaskGroup() as group:
            for target in (t for t in params.targets if t.transport == "udp"):
                group.create_task(_ask(target, {"purpose": "pair"}, sender, Counter(), again_s=GAP_S))
            for turn in range(params.tries):
                for target in params.targets:
                    group.create_task(_ask(target, {"purpose": "repeat", "turn": turn}, sender, answered))
                asked += 1
                if net.left_s() < sender.wait_s + GAP_S or turn + 1 == params.tries:
                    break
                await net.sleep(GAP_S)
        whole = [t for t in params.targets if t.transport == "udp" and answered[t] >= asked - 1]
        if len({t.address for t in whole}) > 1 and net.left_s() >= sender.wait_s + GAP_S:
            await _burst(whole, params.tries, sender)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        slow = [o for o in observations if o.facts.get("purpose") == "repeat"]
        return {"sent": len(slow), "answered": sum(o.failure is None for o in slow)}


async def _burst(targets: Sequence[Target], tries: int, sender: Sender) -> None:
    """As many packets as before, at once: what is whole when slow and broken now meets a limit of the rate."""
    answered: Counter[Target] = Counter()
    await sender.net.sleep(GAP_S)
    async with asyncio.TaskGroup() as group:
        for turn in range(tries):
            for target in targets:
                group.create_task(_ask(target, {"purpose": "burst", "turn": turn}, sender, answered))


async def _ask(
    target: Target,
    facts: Mapping[str, object],
    sender: Sender,
    answered: Counter[Target],
    again_s: float | None = None,
) -> None:
    began = sender.net.now_ms()
    failure, more = await sender.once(target, None, again_s)
    if more.get("foreign"):  # it answers another question, or none: somebody is there, and not the service
        failure = Failure.PROTOCOL_ERROR
    answered[target] += failure is None
    sender.net.record(
        Observation(
            step=Step.CONNECT if target.transport == "tcp" else Step.ECHO,
            target=target,
            started_ms=round(began, 3),
            elapsed_ms=round(sender.net.now_ms() - began, 3),
            failure=failure,
            facts={**facts, **more},
        )
    )
