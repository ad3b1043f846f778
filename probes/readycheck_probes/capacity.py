"""Measures what a line carries to a responder and back: throughput, delay under load, and calls at once.

Off unless it is asked for: it fills the line, for seconds at a time.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from typing import Any, ClassVar

from readycheck.media.e_model import G711
from readycheck.media.throughput import bits_per_second, calls, calls_as_cscan
from readycheck.media.two_way import TwoWay, split
from readycheck.probe import (
    Better,
    Effort,
    Endpoint,
    Filled,
    Leg,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Played,
    Step,
    Target,
    Unit,
)
from readycheck_probes.dialling import addresses
from readycheck_probes.stream import OVERHEAD_S, SHAPES, rated

FORMULA = "calls as CScan: min(up, down) / 100 kbit/s; line: 75 % of the lower rate of both at once / 100 kbit/s a leg"
PHASES = (("up",), ("down",), ("up", "down"))
_VOICE = SHAPES["g711"]
_FILL_S = {Effort.QUICK: 3.0, Effort.NORMAL: 4.0, Effort.THOROUGH: 8.0}
_STEP_S = {Effort.QUICK: 2.0, Effort.NORMAL: 3.0, Effort.THOROUGH: 6.0}
_LONGEST_FILL_S, _ROUNDS = 10.0, 16
"""TCP takes some round trips to find its rate, and some more after each time that it overran the queue."""
_SETTLED = 0.25  # of the packets: until the queue is as long as it gets
_NEAR_THE_END = 0.75
_STAIRS = (0.25, 0.5, 0.75, 1.0)
_REFINEMENTS = 2
_AGAIN = 2
"""Steps that are played once more because this host was late: mostly it is for a moment."""
_MOST_LEGS = 50
_MOST_CALLS = 500
_OWN_LATE_MS = 10.0
"""Half of the spacing of a call's packets: a host that is later does not send calls any more."""
_TOO_LATE_MS = 50.0
"""Half of a queue that is judged: what so late a host sends waits for itself."""
_AT_THE_LIMIT = 0.95


@dataclass(frozen=True, slots=True)
class CapacityParams:
    """`wanted` calls at once are filled in by the plan; a call is in order with less loss and more MOS than this."""

    targets: tuple[Target, ...] = ()
    loss_ratio: float = 0.01
    mos: float = 4.02
    wanted: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.wanted <= _MOST_CALLS:
            raise ValueError(f"wanted is to be 0 to {_MOST_CALLS}")
        if not 0 < self.loss_ratio <= 1:
            raise ValueError("loss_ratio is to be above 0, and 1 at most")

    def lasts_s(self, effort: Effort) -> float:
        steps = len(_STAIRS) + _REFINEMENTS + _AGAIN
        fills = _STEP_S[effort] + _FILL_S[effort] + len(PHASES) * _LONGEST_FILL_S
        return fills + steps * _STEP_S[effort] + (2 + len(PHASES) + steps) * OVERHEAD_S


def _rates() -> Iterator[Metric]:
    for way in ("up", "down"):
        for suffix, words in (("", ""), ("_together", ", both ways at once")):
            name = f"throughput_{way}{suffix}_bits_per_second"
            yield Metric(name, Unit.BITS_PER_SECOND, Better.HIGHER, f"throughput {way}{words}")


def _trips() -> Iterator[Metric]:
    for when in ("idle", "loaded_up", "loaded_down", "loaded_together"):
        for share, words in (("", "median"), ("_p95", "95th percentile")):
            name = f"{when}_trip{share}_ms"
            yield Metric(
                name, Unit.MILLISECONDS, Better.LOWER, f"round trip, {when.replace('_', ' ')}, {words}"
            )
    for way in ("up", "down"):
        words = f"how much longer it takes with the line full {way}, of the 95th percentiles"
        yield Metric(f"queue_{way}_ms", Unit.MILLISECONDS, Better.LOWER, words)


