"""Plays streams of media to a responder and back: what a call would meet on this way."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, ClassVar, Literal

from readycheck.media import e_model
from readycheck.media.stream import StreamQuality
from readycheck.media.two_way import Pace, TwoWay, split
from readycheck.probe import (
    Better,
    Effort,
    Endpoint,
    Failure,
    Leg,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Played,
    Reported,
    Rtcp,
    Step,
    Target,
    Unit,
)
from readycheck.wire.rtp import even_ports
from readycheck_probes.dialling import addresses
from readycheck_probes.quotes import read_quotes

OVERHEAD_S = 5.0
"""What opening, the last packets' way, the far end's count and asking routers for marks may take besides."""
FORMULA = (
    "ITU-T G.107: R = Ro - Is - Id - Ie,eff + A, one-way delay = round trip / 2 + 2 x jitter + packet time"
)
_SECONDS = {Effort.QUICK: 3.0, Effort.NORMAL: 10.0, Effort.THOROUGH: 32.0}
_CALLS, _LONGEST_S = 50, 600.0
_PORT_TRIES = 8
_CUT_S = 1.0
_WAYS = ("up", "down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a codec puts on the wire; `rated` is how the E-model sees it, None for what it does not rate."""

    payload_type: int
    payload_bytes: int
    packets_per_second: float
    clock_step: int
    burst: int = 1
    rated: e_model.Codec | None = None


SHAPES = {
    "g711": Shape(
        payload_type=0, payload_bytes=160, packets_per_second=50, clock_step=160, rated=e_model.G711
    ),
    "g722": Shape(
        payload_type=9, payload_bytes=160, packets_per_second=50, clock_step=160, rated=e_model.G722
    ),
    "g729": Shape(
        payload_type=18, payload_bytes=20, packets_per_second=50, clock_step=160, rated=e_model.G729A
    ),
    "opus": Shape(
        payload_type=111, payload_bytes=80, packets_per_second=50, clock_step=960, rated=e_model.OPUS
    ),
    # 1.2 Mbit/s: 30 frames a second of five packets each, on the clock of 90 kHz (RFC 6184).
    "video": Shape(payload_type=96, payload_bytes=1000, packets_per_second=150, clock_step=3000, burst=5),
}


