"""What streams to the responder are called: by band, direction and cause, and what is left open."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Finding, Severity, Where
from readycheck.engine import Outcome, Status
from readycheck.failure import Failure
from readycheck.plan import Check
from readycheck.probe import Leg, Played
from readycheck.profile import Profile
from readycheck.score import score
from readycheck.testing import FakeNetwork, run_probe
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import ROWS as REACHABILITY
from tests.unit.builders import Result, World, conclude, make_profile, make_selection
from tests.unit.far_side import PLACE, QOS, ROWS, way

Play = Callable[[Leg], Played]
SECONDS = 20.0


def profile(seconds: float = SECONDS) -> Profile:
    rows = [{**row, "params": {**row.get("params", {}), "seconds": seconds}} for row in ROWS]
    return make_profile(*REACHABILITY, *rows, qos=QOS)


@dataclass(kw_only=True)
class Heard(World):
    """A healthy site whose streams to the responder meet what is told."""

    play: Play | Failure = field(default_factory=way)

    def measure(self, check: Check) -> Outcome:
        if check.probe != "stream":
            return super().measure(check)
        observations, metrics = run_probe(
            self.registry.probe("stream"), check.params, FakeNetwork(responder=self.play)
        )
        return Outcome(check=check, status=Status.MEASURED, observations=observations, metrics=metrics)


def heard(play: Play | Failure, seconds: float = SECONDS, **changes: Any) -> Result:
    selection = make_selection(responder=PLACE)
    return conclude(Heard(profile=profile(seconds), selection=selection, play=play, **changes))


def media(result: Result) -> str | None:
    return score(result.verdicts, profile()).media


def only(result: Result) -> Finding:
    assert len(result.findings) == 1, [f"{f.cause}: {f.summary}" for f in result.findings]
    return result.findings[0]


def by_chance(share: float, seed: int = 5) -> Callable[[int], bool]:
    rng = random.Random(seed)
    gone = {n for n in range(20_000) if rng.random() < share}
    return gone.__contains__


def test_a_clean_way_is_good_and_names_nothing() -> None:
    result = heard(way())
    assert result.findings == ()
    assert result.readiness is Readiness.READY
    assert media(result) == "good"
    assert result.verdict("audio").because == "the responder answered 1000 packets"


def test_what_a_busy_host_sent_at_once_and_lost_is_nobodys_fault() -> None:
    train, lost = range(100, 120), range(110, 120)
    result = heard(way(at_once=train, lost_up=lost.__contains__))
    assert (result.findings, result.verdict("audio").status) == ((), Judgement.PASS)
    assert only(heard(way(lost_up=lost.__contains__))).cause == "burst-loss"


def test_a_host_that_sent_everything_at_once_shows_nothing() -> None:
    result = heard(way(at_once=range(3000), lost_up=lambda n: n % 2 == 0))
    assert (result.findings, result.verdict("audio").status) == ((), Judgement.INCONCLUSIVE)


def test_order_is_not_judged_by_too_few_packets() -> None:
    verdict = heard(way()).verdict("order")
    assert verdict.status is Judgement.INCONCLUSIVE
    assert "reordering_up_ratio: 1000 are too few to show less than 0.0005" in verdict.because
    assert heard(way(), seconds=130.0).verdict("order").status is Judgement.PASS


def test_a_short_stream_proves_no_small_loss() -> None:
    result = heard(way(), seconds=3.0)
    assert result.verdict("audio").status is Judgement.INCONCLUSIVE
    assert "150 are too few to show less than 0.01" in result.verdict("audio").because
    assert result.verdict("video").status is Judgement.PASS
    assert result.readiness is Readiness.READY


def test_without_a_responder_nothing_changes() -> None:
    without = conclude(Heard(profile=profile()))
    bare = conclude(World())
    assert without.verdict("audio").status is Judgement.SKIPPED
    assert without.verdict("audio").because == "needs a responder (--responder HOST)"
    assert not without.verdict("order").testable
    assert without.readiness is bare.readiness
    ours, theirs = (score(r.verdicts, profile()) for r in (without, bare))
    assert (ours.overall, ours.confidence_ratio, ours.media) == (
        theirs.overall,
        theirs.confidence_ratio,
        None,
    )


def test_loss_names_its_direction_with_an_interval() -> None:
    result = heard(way(lost_up=by_chance(0.05)))
    finding = only(result)
    assert (finding.cause, finding.where, finding.confidence) == ("loss", Where.UNKNOWN, Confidence.CERTAIN)
    assert finding.severity is Severity.DEGRADING
    assert "on the way to the responder" in finding.summary and "on the way back" not in finding.summary
    assert "95 % interval" in finding.summary and "of 1000 packets" in finding.summary
    assert finding.affects == ("audio", "video")
    assert result.readiness is Readiness.WARNINGS
    assert media(result) == "poor"


def test_loss_on_the_way_back() -> None:
    finding = only(heard(way(lost_down=by_chance(0.04))))
    assert finding.cause == "loss"
    assert "on the way back: " in finding.summary and "to the responder" not in finding.summary


def test_bursts_are_told_from_loss_by_chance() -> None:
    """Five of 500 in a row, 1 %: it is the run that is heard."""
    finding = only(heard(way(lost_up=lambda n: n % 500 in range(100, 105))))
    assert finding.cause == "burst-loss"
    assert "up to 5 in a row, 50% of the worst 200 ms" in finding.summary


def test_heavy_bursts_explain_the_loss() -> None:
    finding = only(heard(way(lost_down=lambda n: n % 100 < 8)))
    assert (finding.cause, finding.explains) == ("burst-loss", ("loss",))


def test_jitter_explains_what_it_makes_overtake() -> None:
    finding = only(heard(way(jitter_up_ms=150.0), seconds=130.0))
    assert (finding.cause, finding.explains) == ("jitter", ("reordering", "delay"))
    assert "on the way to the responder: audio has a jitter of" in finding.summary
    assert finding.confidence is Confidence.CERTAIN  # audio and video agree


def test_delay_is_of_both_ways() -> None:
    result = heard(way(rtt_ms=150.0))
    finding = only(result)
    assert finding.cause == "delay"
    assert "150 ms for audio and 150 ms for video" in finding.summary
    assert result.verdict("audio").status is Judgement.WARN
    assert media(result) == "fair"


def test_loss_and_delay_are_two_causes() -> None:
    assert {f.cause for f in heard(way(rtt_ms=250.0, lost_up=by_chance(0.06))).findings} == {"loss", "delay"}


def test_reordering_by_itself() -> None:
    finding = only(heard(way(overtaken=range(50, 6000, 100)), seconds=130.0))
    assert finding.cause == "reordering"
    assert "60 of 6500 packets of audio" in finding.summary
    assert finding.severity is Severity.NOTE


def test_much_reordering_shows_in_a_short_stream() -> None:
    finding = only(heard(way(overtaken=range(50, 1000, 50)), seconds=10.0))
    assert (finding.cause, finding.confidence) == ("reordering", Confidence.LIKELY)


def test_copies() -> None:
    finding = only(heard(way(copied=range(0, 1000, 20))))
    assert finding.cause == "duplication"
    assert "50 of 1000 packets of audio" in finding.summary


def test_marks_that_are_cleared() -> None:
    result = heard(way(mark=lambda tos: 0))
    finding = only(result)
    assert (finding.cause, finding.confidence) == ("dscp-changed", Confidence.CERTAIN)
    assert "audio is sent as 46 and seen as 0 (100% of the packets)" in finding.summary
    assert (finding.affects, finding.severity) == (("marks",), Severity.NOTE)
    assert result.readiness is Readiness.READY


def test_marks_of_audio_alone() -> None:
    finding = only(heard(way(mark=lambda tos: 0 if tos == 46 << 2 else tos)))
    assert "the marks of 1 other stream(s) arrive" in finding.summary


def test_a_far_end_that_cannot_see_marks_says_nothing() -> None:
    def blind(leg: Leg) -> Played:
        from dataclasses import replace

        seen = way()(leg)
        return replace(
            seen, returned=tuple(replace(one, hop_limit=0, traffic_class=0) for one in seen.returned)
        )

    assert heard(blind).findings == ()


def test_media_that_does_not_come_back() -> None:
    result = heard(way(lost_down=lambda n: True))
    finding = only(result)
    assert finding.cause == "udp-return-blocked"
    assert "received 4000 of 4000 media packets" in finding.summary
    assert result.verdict("audio").status is Judgement.FAIL
    assert media(result) == "poor"


def test_media_that_does_not_arrive() -> None:
    finding = only(heard(way(lost_up=lambda n: True)))
    assert finding.cause in ("loss", "burst-loss")
    assert "on the way to the responder" in finding.summary


@pytest.mark.parametrize("failure", [Failure.TIMED_OUT, Failure.RESPONDER_REFUSED])
def test_a_responder_that_plays_no_part_is_nobodys_fault(failure: Failure) -> None:
    result = heard(failure)
    assert result.findings == ()
    assert result.verdict("audio").status is Judgement.INCONCLUSIVE
    assert failure.value in result.verdict("audio").because
    assert result.readiness is Readiness.READY
    assert media(result) is None


def test_a_responder_that_dies_is_nobodys_fault() -> None:
    result = heard(way(lost_down=lambda n: n > 300, counted=lambda count: None))
    assert result.findings == ()
    assert "fell silent after 301 of 1000 packets" in result.verdict("audio").because


def test_a_host_that_sends_late_judges_no_jitter() -> None:
    result = heard(way(late_ms=4.0, jitter_up_ms=80.0))
    assert result.verdict("audio").status is Judgement.INCONCLUSIVE
    assert (
        "this host itself is 4 ms late where the limit is 30 (self-limited)"
        in result.verdict("audio").because
    )
    assert result.findings == ()