class CapacityProbe:
    """Idle, then full up, down and both ways, with a stream beside; then ever more calls."""

    name: ClassVar[str] = "capacity"
    title: ClassVar[str] = "Throughput, delay under load, and calls at once"
    Params: ClassVar[type[CapacityParams]] = CapacityParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *_rates(),
        Metric(
            "throughput_capped",
            Unit.COUNT,
            Better.LOWER,
            "rates that are those of the responder's limit, or of which others had a share",
        ),
        *_trips(),
        Metric("calls_wanted", Unit.COUNT, title="calls at once that were asked for"),
        Metric("calls_cscan", Unit.COUNT, Better.HIGHER, "calls at once, as CScan estimates them"),
        Metric(
            "calls_line",
            Unit.COUNT,
            Better.HIGHER,
            "calls at once with a reserve, one leg each over the line",
        ),
        Metric(
            "calls_both_legs", Unit.COUNT, Better.HIGHER, "the same with both legs of a call over the line"
        ),
        Metric("calls_loaded", Unit.COUNT, Better.HIGHER, "calls that were played at once, and in order"),
        Metric("calls_broken", Unit.COUNT, Better.HIGHER, "calls that were played at once, and not in order"),
        Metric("calls_line_ratio", Unit.RATIO, Better.HIGHER, "estimated calls to wanted ones"),
        Metric("calls_loaded_ratio", Unit.RATIO, Better.HIGHER, "played calls to wanted ones"),
    )
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: CapacityParams, net: Net) -> None:
        with suppress(NetError):
            target = params.targets[0]
            address = (await addresses(net.towards(target), target))[0]
            visit = _Visit(replace(target, address=address), (address, target.port or 0), params, net)
            await visit.fill()
            await visit.call()

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        seen = [o.facts for o in observations if o.step is self.proves and o.failure is None]
        fills = {facts["phase"]: facts for facts in seen if "rates" in facts}
        found: dict[str, MetricValue] = {**_throughput(fills), **_delays(fills)}
        steps = [facts for facts in seen if facts.get("phase") == "calls"]
        wanted = next((facts["wanted"] for facts in seen if facts.get("wanted")), None)
        found["calls_wanted"] = wanted
        found |= _loaded(steps, wanted)
        found |= _estimated(found, wanted)
        return found


