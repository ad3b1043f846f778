"""RTCP that is lost beside a stream: named where the stream is its control, and nowhere else."""

from dataclasses import replace
from itertools import cycle

import pytest

from readycheck.diagnose.finding import Confidence
from readycheck.failure import Failure
from readycheck.probe import Leg, Played
from tests.unit.diagnose.test_media import Play, heard, only
from tests.unit.far_side import way


def test_none_of_the_reports_arrives() -> None:
    found = only(heard(way(reports=(0, 0))))
    assert (found.cause, found.confidence) == ("rtp-range-partial", Confidence.CERTAIN)
    assert "to port 3478" in found.summary and "none reached the responder" in found.summary
    assert "port 8501" in found.summary


def test_the_answers_are_lost() -> None:
    assert "it is the answers that are lost" in only(heard(way(reports=(0, 10)))).summary


def test_a_far_end_that_does_not_count_reports_leaves_the_way_open() -> None:
    assert "responder" not in only(heard(way(reports=(0, None)))).summary.partition("answered")[2]


@pytest.mark.parametrize("play", [way(), way(reports=(1, 10)), Failure.TIMED_OUT])
def test_nothing_is_said_where_reports_come_back_or_nothing_does(play: Play | Failure) -> None:
    assert "rtp-range-partial" not in [one.cause for one in heard(play).findings]


def test_a_nat_of_many_addresses_makes_strangers_of_reports() -> None:
    addresses = cycle(("198.51.100.7", "198.51.100.8"))

    def play(leg: Leg) -> Played:
        return replace(way(reports=(0, 0))(leg), seen_as=(next(addresses), 50000))

    assert "rtp-range-partial" not in [one.cause for one in heard(play).findings]


def test_heavy_loss_may_take_all_reports() -> None:
    lossy = way(lost_up=lambda n: n % 10 < 4, lost_down=lambda n: n % 2 == 0, reports=(0, 0))
    assert "rtp-range-partial" not in [one.cause for one in heard(lossy).findings]
