"""`flow`: how far packets that nobody answers come, hop by hop beside those to a port that answers."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from readycheck.probe import (
    Better,
    Failure,
    Metric,
    MetricValue,
    Net,
    Observation,
    Step,
    Target,
    Unit,
)
from readycheck_probes.hops import Sender, patience_s
from readycheck_probes.survey import Edge, Hop, find_edge, is_last

LONGEST_WAY = 16
REFILL_S = 1.1
TURNS = 2
BEHIND_S = 0.02
"""Between packets that may compete for a router's last answer, which is the first one's."""

CHANCE = 0.01
"""That so many are lost of the target's, at the share that is lost of its control's with one for doubt."""

STARVED = 7
"""One in a hundred, if each answer falls to the target or its control like a coin."""
_REFUSALS = (Failure.CONNECTION_REFUSED, Failure.ICMP_ADMIN_PROHIBITED, Failure.PORT_UNREACHABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowParams:
    """`targets` failed, and `controls` are as many that answered, at best other ports of the same addresses.

    `kinds` names the probe whose packet a UDP port is sent; `local` and `mapped` are this host's address as it
    sees it itself and as STUN servers saw it, and `edge` is the site's last hop of IPv4 where that is known already.
    """

    targets: tuple[Target, ...] = ()
    controls: tuple[Target, ...] = ()
    kinds: tuple[tuple[int, str], ...] = ()
    rtt_ms: float | None = None
    local: str = "127.0.0.1"
    mapped: str | None = None
    edge: int | None = None
    turns: int = 4


class FlowProbe:
    """Send packets to a silent port with every hop limit, and right behind each of them one to its control.

    A router that answers seldom, or that two addresses do not share, must not look like a wall: only an answer to
    the control that the target's packet beside it did not get counts, in two turns, and one answer from beyond
    undoes it (design section 3.3).
    """

    name: ClassVar[str] = "flow"
    title: ClassVar[str] = "How far silent packets come, beside a control"
    Params: ClassVar[type[FlowParams]] = FlowParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="flows compared"),
        Metric("passed", Unit.COUNT, Better.HIGHER, "flows that come as far as their control"),
        Metric("stopped", Unit.COUNT, Better.LOWER, "flows that stop, or are refused, on the way"),
    )
    proves: ClassVar[Step] = Step.HOP
    privileges: ClassVar[str] = "none on Linux (error queue)"

    async def measure(self, params: FlowParams, net: Net) -> None:
        sender = Sender(net, dict(params.kinds), patience_s(params.rtt_ms))
        pairs = zip(params.targets, params.controls, strict=True)
        site = params.edge or 0
        flows = [_Flow(*pair, site=site if _is_ipv4(pair[0]) else 0) for pair in pairs]
        for turn in range(params.turns):
            waiting = [f for f in flows if turn == 0 or not (f.passed or _is_stopped(f, flows))]
            if turn > TURNS:  # so much is enough, but for one answer that was lost
                waiting = [f for f in waiting if _is_close(f, flows)]
            # Cut short it would tell nothing of the turns before.
            lasts_s = sender.wait_s + 2 * BEHIND_S * len(waiting) + (REFILL_S if turn else 0)
            if not waiting or net.left_s() < lasts_s:
                break
            if turn:
                await net.sleep(REFILL_S)
            await _climb(waiting, turn, sender)
        dead = [f for f in flows if f.of_network and sender.speaks(f.target) and _is_stopped(f, flows)]
        if dead and net.left_s() >= sender.wait_s + BEHIND_S + REFILL_S:
            await net.sleep(REFILL_S)
            await _climb_as_media(dead, sender)
        for flow in flows:
            _record(net, flow, _edge(flow, params), stopped=_is_stopped(flow, flows))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        fates = [o.facts["fate"] for o in observations if o.facts.get("purpose") == "survey"]
        return {
            "sent": len(fates),
            "passed": fates.count("left"),
            "stopped": fates.count("stopped") + fates.count("rejected"),
        }


@dataclass(slots=True)
class _Flow:
    """Two ladders: `seen` are the routers that answered, by hop limit, and `missed` what the control outlived.

    Of the control's packets routers answered `heard`, and not those of `unheard`.
    `media_reached` is how far RTP to the port came where its own kind stops, 0 where that stops as well.
    `site` is the last hop of the site, 0 where that is not known.
    """

    target: Target
    control: Target
    site: int = 0
    seen: dict[int, str] = field(default_factory=dict)
    beside: dict[int, Hop] = field(default_factory=dict)
    missed: set[tuple[int, int]] = field(default_factory=set)
    refused: dict[int, str | None] = field(default_factory=dict)
    heard: int = 0
    unheard: set[tuple[int, int]] = field(default_factory=set)
    answered: bool = False
    control_arrived: int | None = None
    asked: int = 0
    media_reached: int = 0

    @property
    def control_hops(self) -> list[Hop]:
        return [self.beside[ttl] for ttl in sorted(self.beside)]

    @property
    def reached(self) -> int:
        return max(self.seen, default=0)

    @property
    def service(self) -> tuple[str | None, int | None]:
        return self.target.transport, self.target.port

    @property
    def own(self) -> bool:
        """The control is another port of the same address: both go the same way."""
        return self.target.address == self.control.address

    @property
    def of_network(self) -> bool:
        """It stands for its port in all networks, beside another one of its own address."""
        return self.own and self.target.network is not None

    @property
    def outlived(self) -> set[tuple[int, int]]:
        """Turns and hop limits beyond the last answer at which the control was answered alone."""
        return {(turn, ttl) for turn, ttl in self.missed if ttl > self.reached}

    def hop_limits(self, turn: int) -> Iterator[int]:
        """All of them at first; then those that would tell a wall from a lost answer."""
        end = self.control_arrived or max(self.beside, default=0) + 1
        yield from range(1, LONGEST_WAY + 1) if turn == 0 else range(self.reached + 1, end)

    @property
    def passed(self) -> bool:
        """Nothing is left to ask: it came as far as the control, and out of the site, or to who refuses it."""
        whole = self.reached + 1 == self.control_arrived
        far = self.reached >= max(self.beside, default=0) and (whole or self.reached > self.site > 0)
        met = bool(self.refused) and (not self.beside or self.reached + 1 >= min(self.refused))
        return far or self.answered or met

    @property
    def passes_as_media(self) -> bool:
        """RTP came to the farthest hop that its own kind did not: up to a wall, either may miss a nearer answer."""
        return self.media_reached >= max((ttl for _, ttl in self.outlived), default=1)

    def is_stopped(self) -> bool:
        """It takes more where routers that answer at all keep the control waiting, too: so much may be lost.

        Nearer routers may have answered the target's packet, which was first, and no other.
        """
        lost = sum(ttl in self.beside and ttl > self.reached for _, ttl in self.unheard)
        share = (lost + 0.5) / (lost + self.heard + 1)
        return _is_enough(self.outlived, TURNS + 1) and share ** len(self.outlived) <= CHANCE


def _is_enough(missed: Collection[tuple[int, int]], least: int) -> bool:
    return len(missed) >= least and len({turn for turn, _ in missed}) >= TURNS


def _is_stopped(flow: _Flow, flows: Sequence[_Flow]) -> bool:
    """By itself, or together with those to the same port of other addresses, of which none came farther.

    Each has a control of its own address, so that none of them is judged by another's way.
    """
    alike = [f for f in flows if f.own and f.service == flow.service]
    missed = [at for f in alike for at in f.outlived]
    place = min((ttl for _, ttl in missed), default=0)
    together = all(f.reached < place and not f.answered for f in alike)
    return flow.is_stopped() or (
        flow.own and bool(flow.outlived) and together and _is_enough(missed, STARVED)
    )


def _is_close(flow: _Flow, flows: Sequence[_Flow]) -> bool:
    """One turn more may show it, and nothing shows it of the port yet."""
    known = any(_is_stopped(f, flows) for f in flows if f.service == flow.service)
    return not known and len(flow.outlived) >= TURNS


async def _climb(flows: Sequence[_Flow], turn: int, sender: Sender) -> None:
    """One packet to each target and one to their control behind them, with each hop limit.

    The flow that has most to show comes first: what routers still answer in a second is no proof if each gets some.
    """
    steps: dict[tuple[Target, int], list[_Flow]] = {}
    for flow in sorted(flows, key=lambda flow: -len(flow.outlived)):
        for ttl in flow.hop_limits(turn):
            steps.setdefault((flow.control, ttl), []).append(flow)
    order = list(dict.fromkeys(control for control, _ in steps))
    async with asyncio.TaskGroup() as group:
        for (control, ttl), sharing in steps.items():
            after_s = 2 * BEHIND_S * order.index(control)
            group.create_task(_step(sharing, control, turn, ttl, after_s, sender))


async def _climb_as_media(flows: Sequence[_Flow], sender: Sender) -> None:
    """To where the packets of a port's own kind stop, one of these and right behind it one of RTP: is it the port?"""
    async with asyncio.TaskGroup() as group:
        for flow in flows:
            for ttl in sorted({ttl for _, ttl in flow.outlived}):
                group.create_task(_step_as_media(flow, ttl, sender))