@dataclass(slots=True)
class _Visit:
    target: Target
    to: Endpoint
    params: CapacityParams
    net: Net
    again: int = _AGAIN

    async def fill(self) -> None:
        """Each way alone and both at once; the same stream runs beside, and before on the idle line."""
        began_ms = self.net.now_ms()
        played = await self.net.play(self.to, [_leg(1, _STEP_S[self.net.effort])])
        self._record(began_ms, {"phase": "idle", "rates": {}, **_trip(played[0], 0.0)})
        seconds = _FILL_S[self.net.effort]
        for ways in PHASES:
            enough_s = await self._fill(ways, seconds)
            if enough_s > 1.5 * seconds:
                seconds = enough_s
                await self._fill(ways, seconds)

    async def _fill(self, ways: Sequence[str], seconds: float) -> float:
        """The later of two with the same name counts. Returns how long it has to last on a line with such a queue."""
        began_ms = self.net.now_ms()
        filled, beside = await self._filled(ways, seconds)
        is_punctual = bool(beside) and _late_ms(beside[0]) < _TOO_LATE_MS
        trip = _trip(beside[0], _SETTLED) if is_punctual else {}
        rates = {one.way: _rate(one) for one in filled}
        self._record(began_ms, {"phase": "+".join(ways), "rates": rates, "formula": FORMULA, **trip})
        return min(_LONGEST_FILL_S, _ROUNDS * (trip.get("trip_p95_ms") or 0.0) / 1000)

    async def _filled(self, ways: Sequence[str], seconds: float) -> tuple[Sequence[Filled], Sequence[Played]]:
        beside: list[Played] = []
        filled: Sequence[Filled] = ()
        trouble: NetError | None = None

        async def play() -> None:
            with suppress(NetError):  # what fills the line may take the stream's questions with it
                beside.extend(await self.net.play(self.to, [_leg(1, seconds)]))

        async with asyncio.TaskGroup() as group:
            group.create_task(play())
            try:
                filled = await self.net.fill(self.to, ways, seconds)
            except NetError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return filled, beside

    async def call(self) -> None:
        """One stair after the other until calls are out of order, and then closer to where that began.

        A step that shows nothing ends it.
        """
        good, bad = 0, self.params.wanted + 1
        for stair in _STAIRS:
            count = ceil(stair * self.params.wanted)
            if good < count < bad:
                good, bad = await self._step(count, good, bad)
        for _ in range(_REFINEMENTS):
            if 1 < bad - good and bad <= self.params.wanted:
                good, bad = await self._step((good + bad) // 2, good, bad)

    async def _step(self, count: int, good: int, bad: int) -> tuple[int, int]:
        began_ms = self.net.now_ms()
        facts: dict[str, Any] = {"phase": "calls", "calls": count, "wanted": self.params.wanted}
        try:
            facts |= _quality(
                await self.net.play(self.to, _legs(count, _STEP_S[self.net.effort])), self.params
            )
        except NetError as error:  # the far end has its limits, and so has this host: no matter of the line
            facts |= {"in_band": None, "because": f"{error.failure.value}: {error.detail}"}
        except ValueError as error:
            facts |= {"in_band": None, "because": str(error)}
        self._record(began_ms, facts)
        if facts["in_band"] is None and facts.get("pacing_p95_ms") and self.again:
            self.again -= 1
            return await self._step(count, good, bad)
        if facts["in_band"] is None:  # more calls would show no more
            return good, good + 1
        return (count, bad) if facts["in_band"] else (good, count)

    def _record(self, began_ms: float, facts: dict[str, Any]) -> None:
        self.net.record(
            Observation(
                step=Step.ECHO,
                target=self.target,
                started_ms=round(began_ms, 3),
                elapsed_ms=round(self.net.now_ms() - began_ms, 3),
                facts={"wanted": self.params.wanted, **facts},
            )
        )


# --- what is sent -------------------------------------------------------------------------------------


def _leg(calls: int, seconds: float) -> Leg:
    return Leg(
        payload_type=_VOICE.payload_type,
        payload_bytes=_VOICE.payload_bytes,
        packets_per_second=calls * _VOICE.packets_per_second,
        seconds=seconds,
        clock_step=_VOICE.clock_step,
    )


def _legs(count: int, seconds: float) -> list[Leg]:
    """A leg for each call; of very many, some share one, for a responder has so many at most."""
    legs = min(count, _MOST_LEGS)
    shares = [count // legs + (i < count % legs) for i in range(legs)]
    return [_leg(share, seconds) for share in shares]


# --- what came of it ----------------------------------------------------------------------------------


def _rate(one: Filled) -> dict[str, Any]:
    windows = one.windows[:-1] if one.spent else one.windows
    seconds = min(one.seconds, len(windows) * one.window_s) if one.spent else one.seconds
    rate = bits_per_second(windows, one.window_s, seconds)
    return {
        "bits_per_second": None if rate is None else round(rate),
        "granted_bits_per_second": one.bits_per_second,
        "connections": one.connections,
        "seconds": one.seconds,
        "window_s": one.window_s,
        "windows": list(one.windows),
        "spent": one.spent,
        "shared": one.shared,
    }


def _trip(played: Played, from_share: float) -> dict[str, Any]:
    """Percentiles of the round trip, without the time within the far end."""
    first = int(from_share * len(played.sent))
    left_ns = {one.sequence: one.at_ns for one in played.sent if one.sequence >= first}
    back = {one.number: one for one in reversed(played.returned) if one.number in left_ns}
    trips = sorted((one.arrived_ns - left_ns[n] - one.held_ns) / 1e6 for n, one in back.items())
    return {
        "packets": len(left_ns),
        "answered": len(trips),
        **{f"trip_p{share}_ms": _percentile(trips, share / 100) for share in (5, 50, 95, 99)},
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[int(share * (len(ordered) - 1) + 0.5)], 3) if ordered else None


def _quality(played: Sequence[Played], params: CapacityParams) -> dict[str, Any]:
    """Of all calls together: they meet the same queue. Raises `ValueError` for counts that no far end has."""
    ways = [split(one.sent, one.returned, one.counted, one.account) for one in played]
    if all(one.counted is None for one in played):
        raise ValueError("the responder fell silent, and says nothing of what it received")
    loss = [
        sum(way.lost for way in each) / max(1, sum(way.sent for way in each))
        for each in ([one.up for one in ways], [one.down for one in ways])
    ]
    trips = [_trip(one, _NEAR_THE_END)["trip_p50_ms"] for one in played]
    ratings = [_mos(way, trip) for way, trip in zip(ways, trips, strict=True)]
    late_ms = max(_late_ms(one) for one in played)
    in_band = max(loss) < params.loss_ratio and median(ratings) >= params.mos
    limited = late_ms > _OWN_LATE_MS and not in_band
    known = [trip for trip in trips if trip is not None]
    return {
        "in_band": None if limited else in_band,
        "because": f"this host sends {late_ms:g} ms late itself" if limited else "",
        "loss_there_ratio": round(loss[0], 5),
        "loss_back_ratio": round(loss[1], 5),
        "mos_median": round(median(ratings), 3),
        "trip_at_the_end_ms": round(median(known), 3) if known else None,
        "pacing_p95_ms": late_ms,
    }


def _mos(found: TwoWay, trip_ms: float | None) -> float:
    """Of the worse direction; a queue that grows shows in what the last packets take."""
    if trip_ms is None:
        return 1.0
    packet_ms = 1000 / _VOICE.packets_per_second
    return min(float(rated(way, trip_ms, packet_ms, G711)["mos"]) for way in (found.up, found.down))


def _late_ms(played: Played) -> float:
    late_ms = sorted(late / 1e6 for late in played.paced_late_ns)
    return _percentile(late_ms, 0.95) or 0.0


# --- all of it ----------------------------------------------------------------------------------------


def _throughput(fills: Mapping[str, Mapping[str, Any]]) -> dict[str, MetricValue]:
    found: dict[str, MetricValue] = {}
    capped = 0
    for phase, suffix in (("up", ""), ("down", ""), ("up+down", "_together")):
        for way, told in fills.get(phase, {"rates": {}})["rates"].items():
            rate = told["bits_per_second"]
            found[f"throughput_{way}{suffix}_bits_per_second"] = rate
            capped += rate is not None and (
                told["shared"] or rate >= _AT_THE_LIMIT * told["granted_bits_per_second"]
            )
    return {**found, "throughput_capped": capped} if found else {}


def _delays(fills: Mapping[str, Mapping[str, Any]]) -> dict[str, MetricValue]:
    found: dict[str, MetricValue] = {}
    names = {"idle": "idle", "up": "loaded_up", "down": "loaded_down", "up+down": "loaded_together"}
    for phase, name in names.items():
        facts = fills.get(phase, {})
        found[f"{name}_trip_ms"] = facts.get("trip_p50_ms")
        found[f"{name}_trip_p95_ms"] = facts.get("trip_p95_ms")
    idle = found["idle_trip_p95_ms"]
    for way in ("up", "down"):
        loaded = found[f"loaded_{way}_trip_p95_ms"]
        both = idle is not None and loaded is not None
        found[f"queue_{way}_ms"] = round(max(0.0, loaded - idle), 3) if both else None  # type: ignore[operator]
    return found


def _loaded(steps: Sequence[Mapping[str, Any]], wanted: int | None) -> dict[str, MetricValue]:
    """A step that shows nothing leaves what lies above the last good one open: then that is the least."""
    if not wanted or not steps:
        return {}
    good = max((step["calls"] for step in steps if step["in_band"]), default=0)
    broken = min((step["calls"] for step in steps if step["in_band"] is False), default=None)
    return {
        "calls_loaded": good if good or broken is not None else None,
        "calls_broken": broken,
        "calls_loaded_ratio": round(good / wanted, 4),
    }


def _estimated(found: Mapping[str, MetricValue], wanted: int | None) -> dict[str, MetricValue]:
    """A rate that is the responder's own limit shows what the line carries at least, and no more."""
    names = [
        f"throughput_{way}{suffix}_bits_per_second" for suffix in ("", "_together") for way in ("up", "down")
    ]
    up, down, up_together, down_together = (found.get(name) for name in names)
    made: dict[str, MetricValue] = {}
    if up is not None and down is not None:
        made["calls_cscan"] = calls_as_cscan(up, down)
    if up_together is None or down_together is None:
        return made
    line = calls(up_together, down_together)
    made |= {"calls_line": line, "calls_both_legs": calls(up_together, down_together, legs=2)}
    if wanted and (line >= wanted or not found.get("throughput_capped")):
        made["calls_line_ratio"] = round(line / wanted, 4)
    return made
