"""Asks name servers for names."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, ClassVar

from readycheck.probe import (
    Better,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Target,
    Unit,
)
from readycheck_probes.dialling import patience
from readycheck_probes.hostile import tame
from readycheck_probes.tally import COMMON_METRICS, median_of, rtts_ms

_MAX_RECORDS = 16


@dataclass(frozen=True, slots=True)
class DnsParams:
    """Names to ask the servers `targets` for, by default those in use; `srv` are service names.

    Questions are put `gap_s` apart: of those that leave at once, one full queue on the way may lose all.
    """

    targets: tuple[Target, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ("A",)
    srv: tuple[str, ...] = ()
    gap_s: float = 0.0


class DnsProbe:
    """Every name at every server; that a name does not exist is an answer of the server."""

    name: ClassVar[str] = "dns"
    title: ClassVar[str] = "DNS queries"
    Params: ClassVar[type[DnsParams]] = DnsParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        Metric("slowest_ms", Unit.MILLISECONDS, Better.LOWER, "slowest answer"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: DnsParams, net: Net) -> None:
        servers = params.targets or _servers_in_use(net)
        wanted = {**dict.fromkeys(params.types, params.names), **({"SRV": params.srv} if params.srv else {})}
        turns = (number * params.gap_s for number in count())
        async with asyncio.TaskGroup() as group:
            for rdtype, names in wanted.items():
                asked = [replace(server, host=name) for name in names for server in servers]
                group.create_task(net.each(asked, partial(_visit, rdtype, turns)))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        queries = [one for one in observations if one.step is Step.RESPONSE]
        answers = [one for one in queries if one.failure is None or one.facts.get("answered_by_server")]
        times = rtts_ms(answers)
        return {
            "sent": len(queries),
            "answered": len(answers),
            "rtt_ms": median_of(times),
            "slowest_ms": max(times, default=None),
        }


def _servers_in_use(net: Net) -> tuple[Target, ...]:
    found = net.resolvers()
    return tuple(Target(address=address, port=port) for address, port in found) or (Target(),)


async def _visit(rdtype: str, turns: Iterator[float], target: Target, net: Net) -> None:
    if after_s := next(turns):
        await net.sleep(after_s)
    with net.step(Step.RESPONSE) as step:
        step.facts.update(type=rdtype, answered_by_server=False)  # a query that is cut off was not answered
        try:
            step.facts.update(await _query(rdtype, target, net))
        except NetError as error:
            step.facts["answered_by_server"] = "rcode" in error.facts
            raise


async def _query(rdtype: str, target: Target, net: Net) -> Mapping[str, Any]:
    from readycheck.net.resolver import query  # dnspython is slow to import

    if target.address is None:
        raise NetError(Failure.DNS_NO_RESOLVER, "this host has no name server")
    server = (target.address, target.port or 53)
    transport = target.transport or "udp"
    # Through the plain network: the connection of DNS over TCP is part of this step, not one of its own.
    answer = await query(
        net.plain, server, target.host or ".", rdtype, transport=transport, timeout=patience(net)
    )
    return {
        "answered_by_server": True,
        "rcode": answer.rcode,
        "records": [tame(record) for record in answer.records[:_MAX_RECORDS]],
        "truncated": answer.truncated,
        "rtt_ms": answer.rtt_ms,
        "edns_fallback": answer.edns_fallback,
        **answer.said,
    }
