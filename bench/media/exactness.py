"""Streams over the long way with faults, beside irtt and iperf3 at the same time: what each says, and what is true."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.media.promise import Promise
from bench.media.stage import DEVICE, FAR, IPERF_PORT, IRTT_PORT, LONG, NEAR, Ran, Stage
from bench.media.truth import Fate, Flow, fates
from readycheck.media import e_model
from tests.lab.forwarder import Wire

WIRES: Mapping[str, Wire] = {
    "23 ms": Wire(delay_ms=23.0),
    "117 ms": Wire(delay_ms=117.0),
    "loss 3 %": Wire(delay_ms=23.0, loss_ratio=0.03, seed=11),
    "bursts": Wire(delay_ms=23.0, loss_ratio=0.05, burst=4.0, seed=12),
    "jitter 4 ms": Wire(delay_ms=23.0, jitter_ms=4.0, seed=13),
    "jitter 18 ms": Wire(delay_ms=23.0, jitter_ms=18.0, seed=14),
    "order": Wire(delay_ms=23.0, reorder_ratio=0.05, reorder_ms=50.0, duplicate_ratio=0.03, seed=15),
    "all": Wire(
        delay_ms=43.0,
        jitter_ms=10.0,
        loss_ratio=0.04,
        burst=2.0,
        reorder_ratio=0.03,
        duplicate_ratio=0.02,
        seed=16,
    ),
}
CALLS = 2
DELAY_MS, JITTER_SHARE, JITTER_FROM_MS, MOS = 0.2, 0.1, 1.0, 0.05
_PAYLOAD = 172
_LENGTH = _PAYLOAD + 28
"""Of packets of G.711 with their headers; those of irtt and iperf3 are as long."""
_SPACING_NS = 20_000_000
_WAYS = ("up", "down")


@dataclass(frozen=True, slots=True)
class Case:
    """One wire: what was told, what the forwarder did to each flow, and what passed the devices of its ends."""

    name: str
    wire: Wire
    ran: Ran
    flows: Mapping[Flow, Fate]
    seen: Mapping[str, Sequence[Any]]
    irtt: Mapping[str, Any]
    iperf: Mapping[str, Any]

    def fate(self, near_port: int, way: str) -> Fate:
        return next(
            fate
            for flow, fate in self.flows.items()
            if flow.near_port == near_port and flow.way == _WAYS.index(way) and flow.length == _LENGTH
        )

    def departures(self, near_port: int) -> list[int]:
        return departures(self.seen[NEAR], near_port)

    def trip_ms(self, near_port: int) -> float:
        """The median without the time at the far end, by the kernels' stamps at both ends."""
        near, far = (passed(self.seen[name], near_port) for name in (NEAR, FAR))
        went, came = near
        arrived, returned = (far[1], far[0])
        whole = went.keys() & came.keys() & arrived.keys() & returned.keys()
        return median((came[n] - went[n] - returned[n] + arrived[n]) / 1e6 for n in whole)

    @property
    def irtt_port(self) -> int:
        return self._port(IRTT_PORT)

    @property
    def iperf_port(self) -> int:
        return self._port(IPERF_PORT)

    def _port(self, far_port: int) -> int:
        found = {
            f.near_port: fate.sent for f, fate in self.flows.items() if f.far_port == far_port and f.way == 0
        }
        return max(found, key=lambda port: found[port])


def play(stage: Stage, name: str, seconds: float) -> Case:
    """The program and both others at once, so that they meet the same machine."""
    wire, folder = WIRES[name], stage.machine.folder
    with stage.long_way(wire) as events, stage.seen(DEVICE, NEAR, FAR) as seen:
        begun = stage.begin_agent(LONG, "--only", "stream", seconds=seconds, calls=CALLS)
        others = [stage.machine.start(NEAR, *command) for command in _others(seconds, folder)]
        ran = stage.ran(begun)
        for other in others:
            other.wait(60.0)
    return Case(
        name,
        wire,
        ran,
        fates(events),
        seen,
        json.loads((folder / "irtt.json").read_text()),
        json.loads((folder / "iperf3-client.log").read_text()),
    )