async def _step_as_media(flow: _Flow, ttl: int, sender: Sender) -> None:
    began = sender.net.now_ms()
    async with asyncio.TaskGroup() as group:
        mine = group.create_task(sender.once(flow.target, ttl))
        await sender.net.sleep(BEHIND_S)
        other = group.create_task(sender.as_media().once(flow.target, ttl))
    failure, facts = other.result()
    _note(flow, (TURNS, ttl), False, *mine.result())
    passed = failure is Failure.HOP_LIMIT_EXCEEDED
    if passed:
        flow.media_reached = max(flow.media_reached, ttl)
    shown = None if passed else failure
    facts = {"purpose": "as-media", "ttl": ttl, **facts}
    _add(sender.net, flow.target, began, sender.net.now_ms(), shown, facts)


async def _step(
    flows: Sequence[_Flow], control: Target, turn: int, ttl: int, after_s: float, sender: Sender
) -> None:
    await sender.net.sleep(after_s)
    began = sender.net.now_ms()
    async with asyncio.TaskGroup() as group:
        mine = [group.create_task(sender.once(flow.target, ttl)) for flow in flows]
        await sender.net.sleep(BEHIND_S)
        other = group.create_task(sender.once(control, ttl))
    ended = sender.net.now_ms()

    def add(target: Target, purpose: str, failure: Failure | None, facts: Mapping[str, object]) -> None:
        shown = None if failure is Failure.HOP_LIMIT_EXCEEDED else failure
        _add(sender.net, target, began, ended, shown, {"purpose": purpose, "ttl": ttl, "turn": turn, **facts})

    for flow, task in zip(flows, mine, strict=True):
        flow.asked += 1
        vouched = _note_control(flow, (turn, ttl), ended - began, *other.result())
        _note(flow, (turn, ttl), vouched, *task.result())
        add(flow.target, "stopped", *task.result())
    add(control, "ladder", *other.result())


