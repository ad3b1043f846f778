"""Verdicts and a profile -> score, grade and coverage (the scale is documented, and can be redone by hand)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from readycheck.engine import Outcome
from readycheck.plan import Scope
from readycheck.profile import Area, Importance, Profile
from readycheck.verdict import Judgement, Strength, Verdict, unanswered

POINTS = {Judgement.PASS: 100.0, Judgement.WARN: 50.0, Judgement.FAIL: 0.0}
WEIGHTS = {Importance.REQUIRED: 4.0, Importance.RECOMMENDED: 2.0, Importance.OPTIONAL: 1.0}
CAP_FAILED, CAP_WORRYING = 49, 84
GOOD, FAIR = 85, 50
LEAST_COVERAGE = 0.6


class Grade(StrEnum):
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    NOT_GRADED = "not-graded"


@dataclass(frozen=True, slots=True)
class AreaScore:
    """Mean of an area's measured requirements, 0 to 100; None when none was measured."""

    name: Area
    score: float | None
    weight: float
    confidence_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the line carried to the responder and back, in bits a second, and calls at once from that.

    `calls_cscan` is CScan's own figure, `calls_line` and `calls_both_legs` keep a reserve of a quarter, of rates that
    were measured both ways at once; `calls_loaded` were played. With `at_least`, the responder's own limit was met.
    """

    calls_wanted: int | None
    up: float | None
    down: float | None
    up_together: float | None
    down_together: float | None
    calls_cscan: int | None
    calls_line: int | None
    calls_both_legs: int | None
    calls_loaded: int | None
    at_least: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """`overall` is None unless it is graded; `because` says why not, or which gate capped it.

    `calls` are those at once, with one leg each over the site's line.
    """

    overall: int | None
    grade: Grade
    confidence_ratio: float
    untestable_ratio: float
    areas: tuple[AreaScore, ...]
    because: str
    calls: int | None = None
    media: str | None = None
    capacity: Capacity | None = None


def score(verdicts: Sequence[Verdict], profile: Profile, outcomes: Sequence[Outcome] = ()) -> Score:
    """Weighted mean of the areas, then the gates, then the grade (FIELD section 1)."""
    areas = tuple(_area(area, weight, verdicts) for area, weight in profile.weights.items())
    coverage = _coverage(verdicts)
    refusal = _not_graded(verdicts, coverage)
    mean = _mean((a.score, a.weight) for a in areas)
    capped, because = _gate(mean, verdicts)
    graded = capped is not None and not refusal
    overall = int(capped) if capped is not None and graded else None
    return Score(
        overall=overall,
        grade=_grade(overall),
        confidence_ratio=round(coverage, 3),
        untestable_ratio=round(_untestable(verdicts), 3),
        areas=areas,
        because=refusal or because,
        media=_media(verdicts),
        capacity=(capacity := _capacity(outcomes)),
        calls=capacity.calls_line if capacity else None,
    )


def _capacity(outcomes: Sequence[Outcome]) -> Capacity | None:
    """None unless throughput was measured."""
    far = (o.metrics for o in outcomes if o.check.scope is Scope.FAR_END)
    metrics = next((m for m in far if m.get("throughput_capped") is not None), None)
    if metrics is None:
        return None

    def count(name: str) -> int | None:
        return None if (value := metrics.get(name)) is None else int(value)

    return Capacity(
        calls_wanted=count("calls_wanted"),
        up=metrics.get("throughput_up_bits_per_second"),
        down=metrics.get("throughput_down_bits_per_second"),
        up_together=metrics.get("throughput_up_together_bits_per_second"),
        down_together=metrics.get("throughput_down_together_bits_per_second"),
        calls_cscan=count("calls_cscan"),
        calls_line=count("calls_line"),
        calls_both_legs=count("calls_both_legs"),
        calls_loaded=count("calls_loaded"),
        at_least=bool(metrics["throughput_capped"]),
    )


_MEDIA = {Judgement.FAIL: Grade.POOR, Judgement.WARN: Grade.FAIR, Judgement.PASS: Grade.GOOD}


def _media(verdicts: Sequence[Verdict]) -> str | None:
    """By the streams to the responder: the worst of their bands decides; None where none could be judged."""
    streams = [v for v in verdicts if v.requirement.targets.responder]
    found = {v.status for v in streams if v.requirement.area is Area.MEDIA_QUALITY}
    return next((grade.value for status, grade in _MEDIA.items() if status in found), None)


def weigh(verdict: Verdict) -> float:
    """The weight of a requirement within its area; those that cannot change the verdict weigh nothing."""
    return WEIGHTS.get(verdict.requirement.importance, 0.0) * verdict.requirement.weight


def _area(area: Area, weight: float, verdicts: Sequence[Verdict]) -> AreaScore:
    mine = [v for v in verdicts if v.requirement.area is area]
    measured = [v for v in mine if v.status in POINTS]
    mean = _mean((POINTS[v.status], weigh(v)) for v in measured)
    testable = sum(weigh(v) for v in mine if v.testable)
    return AreaScore(
        name=area,
        score=None if mean is None else round(mean, 1),
        weight=weight,
        confidence_ratio=round(_coverage(mine), 3) if testable else None,
    )


def _mean(pairs: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _coverage(verdicts: Sequence[Verdict]) -> float:
    """Measured weight over testable weight; an egress pass is half measured."""
    testable = sum(weigh(v) for v in verdicts if v.testable)
    measured = sum(weigh(v) * _share(v) for v in verdicts if v.testable and v.status in POINTS)
    return measured / testable if testable else 0.0


def _share(verdict: Verdict) -> float:
    """Half for each check of strength egress, whole for an answered one; a failure is measured whole."""
    if verdict.strength is None:
        return 1.0
    counted = [c for c in verdict.checks if c.strength is not None]
    halves = sum(c.strength is Strength.EGRESS for c in counted)
    return 1.0 - 0.5 * halves / len(counted) if counted else 1.0


def _untestable(verdicts: Sequence[Verdict]) -> float:
    total = sum(weigh(v) for v in verdicts)
    return sum(weigh(v) for v in verdicts if not v.testable) / total if total else 0.0


def _not_graded(verdicts: Sequence[Verdict], coverage: float) -> str:
    if any(v.deselected for v in verdicts):
        return "not graded: only a part was selected"
    if missing := unanswered(verdicts):
        return f"not graded: {missing}"
    if coverage < LEAST_COVERAGE:
        return f"not graded: coverage {coverage:.0%} is below {LEAST_COVERAGE:.0%}"
    return ""


def _gate(mean: float | None, verdicts: Sequence[Verdict]) -> tuple[float | None, str]:
    if mean is None:
        return None, "nothing was measured"
    for cap, worrying in ((CAP_FAILED, _failed), (CAP_WORRYING, _worries)):
        met = [v.requirement.id for v in verdicts if worrying(v)]
        if met and mean > cap:
            return float(cap), f"capped at {cap} by {', '.join(met[:3])}{' ...' if len(met) > 3 else ''}"
    return mean, ""


def _failed(verdict: Verdict) -> bool:
    return verdict.requirement.importance is Importance.REQUIRED and verdict.status is Judgement.FAIL


def _worries(verdict: Verdict) -> bool:
    importance, status = verdict.requirement.importance, verdict.status
    if importance is Importance.REQUIRED:
        return status in (Judgement.WARN, Judgement.INCONCLUSIVE) or verdict.deselected
    return importance is Importance.RECOMMENDED and status in (Judgement.WARN, Judgement.FAIL)


def _grade(overall: int | None) -> Grade:
    if overall is None:
        return Grade.NOT_GRADED
    return Grade.GOOD if overall >= GOOD else Grade.FAIR if overall >= FAIR else Grade.POOR
