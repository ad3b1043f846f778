"""What many streams cost, what the responder bears, and how long a binding of NAT is said to live."""

import json
import os
from collections.abc import Mapping
from typing import Any

from bench.media.exactness import departures, p95, spacing_errors_ms
from bench.media.promise import Promise
from bench.media.stage import DIRECT, INSIDE, NEAR, PORT, SOURCES, Ran, Stage
from tests.lab.machine import LabError, Process
from tests.lab.waiting import wait_until

FIFTY, CROWD, BESIDE_FLOOD, NEWCOMERS = 50, 500, 20, 10
BINDING_S, LADDER_S = 6, (2, 4, 8)
_EDGE_MS = 30.0
"""The smallest jitter that a profile judges."""


def fifty(stage: Stage, seconds: float) -> list[Promise]:
    """Streams of the program itself over the direct way."""
    with stage.seen("direct", NEAR) as seen:
        ran = stage.ran(stage.begin_agent(DIRECT, "--only", "stream", seconds=seconds, calls=FIFTY))
    ports = [leg["local"][1] for leg in ran.legs]
    errors = [error for port in ports for error in spacing_errors_ms(departures(seen[NEAR], port))]
    return [_cost(ran, seconds), _paced(ran, p95(errors))]


def _cost(ran: Ran, seconds: float) -> Promise:
    share, packets = ran.cpu_s / seconds, sum(leg["sent"] for leg in ran.legs)
    measured = f"{share:.2f} of a core, {ran.cpu_s / packets * 1e6:.0f} us a packet there and back"
    whole = packets == FIFTY * round(seconds * 50)
    return Promise(
        f"{FIFTY} streams of G.711 for {seconds:.0f} s", "under 1 core", measured, whole and share < 1
    )


def _paced(ran: Ran, error_ms: float) -> Promise:
    """An instrument that is too coarse has to say so; then the promise is kept, too."""
    check, limit = ran.check("audio"), _EDGE_MS / 10
    late = check["metrics"]["pacing_p95_ms"]
    said = "self-limited" in check["because"]
    measured = f"{error_ms:.3f} ms (own word: {late:.3f} ms late{', self_limited' if said else ''})"
    promised = f"below {limit:g} ms, a tenth of the smallest jitter judged, else self_limited"
    return Promise(
        f"error of the spacing of {FIFTY}, 95th percentile", promised, measured, error_ms < limit or said
    )


def crowd(stage: Stage, seconds: float) -> list[Promise]:
    """The responder keeps to one core, and the streams to the rest."""
    cores = sorted(os.sched_getaffinity(0))
    stage.pin(stage.responder, cores[0])
    arguments = (DIRECT, str(PORT), str(CROWD), str(seconds), *SOURCES)
    process = stage.start(NEAR, "crowd", "bench.media.crowd", *arguments, core=cores[-1])
    wait_until(process.said, "the crowd's streams to be open")
    before_s = stage.cpu_s(stage.responder)
    if process.wait(seconds + 60):
        raise LabError(f"the crowd gave up: {process.said()}")
    share = (stage.cpu_s(stage.responder) - before_s) / seconds
    stage.pin(stage.responder, *cores)
    told = json.loads(process.said().splitlines()[-1])
    lost = told["sent"] - told["returned"]
    measured = (
        f"{lost} of {told['sent']} packets lost; {share:.2f} of a core, held for {told['held_p95_ms']:.2f} ms at the "
        f"95th percentile (the crowd itself was {told['late_ms']:.1f} ms late at worst)"
    )
    kept = lost == 0 and told["sent"] == CROWD * round(seconds * 50)
    return [Promise(f"{CROWD} streams on one core of the responder", "none lost", measured, kept)]


def flood(stage: Stage, seconds: float) -> list[Promise]:
    """One core of two is the flood's, and its kernel's; the other half of the machine serves streams.

    It begins when the streams are open, for those are what is promised; and newcomers ask for more of them meanwhile.
    """
    begun = stage.begin_agent(DIRECT, "--only", "stream", seconds=seconds, calls=BESIDE_FLOOD)
    stage.await_streams(BESIDE_FLOOD)
    cores = sorted(os.sched_getaffinity(0))
    flooding = [
        stage.start(NEAR, f"flood-{core}", "bench.media.flood", DIRECT, str(PORT), core=core)
        for core in cores[: max(1, len(cores) // 2)]
    ]
    try:
        asking = stage.start(NEAR, "newcomer", "bench.media.newcomer", DIRECT, str(PORT), str(NEWCOMERS))
        asking.wait(NEWCOMERS * 10.0)
        ran = stage.ran(begun)
    finally:
        for one in flooding:
            stage.machine.stop(one)
    beside = f"beside {sum(map(_rate, flooding)):,.0f} of rubbish a second"
    return [_unharmed(ran, seconds, beside), _let_in(json.loads(asking.said().splitlines()[-1]), beside)]


def _unharmed(ran: Ran, seconds: float, beside: str) -> Promise:
    lost = {way: sum(leg[way]["lost"] for leg in ran.legs) for way in ("up", "down")}
    sent = sum(leg["sent"] for leg in ran.legs)
    measured = f"{lost['up']} there and {lost['down']} back of {sent} packets of {len(ran.legs)} streams lost, {beside}"
    kept = sent == BESIDE_FLOOD * round(seconds * 50) and not any(lost.values())
    return Promise("a flood that leaves half of the processors free", "no packet lost", measured, kept)


def _let_in(told: Mapping[str, Any], beside: str) -> Promise:
    took_s, failures = told["took_s"], told["failures"]
    slowest = f", the slowest in {max(took_s):.2f} s" if took_s else ""
    refused = f"; of the others it is said: {', '.join(sorted(set(failures)))}" if failures else ""
    return Promise(
        "streams that are asked for beside that flood",
        "opened, or the responder is said not to answer",
        f"{len(took_s)} of {NEWCOMERS} opened{slowest}{refused}, {beside}",
        set(failures) <= {"timed_out"},
    )


def _rate(flooding: Process) -> float:
    """Packets a second, as it says on its way out."""
    wait_until(flooding.said, "the flood's own count")
    number, seconds = flooding.said().split()
    return int(number) / float(seconds)


def binding(stage: Stage) -> list[Promise]:
    """From behind a NAT that forgets after so many seconds."""
    for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
        stage.machine.run(NEAR, "sh", "-c", f"echo {BINDING_S} >/proc/sys/net/netfilter/{name}")
    ran = stage.ran(stage.begin_agent(DIRECT, "--only", "nat", "--thorough", network=INSIDE, ladder=LADDER_S))
    told = ran.check("binding")["metrics"]["binding_s"]
    lower = max(step for step in LADDER_S if step <= BINDING_S)
    ladder = ", ".join(map(str, LADDER_S))
    measured = f"{told:g} s of a binding that lives {BINDING_S} s; steps of {ladder} s"
    return [Promise("lifetime of a NAT binding", "within one step of the ladder", measured, told == lower)]