def _note_control(
    flow: _Flow, at: tuple[int, int], took_ms: float, failure: Failure | None, facts: Mapping[str, object]
) -> bool:
    """Whether a router answered the control's packet."""
    ttl, offender = at[1], facts.get("offender")
    if failure is Failure.HOP_LIMIT_EXCEEDED and isinstance(offender, str):
        flow.beside.setdefault(ttl, Hop(ttl, offender, took_ms))
        flow.heard += 1
        return True
    if failure is None:
        flow.control_arrived = min(ttl, flow.control_arrived or ttl)
    else:
        flow.unheard.add(at)
    return False


def _note(
    flow: _Flow,
    at: tuple[int, int],
    vouched: bool,
    failure: Failure | None,
    facts: Mapping[str, object],
) -> None:
    offender = facts.get("offender")
    by = offender if isinstance(offender, str) else None
    if failure is None:
        flow.answered = True
    elif failure is Failure.HOP_LIMIT_EXCEEDED and by:
        flow.seen[at[1]] = by
    elif failure in _REFUSALS:
        flow.refused.setdefault(at[1], by)
    elif failure is Failure.TIMED_OUT and vouched:
        flow.missed.add(at)


def _is_ipv4(target: Target) -> bool:
    """The way of IPv6 is another, and so may be the edge on it."""
    return ":" not in (target.address or "")


