"""The numbers of the accuracy page, from rows made by hand."""

import pytest

from .judging import Answer, Row
from .score import NOTHING, Rate, score


def row(name: str = "one", *answers: Answer, **more: object) -> Row:
    fields = {"topic": "blocks", "profile": "webex-calling", "raw": False, "status": 2, "exits": (2,)}
    return Row(scenario=name, answers=answers, **{**fields, **more})  # type: ignore[arg-type]


def right(cause: str = "udp-blocked", where: str = "site", confidence: str = "certain") -> Answer:
    return Answer(
        wanted=cause,
        wanted_where=where,
        cause=cause,
        where=where,
        confidence=confidence,
        right=True,
        placed=True,
        worded=True,
    )


def missed(cause: str = "udp-blocked") -> Answer:
    return Answer(wanted=cause, wanted_where="site")


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        (Rate(0, 10), 0.0, 0.2775),
        (Rate(10, 10), 0.7225, 1.0),
        (Rate(5, 10), 0.2366, 0.7634),
        (Rate(95, 100), 0.8882, 0.9785),
        (Rate(0, 0), 0.0, 1.0),
    ],
)
def test_the_interval_is_wilsons(rate: Rate, low: float, high: float) -> None:
    assert rate.interval == pytest.approx((low, high), abs=1e-4)


def test_a_cause_counts_when_it_is_likely_or_better() -> None:
    done = score([row("a", right()), row("b", right(confidence="possible")), row("c", missed())])
    assert (done.causes.hits, done.causes.of) == (1, 3)
    assert done.by_cause.of("udp-blocked", "udp-blocked") == 1
    assert done.by_cause.of("udp-blocked", "udp-blocked?") == 1
    assert done.by_cause.of("udp-blocked", NOTHING) == 1


def test_both_causes_of_a_pair_count() -> None:
    done = score([row("a", right(), missed("port-rejected"))])
    assert (done.causes.hits, done.causes.of) == (1, 2)


def test_an_unknown_place_is_neither_right_nor_blame() -> None:
    unplaced = Answer(
        wanted="udp-blocked",
        wanted_where="isp",
        cause="udp-blocked",
        where="unknown",
        confidence="likely",
        right=True,
        worded=True,
    )
    done = score([row("a", unplaced)])
    assert (done.places.hits, done.unknown_places.hits, done.false_blame.hits) == (0, 1, 0)
    assert done.by_place.of("isp", "unknown") == 1


def test_false_blame_counts_runs_and_stands_against_what_was_missed() -> None:
    blamed = ("subnet-blocked at site (certain) must not be found", "port-blocked at site (likely) is not it")
    done = score([row("a", missed(), blamed=blamed), row("b"), row("c", blamed=blamed[:1])])
    assert (done.false_blame.hits, done.false_blame.of) == (2, 3)
    assert (done.false_blame_where_open.hits, done.false_blame_where_open.of) == (1, 2)
    assert done.by_cause.of("udp-blocked", "subnet-blocked") == 1
    assert done.by_cause.of("udp-blocked", "port-blocked") == 1
    assert done.by_cause.of(NOTHING, "subnet-blocked") == 1
    assert done.by_cause.of(NOTHING, NOTHING) == 1


def test_a_cause_at_the_wrong_place_is_not_another_cause() -> None:
    elsewhere = Answer(
        wanted="udp-blocked",
        wanted_where="isp",
        cause="udp-blocked",
        where="site",
        confidence="certain",
        right=True,
        worded=True,
    )
    done = score([row("a", elsewhere, blamed=("udp-blocked at site (certain) is the wrong place",))])
    assert done.by_cause.counts == {("udp-blocked", "udp-blocked"): 1}
    assert done.false_blame.hits == 1


def test_one_guess_beside_each_cause_is_no_surplus() -> None:
    done = score([row("a", right(), guesses=("delay",)), row("b", guesses=("delay",))])
    assert (done.surplus.hits, done.surplus.of) == (1, 2)


def test_what_was_not_played_counts_nowhere() -> None:
    done = score([row("a", problem="not installed: squid"), row("b", right(), seconds=4.0)])
    assert (done.runs, done.unplayed, done.causes.of, done.median_s) == (1, 1, 1, 4.0)


def test_nothing_at_all_has_no_ratio() -> None:
    done = score([])
    assert done.causes.ratio is None
    assert str(done.causes) == "none of none"


def test_a_row_says_all_that_is_wrong_with_it() -> None:
    bad = row("a", missed(), right(confidence="possible"), status=0, guesses=("x", "y", "z"))
    assert bad.wrong == [
        "exit 0, not 2",
        "udp-blocked was not found",
        "udp-blocked is only possible",
        "more guesses than causes: x, y, z",
    ]