@dataclass(frozen=True, slots=True)
class StreamParams:
    """`codec` says what the packets look like, `traffic` which QoS class of the profile they are marked as.

    `seconds` 0 leaves the length to the effort of the run. `marks` are filled in by the plan: role, code point and
    source ports of each such class; `calls` at once are played of each. `rtcp` is how the product sends its reports.
    """

    targets: tuple[Target, ...] = ()
    codec: Literal["g711", "g722", "g729", "opus", "video"] = "g711"
    traffic: str = "audio"
    seconds: float = 0.0
    calls: int = 1
    rtcp: Literal["odd", "mux", "none"] = "odd"
    marks: tuple[tuple[str, int, str], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= _LONGEST_S:
            raise ValueError(f"seconds is to be 0 to {_LONGEST_S:g}")
        if not 1 <= self.calls <= _CALLS:
            raise ValueError(f"calls is to be 1 to {_CALLS}")

    def lasts_s(self, effort: Effort) -> float:
        """What it adds to the time of a run."""
        return self.length_s(effort) + OVERHEAD_S

    def length_s(self, effort: Effort) -> float:
        return self.seconds or _SECONDS[effort]


def _directed(name: str, unit: Unit, title: str) -> Iterator[Metric]:
    for way in _WAYS:
        words = "on the way there" if way == "up" else "on the way back"
        yield Metric(f"{name}_{way}_{unit.value}", unit, Better.LOWER, f"{title}, {words}")


class StreamProbe:
    """All legs at once; each leg leaves a summary, of every packet of it."""

    name: ClassVar[str] = "stream"
    title: ClassVar[str] = "RTP streams to a responder and back"
    Params: ClassVar[type[StreamParams]] = StreamParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("sent", Unit.COUNT, title="packets sent, without what this host sent too late"),
        Metric("answered", Unit.COUNT, Better.HIGHER, "packets that came back"),
        Metric("reached", Unit.COUNT, Better.HIGHER, "of these, packets that the far end received"),
        *_directed("loss", Unit.RATIO, "packets lost, of all legs"),
        *_directed("worst_200_ms", Unit.RATIO, "packets lost in the worst 200 ms"),
        *_directed("worst_15_s", Unit.RATIO, "packets lost in the worst 15 s"),
        *_directed("reordering", Unit.RATIO, "packets overtaken, of all legs"),
        *_directed("duplicates", Unit.RATIO, "packets that came more than once, of all legs"),
        *_directed("jitter", Unit.MILLISECONDS, "jitter of RFC 3550, mean of the worst leg"),
        *_directed("variation", Unit.MILLISECONDS, "delay variation, 95th percentile of the worst leg"),
        Metric("rtt_ms", Unit.MILLISECONDS, Better.LOWER, "round trip, median of the worst leg"),
        Metric("mos", Unit.COUNT, Better.HIGHER, "MOS by the E-model, of the worst direction"),
        Metric("r", Unit.COUNT, Better.HIGHER, "rating R of the E-model, of the worst direction"),
        Metric("rtcp_sent", Unit.COUNT, title="RTCP reports sent beside the streams"),
        Metric("rtcp_answered_ratio", Unit.RATIO, Better.HIGHER, "RTCP reports that were answered"),
        Metric("rtcp_rtt_ms", Unit.MILLISECONDS, Better.LOWER, "round trip by RTCP, median of the worst leg"),
        Metric("marks_kept_ratio", Unit.RATIO, Better.HIGHER, "packets that keep their DSCP to the far end"),
        Metric("pacing_p95_ms", Unit.MILLISECONDS, Better.LOWER, "how late this host sends, 95th percentile"),
    )
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: StreamParams, net: Net) -> None:
        with suppress(NetError):
            await self._play(params, net)

    async def _play(self, params: StreamParams, net: Net) -> None:
        target = params.targets[0]
        address = (await addresses(net.towards(target), target))[0]
        to = address, target.port or 0
        target = replace(target, address=address)
        began_ms = net.now_ms()
        marks = [mark for mark in params.marks or (("", 0, ""),) for _ in range(params.calls)]
        played = await _played(params, marks, to, net.towards(target))
        legs = []
        for (role, code_point, _), one in zip(marks, played, strict=True):
            facts = {"role": role, "codec": params.codec, "dscp_sent": code_point}
            legs.append(_observation(target, began_ms, net.now_ms(), one, SHAPES[params.codec], facts))
            net.record(legs[-1])
        await read_quotes(net, replace(target, transport="udp"), [leg.facts for leg in legs])

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        legs = [o.facts for o in observations if _is_whole(o)]
        found: dict[str, MetricValue] = {
            "sent": sum(leg["up"]["sent"] for leg in legs),
            "answered": sum(leg["answered"] for leg in legs),
        }
        if not legs:
            return found
        found["reached"] = sum(min(leg["up"]["received"], leg["down"]["sent"]) for leg in legs)
        for way in _WAYS:
            found |= _direction(way, legs)
        for name, worst in (("rtt_ms", max), ("mos", min), ("r", min), ("pacing_p95_ms", max)):
            found[name] = worst((leg[name] for leg in legs if leg.get(name) is not None), default=None)
        found["marks_kept_ratio"] = _marks_kept(legs)
        return found | _rtcp([leg["rtcp"] for leg in legs if leg.get("rtcp")])


def _is_whole(observation: Observation) -> bool:
    """Summarised, of a far end that counted to the end."""
    counted = observation.failure in (None, Failure.TIMED_OUT)
    return observation.step is Step.ECHO and counted and "up" in observation.facts


async def _played(
    params: StreamParams, marks: Sequence[tuple[str, int, str]], to: Endpoint, net: Net
) -> Sequence[Played]:
    """From ports of the class; one that somebody here uses already is not tried again."""
    seconds = params.length_s(net.effort)
    taken: dict[str, int] = {}
    legs = []
    for _, code_point, ports in marks:
        taken[ports] = turn = taken.get(ports, -1) + 1
        legs.append((code_point, even_ports(ports), turn))
    for attempt in range(_PORT_TRIES):
        made = [
            _leg(params, seconds, code, ports[(turn + attempt * len(marks)) % len(ports)] if ports else 0)
            for code, ports, turn in legs
        ]
        try:
            return await net.play(to, made)
        except NetError as error:
            if error.failure is not Failure.ADDRESS_NOT_AVAILABLE or attempt == _PORT_TRIES - 1:
                raise
    raise NetError(Failure.ADDRESS_NOT_AVAILABLE, "no source port is free")


def _leg(params: StreamParams, seconds: float, code_point: int, source_port: int) -> Leg:
    shape = SHAPES[params.codec]
    return Leg(
        payload_type=shape.payload_type,
        payload_bytes=shape.payload_bytes,
        packets_per_second=shape.packets_per_second,
        seconds=seconds,
        clock_step=shape.clock_step,
        tos=code_point << 2,
        source_port=source_port,
        burst=shape.burst,
        rtcp=Rtcp(params.rtcp),
    )


