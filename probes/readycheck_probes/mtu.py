"""Tells whether a handshake stalls because large packets vanish: dialled again with smaller segments, it succeeds.

Path MTU discovery (RFC 1191, RFC 8201) needs an ICMP message that nobody may have let through (RFC 2923).
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from readycheck.net.interface import IcmpReport
from readycheck.probe import (
    Better,
    Capability,
    Datagrams,
    Effort,
    Endpoint,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Target,
    TlsSettings,
    Unit,
)
from readycheck_probes.dialling import addresses, family_of, patience
from readycheck_probes.tally import COMMON_METRICS, tally

PURPOSE = "mtu"

# What is left of usual links: PPPoE, tunnels such as WireGuard and IPsec, the least of IPv6, and a safe bet.
SEGMENTS = (1452, 1410, 1380, 1360, 1300, 1240, 1200)
HEADERS = {4: 28, 6: 48}  # of IP and UDP

_BETWEEN_S = 0.02
_ROUNDS_S = (1.2, 0.8)  # routers answer a few such packets at once, and then one each second
_SMALL = 32
_FATHOM_S = 5.0


@dataclass(frozen=True, slots=True)
class MtuParams:
    """TLS servers whose handshakes stalled; the first is asked in every size, the others in the least.

    A target of UDP is a responder, which tells of the way down, too.

    `largest` is the size of the packets that this host's link takes, `hops` how many routers on the way to the
    first are asked whether such a packet comes as far as them.
    """

    targets: tuple[Target, ...] = ()
    hops: int = 10
    largest: int = 1500

    @property
    def proves(self) -> Step:
        return Step.ECHO if _is_responder(self) else Step.TLS_HANDSHAKE

    def lasts_s(self, effort: Effort) -> float:
        """Two ladders each way, of sizes that may all be lost."""
        return _FATHOM_S if _is_responder(self) else 0.0


def _is_responder(params: MtuParams) -> bool:
    return any(target.transport == "udp" for target in params.targets)


class MtuProbe:
    """The same handshake in segments of several sizes, and packets of two sizes to each router on the way."""

    name: ClassVar[str] = "mtu"
    title: ClassVar[str] = "Sizes of packets that pass"
    Params: ClassVar[type[MtuParams]] = MtuParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        Metric("max_segment", Unit.COUNT, title="largest TCP segment in which a handshake succeeded"),
        Metric("largest_up_bytes", Unit.BYTES, Better.HIGHER, "longest packet to the responder in one piece"),
        Metric(
            "largest_down_bytes", Unit.BYTES, Better.HIGHER, "longest packet from the responder in one piece"
        ),
    )
    proves: ClassVar[Step] = Step.TLS_HANDSHAKE

    async def measure(self, params: MtuParams, net: Net) -> None:
        if not params.targets:
            return
        if _is_responder(params):
            with suppress(NetError):
                await _fathom(params.targets[0], net)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(_climb(params, net))
            group.create_task(net.each(params.targets, partial(_redial, params)))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        told = next((o.facts for o in observations if o.step is Step.ECHO and o.failure is None), None)
        if told is not None:
            return {f"{name}_bytes": told[name] for name in ("largest_up", "largest_down")}
        passed = [
            one.facts["max_segment"]
            for one in observations
            if one.step is Step.TLS_HANDSHAKE and one.failure is None and one.facts.get("max_segment")
        ]
        dialled = [one for one in observations if one.step is not Step.HOP]
        return {
            **tally(dialled, self.proves, timed=Step.CONNECT),
            "max_segment": max(passed, default=None),
        }


async def _fathom(target: Target, net: Net) -> None:
    address = (await addresses(net.towards(target), target))[0]
    seen = replace(target, address=address)
    began_ms = net.now_ms()
    fathomed = await net.towards(seen).fathom((address, target.port or 0))
    net.record(
        Observation(
            step=Step.ECHO,
            target=seen,
            started_ms=round(began_ms, 3),
            elapsed_ms=round(net.now_ms() - began_ms, 3),
            facts={"largest_up": fathomed.up, "largest_down": fathomed.down, "tried": fathomed.tried},
        )
    )


async def _redial(params: MtuParams, target: Target, net: Net) -> None:
    sizes = SEGMENTS if target == params.targets[0] else SEGMENTS[-1:]
    async with asyncio.TaskGroup() as group:
        for size in (None, *sizes):
            there = net.towards(target, purpose=PURPOSE, max_segment=size)
            group.create_task(_greet(target, size, there))


async def _greet(target: Target, size: int | None, net: Net) -> None:
    settings = TlsSettings(server_name=target.sni or target.host, verify=False)
    with suppress(NetError):
        stream = await net.connect(_place(target), timeout=patience(net), max_segment=size)
        with closing(stream):
            (await net.start_tls(stream, settings, timeout=patience(net))).close()


def _place(target: Target) -> Endpoint:
    if target.address is None or target.port is None:
        raise ValueError(f"target {target} has no address and port")
    return target.address, target.port


# --- how far large packets come -----------------------------------------------------------------------


@dataclass(slots=True)
class _Size:
    """A socket for packets of one size, and what routers said of them."""

    datagrams: Datagrams
    payload: bytes
    answered: int = 0
    too_big: bool = False
    routers: dict[str, None] = field(default_factory=dict)

    async def send(self, to: Endpoint) -> None:
        with suppress(NetError):  # larger than this host's own link takes: then it shows nothing
            await self.datagrams.send(self.payload, to)

    async def listen(self) -> None:
        """Everything that has come in; a router may say of each packet that its hop limit or its size is exceeded."""
        with suppress(NetError):
            while True:
                item = await self.datagrams.receive(timeout=0)
                if not isinstance(item, IcmpReport):
                    continue
                self.too_big = self.too_big or item.meaning == "fragmentation_needed"
                if item.meaning == "time_exceeded":
                    self.answered += 1
                    self.routers[item.offender or ""] = None


async def _climb(params: MtuParams, net: Net) -> None:
    if not {Capability.HOP_LIMIT, Capability.ICMP_ERRORS} <= net.capabilities():
        return
    async with asyncio.TaskGroup() as group:
        for ttl in range(1, params.hops + 1):
            group.create_task(_ask_router(params, ttl, net))


async def _ask_router(params: MtuParams, ttl: int, net: Net) -> None:
    target = params.targets[0]
    to, family = _place(target), family_of(target.address or "")
    seen = Target(address=to[0], port=to[1], transport="udp")
    with suppress(NetError), net.step(Step.HOP, seen) as step:
        step.facts.update(purpose=PURPOSE, ttl=ttl, sent=len(_ROUNDS_S), bytes=params.largest)
        large = await net.plain.open_datagram(family=family, ttl=ttl, whole=True)
        with closing(large), closing(await net.plain.open_datagram(family=family, ttl=ttl)) as small:
            sizes = _Size(large, bytes(params.largest - HEADERS[family])), _Size(small, bytes(_SMALL))
            await _exchange(sizes, to, net)
        step.facts.update(large=sizes[0].answered, small=sizes[1].answered, too_big=sizes[0].too_big)
        if not sizes[1].answered:
            raise NetError(Failure.TIMED_OUT, "this router says nothing")
        step.facts["offender"] = next(iter(sizes[1].routers))


async def _exchange(sizes: tuple[_Size, _Size], to: Endpoint, net: Net) -> None:
    """The large one first: a router that may answer once more only would answer that."""
    for pause_s in _ROUNDS_S:
        for size in sizes:
            await size.send(to)
            await net.sleep(_BETWEEN_S)
        await net.sleep(pause_s)
        for size in sizes:
            await size.listen()
