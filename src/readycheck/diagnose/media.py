"""What streams to the responder show of this way: which band they leave, and in which direction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any

from readycheck.diagnose.case import OWNERS, Case
from readycheck.diagnose.finding import Confidence, Finding, Owner, Where
from readycheck.diagnose.marks import place_of_change
from readycheck.diagnose.turns import lost_on_a_way
from readycheck.engine import Outcome
from readycheck.failure import Failure
from readycheck.media.stream import interval
from readycheck.plan import Scope
from readycheck.profile import Requirement
from readycheck.verdict import Band, Judgement, bands_of

WAYS = {"up": "on the way to the responder", "down": "on the way back"}
BURSTY = 1.5
"""G.107's burst ratio: 1 is loss by chance. Fewer than so much longer runs than by chance are just loss."""

_REMEDIES = {
    "loss": "Look for a saturated link, a duplex mismatch, a weak radio link and missing QoS in that direction; "
    "compare a run over a cable.",
    "burst-loss": "Look for what stops a link for moments: roaming or scanning Wi-Fi, a flapping port, route changes, "
    "a policer with a small bucket.",
    "jitter": "Give voice a queue of its own at the narrowest link (mark it EF and honour the mark), and look at "
    "Wi-Fi airtime and at large transfers at the same time.",
    "delay": "Leave to the internet near the users instead of through a distant centre, take media out of tunnels, "
    "and make sure that the responder stands where the product's media does.",
    "reordering": "Let parallel links and tunnels balance by flow and not by packet; look at SD-WAN policies that "
    "spray packets.",
    "duplication": "Look for a loop or a mirrored port that is fed back, and for SD-WAN packet duplication that is "
    "not undone at the other end.",
}


@dataclass(frozen=True, slots=True)
class Excess:
    """A band, which a stream left, and the summaries of its legs."""

    requirement: Requirement
    check: str
    band: Band
    legs: tuple[Mapping[str, Any], ...]

    @property
    def way(self) -> str:
        """up or down; empty for what is of both."""
        return next((way for way in WAYS if f"_{way}_" in self.band.name), "")

    @property
    def edge(self) -> float | None:
        """What it met first."""
        return self.band.limit.warn if self.band.limit.warn is not None else self.band.limit.fail

    @property
    def traffic(self) -> str:
        codecs = {str(leg.get("codec")) for leg in self.legs}
        return "video" if codecs == {"video"} else "audio"

    def total(self, name: str) -> int:
        return sum(int(leg[self.way][name]) for leg in self.legs)

    @property
    def is_bursty(self) -> bool:
        return any(
            leg[self.way]["burst_ratio"] >= BURSTY and leg[self.way]["longest_burst"] > 1 for leg in self.legs
        )


def excesses(case: Case, *names: str) -> list[Excess]:
    """What lies beyond its limits, and can be judged by them, of the metrics that begin like this."""
    found = _measured(case, names)
    return [one for one in found if one.band.status is not Judgement.PASS and not one.band.blur]


def _measured(case: Case, names: tuple[str, ...]) -> Iterator[Excess]:
    """Within its limits, too; of a stream that drowns nothing is the way's fault."""
    drowned = {outcome.check.id for outcome in drowning(case)}
    for verdict in case.verdicts:
        for check in verdict.checks if verdict.requirement.targets.responder else ():
            if check.check in drowned:
                continue
            outcome = case.by_check[check.check]
            for band in bands_of(verdict.requirement, outcome.metrics):
                if band.name.startswith(names):
                    yield Excess(verdict.requirement, check.check, band, _legs(outcome))


_HEAD_BYTES = 12  # of RTP: what fills the line is counted without its headers, too
_NARROWER, _HEAVY, _WAITS_MS = 4, 0.1, 15.0
"""So much wider, with so much more loss, and so much later in the median, is what fills the line by itself."""
_NO_MORE = 1.5
"""What fills the line by TCP comes so near to its width: of a stream that drowns no more gets through."""


def drowning(case: Case) -> list[Outcome]:
    """The streams of more bits than the line lets through, if it was filled to see, and else than the queue bears.

    Losses slow TCP down, too: where they are at fault, more of the stream comes than the line seems to carry, or a
    stream that fits the line, played alone as all are, loses as much.
    """
    streams, rates = _streams(case), line_rates(case)
    return [
        one
        for one in streams
        if any(_drowns(one, way, rate, streams) for way, rate in rates)
        or (not rates and any(_fills(one, way, streams) for way in WAYS))
    ]


