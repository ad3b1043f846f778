"""Asks name servers what nobody can truthfully answer: whatever comes back is made up."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from readycheck.probe import (
    Better,
    Datagrams,
    Effort,
    Endpoint,
    Metric,
    MetricValue,
    Net,
    NetError,
    Network,
    Observation,
    Step,
    Stream,
    Target,
    Unit,
)
from readycheck_probes.dialling import patience
from readycheck_probes.hostile import tame

NOBODY = "nobody"

_MAX_RECORDS = 4
_LINGER_S = 0.3
_NOBODY_S = {Effort.QUICK: 0.5, Effort.NORMAL: 1.0, Effort.THOROUGH: 1.5}


@dataclass(frozen=True, slots=True)
class HijackParams:
    """What to ask the servers `targets`: names that are `unknown` everywhere, and the name `known`.

    At the address `nobody` there is no name server; it is asked for `known` too, once with each of `hop_limits`, or
    without one.
    """

    targets: tuple[Target, ...] = ()
    unknown: tuple[str, ...] = ()
    known: str = ""
    nobody: str = ""
    hop_limits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    kind: str
    target: Target
    hop_limit: int | None = None


def _questions(params: HijackParams) -> Iterator[_Question]:
    kinds = (*(("unknown", name) for name in params.unknown), ("known", params.known))
    for server in params.targets:
        for kind, name in kinds:
            if name and server.address != params.nobody:
                yield _Question(kind, replace(server, host=name))
    if params.nobody and params.known:
        nobody = Target(host=params.known, address=params.nobody, port=53, transport="udp")
        yield from (_Question(NOBODY, nobody, limit) for limit in params.hop_limits or (None,))


@dataclass(frozen=True, slots=True)
class _Limited:
    """Datagrams that come no further than some hop."""

    network: Network
    hop_limit: int

    async def open_datagram(self, *, family: int = 4) -> Datagrams:
        return await self.network.open_datagram(family=family, ttl=self.hop_limit)

    async def connect(self, to: Endpoint, *, timeout: float) -> Stream:
        return await self.network.connect(to, timeout=timeout, ttl=self.hop_limit)


class HijackProbe:
    """The fact `asked` says which question it was; for each a second reply that differs is waited for."""

    name: ClassVar[str] = "hijack"
    title: ClassVar[str] = "Made-up DNS answers"
    Params: ClassVar[type[HijackParams]] = HijackParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="questions asked"),
        Metric("made_up", Unit.COUNT, Better.LOWER, "answers that cannot be true"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: HijackParams, net: Net) -> None:
        # Few, and all at once: they are not to wait for each other's silence.
        async with asyncio.TaskGroup() as group:
            for question in _questions(params):
                group.create_task(net.each([question.target], partial(_ask, question)))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return {"sent": len(observations), "made_up": sum(map(_is_made_up, observations))}


def _is_made_up(observation: Observation) -> bool:
    answered = observation.failure is None or "rcode" in observation.facts
    kind = observation.facts.get("asked")
    return (
        (kind == "unknown" and observation.failure is None)
        or (kind == NOBODY and answered)
        or bool(observation.facts.get("other"))
    )


async def _ask(question: _Question, target: Target, net: Net) -> None:
    from readycheck.net.resolver import query  # dnspython is slow to import

    timeout = _NOBODY_S[net.effort] if question.kind == NOBODY else patience(net)
    with net.step(Step.RESPONSE) as step:
        step.facts["asked"] = question.kind
        sockets: Network | _Limited = net.plain
        if question.hop_limit is not None:
            step.facts["ttl"] = question.hop_limit
            sockets = _Limited(net.plain, question.hop_limit)
        server = (target.address or "", target.port or 53)
        try:
            answer = await query(sockets, server, target.host or "", "A", timeout=timeout, linger_s=_LINGER_S)
        except NetError as error:
            if "other" in error.facts:
                error.facts["other"] = _tamed(error.facts["other"])
            raise
        step.facts.update(
            rcode=answer.rcode, rtt_ms=answer.rtt_ms, records=_bounded(answer.records), **answer.said
        )
        if answer.other is not None:
            step.facts["other"] = _tamed(answer.other)


def _tamed(reply: Mapping[str, Any]) -> dict[str, Any]:
    return {"rcode": reply["rcode"], "records": _bounded(reply["records"])}


def _bounded(records: Sequence[str]) -> list[str | None]:
    return [tame(record) for record in records[:_MAX_RECORDS]]
