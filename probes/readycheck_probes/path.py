"""`path`: which hops a packet reaches, and so whether it leaves the site although nobody answers it."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from readycheck.failure import classify_icmp
from readycheck.net.interface import IcmpReport
from readycheck.probe import (
    Better,
    Datagrams,
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
from readycheck_probes.hops import Sender, endpoint_of, family_of, patience_s
from readycheck_probes.survey import REFILL_MS, Cell, Edge, Fate, Hop, Survey, find_edge

LADDER = 16
OUTSIDE = 4
"""Routers beyond the first that may be the site's own."""
SPARE_S = 0.15
_ENDS = (Failure.CONNECTION_REFUSED, Failure.ICMP_ADMIN_PROHIBITED, Failure.PORT_UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathParams:
    """`targets` are the cells to prove, most telling first; `controls` answered, one of each transport.

    All may take `seconds`; cells after the first `essential` ones at most `extra_seconds` of the survey.
    `refused` are cells whose refusal is to be located, `walls` other targets that failed, and `outside` hosts
    that are none of the product's: a router on the way to these, too, is no vendor's. `local` and `mapped` are
    this host's address as it sees it itself and as STUN servers saw it. `kinds` names the probe whose packet a
    UDP port is sent, and `rtt_ms` is the round trip to the controls, as far as it is known.
    Of what `answered`, `resent` has each as often as what was sent to it was lost.
    `spared` replies of each router are left to whoever asks next.
    """

    targets: tuple[Target, ...] = ()
    refused: tuple[Target, ...] = ()
    walls: tuple[Target, ...] = ()
    controls: tuple[Target, ...] = ()
    outside: tuple[Target, ...] = ()
    answered: tuple[Target, ...] = ()
    resent: tuple[Target, ...] = ()
    kinds: tuple[tuple[int, str], ...] = ()
    rtt_ms: float | None = None
    local: str = "127.0.0.1"
    mapped: str | None = None
    essential: int = 0
    spared: int = 0
    seconds: float = 8.0
    extra_seconds: float = 4.0


class PathProbe:
    """Send packets with a small hop limit and listen to the routers (design section 3.3)."""

    name: ClassVar[str] = "path"
    title: ClassVar[str] = "Egress proof by hop-limited packets"
    Params: ClassVar[type[PathParams]] = PathParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("hops", Unit.COUNT, title="routers that answered on the way to the control"),
        Metric("sent", Unit.COUNT, title="cells asked"),
        Metric("egress_proven", Unit.COUNT, Better.HIGHER, "cells whose packets left the site"),
        Metric("stopped", Unit.COUNT, Better.LOWER, "cells whose packets stopped while a control's went on"),
    )
    proves: ClassVar[Step] = Step.HOP
    privileges: ClassVar[str] = "none on Linux (error queue)"

    async def measure(self, params: PathParams, net: Net) -> None:
        end_ms = net.now_ms() + params.seconds * 1000
        sender = Sender(net, dict(params.kinds), patience_s(params.rtt_ms))
        # 1. the ladder of hops towards a control, or towards the cells when nothing answers
        reference = params.controls or (*params.refused, *params.targets, *params.walls)[:2]
        ladder = await _way(reference, params, sender)
        # 2. which hops lie beyond the site
        edge = find_edge(ladder.hops, params.local, params.mapped, ladder.arrived)
        beyond = [hop for hop in ladder.hops if hop.ttl > edge.ttl]
        # 3. how far those come that failed already, and who is on the way to hosts outside the product
        upto = beyond[0].ttl if beyond else LADDER
        shared = [(t, hop.ttl) for t in params.outside for hop in beyond[1 : OUTSIDE + 1] if edge.proven]
        heard = _Ladder()
        async with asyncio.TaskGroup() as group:
            group.create_task(_climb(_Ladder(), _rungs(params.walls, upto), sender, "stopped"))
            group.create_task(_climb(heard, shared, sender, "outside"))
        # 4. the survey of the cells, over the hops beyond the edge
        cells = [_cell(t, True) for t in params.refused] + [_cell(t, False) for t in params.targets]
        targets = (*params.refused, *params.targets)
        try:
            if beyond and cells:
                last_ladder_ms = (sender.wait_s + SPARE_S) * 1000
                driver = _Driver(params, targets, cells, beyond, sender)
                async with asyncio.TaskGroup() as group:
                    again = group.create_task(_climb_again(heard, shared, sender, "outside"))
                    await driver.run(end_ms, last_ladder_ms)
                    again.cancel()
        finally:
            _record(net, targets, cells, edge)
            if not cells and ladder.hops:
                _note(net, reference[0], None, {"purpose": "edge", **_told(edge)})
        # 5. how far the stopped ones come
        await _climb(_Ladder(), _rungs(_stopped(targets, cells), upto), sender, "stopped")

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        survey = [o for o in observations if o.facts.get("purpose") == "survey"]
        ladder = {o.facts["ttl"] for o in observations if o.facts.get("purpose") == "ladder" and _is_hop(o)}
        return {
            "hops": len(ladder),
            "sent": sum(o.facts["asked"] > 0 for o in survey),
            "egress_proven": sum(o.facts["fate"] == Fate.LEFT for o in survey),
            "stopped": sum(o.facts["fate"] in (Fate.STOPPED, Fate.REJECTED) for o in survey),
        }