def line_rates(case: Case) -> list[tuple[str, float]]:
    """Of each way alone, and with the other: a stream goes both ways, and on some media these share the width."""
    return [
        (way, rate)
        for outcome in case.outcomes
        if not outcome.metrics.get("throughput_capped")
        for way in WAYS
        for suffix in ("", "_together")
        if (rate := outcome.metrics.get(f"throughput_{way}{suffix}_bits_per_second"))
    ]


def _usual_loss(fitting: Sequence[Outcome], way: str) -> float:
    """The most that streams may lose on this way, whatever their width."""
    legs = [leg[way] for outcome in fitting for leg in _legs(outcome)]
    sent = sum(int(leg["sent"]) for leg in legs)
    return interval(sum(int(leg["lost"]) for leg in legs), sent).high if sent else 0.0


def _drowns(outcome: Outcome, way: str, rate: float, streams: Sequence[Outcome]) -> bool:
    sent, came = (stream_bits(outcome, way, name) for name in ("sent", "received"))
    usual = _usual_loss([one for one in streams if stream_bits(one) < rate], way)
    return sent > rate and 0 < came <= _NO_MORE * rate and 1 - came / sent > usual


def _fills(outcome: Outcome, way: str, streams: Sequence[Outcome]) -> bool:
    """It loses much and its packets wait, where a narrower one loses far less and waits less."""
    narrower = [one for one in streams if 0 < _NARROWER * stream_bits(one) <= stream_bits(outcome)]
    sent, came = (stream_bits(outcome, way, name) for name in ("sent", "received"))
    if not narrower or not 0 < came < sent:
        return False
    least = max(float(one.metrics.get("rtt_ms") or inf) for one in narrower)
    waits = float(outcome.metrics.get("rtt_ms") or 0.0) >= least + _WAITS_MS
    return waits and 1 - came / sent > _HEAVY + _usual_loss(narrower, way)


def stream_bits(outcome: Outcome, way: str = "up", name: str = "sent") -> float:
    """What its legs send a second, all at once; or what of it comes, or is returned.

    Each way leaves out packets of its own that this host sent too late, so that only its own shares compare.
    """
    bits = 0.0
    for leg in _legs(outcome):
        returned = 1.0 if way == "up" else _share(leg["up"], "received")
        share = returned * _share(leg[way], name)
        bits += 8 * leg["packets_per_second"] * (leg["payload_bytes"] + _HEAD_BYTES) * share
    return bits


def _share(counts: Mapping[str, Any], name: str) -> float:
    return float(counts[name] / counts["sent"]) if counts["sent"] else 0.0


def _legs(outcome: Outcome) -> tuple[Mapping[str, Any], ...]:
    whole = (None, Failure.TIMED_OUT)
    return tuple(o.facts for o in outcome.observations if "up" in o.facts and o.failure in whole)


def _finding(case: Case, cause: str, found: Sequence[Excess], summary: str, sure: bool) -> Finding:
    made = case.finding(
        cause,
        [one.check for one in found],
        summary,
        confidence=Confidence.CERTAIN if sure else Confidence.LIKELY,
        remedy=_REMEDIES.get(cause, ""),
    )
    affects = tuple(dict.fromkeys(one.requirement.id for one in found))
    return replace(made, affects=affects, severity=case.severity(affects))


# --- nothing comes back -------------------------------------------------------------------------------


def udp_return_blocked(case: Case) -> Iterator[Finding]:
    """The responder received packets and returned them, and none arrives."""
    legs = [(o.check.id, seen) for o, seen in case.observations(Scope.FAR_END) if "counted" in seen.facts]
    dead = [(check, seen.facts) for check, seen in legs if seen.failure is Failure.TIMED_OUT]
    gone = [(check, facts) for check, facts in dead if facts["counted"]]
    if not gone or len(gone) < len(dead):
        return
    arrived, sent = (sum(int(facts[name]) for _, facts in gone) for name in ("counted", "sent"))
    yield case.finding(
        "udp-return-blocked",
        list(dict.fromkeys(check for check, _ in gone)),
        f"The responder received {arrived} of {sent} media packets and returned each, and none of them arrives here, "
        "while its answers to questions do: the way back is closed for media.",
        confidence=Confidence.LIKELY if len(gone) < len(legs) else Confidence.CERTAIN,
        remedy="Let replies to outbound UDP back in whatever they carry: a stateful rule on every firewall, without an "
        "inspection that takes RTP for something else.",
    )


# --- loss ---------------------------------------------------------------------------------------------