# --- one leg ------------------------------------------------------------------------------------------


def _observation(
    target: Target, began_ms: float, now_ms: float, played: Played, shape: Shape, facts: dict[str, Any]
) -> Observation:
    failure, detail = _ending(played)
    try:
        facts |= _facts(played, shape)
    except ValueError as error:
        failure, detail = Failure.PROTOCOL_ERROR, str(error)
    return Observation(
        step=Step.ECHO,
        target=target,
        started_ms=round(began_ms, 3),
        elapsed_ms=round(now_ms - began_ms, 3),
        failure=failure,
        detail=detail,
        facts=facts,
    )


def _ending(played: Played) -> tuple[Failure | None, str]:
    """A far end that counts at the end tells losses; one that is gone by then tells nothing."""
    if played.returned and (played.counted is not None or _unanswered_s(played) < _CUT_S):
        return None, ""
    if played.returned:
        heard = len({one.number for one in played.returned})
        return (
            Failure.CONNECTION_CLOSED,
            f"the responder fell silent after {heard} of {len(played.sent)} packets",
        )
    if played.counted is None:
        return Failure.CONNECTION_CLOSED, "the responder granted the stream and fell silent"
    if played.counted:
        return (
            Failure.TIMED_OUT,
            f"{played.counted} of {len(played.sent)} packets arrive, and none comes back",
        )
    return Failure.TIMED_OUT, f"none of {len(played.sent)} packets arrives"


def _unanswered_s(played: Played) -> float:
    """How long at the end nothing came back."""
    last = max(one.number for one in played.returned)
    return sum(stamp.sequence > last for stamp in played.sent) / played.leg.packets_per_second


def _facts(played: Played, shape: Shape) -> dict[str, Any]:
    found = split(played.sent, played.returned, played.counted, played.account, pace=_pace(played.leg))
    trip = median(found.round_trips_ms) if found.round_trips_ms else None
    late_ms = sorted(late / 1e6 for late in played.paced_late_ns)
    return {
        "sent": len(played.sent),
        "answered": len({one.number for one in played.returned}),
        "counted": played.counted,
        "packets_per_second": played.leg.packets_per_second,
        "payload_bytes": played.leg.payload_bytes,
        "seconds": played.leg.seconds,
        "local": list(played.local),
        "seen_as": list(played.seen_as),
        "up": _quality(found.up),
        "down": _quality(found.down),
        "rtt_ms": _rounded(trip),
        "rtt_least_ms": _rounded(min(found.round_trips_ms, default=None)),
        "rtt_most_ms": _rounded(max(found.round_trips_ms, default=None)),
        "pacing_p95_ms": _rounded(late_ms[int(0.95 * (len(late_ms) - 1))]) if late_ms else None,
        "rtcp": _reports(played.reported),
        **_seen(played),
        **_rating(found, len(played.sent), trip, shape),
    }


def _pace(leg: Leg) -> Pace:
    return Pace(at_once=leg.burst, spacing_ns=1e9 * leg.burst / leg.packets_per_second)


def _quality(one: StreamQuality) -> dict[str, Any]:
    return {
        "sent": one.sent,
        "received": one.received,
        "lost": one.lost,
        "loss_ratio": _rounded(one.loss.ratio),
        "loss_low_ratio": _rounded(one.loss.low),
        "loss_high_ratio": _rounded(one.loss.high),
        "longest_burst": max(one.bursts, default=0),
        "burst_ratio": _rounded(one.burst_ratio),
        "worst_200_ms_ratio": _rounded(one.worst_200_ms_ratio),
        "worst_15_s_ratio": _rounded(one.worst_15_s_ratio),
        "reordered": one.reordered,
        "duplicates": one.duplicates,
        "jitter_ms": _rounded(one.jitter_mean_ms),
        "jitter_last_ms": _rounded(one.jitter_ms),
        "jitter_most_ms": _rounded(one.jitter_most_ms),
        "variation_ms": _rounded(one.variation_ms),
        "variation_most_ms": _rounded(one.variation_most_ms),
    }


def _seen(played: Played) -> dict[str, Any]:
    """The headers as the far end saw them; a hop limit of 0 says that its system does not tell."""
    told = [one for one in played.returned if one.hop_limit]
    marks = Counter(one.traffic_class >> 2 for one in told)
    hops = Counter(one.hop_limit for one in told)
    return {
        "dscp_seen": {str(code_point): count for code_point, count in sorted(marks.items())},
        "hop_limit_seen": {str(limit): count for limit, count in sorted(hops.items())},
    }


