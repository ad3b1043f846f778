"""The report as CSV: a row for each check, and one for each requirement that has none."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from readycheck.render import wording
from readycheck.render.clean import cell

if TYPE_CHECKING:
    from readycheck.report import CheckReport, Report, RequirementReport

Value = str | float | int | None
COLUMNS = (
    *("run", "started_at", "site", "profile", "revision", "verdict", "score"),
    *("requirement", "title", "importance", "area", "requirement_status", "requirement_strength"),
    *("requirement_because", "testable", "source"),
    *("check", "probe", "status", "strength", "failure", "step"),
    *("host", "network", "address", "ports", "transport", "via"),
    *("check_started_at", "duration_ms", "because", "rtt_ms", "sent", "answered", "metrics"),
)


def render(report: "Report") -> str:
    return table(COLUMNS, _rows(report))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Text that would be read as a formula is marked as text; numbers stay numbers."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(cell, head))
    writer.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return out.getvalue()


def _rows(report: "Report") -> Iterator[list[Value]]:
    start = _run(report)
    requirements = {r.id: r for r in report.requirements}
    for check in report.checks:
        known = requirements.get(check.requirement or "")
        yield [*start, *_requirement(report, known), *_check(check)]
    for requirement in report.requirements:
        if not requirement.checks:
            yield [*start, *_requirement(report, requirement), *_check(None)]


def _run(report: "Report") -> list[Value]:
    run = report.run
    about = [run.id, run.started_at, run.site, run.profile, run.profile_revision]
    return [*about, report.verdict.value, report.score.overall]


def _requirement(report: "Report", requirement: "RequirementReport | None") -> list[Value]:
    if requirement is None:
        return [None] * 9
    return [
        requirement.id,
        requirement.title,
        requirement.importance.value,
        requirement.area.value,
        requirement.status.value,
        requirement.strength.value if requirement.strength else None,
        requirement.because,
        "yes" if requirement.testable else "no",
        wording.citation(requirement.source, report.profile),
    ]


def _check(check: "CheckReport | None") -> list[Value]:
    if check is None:
        return [None] * 19
    target, metrics = check.target, check.metrics
    return [
        *(check.id, check.probe, check.status.value),
        check.strength.value if check.strength else None,
        check.failure.value if check.failure else None,
        check.step.value if check.step else None,
        *(target.host, target.network, target.address, target.ports, target.transport, target.via),
        *(check.started_at, check.duration_ms, check.because),
        *(metrics.get("rtt_ms"), metrics.get("sent"), metrics.get("answered")),
        "; ".join(f"{name}={value:g}" for name, value in metrics.items() if value is not None),
    ]