def _is_hop(observation: Observation) -> bool:
    return observation.failure is None and "offender" in observation.facts


def _cell(target: Target, refused: bool) -> Cell:
    return Cell(target.network or target.address or "", target.port or 0, target.transport or "udp", refused)


def _stopped(targets: Sequence[Target], cells: Sequence[Cell]) -> list[Target]:
    """A few stopped cells of different ports and networks stand for the rest."""
    found: dict[tuple[str, int], Target] = {}
    for target, cell in zip(targets, cells, strict=True):
        if cell.fate in (Fate.STOPPED, Fate.REJECTED):
            found.setdefault((cell.transport, cell.port), target)
    return list(found.values())[:3]


@dataclass(slots=True)
class _Ladder:
    """Who answered at each hop limit, and the least one with which the destination was reached."""

    found: dict[int, Hop] = field(default_factory=dict)
    arrived: int | None = None

    @property
    def hops(self) -> list[Hop]:
        return [self.found[ttl] for ttl in sorted(self.found)]

    def keep(self, ttl: int, hop: Hop | None, arrived: bool) -> None:
        if hop:
            self.found.setdefault(ttl, hop)
        elif arrived:
            self.arrived = min(ttl, self.arrived or ttl)


async def _way(reference: Sequence[Target], params: PathParams, sender: Sender) -> _Ladder:
    """The routers on the way, asked once each; where one was not heard, beside another target: they answer seldom."""
    ladder = _Ladder()
    for target in reference:
        unheard = _unheard(ladder, params)
        await _climb(ladder, [(target, ttl) for ttl in unheard], sender, "ladder")
    return ladder


def _unheard(ladder: _Ladder, params: PathParams) -> list[int]:
    """Hop limits short of the target's own; all where none is surely outside: a proxy may answer in its stead."""
    edge = find_edge(ladder.hops, params.local, params.mapped, ladder.arrived)
    last = LADDER
    if edge.proven:
        last = ladder.arrived - 1 if ladder.arrived else max(ladder.found)
    return [ttl for ttl in range(1, last + 1) if ttl not in ladder.found]


def _rungs(targets: Sequence[Target], upto: int) -> list[tuple[Target, int]]:
    return [(target, ttl) for target in targets for ttl in range(1, upto + 1)]


async def _climb(ladder: _Ladder, rungs: Sequence[tuple[Target, int]], sender: Sender, purpose: str) -> None:
    """Send them all at once; record who answers."""
    net = sender.net

    async def step(target: Target, ttl: int) -> None:
        began = net.now_ms()
        failure, facts = await sender.once(target, ttl)
        hop = _rung(net, target, ttl, began, failure, {"purpose": purpose, **facts})
        ladder.keep(ttl, hop, failure is None)

    async with asyncio.TaskGroup() as group:
        for target, ttl in rungs:
            group.create_task(step(target, ttl))


