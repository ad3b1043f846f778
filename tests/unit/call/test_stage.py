"""Which stage a call fails at, by a clock that the test turns."""

from dataclasses import dataclass

import pytest

from readycheck.call.stage import (
    Direction,
    Ears,
    Ended,
    Progress,
    Stage,
    is_doubtful,
    lost,
    media_failure,
)
from readycheck.failure import Failure
from readycheck.net.interface import NetError

BOTH, ONE = Stage.MEDIA_BOTH_WAYS, Stage.MEDIA_ONE_WAY


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_stages_are_timed_and_one_that_is_entered_twice_is_one() -> None:
    clock, seen = Clock(), list[Stage]()
    progress = Progress(clock, seen.append)
    for stage, took_s in ((Stage.NAMES, 0.01), (Stage.SIGNALLING, 0.02), (Stage.SIGNALLING, 0.03)):
        with progress.stage(stage):
            clock.now_s += took_s
    assert [(one.stage, round(one.took_ms)) for one in progress.passed] == [
        (Stage.NAMES, 10), (Stage.SIGNALLING, 50),
    ]  # fmt: skip
    assert seen == [Stage.NAMES, Stage.SIGNALLING, Stage.SIGNALLING]
    assert round(progress.connect_ms) == 60 and progress.failed is None


def test_a_stage_that_fails_in_its_second_half_was_not_passed() -> None:
    progress = Progress(Clock())
    for stage in (Stage.NAMES, Stage.SIGNALLING):
        with progress.stage(stage):
            pass
    with pytest.raises(Ended), progress.stage(Stage.SIGNALLING):
        raise NetError(Failure.TIMED_OUT)
    assert [one.stage for one in progress.passed] == [Stage.NAMES]


@pytest.mark.parametrize(
    ("error", "failure", "detail", "blame"),
    [
        (NetError(Failure.CONNECTION_REFUSED, "refused"), Failure.CONNECTION_REFUSED, "refused", True),
        (NetError(Failure.TIMED_OUT), Failure.TIMED_OUT, "no answer", True),
        (
            NetError(Failure.RESPONDER_REFUSED, "full", {"far_end": True}),
            Failure.RESPONDER_REFUSED,
            "full",
            False,
        ),
        (TimeoutError(), Failure.TIMED_OUT, "no answer", True),
        (ConnectionError("gone"), Failure.CONNECTION_CLOSED, "gone", True),
    ],
)
def test_what_fails_in_a_stage_ends_the_call(
    error: Exception, failure: Failure, detail: str, blame: bool
) -> None:
    clock = Clock()
    progress = Progress(clock)
    with pytest.raises(Ended), progress.stage(Stage.ICE):
        clock.now_s += 2.5
        raise error
    assert progress.failed is not None and progress.passed == []
    assert (progress.failed.stage, progress.failed.after_s) == (Stage.ICE, 2.5)
    assert (progress.failed.failure, progress.failed.detail, progress.failed.blame) == (
        failure,
        detail,
        blame,
    )


def test_a_bug_is_no_failed_stage() -> None:
    progress = Progress(Clock())
    with pytest.raises(KeyError), progress.stage(Stage.ICE):
        raise KeyError
    assert progress.failed is None


@pytest.mark.parametrize(
    ("down_s", "up_s", "now_s", "found"),
    [
        (None, None, 1.9, None),
        (None, None, 2.1, (BOTH, None)),
        (9.9, 9.9, 10.0, None),
        (4.0, 9.9, 6.9, None),  # which way is not certain yet
        (4.0, 9.9, 7.1, (ONE, Direction.DOWN)),
        (9.9, 4.0, 7.1, (ONE, Direction.UP)),
        (None, 3.0, 3.1, (ONE, Direction.DOWN)),
        (4.0, 4.4, 6.5, (BOTH, None)),  # what is told of the other way is as old as its last telling
    ],
)
def test_which_way_is_lost(
    down_s: float | None, up_s: float | None, now_s: float, found: tuple[Stage, Direction | None] | None
) -> None:
    assert lost(Ears(began_s=0.0, down_s=down_s, up_s=up_s), now_s) == found


def test_a_talk_is_not_over_while_sound_has_just_stopped() -> None:
    assert not is_doubtful(Ears(began_s=0.0, down_s=5.0, up_s=4.5), 5.5)
    assert is_doubtful(Ears(began_s=0.0, down_s=5.0, up_s=4.0), 5.5)


@pytest.mark.parametrize(
    ("ears", "stage", "way", "after_s", "talked_s", "detail"),
    [
        (Ears(began_s=10.0), BOTH, None, 2.0, 0.0, "no sound arrives here, nor any there"),
        (Ears(began_s=10.0, down_s=14.0, up_s=13.5), BOTH, None, 6.0, 4.0,
         "no sound arrives here, nor any there from 4.0 s of the talk on"),
        (Ears(began_s=10.0, down_s=20.0), ONE, Direction.UP, 2.0, 0.0,
         "no sound of this host arrives at the far end; the other way works"),
        (Ears(began_s=10.0, down_s=13.0, up_s=20.0), ONE, Direction.DOWN, 5.0, 3.0,
         "no sound of the far end arrives here from 3.0 s of the talk on; the other way works"),
    ],
)  # fmt: skip
def test_lost_media_in_words(
    ears: Ears, stage: Stage, way: Direction | None, after_s: float, talked_s: float, detail: str
) -> None:
    failed = media_failure(ears, stage, way, began_s=8.0)
    assert (failed.stage, failed.lost, failed.detail) == (stage, way, detail)
    assert (failed.after_s, failed.talked_s) == (after_s, talked_s)
