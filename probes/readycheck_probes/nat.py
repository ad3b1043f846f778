"""`nat`: how the NAT on the way maps, filters and forgets (RFC 5780)."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
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
    Question,
    Step,
    Target,
    Unit,
)
from readycheck_probes.binding import Binding
from readycheck_probes.dialling import addresses
from readycheck_probes.errand import Errand, endpoint
from readycheck_probes.introduction import introduce
from readycheck_probes.lifetime import climb, longest_alive
from readycheck_probes.own_address import find_own_address

SOCKETS = 2
_AFTERWARDS_S = 5.0
"""Three losses of each of the questions that end a rung."""
_FILTERS = {"address": {"change_ip": True, "change_port": True}, "port": {"change_port": True}}


@dataclass(frozen=True, slots=True, kw_only=True)
class NatParams:
    """`targets` are STUN servers; with `behaviour` they are a far end of our own, which does all of RFC 5780.

    `ladder_s` are the pauses after which a binding is looked for in a thorough run, each on a socket of its own that
    has exchanged packets for `keep_s` before: Linux keeps a flow for long only when it is active both ways after two
    seconds.
    """

    targets: tuple[Target, ...] = ()
    behaviour: bool = False
    ladder_s: tuple[float, ...] = ()
    keep_s: float = 3.0

    def lasts_s(self, effort: Effort) -> float:
        """What the ladder adds to the time of a run."""
        return self.keep_s + max(self.rungs_s(effort)) + _AFTERWARDS_S if self.rungs_s(effort) else 0.0

    def rungs_s(self, effort: Effort) -> tuple[float, ...]:
        return self.ladder_s if effort is Effort.THOROUGH else ()


class NatProbe:
    """All at once, on sockets of their own: a silent filter costs one timeout, a ladder its longest pause."""

    name: ClassVar[str] = "nat"
    title: ClassVar[str] = "NAT mapping, filtering and binding lifetime"
    Params: ClassVar[type[NatParams]] = NatParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="questions from one socket"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "of these answered"),
        Metric("binding_s", Unit.SECONDS, Better.HIGHER, "longest pause that a UDP binding outlived"),
    )
    proves: ClassVar[Step] = Step.ECHO
    waits: ClassVar[bool] = True

    async def measure(self, params: NatParams, net: Net) -> None:
        servers = await _located(net, params.targets)
        for target in servers[:1] if params.behaviour else ():
            await introduce(net, target)
        rungs_s = params.rungs_s(net.effort)
        async with asyncio.TaskGroup() as group:
            for turn in range(SOCKETS):
                group.create_task(_unfailing(_map(net, servers, params.behaviour, turn)))
            for target in servers[:1]:
                group.create_task(_unfailing(find_own_address(net, target)))
                for question in _behaviour(net, target) if params.behaviour else ():
                    group.create_task(_unfailing(question))
                if rungs_s:
                    group.create_task(climb(net, target, rungs_s, params.keep_s))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        asked = [o for o in observations if o.step is Step.ECHO and "purpose" not in o.facts]
        asked += [o for o in observations if o.facts.get("purpose") == "mapping"]
        return {
            "sent": len(asked),
            "answered": sum(o.failure is None for o in asked),
            "binding_s": longest_alive(observations),
        }


def _behaviour(net: Net, target: Target) -> Iterator[Awaitable[None]]:
    yield _hairpin(net, target)
    yield from (_filter(net, target, kind) for kind in _FILTERS)


async def _unfailing(work: Awaitable[None]) -> None:
    """What one socket cannot do says nothing of the others."""
    with suppress(NetError):
        await work


async def _located(net: Net, targets: Sequence[Target]) -> list[Target]:
    """With their IPv4 addresses, the only ones that are translated; names that do not resolve are left out."""
    found: dict[int, Target] = {}

    async def visit(target: Target, there: Net) -> None:
        ours = [a for a in await addresses(there, target) if ":" not in a]
        found.update({targets.index(target): replace(target, address=a, transport="udp") for a in ours[:1]})

    await net.each(targets, visit)
    return [found[rank] for rank in sorted(found)]


async def _map(net: Net, servers: Sequence[Target], behaviour: bool, turn: int) -> None:
    """The same socket asks everybody; of a far end also its other address and port, which its answer names."""
    with closing(await net.plain.open_datagram(family=4)) as sock:
        others: list[str] = []

        def question(target: Target) -> Question:
            return _question(target, turn, sock.local[1], others)

        await net.ask(sock, [question(target) for target in servers])
        second = [t for text in others[:1] for t in _others(servers[0], text)] if behaviour else []
        if second:
            await net.ask(sock, [question(target) for target in second])


def _question(target: Target, turn: int, local_port: int, others: list[str]) -> Question:
    binding = Binding()

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        facts = binding.recognise(data)
        if facts is None:
            return None
        others.extend([facts["other_address"]] if facts.get("other_address") else [])
        return {**facts, "purpose": "mapping", "socket": turn, "local_port": local_port}

    return Question(target, binding.payload, recognise)


def _others(target: Target, other: str) -> list[Target]:
    """The three other combinations of a far end's two addresses and ports (RFC 5780 section 4.3)."""
    host, _, port = other.rpartition(":")
    places = dict.fromkeys(((host, target.port), (host, int(port)), (target.address, int(port))))
    places.pop((target.address, target.port), None)
    return [Target(address=a, port=p, transport="udp") for a, p in places]


async def _filter(net: Net, target: Target, kind: str) -> None:
    """Whether an answer from elsewhere comes in, on a socket that has asked the target only (section 4.4)."""
    with closing(await net.plain.open_datagram(family=4)) as sock:
        errand = Errand(net, sock, sock)
        began = net.now_ms()
        known = await errand.ask(endpoint(target))
        if not known or "other_address" not in known:
            return
        found = await errand.ask(endpoint(target), **_FILTERS[kind])
        said = "refused" if found and "error_code" in found else "passes" if found else "silent"
        errand.record(target, began, {"purpose": "filtering", "from_other": kind, "answer": said})


async def _hairpin(net: Net, target: Target) -> None:
    """Whether a packet to one's own mapped address comes back in (section 4.5)."""
    opened = net.plain.open_datagram
    with closing(await opened(family=4)) as sock, closing(await opened(family=4)) as other:
        began = net.now_ms()
        known = await Errand(net, sock, sock).ask(endpoint(target))
        mapped = str((known or {}).get("mapped_address", ""))
        host, _, port = mapped.rpartition(":")
        if not host or sock.local[0] == host:
            return
        errand = Errand(net, other, sock)
        came = await errand.send_round((host, int(port)))
        facts = {"purpose": "hairpin", "mapped_address": mapped, "local_port": sock.local[1], "hairpin": came}
        errand.record(target, began, facts)