def loss(case: Case) -> Iterator[Finding]:
    """Loss by chance: single packets, whatever the windows say."""
    found = [one for one in _lossy(case) if not one.is_bursty]
    if found:
        rates = [one for one in found if one.band.name.startswith("loss")]
        parts = _by_way(found, _losses)
        made = _finding(case, "loss", found, f"Packets are lost {parts}.", any(map(_is_proven, rates)))
        yield _with_the_unlucky(case, made)


def burst_loss(case: Case) -> Iterator[Finding]:
    """Loss in runs: what concealment cannot hide."""
    found = [one for one in _lossy(case) if one.is_bursty]
    if found:
        made = _finding(
            case,
            "burst-loss",
            found,
            f"Packets are lost several in a row {_by_way(found, _bursts)}.",
            sum(_runs(one) for one in found) > 1,
        )
        heavy = any(one.band.name.startswith("loss") for one in found)
        made = replace(made, explains=("loss",)) if heavy else made
        yield _with_the_unlucky(case, made)


def _with_the_unlucky(case: Case, made: Finding) -> Finding:
    """What else of the run answers by turns, and no worse than the streams, has lost packets on the same way."""
    unlucky = lost_on_a_way(case, _there_and_back(case))
    failing = {c.check for _, c in case.failing}
    affects = tuple(dict.fromkeys((*made.affects, *case.requirements_of(failing.intersection(unlucky)))))
    evidence = tuple(dict.fromkeys((*made.evidence, *unlucky)))
    return replace(made, affects=affects, severity=case.severity(affects), evidence=evidence)


def _there_and_back(case: Case) -> float:
    """The share of packets that the way to the responder and back loses."""
    drowned = drowning(case)
    legs = [leg for outcome in _streams(case) if outcome not in drowned for leg in _legs(outcome)]
    come = 1.0
    for way in WAYS:
        lost, sent = (sum(int(leg[way][name]) for leg in legs) for name in ("lost", "sent"))
        come *= 1 - lost / sent if sent else 1.0
    return 1 - come


def _lossy(case: Case) -> list[Excess]:
    """Without the streams of which nothing at all came back."""
    found = excesses(case, "loss_", "worst_200_ms_", "worst_15_s_")
    return [one for one in found if one.total("sent") and (one.way == "up" or one.total("received"))]


def _losses(one: Excess) -> str:
    lost, sent = one.total("lost"), one.total("sent")
    bounds = interval(lost, sent)
    within = f"95 % interval {_percent(bounds.low)} to {_percent(bounds.high)}"
    return f"{_percent(bounds.ratio)} of {one.traffic} ({lost} of {sent} packets; {within})"


def _bursts(one: Excess) -> str:
    longest = max(int(leg[one.way]["longest_burst"]) for leg in one.legs)
    worst = max((leg[one.way]["worst_200_ms_ratio"] or 0.0 for leg in one.legs), default=0.0)
    return f"{_losses(one)}: up to {longest} in a row, {worst:.0%} of the worst 200 ms"


def _runs(one: Excess) -> int:
    """About how many runs: a single one may be chance."""
    lost = one.total("lost")
    longest = max(int(leg[one.way]["longest_burst"]) for leg in one.legs)
    return lost // max(1, longest)


def _is_proven(one: Excess) -> bool:
    """The whole interval lies beyond the edge."""
    return one.edge is not None and interval(one.total("lost"), one.total("sent")).low >= one.edge


# --- time and order -----------------------------------------------------------------------------------


def jitter(case: Case) -> Iterator[Finding]:
    """The spacing varies; what overtakes for that reason is not told again."""
    if found := excesses(case, "jitter_"):
        made = _finding(
            case, "jitter", found, f"Packets come unevenly {_by_way(found, _jitters)}.", _agree(found)
        )
        ways = {one.way for one in found}
        overtaking = any(one.way in ways for one in excesses(case, "reordering_"))
        waiting = any(map(_only_waits, excesses(case, "rtt_")))
        also = (("reordering", overtaking), ("delay", waiting))
        yield replace(made, explains=tuple(cause for cause, met in also if met))


def _jitters(one: Excess) -> str:
    spread = max((leg[one.way]["variation_ms"] or 0.0 for leg in one.legs), default=0.0)
    own = max((leg["pacing_p95_ms"] or 0.0 for leg in one.legs), default=0.0)
    return (
        f"{one.traffic} has a jitter of {one.band.value:.1f} ms (95 % of the delays lie within {spread:.0f} ms; "
        f"this host's own error is {own:.2f} ms)"
    )


