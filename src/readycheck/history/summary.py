"""What stays of a run when its report is pruned, and what lists and trends are made of. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from readycheck.diagnose.finding import Severity
from readycheck.report import Report
from readycheck.verdict import Judgement

_COUNTS = frozenset({"sent", "answered", "egress_proven"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One run in a line. `failed` are requirements; `numbers` the score, its areas, and the requirements' metrics.

    `place` is its place in the order of arrival, which no clock that jumps can change. `kept` says whether the
    report is still there.
    """

    id: str
    site: str
    profile: str
    revision: str
    profile_hash: str
    started_at: str
    duration_ms: float
    state: str
    verdict: str
    score: int | None
    grade: str
    coverage: float
    causes: tuple[str, ...]
    tool: str
    failed: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict, repr=False)
    place: int = 0
    kept: bool = True


def summarize(report: Report, site: str | None = None) -> Summary:
    """`site` stands in for the one that the report names."""
    run = report.run
    return Summary(
        id=run.id,
        site=site if site is not None else run.site or "",
        profile=run.profile,
        revision=run.profile_revision,
        profile_hash=run.profile_hash,
        started_at=run.started_at,
        duration_ms=run.duration_ms,
        state=run.state.value,
        verdict=report.verdict.value,
        score=report.score.overall,
        grade=report.score.grade.value,
        coverage=report.score.confidence_ratio,
        causes=tuple(dict.fromkeys(f.cause for f in report.findings if f.severity is not Severity.NOTE)),
        tool=report.tool.version,
        failed=tuple(r.id for r in report.requirements if r.status is Judgement.FAIL),
        numbers=dict(_numbers(report)),
    )


def _numbers(report: Report) -> Iterator[tuple[str, float]]:
    if report.score.overall is not None:
        yield "score", float(report.score.overall)
    yield "coverage", report.score.confidence_ratio
    yield "duration_ms", report.run.duration_ms
    for area in report.score.areas:
        if area.score is not None:
            yield f"score.{area.name.value.replace(' ', '-')}", area.score
    if report.score.calls is not None:
        yield "calls", float(report.score.calls)
    measured: dict[str, list[float]] = {}
    for check in report.checks:
        for name, value in check.metrics.items():
            if check.requirement and name not in _COUNTS and _is_number(value):
                measured.setdefault(f"{check.requirement}.{name}", []).append(float(value or 0))
    yield from ((name, round(median(values), 4)) for name, values in measured.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def epoch_ms(moment: str) -> int:
    """Of an ISO 8601 time as a report has it."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
