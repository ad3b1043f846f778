"""What can be judged by a band at all: enough packets, and an instrument finer than what it measures."""

import pytest

from readycheck.bands import Judgement, bands_of
from readycheck.profile import Limit, Requirement
from tests.unit.builders import make_profile, requirement

LOSS = Limit(warn=0.01, fail=0.025, of="sent")
JITTER = Limit(warn=30, fail=75, error="own_ms")


def asked(**limits: Limit) -> Requirement:
    return make_profile(requirement("x", limits=limits)).requirements[0]


@pytest.mark.parametrize(
    ("lost", "sent", "status", "can"),
    [
        (0.0, 300, Judgement.PASS, True),
        (0.0, 299, Judgement.PASS, False),
        (0.02, 150, Judgement.WARN, False),
        (0.03, 150, Judgement.FAIL, True),
        (0.03, 100, Judgement.FAIL, False),
        (0.08, 100, Judgement.FAIL, True),
        (1.0, 1, Judgement.FAIL, False),  # one packet, and it was lost
        (0.4, 10, Judgement.FAIL, False),
        (0.5, 10, Judgement.FAIL, True),
        (0.0, 0, Judgement.PASS, False),
    ],
)
def test_too_few_packets_judge_nothing(lost: float, sent: int, status: Judgement, can: bool) -> None:
    (band,) = bands_of(asked(loss=LOSS), {"loss": lost, "sent": sent})
    assert (band.status, not band.blur) == (status, can)


@pytest.mark.parametrize(
    ("value", "own", "can"),
    [(5.0, 3.0, True), (5.0, 3.1, False), (80.0, 7.0, True), (80.0, 8.0, False), (95.0, 8.0, True)],
)
def test_a_tenth_of_the_edge_is_the_most_of_an_own_error_but_far_beyond_it(
    value: float, own: float, can: bool
) -> None:
    (band,) = bands_of(asked(jitter=JITTER), {"jitter": value, "own_ms": own})
    assert (not band.blur) is can


def test_what_was_not_measured_has_no_band() -> None:
    assert list(bands_of(asked(loss=LOSS), {"loss": None, "sent": 5})) == []


def test_a_large_number_is_told_without_an_exponent() -> None:
    (band,) = bands_of(asked(offset_ms=Limit(fail=300_000)), {"offset_ms": 3_600_000.4})
    assert band.text == "offset_ms 3600000 is at or above 300000"