def _edge(flow: _Flow, params: FlowParams) -> Edge:
    """Proven by the routers on both of its sides, or by the survey: a router that was too busy would move it."""
    if params.edge is not None and _is_ipv4(flow.target):
        return Edge(params.edge, True)
    found = find_edge(flow.control_hops, params.local, params.mapped, flow.control_arrived)
    whole = all(ttl in flow.beside for ttl in range(1, found.ttl + 1))
    return Edge(found.ttl, found.proven and whole)


def _fate(flow: _Flow, edge: Edge, *, stopped: bool) -> tuple[str, int]:
    """What became of the packets, and the hop limit that it takes to see it.

    What stopped did so before the first hop that its control alone was answered by: those between may have been busy.
    """
    if flow.answered:
        return "answered", flow.control_arrived or 0
    if flow.refused:
        least = min(flow.refused)
        by = flow.refused[least]
        early = flow.own and flow.control_arrived is not None and least < flow.control_arrived
        near = edge.proven and least <= edge.ttl + 1
        known = [*((hop.ttl, hop.address) for hop in flow.control_hops), *flow.seen.items()]
        routers = [ttl for ttl, address in known if address == by]
        # Routers refuse as seldom as they answer: what was refused first may have had hops to spare.
        least = min([least, *(ttl + 1 for ttl in routers)])
        return ("rejected" if early or near or routers else "refused"), least
    if stopped:
        return "stopped", min(ttl for _, ttl in flow.outlived)
    whole = (
        flow.own and flow.reached > 0 and is_last(flow.reached, flow.seen[flow.reached], flow.control_arrived)
    )
    left = flow.reached > edge.ttl if edge.proven else whole
    return ("left" if left else "unknown"), flow.reached


_FAILURES: Mapping[str, Failure | None] = {
    "answered": None,
    "left": None,
    "rejected": Failure.CONNECTION_REFUSED,
    "refused": Failure.CONNECTION_REFUSED,
}


def _record(net: Net, flow: _Flow, edge: Edge, *, stopped: bool) -> None:
    """The comparison in one observation."""
    fate, ttl = _fate(flow, edge, stopped=stopped)
    now = net.now_ms()
    facts = {
        "purpose": "survey",
        "fate": fate,
        "ttl": ttl,
        "offender": flow.refused[min(flow.refused)] if fate in ("rejected", "refused") else None,
        "asked": flow.asked,
        "missed_beside_control": len(flow.outlived),
        "reached": flow.reached,
        "media_reached": flow.media_reached if stopped and flow.passes_as_media else 0,
        "control": str(flow.control),
        "control_own": flow.own,
        "control_reached": max(flow.beside, default=0),
        "control_arrived": flow.control_arrived,
        "edge_ttl": edge.ttl,
        "edge_proven": edge.proven,
    }
    _add(net, flow.target, now, now, _FAILURES.get(fate, Failure.TIMED_OUT), facts)


def _add(
    net: Net,
    target: Target,
    began_ms: float,
    ended_ms: float,
    failure: Failure | None,
    facts: Mapping[str, object],
) -> None:
    net.record(
        Observation(
            step=Step.HOP,
            target=target,
            started_ms=round(began_ms, 3),
            elapsed_ms=round(ended_ms - began_ms, 3),
            failure=failure,
            facts=facts,
        )
    )
