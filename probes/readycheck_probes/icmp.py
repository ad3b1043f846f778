"""Asks hosts for an ICMP echo."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from readycheck.probe import Endpoint, Metric, MetricValue, Net, Observation, Question, Step, Target
from readycheck_probes.asking import ask_all
from readycheck_probes.tally import COMMON_METRICS, tally

_FILLER = bytes(range(0x20, 0x40))


@dataclass(frozen=True, slots=True)
class IcmpParams:
    """Hosts, by address or by name; ICMP has no ports."""

    targets: tuple[Target, ...] = ()


class IcmpProbe:
    """Echo requests to all targets at once; that a host keeps silent proves nothing against the way to it."""

    name: ClassVar[str] = "icmp"
    title: ClassVar[str] = "ICMP echo requests"
    Params: ClassVar[type[IcmpParams]] = IcmpParams
    metrics: ClassVar[tuple[Metric, ...]] = COMMON_METRICS
    proves: ClassVar[Step] = Step.ECHO
    may_be_silent: ClassVar[bool] = True
    privileges: ClassVar[str] = "an ICMP socket (on Linux: net.ipv4.ping_group_range, or CAP_NET_RAW)"

    async def measure(self, params: IcmpParams, net: Net) -> None:
        hosts = [replace(target, port=None, transport="icmp") for target in params.targets]
        await ask_all(net, hosts, _question, once=True, echo=True)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.ECHO)


def _question(target: Target, _: Endpoint) -> Question:
    token = secrets.token_bytes(15)

    def payload(attempt: int) -> bytes:
        return token + bytes([attempt & 0xFF]) + _FILLER

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        if not data.startswith(token):
            return None
        if data[len(token) + 1 :] != _FILLER:
            raise ValueError(f"ICMP echo of {len(data)} bytes is not what was sent")
        return {"attempt": data[len(token)]}

    return Question(target, payload, recognise)
