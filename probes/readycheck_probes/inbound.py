"""`inbound`: has the responder call this host at the ports that must be open from outside."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from readycheck.net.interface import Call
from readycheck.probe import (
    Better,
    Effort,
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
from readycheck_probes.dialling import addresses

_LASTS_S = 4.0
"""Two round trips, the call itself, and the question what came of it."""
_NOT_HERE = ("sent", "silent", "refused")
"""What the responder says of a call that did not come to where somebody listens; others refuse in its place."""
_FAILURES = {"refused": Failure.CONNECTION_REFUSED, "unreachable": Failure.HOST_UNREACHABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundParams:
    """`targets` are responders; the plan fills in `called`, the ports of this host, and their `transport`.

    `open_to` says who has to come in: a responder that does not may be none of the `partner`'s addresses, to which
    a firewall rightly opens alone.
    """

    targets: tuple[Target, ...] = ()
    called: tuple[int, ...] = ()
    transport: Literal["udp", "tcp"] = "udp"
    open_to: Literal["anyone", "partner"] = "partner"

    @property
    def may_be_silent(self) -> bool:
        return self.open_to == "partner"

    def lasts_s(self, effort: Effort) -> float:
        """What it adds to the time of a run."""
        return _LASTS_S


class InboundProbe:
    """One order for all ports; a port that a service of this host has is called all the same."""

    name: ClassVar[str] = "inbound"
    title: ClassVar[str] = "Calls from a responder to ports of this host"
    Params: ClassVar[type[InboundParams]] = InboundParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="ports called"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "ports that the call came to"),
    )
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: InboundParams, net: Net) -> None:
        for target in params.targets[:1]:
            there = replace(target, address=(await addresses(net, target))[0])
            to = there.address or "", there.port or 0
            began_ms = net.now_ms()
            with suppress(NetError):
                for call in await net.towards(there).be_called(to, params.transport, params.called):
                    net.record(_observation(there, params.transport, call, began_ms, net.now_ms()))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        calls = [o for o in observations if o.facts.get("purpose") == "call"]
        return {"sent": len(calls), "answered": sum(o.failure is None for o in calls)}


def _observation(target: Target, transport: str, call: Call, began_ms: float, now_ms: float) -> Observation:
    """What came in, or was let in by whoever has the port; silence counts where somebody listened for it."""
    came = call.came or call.outcome == "connected"
    failure = None if came else call.failure or _FAILURES.get(call.outcome, Failure.TIMED_OUT)
    heard = call.failure is None or (transport == "tcp" and call.failure is Failure.ADDRESS_NOT_AVAILABLE)
    return Observation(
        step=Step.ECHO,
        target=target,
        started_ms=round(began_ms, 3),
        elapsed_ms=round(now_ms - began_ms, 3),
        failure=failure,
        detail="" if came else f"the call to {transport} port {call.port}: {call.outcome or 'never made'}",
        facts={
            "purpose": "call",
            "transport": transport,
            "port": call.port,
            "outcome": call.outcome,
            "listened": call.failure is None,
            "shut": not came and heard and call.outcome in _NOT_HERE,
        },
    )