def _reports(reported: Reported | None) -> dict[str, Any] | None:
    """Its round trip is by LSR and DLSR, and what the far end received is in its own words (RFC 3550 section 6.4.1)."""
    if reported is None:
        return None
    trips = reported.round_trips_ms
    return {
        "local": list(reported.local),
        "to": list(reported.to),
        "sent": reported.sent,
        "answered": reported.answered,
        "counted": reported.counted,
        "rtt_ms": _rounded(median(trips)) if trips else None,
        "lost": reported.lost,
        "jitter_ms": _rounded(reported.jitter_ms),
    }


def _rating(found: TwoWay, sent: int, trip_ms: float | None, shape: Shape) -> dict[str, Any]:
    """R and MOS of each direction, with the formula and what went into it; not when most of a stream was late."""
    few = 2 * found.up.sent < sent or 2 * found.down.sent < found.up.received
    if shape.rated is None or trip_ms is None or few:
        return {}
    packet_ms = 1000 / shape.packets_per_second
    ways = {
        way: rated(quality, trip_ms, packet_ms, shape.rated)
        for way, quality in zip(_WAYS, (found.up, found.down), strict=True)
    }
    return {
        "mos": min(one["mos"] for one in ways.values()),
        "r": min(one["r"] for one in ways.values()),
        "e_model": {
            "formula": FORMULA,
            "codec": shape.rated.name,
            "rated_as": shape.rated.rated_as or shape.rated.name,
            "ie": shape.rated.ie,
            "bpl": shape.rated.bpl,
            "packet_ms": packet_ms,
            **ways,
        },
    }


def rated(quality: StreamQuality, trip_ms: float, packet_ms: float, codec: e_model.Codec) -> dict[str, Any]:
    """One direction by the E-model, with what went into it."""
    one_way_ms = max(0.0, trip_ms) / 2 + 2 * (quality.jitter_mean_ms or 0.0) + packet_ms
    burst_ratio = max(1.0, quality.burst_ratio)
    rating = e_model.rate(one_way_ms, quality.loss.ratio, codec, burst_ratio=burst_ratio)
    return {
        "one_way_ms": _rounded(one_way_ms),
        "loss_ratio": _rounded(quality.loss.ratio),
        "burst_ratio": _rounded(burst_ratio),
        "r": round(rating.r, 2),
        "mos": round(rating.mos, 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


# --- all legs -----------------------------------------------------------------------------------------


def _direction(way: str, legs: Sequence[Mapping[str, Any]]) -> dict[str, MetricValue]:
    """Counts of all legs together, for they go one way; of the rest the worst leg.

    A loss of none of no packets says that all of them left late: it can be judged by no band.
    """
    ways = [leg[way] for leg in legs]
    sent, received = (sum(one[name] for one in ways) for name in ("sent", "received"))
    lost, reordered, copies = (sum(one[name] for one in ways) for name in ("lost", "reordered", "duplicates"))
    all_late = not sent and any(leg["answered"] for leg in legs)
    return {
        f"loss_{way}_ratio": 0.0 if all_late else _share(lost, sent),
        f"reordering_{way}_ratio": _share(reordered, received),
        f"duplicates_{way}_ratio": _share(copies, received),
        f"worst_200_ms_{way}_ratio": _worst(ways, "worst_200_ms_ratio"),
        f"worst_15_s_{way}_ratio": _worst(ways, "worst_15_s_ratio"),
        f"jitter_{way}_ms": _worst(ways, "jitter_ms"),
        f"variation_{way}_ms": _worst(ways, "variation_ms"),
    }


def _rtcp(reports: Sequence[Mapping[str, Any]]) -> dict[str, MetricValue]:
    """None where nobody reports."""
    sent, answered = (sum(int(one[name]) for one in reports) for name in ("sent", "answered"))
    return {
        "rtcp_sent": sent or None,
        "rtcp_answered_ratio": _share(answered, sent),
        "rtcp_rtt_ms": max((one["rtt_ms"] for one in reports if one["rtt_ms"] is not None), default=None),
    }


def _share(count: int, of: int) -> float | None:
    return round(count / of, 6) if of else None


def _worst(legs: Iterable[Mapping[str, Any]], name: str) -> float | None:
    return max((float(leg[name]) for leg in legs if leg[name] is not None), default=None)


def _marks_kept(legs: Iterable[Mapping[str, Any]]) -> float | None:
    """Of legs that are marked at all; None where the far end cannot see marks."""
    marked = [leg for leg in legs if leg["dscp_sent"]]
    seen = sum(sum(leg["dscp_seen"].values()) for leg in marked)
    return _share(sum(leg["dscp_seen"].get(str(leg["dscp_sent"]), 0) for leg in marked), seen)
