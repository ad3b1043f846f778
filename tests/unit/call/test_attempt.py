"""The verdict of calls."""

import pytest

from readycheck.call.attempt import Attempt, Quality, Reception, judge, verdict, verdict_of
from readycheck.call.stage import Failed, Stage, Via
from readycheck.failure import Failure
from readycheck.profile import Limit
from readycheck.verdict import Readiness

LIMITS = {
    "loss_up_ratio": Limit(warn=0.01, fail=0.025, source="a vendor"),
    "jitter_up_ms": Limit(warn=30, fail=75),
    "rtt_ms": Limit(warn=100, fail=200),
}


def reception(lost: int = 0, jitter_ms: float = 1.0) -> Reception:
    return Reception(packets=400, lost=lost, jitter_ms=jitter_ms)


def attempt(quality: Quality | None = None, *, blame: bool | None = None, via: Via = Via.UDP) -> Attempt:
    failed = None
    if blame is not None:
        failed = Failed(stage=Stage.ICE, after_s=1.0, failure=Failure.TIMED_OUT, detail="", blame=blame)
    quality = quality or Quality(up=reception(), down=reception(), rtt_ms=5.0, late_ms=0.2)
    return Attempt(via=via, place="192.0.2.1", passed=(), failed=failed, connect_ms=9.0, quality=quality)


@pytest.mark.parametrize(
    ("quality", "found", "level"),
    [
        (Quality(up=reception(lost=3), rtt_ms=100.0), [], Readiness.READY),
        (Quality(up=reception(lost=5)), [("loss_up_ratio", Readiness.WARNINGS)], Readiness.WARNINGS),
        (Quality(up=reception(lost=11)), [("loss_up_ratio", Readiness.NOT_READY)], Readiness.NOT_READY),
        (
            Quality(up=reception(lost=5), rtt_ms=250.0),
            [("loss_up_ratio", Readiness.WARNINGS), ("rtt_ms", Readiness.NOT_READY)],
            Readiness.NOT_READY,
        ),
        (
            Quality(up=reception(jitter_ms=40.0), late_ms=2.0),
            [("jitter_up_ms", Readiness.WARNINGS)],
            Readiness.WARNINGS,
        ),
        (Quality(up=reception(jitter_ms=40.0), late_ms=20.0), [("jitter_up_ms", None)], Readiness.READY),
        (Quality(down=reception(lost=400)), [], Readiness.READY),  # this profile has no limit for it
    ],
)
def test_quality_is_held_against_the_limits(
    quality: Quality, found: list[tuple[str, Readiness | None]], level: Readiness
) -> None:
    assert [(one.metric, one.level) for one in judge(quality, LIMITS)] == found
    assert verdict_of(attempt(quality), LIMITS) is level


def test_nothing_received_is_no_loss_ratio() -> None:
    assert Reception(packets=0, lost=0, jitter_ms=0.0).loss_ratio == 0.0
    assert Reception(packets=10, lost=-1, jitter_ms=0.0).loss_ratio == 0.0  # duplicates


FAILS, REFUSED, WORKS = attempt(blame=True), attempt(blame=False), attempt(via=Via.TCP)


@pytest.mark.parametrize(
    ("attempts", "level"),
    [
        ([], Readiness.UNKNOWN),
        ([WORKS], Readiness.READY),
        ([FAILS], Readiness.NOT_READY),
        ([FAILS, FAILS], Readiness.NOT_READY),
        ([FAILS, WORKS], Readiness.WARNINGS),
        ([WORKS, FAILS], Readiness.READY),
        ([REFUSED, WORKS], Readiness.UNKNOWN),
        ([FAILS, REFUSED], Readiness.NOT_READY),
    ],
)
def test_the_first_way_counts_and_a_fallback_may_save_it(attempts: list[Attempt], level: Readiness) -> None:
    assert verdict(attempts, LIMITS) is level
