"""The score: every number can be redone by hand, gates cap it, and silence is not graded."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.engine import RunState
from readycheck.profile import Area, Importance, Profile
from readycheck.score import Grade, Score, score, weigh
from readycheck.verdict import CheckVerdict, Judgement, Readiness, Strength, Verdict, overall
from tests.unit.builders import World, conclude, make_profile, requirement

P, W, F, I, S = (  # noqa: E741
    Judgement.PASS,
    Judgement.WARN,
    Judgement.FAIL,
    Judgement.INCONCLUSIVE,
    Judgement.SKIPPED,
)
SIGNALLING, MEDIA, TIME = Area.SIGNALLING, Area.MEDIA_REACHABILITY, Area.NAMES_AND_TIME
REQUIRED, RECOMMENDED, OPTIONAL = Importance.REQUIRED, Importance.RECOMMENDED, Importance.OPTIONAL
PROFILE: Profile = make_profile(weights={"signalling": 30, "media reachability": 50, "names and time": 20})


def verdict(
    name: str,
    area: Area,
    status: Judgement,
    importance: Importance = REQUIRED,
    *,
    weight: float = 1.0,
    strengths: tuple[Strength, ...] = (Strength.ANSWERED,),
    **changes: Any,
) -> Verdict:
    row = requirement(name, area=area, importance=importance, weight=weight)
    positive = status in (P, W)
    checks = tuple(
        CheckVerdict(check=f"{name}/{n}", status=status, because="", strength=each if positive else None)
        for n, each in enumerate(strengths)
    )
    weakest = Strength.EGRESS if Strength.EGRESS in strengths else Strength.ANSWERED
    return Verdict(
        requirement=make_profile(row).requirements[0],
        status=status,
        because="",
        strength=weakest if positive else None,
        checks=checks,
        **changes,
    )


def scored(*verdicts: Verdict) -> Score:
    return score(verdicts, PROFILE)


GOOD = (verdict("s", SIGNALLING, P), verdict("m", MEDIA, P), verdict("t", TIME, P))


# --- the number ---------------------------------------------------------------------------------------


def test_everything_passes() -> None:
    found = scored(*GOOD)
    assert (found.overall, found.grade, found.because) == (100, Grade.GOOD, "")
    assert (found.confidence_ratio, found.untestable_ratio) == (1.0, 0.0)


def test_the_mean_by_hand() -> None:
    """Signalling (4*100 + 2*50)/6 = 83.3; media 100; time (4*100 + 2*0 + 1*100)/7 = 71.4; recommended ones cap."""
    found = scored(
        verdict("s1", SIGNALLING, P),
        verdict("s2", SIGNALLING, W, RECOMMENDED),
        verdict("m", MEDIA, P),
        verdict("t1", TIME, P),
        verdict("t2", TIME, F, RECOMMENDED),
        verdict("t3", TIME, P, OPTIONAL),
    )
    assert [(a.name, a.score) for a in found.areas] == [(SIGNALLING, 83.3), (MEDIA, 100.0), (TIME, 71.4)]
    # (83.3*30 + 100*50 + 71.4*20) / 100 = 89.27, capped at 84 by two recommended ones
    assert (found.overall, found.grade) == (84, Grade.FAIR)
    assert found.because == "capped at 84 by s2, t2"


def test_optional_requirements_count_and_never_cap() -> None:
    found = scored(*GOOD, verdict("o", TIME, F, OPTIONAL))
    # time (4*100 + 1*0)/5 = 80; (30 + 50)*100 + 20*80 = 96
    assert (found.overall, found.grade, found.because) == (96, Grade.GOOD, "")


@pytest.mark.parametrize("importance", [Importance.FALLBACK, Importance.LEGACY, Importance.INFORMATIONAL])
def test_what_never_changes_the_verdict_weighs_nothing(importance: Importance) -> None:
    extra = verdict("x", TIME, F, importance)
    assert weigh(extra) == 0
    assert scored(*GOOD, extra) == scored(*GOOD)


def test_the_weight_of_a_requirement_is_importance_times_its_own() -> None:
    assert weigh(verdict("x", TIME, P, weight=2.5)) == 10.0
    assert weigh(verdict("x", TIME, P, RECOMMENDED, weight=0.5)) == 1.0
    found = scored(*GOOD, verdict("o", TIME, F, OPTIONAL, weight=4))
    assert found.areas[2].score == 50.0
    assert found.overall == 90


def test_an_area_that_was_not_measured_is_left_out_of_the_mean() -> None:
    found = scored(*GOOD[:2], verdict("t", TIME, S, testable=False))
    assert (found.areas[2].score, found.areas[2].confidence_ratio) == (None, None)
    assert found.overall == 100


# --- the gates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "overall_score", "grade"),
    [
        (verdict("x", TIME, F, weight=0.1), 49, Grade.POOR),
        (verdict("x", TIME, W, weight=0.1), 84, Grade.FAIR),
        (verdict("x", TIME, I, weight=0.1), 84, Grade.FAIR),
        (verdict("x", TIME, W, RECOMMENDED, weight=0.1), 84, Grade.FAIR),
        (verdict("x", TIME, F, RECOMMENDED, weight=0.1), 84, Grade.FAIR),
        (verdict("x", TIME, I, RECOMMENDED, weight=0.1), 100, Grade.GOOD),
        (verdict("x", TIME, S, testable=False, weight=0.1), 100, Grade.GOOD),
    ],
)
def test_the_gates(extra: Verdict, overall_score: int, grade: Grade) -> None:
    found = scored(*GOOD, extra)
    assert (found.overall, found.grade) == (overall_score, grade)
    assert bool(found.because) is (overall_score < 100)


def test_a_gate_lifts_nothing() -> None:
    found = scored(verdict("s", SIGNALLING, W), verdict("m", MEDIA, W), verdict("t", TIME, F))
    # 50*30 + 50*50 + 0*20 = 40
    assert (found.overall, found.grade, found.because) == (40, Grade.POOR, "")


@pytest.mark.parametrize(("status", "grade"), [(P, Grade.GOOD), (W, Grade.FAIR)])
def test_the_edges_of_the_grades(status: Judgement, grade: Grade) -> None:
    assert scored(*(verdict(v.requirement.id, v.requirement.area, status) for v in GOOD)).grade is grade


# --- coverage -----------------------------------------------------------------------------------------


def test_coverage_is_measured_over_testable_weight() -> None:
    found = scored(*GOOD, verdict("x", TIME, I), verdict("y", TIME, S, testable=False))
    assert found.confidence_ratio == 0.75  # 12 of 16
    assert found.untestable_ratio == 0.2  # 4 of 20
    assert found.areas[2].confidence_ratio == 0.5


def test_an_egress_pass_is_half_measured() -> None:
    half = verdict("m", MEDIA, P, strengths=(Strength.EGRESS, Strength.ANSWERED))
    found = scored(GOOD[0], half, GOOD[2])
    assert found.confidence_ratio == round((4 + 4 * 0.75 + 4) / 12, 3)
    only = verdict("m2", MEDIA, P, strengths=(Strength.EGRESS,))
    assert scored(*GOOD, only).confidence_ratio == round((12 + 2) / 16, 3)


def test_a_failure_is_measured_whole() -> None:
    assert scored(*GOOD, verdict("x", TIME, F)).confidence_ratio == 1.0


# --- when there is no grade ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "because"),
    [
        ([*GOOD, verdict("x", TIME, S, deselected=True)], "only a part was selected"),
        ([GOOD[0], verdict("m", MEDIA, I), GOOD[2]], "nothing of media reachability has answered"),
        ([verdict("s", SIGNALLING, I), *GOOD[1:]], "nothing of signalling has answered"),
        (
            [GOOD[0], verdict("m", MEDIA, P, strengths=(Strength.EGRESS,)), GOOD[2]],
            "nothing of media reachability has answered",
        ),
        ([verdict("s", SIGNALLING, F), *GOOD[1:]], "nothing of signalling has answered"),
        ([*GOOD, *(verdict(f"x{n}", TIME, I) for n in range(3))], "coverage 50% is below 60%"),
    ],
)
def test_not_graded(verdicts: list[Verdict], because: str) -> None:
    found = scored(*verdicts)
    assert (found.overall, found.grade) == (None, Grade.NOT_GRADED)
    assert because in found.because


def test_nothing_at_all_is_not_graded() -> None:
    found = scored()
    assert (found.overall, found.grade, found.confidence_ratio) == (None, Grade.NOT_GRADED, 0.0)
    assert found.because


def test_exactly_the_least_coverage_is_graded() -> None:
    verdicts = [*GOOD, verdict("x", TIME, I), verdict("y", TIME, I)]
    assert scored(*verdicts).confidence_ratio == 0.6
    assert scored(*verdicts).overall is not None


# --- properties ---------------------------------------------------------------------------------------

VERDICTS = st.lists(
    st.builds(
        verdict,
        st.sampled_from("abcdef"),
        st.sampled_from([SIGNALLING, MEDIA, TIME]),
        st.sampled_from(Judgement),
        st.sampled_from(Importance),
        weight=st.floats(0.1, 10),
        strengths=st.sampled_from([(Strength.ANSWERED,), (Strength.EGRESS,), tuple(Strength)]),
        testable=st.booleans(),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(VERDICTS)
def test_the_score_is_bounded_and_agrees_with_the_verdict(verdicts: list[Verdict]) -> None:
    found = score(verdicts, PROFILE)
    assert 0 <= found.confidence_ratio <= 1
    assert 0 <= found.untestable_ratio <= 1
    assert found.overall is None or 0 <= found.overall <= 100
    assert (found.overall is None) is (found.grade is Grade.NOT_GRADED)
    assert all(area.score is None or 0 <= area.score <= 100 for area in found.areas)
    readiness = overall(verdicts, RunState.COMPLETE)
    if readiness is Readiness.NOT_READY:
        assert found.grade in (Grade.POOR, Grade.NOT_GRADED)
    if readiness is Readiness.UNKNOWN:
        assert found.grade is Grade.NOT_GRADED
    if readiness is Readiness.WARNINGS:
        assert found.grade is not Grade.GOOD


@settings(deadline=None, max_examples=100)
@given(VERDICTS, st.integers(0, 7))
def test_silence_never_scores_above_an_honest_refusal_with_better_coverage(
    verdicts: list[Verdict], index: int
) -> None:
    """Turning a failure into silence may not raise coverage."""
    if not verdicts:
        return
    at = index % len(verdicts)
    old = verdicts[at]
    area, importance, weight = old.requirement.area, old.requirement.importance, old.requirement.weight
    refused, silent = (
        [*verdicts[:at], verdict("z", area, status, importance, weight=weight), *verdicts[at + 1 :]]
        for status in (F, I)
    )
    assert score(silent, PROFILE).confidence_ratio <= score(refused, PROFILE).confidence_ratio


def test_worlds_from_best_to_worst() -> None:
    def of(**changes: Any) -> Score:
        world = World(**changes)
        return score(conclude(world).verdicts, world.profile)

    dense, sparse = of(dense=True), of()
    blocked = of(dense=True, wall=lambda t: "drop" if t.port == 8934 else None)
    assert (dense.overall, sparse.overall) == (100, 100)
    assert dense.confidence_ratio == 1.0 > sparse.confidence_ratio
    assert of(icmp=False).grade is Grade.NOT_GRADED
    assert blocked.grade in (Grade.POOR, Grade.NOT_GRADED)
