"""What a full line is called: too narrow, or with too long a queue; and what is left open."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Finding, Severity, Where
from readycheck.diagnose.media import stream_bits
from readycheck.engine import Outcome, Status
from readycheck.failure import Step
from readycheck.observation import Observation, Target
from readycheck.plan import NO_CAPACITY, NO_RESPONDER, Check
from readycheck.probe import Leg, MetricValue, Played
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import ROWS as REACHABILITY
from tests.unit.builders import (
    Result,
    World,
    conclude,
    make_check,
    make_outcome,
    make_profile,
    make_selection,
    requirement,
    seen,
)
from tests.unit.diagnose.test_media import Heard, Play, by_chance
from tests.unit.far_side import AUDIO, PLACE, VIDEO, way

_FAR = {
    "area": "quality of service",
    "importance": "recommended",
    "transport": "none",
    "direction": "none",
    "ports": [],
    "targets": {"responder": True},
    "probe": "capacity",
}
CALLS = requirement(
    "calls",
    **_FAR,
    limits={
        "calls_line_ratio": {"warn": 1, "higher": True},
        "calls_loaded_ratio": {"fail": 1, "higher": True, "ended_by": "calls_broken"},
    },
)
DELAY = requirement(
    "delay",
    **_FAR,
    measured_with="calls",
    limits={"queue_up_ms": {"warn": 100, "fail": 200}, "queue_down_ms": {"warn": 100, "fail": 200}},
)
PROFILE = make_profile(*REACHABILITY, CALLS, DELAY)

GOOD: Mapping[str, MetricValue] = {
    "throughput_up_bits_per_second": 9.5e6,
    "throughput_down_bits_per_second": 40e6,
    "throughput_up_together_bits_per_second": 9e6,
    "throughput_down_together_bits_per_second": 38e6,
    "throughput_capped": 0,
    "idle_trip_ms": 20.0,
    "idle_trip_p95_ms": 22.0,
    "loaded_up_trip_ms": 50.0,
    "loaded_up_trip_p95_ms": 70.0,
    "loaded_down_trip_ms": 25.0,
    "loaded_down_trip_p95_ms": 30.0,
    "queue_up_ms": 48.0,
    "queue_down_ms": 8.0,
    "calls_wanted": 20,
    "calls_cscan": 95,
    "calls_line": 67,
    "calls_both_legs": 33,
    "calls_line_ratio": 3.35,
    "calls_loaded": 20,
    "calls_loaded_ratio": 1.0,
}
PLAYED = {"calls_loaded": 12, "calls_broken": 13, "calls_loaded_ratio": 0.6}
NARROW = {**GOOD, "calls_line": 7, "calls_line_ratio": 0.35, **PLAYED}
BLOATED = {**GOOD, "loaded_up_trip_ms": 400.0, "loaded_up_trip_p95_ms": 522.0, "queue_up_ms": 500.0}


@dataclass(kw_only=True)
class Filled(World):
    """A healthy site whose line shows these figures."""

    metrics: Mapping[str, MetricValue] = field(default_factory=lambda: GOOD)

    def measure(self, check: Check) -> Outcome:
        if check.probe != "capacity":
            return super().measure(check)
        seen = Observation(
            step=Step.ECHO, target=Target(address=PLACE[0], port=PLACE[1]), started_ms=0.0, elapsed_ms=1.0
        )
        return Outcome(check=check, status=Status.MEASURED, observations=(seen,), metrics=self.metrics)


@dataclass(kw_only=True)
class Drowned(Filled, Heard):
    """Streams, too, which meet what is told."""


def filled(metrics: Mapping[str, MetricValue], **selection: Any) -> Result:
    asked = {"responder": PLACE, "capacity": 20, **selection}
    return conclude(Filled(profile=PROFILE, selection=make_selection(**asked), metrics=metrics))


def only(result: Result) -> Finding:
    assert len(result.findings) == 1, [f"{f.cause}: {f.summary}" for f in result.findings]
    return result.findings[0]


def test_a_wide_line_with_a_short_queue() -> None:
    result = filled(GOOD)
    assert (result.findings, result.readiness) == ((), Readiness.READY)
    assert result.verdict("calls").because == "measured with the responder"


def test_too_few_calls_by_both_measures() -> None:
    result = filled(NARROW)
    finding = only(result)
    assert (finding.cause, finding.where) == ("bandwidth-insufficient", Where.UNKNOWN)
    assert (finding.confidence, finding.severity) == (Confidence.CERTAIN, Severity.DEGRADING)
    assert finding.affects == ("calls",)
    assert "of 20 calls at once 12 kept their quality" in finding.summary
    assert "9 Mbit/s up, 38 Mbit/s down" in finding.summary
    assert result.readiness is Readiness.WARNINGS


def test_one_measure_alone_is_no_certainty() -> None:
    played = {**GOOD, **PLAYED}
    assert only(filled(played)).confidence is Confidence.LIKELY
    reckoned = {**GOOD, "calls_line": 15, "calls_line_ratio": 0.75}
    assert only(filled(reckoned)).confidence is Confidence.POSSIBLE


def test_a_long_queue_has_its_direction() -> None:
    finding = only(filled(BLOATED))
    assert (finding.cause, finding.confidence) == ("bufferbloat", Confidence.CERTAIN)
    assert finding.affects == ("delay",)
    assert "20 ms on the idle line and, while sending fills it, 400 ms" in finding.summary
    assert "receiving" not in finding.summary


@pytest.mark.parametrize(("mbit", "cause"), [(1.0, "bandwidth-insufficient"), (4.0, "loss"), (0.3, "loss")])
def test_a_stream_that_is_more_than_the_line_drowns(mbit: float, cause: str) -> None:
    """Of which no more comes than the line lets through: loss by itself slows what fills it."""
    narrow = {name: mbit * 1e6 if name.endswith("per_second") else value for name, value in GOOD.items()}
    selection = make_selection(responder=PLACE, capacity=20)
    profile = make_profile(*REACHABILITY, CALLS, DELAY, VIDEO)
    world = Drowned(profile=profile, selection=selection, metrics=narrow, play=way(lost_up=by_chance(0.3)))
    result = conclude(world)
    assert [finding.cause for finding in result.findings] == [cause]
    finding = result.findings[0]
    assert finding.affects == ("video",)
    assert ("a stream of 1.21 Mbit/s is more than passes" in finding.summary) is (cause != "loss")


def test_a_stream_that_loses_as_much_as_one_that_fits_does_not_drown() -> None:
    narrow = {name: 1e6 if name.endswith("per_second") else value for name, value in GOOD.items()}
    selection = make_selection(responder=PLACE, capacity=20)
    profile = make_profile(*REACHABILITY, CALLS, DELAY, AUDIO, VIDEO)
    lossy = way(lost_up=by_chance(0.3))
    found = conclude(Drowned(profile=profile, selection=selection, metrics=narrow, play=lossy)).findings
    assert [(one.cause, one.affects) for one in found] == [("loss", ("audio", "video"))]


def test_a_stream_that_one_way_alone_shows_to_be_too_wide_drowns() -> None:
    """Filled both ways at once, TCP may find less than half of the width; a way alone then tells of the rest."""
    halved = {k: 1e6 if k.endswith("per_second") else v for k, v in GOOD.items()}
    halved |= {name: 4e5 for name in GOOD if name.endswith("together_bits_per_second")}
    selection = make_selection(responder=PLACE, capacity=20)
    profile = make_profile(*REACHABILITY, CALLS, DELAY, VIDEO)
    world = Drowned(profile=profile, selection=selection, metrics=halved, play=way(lost_up=by_chance(0.3)))
    assert [finding.cause for finding in conclude(world).findings] == ["bandwidth-insufficient"]
    alone = {name: value for name, value in halved.items() if "together" not in name}
    (finding,) = conclude(replace(world, metrics=alone)).findings
    assert finding.summary.endswith("Measured one after the other: 1 Mbit/s up, 1 Mbit/s down.")


@pytest.mark.parametrize(
    ("video", "cause"),
    [
        (way(lost_up=by_chance(0.3), rtt_ms=90.0), "bandwidth-insufficient"),
        (way(lost_up=by_chance(0.3)), "loss"),  # nothing waits
        (way(lost_up=by_chance(0.05), rtt_ms=90.0), "loss"),
    ],
)
@pytest.mark.parametrize("metrics", [{}, {"calls_wanted": 20}, {**GOOD, "throughput_capped": 4}])
def test_a_stream_that_fills_the_line_shows_it_by_itself(
    video: Play, cause: str, metrics: Mapping[str, MetricValue]
) -> None:
    """Where nobody filled the line, or nothing came of it."""

    def play(leg: Leg) -> Played:
        return video(leg) if leg.payload_bytes == 1000 else way()(leg)

    selection = make_selection(responder=PLACE, capacity=20)
    profile = make_profile(*REACHABILITY, CALLS, DELAY, AUDIO, VIDEO)
    found = conclude(Drowned(profile=profile, selection=selection, metrics=metrics, play=play)).findings
    assert [(one.cause, one.affects) for one in found] == [(cause, ("video",))]
    if cause != "loss":
        assert found[0].confidence is Confidence.LIKELY
        assert (
            "0.83 Mbit/s of it arrive, which wait in a queue (a round trip takes 90 ms)" in found[0].summary
        )


def test_what_this_host_sent_late_makes_no_stream_wider() -> None:
    """Half of a stream of 1.2 Mbit/s left late and lost some; the way back lost others, and is as wide."""
    up = {"sent": 50, "received": 50}
    leg = {"packets_per_second": 150.0, "payload_bytes": 988, "up": up, "down": {"sent": 90, "received": 72}}
    stream = make_outcome(make_check("video"), seen(Step.ECHO, Target(address="203.0.113.1"), **leg))
    assert stream_bits(stream) == stream_bits(stream, "down") == pytest.approx(1.2e6)
    assert stream_bits(stream, "down", "received") == pytest.approx(0.96e6)


def test_late_packets_alone_are_no_certainty() -> None:
    finding = only(filled({**BLOATED, "loaded_up_trip_ms": 60.0}))
    assert finding.confidence is Confidence.LIKELY


def test_both_at_once_are_two_findings() -> None:
    found = filled({**BLOATED, **{k: v for k, v in NARROW.items() if k.startswith("calls_")}}).findings
    assert {one.cause for one in found} == {"bandwidth-insufficient", "bufferbloat"}


def test_what_the_responder_limits_is_not_blamed() -> None:
    capped = {k: v for k, v in GOOD.items() if k != "calls_line_ratio"} | {
        "calls_line": 7,
        "throughput_capped": 4,
    }
    assert filled(capped).findings == ()


def test_calls_that_could_not_be_judged_are_neither_passed_nor_blamed() -> None:
    result = filled({**GOOD, "calls_loaded": 12, "calls_broken": None, "calls_loaded_ratio": 0.6})
    verdict = result.verdict("calls")
    assert (verdict.status, result.findings) == (Judgement.INCONCLUSIVE, ())
    assert "calls_loaded_ratio: at least 0.6, and whether it reaches 1 was not seen" in verdict.because


def test_nothing_measured_is_no_pass() -> None:
    for name in ("calls", "delay"):
        assert filled({"calls_wanted": 20}).verdict(name).status is Judgement.INCONCLUSIVE


def test_it_is_off_unless_asked_for() -> None:
    for selection, words in (({"capacity": None}, NO_CAPACITY), ({"responder": None}, NO_RESPONDER)):
        result = filled(GOOD, **selection)
        for name in ("calls", "delay"):
            verdict = result.verdict(name)
            assert (verdict.status, verdict.because) == (Judgement.SKIPPED, words)
        assert result.readiness is Readiness.READY