def _others(seconds: float, folder: Path) -> Sequence[Sequence[str]]:
    irtt = ("-i", "20ms", "-d", f"{seconds}s", "-l", str(_PAYLOAD), "-Q", "-o", str(folder / "irtt.json"))
    rate = f"{_PAYLOAD * 8 * 50}"
    iperf = ("-u", "-b", rate, "-l", str(_PAYLOAD), "-t", f"{seconds:.0f}", "-p", str(IPERF_PORT), "-J")
    return (
        ("irtt-client", "irtt", "client", *irtt, f"{LONG}:{IRTT_PORT}"),
        ("iperf3-client", "iperf3", "-c", LONG, *iperf, "--get-server-output", "--pacing-timer", "1000"),
    )


# --- what was promised --------------------------------------------------------------------------------


def promises(cases: Sequence[Case]) -> list[Promise]:
    """Each over all wires on which it can be seen."""
    steady = [case for case in cases if not case.wire.jitter_ms and not case.wire.reorder_ratio]
    uneven = [case for case in cases if case.wire.jitter_ms or case.wire.reorder_ratio]
    return [
        _counts("packets lost, there", cases, "up", "lost", others=True),
        _counts("packets lost, back", cases, "down", "lost", others=True),
        _counts("longest burst of losses, there", cases, "up", "longest_burst"),
        _counts("packets overtaken, there", cases, "up", "reordered", others=True),
        _counts("packets overtaken, back", cases, "down", "reordered"),
        _counts("packets twice, there", cases, "up", "duplicates"),
        _counts("packets twice, back", cases, "down", "duplicates"),
        _delay(steady),
        _jitter(uneven),
        _pacing(steady),
        _mos(cases),
    ]


def _counts(what: str, cases: Sequence[Case], way: str, name: str, *, others: bool = False) -> Promise:
    """Of every leg of every wire; `beside` is how far the others are off by the same account."""
    told = [
        (int(leg[way][name]), getattr(case.fate(leg["local"][1], way), name))
        for case in cases
        for leg in case.ran.legs
    ]
    wrong = sum(abs(one - true) for one, true in told)
    beside = _others_off(cases, way, name) if others else ""
    measured = f"{sum(one for one, _ in told)} of {sum(true for _, true in told)}, off by {wrong}"
    return Promise(what, "exact", measured, wrong == 0, beside)


def _others_off(cases: Sequence[Case], way: str, name: str) -> str:
    words = []
    if name == "lost":
        off = sum(abs(irtt_lost(case.irtt, way) - case.fate(case.irtt_port, way).lost) for case in cases)
        words.append(f"irtt off by {off}")
    if way == "up":
        key = {"lost": "lost_packets", "reordered": "out_of_order"}[name]
        off = sum(
            abs(_iperf_sum(case.iperf, key) - getattr(case.fate(case.iperf_port, "up"), name))
            for case in cases
        )
        words.append(f"iperf3 off by {off:.0f}")
    return ", ".join(words)


def irtt_lost(told: Mapping[str, Any], way: str) -> int:
    """As its server and its client count; copies are not among what came back."""
    stats = told["stats"]
    if way == "up":
        return int(stats["packets_sent"] - stats["server_packets_received"])
    return int(stats["server_packets_received"] - stats["packets_received"])


def _iperf_sum(told: Mapping[str, Any], key: str) -> float:
    udp = told["end"]["streams"][0]["udp"]
    return float(udp.get(key, told["end"]["sum"].get(key, 0)))


