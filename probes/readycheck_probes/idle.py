"""`idle`: how long a TCP connection to a responder lives without traffic: a ladder of them, in clear and in TLS."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, ClassVar

from readycheck.probe import (
    Better,
    Effort,
    Held,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Target,
    Unit,
)
from readycheck_probes.dialling import addresses

_EVERY_S = 5.0
"""The busy one speaks so often, and at least three times within the shortest pause."""
_AFTERWARDS_S = 18.0
"""Connecting, agreeing, and waiting for what does not come."""
_ALMOST = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleParams:
    """`ladder_s` are the pauses, each on connections of its own, of which those up to `upto_s` are tried."""

    targets: tuple[Target, ...] = ()
    ladder_s: tuple[float, ...] = (15, 60, 115, 300, 600, 900, 1200, 1800, 3600, 7200)
    upto_s: float = 115

    def __post_init__(self) -> None:
        if self.upto_s <= 0 or any(pause_s <= 0 for pause_s in self.ladder_s):
            raise ValueError("pauses are to be above 0")

    @property
    def rungs_s(self) -> tuple[float, ...]:
        return tuple(sorted({*(pause_s for pause_s in self.ladder_s if pause_s < self.upto_s), self.upto_s}))

    def lasts_s(self, effort: Effort) -> float:
        """What waiting adds to the time of a run."""
        return self.upto_s + _AFTERWARDS_S


class IdleProbe:
    """All at once; beside them a connection of each kind that is kept busy, and shows that it is the silence."""

    name: ClassVar[str] = "idle"
    title: ClassVar[str] = "Lifetime of idle TCP and TLS connections"
    Params: ClassVar[type[IdleParams]] = IdleParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("held", Unit.COUNT, title="connections that were left idle"),
        Metric("idle_s", Unit.SECONDS, Better.HIGHER, "longest silence that they outlived"),
        Metric("idle_died_s", Unit.SECONDS, Better.HIGHER, "shortest silence that one did not outlive"),
    )
    proves: ClassVar[Step] = Step.ECHO
    waits: ClassVar[bool] = True

    async def measure(self, params: IdleParams, net: Net) -> None:
        with suppress(NetError):
            target = params.targets[0]
            address = (await addresses(net.towards(target), target))[0]
            async with asyncio.TaskGroup() as group:
                for transport in ("tcp", "tls"):
                    seen = replace(target, address=address, transport=transport)
                    group.create_task(_busy(net, seen, params.rungs_s))
                    for pause_s in params.rungs_s:
                        group.create_task(
                            _hold(net, seen, [pause_s], {"purpose": "idle", "pause_s": pause_s})
                        )

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        told = [o.facts for o in observations if o.facts.get("purpose") in ("idle", "busy")]
        ladders = [ladder for transport in ("tcp", "tls") if (ladder := _ladder(told, transport)) is not None]
        died = [died_s for _, died_s in ladders if died_s is not None]
        return {
            "held": sum(facts["purpose"] == "idle" for facts in told),
            "idle_s": min((lived_s for lived_s, _ in ladders), default=None),
            "idle_died_s": min(died, default=None),
        }


async def _busy(net: Net, target: Target, rungs_s: Sequence[float]) -> None:
    every_s = min(_EVERY_S, rungs_s[0] / 3)
    await _hold(net, target, [every_s] * ceil(rungs_s[-1] / every_s), {"purpose": "busy"})


async def _hold(net: Net, target: Target, pauses_s: Sequence[float], facts: Mapping[str, Any]) -> None:
    """What one connection cannot do says nothing of the others."""
    began_ms = net.now_ms()
    secure = target.transport == "tls"
    with suppress(NetError):
        held = await net.towards(target).hold(
            (target.address or "", target.port or 0), pauses_s, secure=secure
        )
        net.record(
            Observation(
                step=Step.ECHO,
                target=target,
                started_ms=round(began_ms, 3),
                elapsed_ms=round(net.now_ms() - began_ms, 3),
                facts={**facts, "transport": target.transport, **_facts(held)},
            )
        )


def _facts(held: Held) -> dict[str, Any]:
    return {
        "rang": held.rang,
        "outlived_s": round(held.outlived_s, 3),
        "ended": held.ended.value if held.ended else None,
        "ended_after_s": held.ended_after_s,
        "revived": held.revived,
    }


def _ladder(told: Sequence[Mapping[str, Any]], transport: str) -> tuple[float, float | None] | None:
    """The longest pause that was outlived, and the shortest that was not; None when they say nothing.

    A pause counts only when the busy connection lived through it, and an end only when no longer one was outlived.
    """
    mine = [facts for facts in told if facts["transport"] == transport]
    busy_s = max((facts["outlived_s"] for facts in mine if facts["purpose"] == "busy"), default=0.0)
    alive = sorted(facts["pause_s"] for facts in mine if facts["purpose"] == "idle" and facts["rang"])
    dead = sorted(_dead(mine, busy_s))
    if not alive and not dead:
        return None
    lived_s = max(alive, default=0.0)
    if not dead:
        return lived_s, None
    return (lived_s, dead[0]) if lived_s < dead[0] else None


def _dead(told: Sequence[Mapping[str, Any]], busy_s: float) -> Iterator[float]:
    for facts in told:
        if facts["purpose"] == "idle" and not facts["rang"] and busy_s >= _ALMOST * facts["pause_s"]:
            yield facts["pause_s"]
