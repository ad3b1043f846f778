"""Asks name servers what nobody can truthfully answer: whatever comes back is made up."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from readycheck.probe import (
    Better,
    Effort,
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

_MAX_RECORDS = 4
_LINGER_S = 0.3
_NOBODY_S = {Effort.QUICK: 0.7, Effort.NORMAL: 1.0, Effort.THOROUGH: 1.5}


@dataclass(frozen=True, slots=True)
class HijackParams:
    """What to ask the servers `targets`: names that are `unknown` everywhere, and the name `known`.

    At the address `nobody` there is no name server; it is asked for `known` too.
    """

    targets: tuple[Target, ...] = ()
    unknown: tuple[str, ...] = ()
    known: str = ""
    nobody: str = ""


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
        asked = [
            (kind, replace(server, host=name))
            for server in params.targets
            for kind, name in (*(("unknown", name) for name in params.unknown), ("known", params.known))
            if name
        ]
        if params.nobody and params.known:
            asked.append(
                ("nobody", Target(host=params.known, address=params.nobody, port=53, transport="udp"))
            )
        kinds = {target: kind for kind, target in asked}

        async def visit(target: Target, net: Net) -> None:
            await _ask(kinds[target], target, net)

        # Few, and all at once: they are not to wait for each other's silence.
        async with asyncio.TaskGroup() as group:
            for target in kinds:
                group.create_task(net.each([target], visit))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return {"sent": len(observations), "made_up": sum(map(_is_made_up, observations))}


def _is_made_up(observation: Observation) -> bool:
    answered = observation.failure is None or "rcode" in observation.facts
    kind = observation.facts.get("asked")
    return (
        (kind == "unknown" and observation.failure is None)
        or (kind == "nobody" and answered)
        or bool(observation.facts.get("other"))
    )


async def _ask(kind: str, target: Target, net: Net) -> None:
    from readycheck.net.resolver import query  # dnspython is slow to import

    timeout = _NOBODY_S[net.effort] if kind == "nobody" else patience(net)
    with net.step(Step.RESPONSE) as step:
        step.facts["asked"] = kind
        server = (target.address or "", target.port or 53)
        try:
            answer = await query(
                net.plain, server, target.host or "", "A", timeout=timeout, linger_s=_LINGER_S
            )
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