def _delay(cases: Sequence[Case]) -> Promise:
    """The median of both ways together, against what the wire was set to, and what the kernels at its ends stamped."""
    legs = [(case, leg) for case in cases for leg in case.ran.legs]
    from_set = max((leg["rtt_ms"] - 2 * case.wire.delay_ms for case, leg in legs), key=abs)
    off = max((leg["rtt_ms"] - case.trip_ms(leg["local"][1]) for case, leg in legs), key=abs)
    irtt = max(
        (case.irtt["stats"]["rtt"]["median"] / 1e6 - 2 * case.wire.delay_ms for case in cases), key=abs
    )
    return Promise(
        "round trip, median",
        f"within {DELAY_MS:g} ms",
        f"{off:+.3f} ms of what the wire took ({from_set:+.3f} ms of what it was set to)",
        abs(off) <= DELAY_MS,
        f"irtt {irtt:+.3f} ms of what it was set to",
    )


def _jitter(cases: Sequence[Case]) -> Promise:
    ours = [
        leg[way]["jitter_ms"] / true - 1
        for case in cases
        for leg in case.ran.legs
        for way in _WAYS
        if (true := case.fate(leg["local"][1], way).jitter_ms) > JITTER_FROM_MS
    ]
    irtt = [
        case.irtt["stats"][f"ipdv_{name}"]["mean"] / 1e6 / case.fate(case.irtt_port, way).variation_ms - 1
        for case in cases
        for way, name in zip(_WAYS, ("send", "receive"), strict=True)
    ]
    worst = max(ours, key=abs)
    return Promise(
        "jitter above 1 ms",
        f"within {JITTER_SHARE:.0%}",
        f"{worst:+.1%} at worst of {len(ours)}, {median(map(abs, ours)):.1%} at the median",
        abs(worst) <= JITTER_SHARE,
        f"irtt {max(irtt, key=abs):+.1%} (of its own measure)",
    )


def _pacing(cases: Sequence[Case]) -> Promise:
    """By the kernel's stamps on the way out: how far two packets that follow are from 20 ms apart."""
    ours = p95(
        [
            error
            for case in cases
            for leg in case.ran.legs
            for error in spacing_errors_ms(case.departures(leg["local"][1]))
        ]
    )
    irtt = p95([error for case in cases for error in spacing_errors_ms(case.departures(case.irtt_port))])
    own = max(leg["pacing_p95_ms"] for case in cases for leg in case.ran.legs)
    return Promise(
        "error of the spacing, 95th percentile",
        "no worse than irtt",
        f"{ours:.3f} ms (own word: {own:.3f} ms late)",
        ours <= irtt,
        f"irtt {irtt:.3f} ms",
    )


def spacing_errors_ms(departures: Sequence[int]) -> list[float]:
    return [abs(after - before - _SPACING_NS) / 1e6 for before, after in pairwise(departures)]


def departures(seen: Sequence[Any], near_port: int) -> list[int]:
    """When packets of a stream left."""
    return [at for at, out, source, _, length, _ in seen if out and source == near_port and length == _LENGTH]


def passed(seen: Sequence[Any], port: int) -> tuple[dict[int, int], dict[int, int]]:
    """When each number of a stream went out by a device, and when it came in; the first of its copies."""
    ways: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for at_ns, out, source, destination, length, number in seen:
        if length == _LENGTH and port in (source, destination):
            ways[0 if out else 1].setdefault(number, at_ns)
    return ways


def p95(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[int(0.95 * (len(ordered) - 1))]


def _mos(cases: Sequence[Case]) -> Promise:
    """The formula with what is true put into it, against what is told."""
    off = max(
        abs(leg["mos"] - min(_true_mos(case, leg["local"][1], way) for way in _WAYS))
        for case in cases
        for leg in case.ran.legs
    )
    return Promise("MOS", f"within {MOS:g} of the formula", f"{off:.3f} at worst", off <= MOS)


def _true_mos(case: Case, port: int, way: str) -> float:
    there, back = (case.fate(port, one) for one in _WAYS)
    fate = there if way == "up" else back
    one_way_ms = (there.delay_ms + back.delay_ms) / 2 + 2 * fate.jitter_ms + _SPACING_NS / 1e6
    ratio = fate.lost / fate.sent
    burst = e_model.burst_ratio(fate.mean_burst, ratio) if fate.lost else 1.0
    return e_model.rate(one_way_ms, ratio, e_model.G711, burst_ratio=max(1.0, burst)).mos