def delay(case: Case) -> Iterator[Finding]:
    """The round trip is long: of both ways, for the clocks of two hosts do not tell one of them."""
    uneven = bool(_uneven(case))
    found = [one for one in excesses(case, "rtt_") if not (uneven and _only_waits(one))]
    if found:
        trips = " and ".join(f"{one.band.value:.0f} ms for {one.traffic}" for one in found)
        least = min(leg["rtt_least_ms"] for one in found for leg in one.legs)
        waits = (
            f" The least is {least:.0f} ms: packets wait on the way." if any(map(_only_waits, found)) else ""
        )
        summary = f"The median round trip to the responder, without the time that it takes itself, is {trips}.{waits}"
        yield _finding(case, "delay", found, summary, _agree(found))


def _uneven(case: Case) -> set[str]:
    """The ways that are so, or may be, for all that this host is late itself."""
    return {
        one.way
        for one in _measured(case, ("jitter_",))
        if one.edge is not None and one.band.value + _own_error(case, one) >= one.edge
    }


def _own_error(case: Case, one: Excess) -> float:
    return case.by_check[one.check].metrics.get(one.band.limit.error) or 0.0


def _only_waits(one: Excess) -> bool:
    """The way is short when nothing waits: its least round trip is within the band."""
    return one.edge is not None and min(leg["rtt_least_ms"] for leg in one.legs) < one.edge


def reordering(case: Case) -> Iterator[Finding]:
    """Packets overtake each other although they come evenly."""
    uneven = _uneven(case)
    found = [one for one in excesses(case, "reordering_") if one.way not in uneven]
    if found:
        count = partial(_counted, name="reordered")
        yield _finding(
            case, "reordering", found, f"Packets overtake each other {_by_way(found, count)}.", _agree(found)
        )


def duplication(case: Case) -> Iterator[Finding]:
    """Packets come more than once."""
    if found := excesses(case, "duplicates_"):
        count = partial(_counted, name="duplicates")
        yield _finding(
            case, "duplication", found, f"Packets arrive twice {_by_way(found, count)}.", _agree(found)
        )


def _counted(one: Excess, name: str) -> str:
    count, of = one.total(name), one.total("received")
    bounds = interval(count, of)
    within = f"95 % interval {_percent(bounds.low)} to {_percent(bounds.high)}"
    return f"{count} of {of} packets of {one.traffic} ({within})"


def _agree(found: Iterable[Excess]) -> bool:
    """Streams of their own, audio and video, show the same."""
    return len({one.check for one in found}) > 1


# --- marks --------------------------------------------------------------------------------------------


def dscp_changed(case: Case) -> Iterator[Finding]:
    """The marks at the far end are not those that were sent."""
    found = excesses(case, "marks_kept_")
    words = list(dict.fromkeys(text for one in found for text in _marks(one)))
    if words:
        kept = [one for one in _streams(case) if one.metrics.get("marks_kept_ratio") == 1.0]
        rest = f"; the marks of {len(kept)} other stream(s) arrive" if kept else ""
        where, place = place_of_change(case)
        summary = f"QoS marks are changed on the way to the responder: {', '.join(words)}{rest}.{place}"
        made = _finding(case, "dscp-changed", found, summary, sure=True)
        yield replace(made, where=where, owner=OWNERS[where] if where is not Where.UNKNOWN else Owner.NETWORK)


def _streams(case: Case) -> list[Outcome]:
    return [outcome for outcome in case.outcomes if outcome.check.scope is Scope.FAR_END]


def _marks(one: Excess) -> Iterator[str]:
    for leg in one.legs:
        sent = str(leg["dscp_sent"])
        other = {mark: count for mark, count in leg["dscp_seen"].items() if mark != sent}
        if sent != "0" and other:
            seen = " and ".join(other)
            share = sum(other.values()) / sum(leg["dscp_seen"].values())
            yield f"{one.traffic} is sent as {sent} and seen as {seen} ({share:.0%} of the packets)"


# --- words --------------------------------------------------------------------------------------------


def _by_way(found: Sequence[Excess], words: Any) -> str:
    """Direction by direction, each stream once."""
    parts = []
    for way, where in WAYS.items():
        told = dict.fromkeys(words(one) for one in found if one.way == way)
        if told:
            parts.append(f"{where}: {', '.join(told)}")
    return "; ".join(parts)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.2g} %"


MEASURES = frozenset(
    {
        "loss",
        "burst-loss",
        "jitter",
        "delay",
        "reordering",
        "duplication",
        "dscp-changed",
        "bandwidth-insufficient",
        "bufferbloat",
    }
)
"""Independent numbers of one stream: that they rest on the same check does not make one the cause of another."""