async def _climb_again(
    ladder: _Ladder, rungs: Sequence[tuple[Target, int]], sender: Sender, purpose: str
) -> None:
    """Those that no router answered, as often as a router may answer; until cancelled."""
    while unheard := [(target, ttl) for target, ttl in rungs if ttl not in ladder.found]:
        await sender.net.sleep(REFILL_MS / 1000)
        await _climb(ladder, unheard, sender, purpose)


def _rung(
    net: Net, target: Target, ttl: int, began_ms: float, failure: Failure | None, facts: Mapping[str, object]
) -> Hop | None:
    """Record one packet with one hop limit; the hop that answered it, if one did."""
    elapsed = net.now_ms() - began_ms
    exceeded = failure is Failure.HOP_LIMIT_EXCEEDED
    net.record(
        Observation(
            step=Step.HOP,
            target=target,
            started_ms=round(began_ms, 3),
            elapsed_ms=round(elapsed, 3),
            failure=None if exceeded else failure,
            facts={"ttl": ttl, **facts},
        )
    )
    offender = facts.get("offender")
    return Hop(ttl, offender, elapsed) if exceeded and isinstance(offender, str) else None


class _Driver:
    """Carries the packets of a survey: one unconnected socket per hop limit, a connection per SYN."""

    def __init__(
        self,
        params: PathParams,
        targets: Sequence[Target],
        cells: Sequence[Cell],
        hops: Sequence[Hop],
        sender: Sender,
    ) -> None:
        self._params, self._targets, self._sender, self._net = params, targets, sender, sender.net
        slowest = max(hop.rtt_ms for hop in hops)
        wait_ms = min(1000.0, max(250.0, 4 * slowest))
        self._survey = Survey(
            cells,
            hops,
            wait_ms=wait_ms,
            known_open=_known_open(params.answered),
            passed=_passed(params),
            essential=params.essential,
            spared=params.spared + len(params.outside),
        )
        self._hops = hops
        self._sockets: dict[tuple[int, int], Datagrams] = {}
        self._sent: dict[tuple[int, tuple[str, int]], int | None] = {}
        self._wake = asyncio.Event()

    async def run(self, end_ms: float, afterwards_ms: float) -> None:
        """Until `end_ms`; a suspicion leaves the time that it takes afterwards to see where the packets end."""
        began = self._net.now_ms()
        async with asyncio.TaskGroup() as group:
            listeners = [group.create_task(self._listen(*key)) for key in await self._open()]
            probes: set[asyncio.Task[None]] = set()
            try:
                while not self._over(self._net.now_ms() - began, end_ms, afterwards_ms):
                    for send in self._survey.due(self._net.now_ms()):
                        task = group.create_task(self._send(send.cell, send.hop.ttl))
                        probes.add(task)
                        task.add_done_callback(probes.discard)
                    await self._pause()
            finally:
                for task in (*listeners, *probes):
                    task.cancel()
                for datagrams in self._sockets.values():
                    datagrams.close()
        self._survey.finish()

    def _over(self, elapsed_ms: float, end_ms: float, afterwards_ms: float) -> bool:
        limits = self._params
        if self._survey.has_found():
            end_ms -= afterwards_ms
        if self._net.now_ms() >= end_ms or self._survey.done():
            return True
        enough = elapsed_ms >= limits.extra_seconds * 1000 and self._survey.done(limits.essential)
        return enough and not self._survey.suspects()

    async def _open(self) -> list[tuple[int, int]]:
        families = {family_of(t) for t in (*self._targets, *self._params.controls) if t.transport != "tcp"}
        for family in families:
            for hop in self._hops:
                self._sockets[family, hop.ttl] = await self._net.plain.open_datagram(
                    family=family, ttl=hop.ttl
                )
        return list(self._sockets)

    async def _pause(self) -> None:
        now = self._net.now_ms()
        self._wake.clear()
        try:
            async with asyncio.timeout((self._survey.next_due_ms(now) - now) / 1000):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _send(self, index: int | None, ttl: int) -> None:
        target = self._targets[index] if index is not None else self._control(ttl)
        if target is None:
            return
        if target.transport == "tcp":
            await self._connect(index, target, ttl)
            return
        self._sent[ttl, endpoint_of(target)] = index
        try:
            await self._sockets[family_of(target), ttl].send(
                self._sender.payload(target), endpoint_of(target)
            )
        except NetError:
            return  # a local refusal is no evidence; the survey sees silence and the control decides

    def _control(self, ttl: int) -> Target | None:
        controls = self._params.controls
        return controls[ttl % len(controls)] if controls else None

    async def _connect(self, index: int | None, target: Target, ttl: int) -> None:
        failure, facts = await self._sender.once(target, ttl)
        offender = facts.get("offender")
        self._tell(index, ttl, failure, offender if isinstance(offender, str) else None)

    async def _listen(self, family: int, ttl: int) -> None:
        """Hand every report of one socket to the survey, by its original destination."""
        datagrams = self._sockets[family, ttl]
        while True:
            try:
                reply = await datagrams.receive(timeout=3600)
            except NetError:
                return
            source = reply.destination if isinstance(reply, IcmpReport) else reply.source
            if (ttl, source) not in self._sent:
                continue
            failure = classify_icmp(reply.meaning) if isinstance(reply, IcmpReport) else None
            offender = reply.offender if isinstance(reply, IcmpReport) else None
            self._tell(self._sent[ttl, source], ttl, failure, offender)

    def _tell(self, index: int | None, ttl: int, failure: Failure | None, offender: str | None) -> None:
        if failure is Failure.HOP_LIMIT_EXCEEDED:
            self._survey.exceeded(index, ttl, self._net.now_ms(), offender)
        elif index is not None and (failure is None or offender == self._targets[index].address):
            self._survey.arrived(index, ttl)
        elif index is not None and failure in _ENDS:
            self._survey.rejected(index, ttl, offender)
        self._wake.set()


def _known_open(answered: Sequence[Target]) -> Iterator[object]:
    for target in answered:
        yield from (target.transport, target.network, _port(target))


def _passed(params: PathParams) -> Mapping[tuple[str, int], tuple[int, int]]:
    came, lost = Counter(map(_port, params.answered)), Counter(map(_port, params.resent))
    return {port: (lost[port], lost[port] + count) for port, count in came.items()}


def _port(target: Target) -> tuple[str, int]:
    return target.transport or "udp", target.port or 0


_FAILURES = {Fate.LEFT: None, Fate.REJECTED: Failure.CONNECTION_REFUSED}


def _record(net: Net, targets: Sequence[Target], cells: Sequence[Cell], edge: Edge) -> None:
    """One observation a cell that was asked."""
    for target, cell in zip(targets, cells, strict=True):
        if not cell.asked:
            continue
        facts = {
            "purpose": "survey",
            "fate": cell.fate.value,
            "ttl": cell.ttl,
            "offender": cell.offender,
            "asked": cell.asked,
            "missed_beside_control": cell.missed,
            "missed_at": tuple(cell.missed_at),
            **_told(edge),
        }
        _note(net, target, _FAILURES.get(cell.fate, Failure.TIMED_OUT), facts)


def _told(edge: Edge) -> dict[str, object]:
    return {"edge_ttl": edge.ttl, "edge_proven": edge.proven}


def _note(net: Net, target: Target, failure: Failure | None, facts: Mapping[str, object]) -> None:
    now = round(net.now_ms(), 3)
    net.record(
        Observation(
            step=Step.HOP, target=target, started_ms=now, elapsed_ms=0.0, failure=failure, facts=facts
        )
    )
