"""The report as Markdown, for a ticket or a merge request."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from readycheck.render import comparison, streams, surroundings, throughput, wording
from readycheck.render.clean import clean, code
from readycheck.render.clean import markdown as md

if TYPE_CHECKING:
    from readycheck.diagnose.finding import Finding
    from readycheck.report import Report


def render(report: "Report") -> str:
    """Every string of the report is escaped: none can become markup, a link or a mention."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: "Report") -> Iterator[str]:
    yield from _headline(report)
    yield from _findings(report)
    if report.comparison:
        yield from ("", f"## Compared with {md(comparison.title(report.comparison))}", "")
        yield from _table(("what", ""), comparison.rows(report.comparison))
    yield from _requirements(report)
    yield from _areas(report)
    if found := list(streams.rows(report)):
        yield from ("", "## Media streams", "")
        yield from _table(streams.HEAD, found)
    if line := list(throughput.facts(report)):
        yield from ("", f"## {throughput.TITLE}", "")
        yield from _table(("what", "value"), line)
    yield from _untestable(report)
    yield from ("", "## Measured from", "")
    yield from _table(("what", "value"), surroundings.facts(report.environment))


def _headline(report: "Report") -> Iterator[str]:
    word, sentence = wording.headline(report)
    yield from (f"# {md(report.profile.title, 80)}: {word}", "", f"**{word}**: {md(sentence)}.", "")
    because = f" ({md(report.score.because)})" if report.score.because else ""
    yield from (f"{md(wording.score_line(report))}{because}", "")
    yield from _table(("run", ""), wording.run_facts(report))


def _findings(report: "Report") -> Iterator[str]:
    yield from ("", f"## Findings ({len(report.findings)})")
    if not report.findings:
        yield from ("", wording.no_findings(report))
    for finding in report.findings:
        yield from _finding(finding)


def _finding(finding: "Finding") -> Iterator[str]:
    yield from ("", f"### {finding.severity.value}: {code(finding.cause, 60)}", "")
    yield from (f"{md(finding.summary, 1000)}", "")
    yield f"- {wording.place_line(finding)}"
    if finding.remedy:
        yield f"- remedy: {md(finding.remedy, 1000)}"
    for label, names in (("affects", finding.affects), ("explains", finding.explains)):
        if names:
            yield f"- {label}: {', '.join(code(name, 80) for name in names)}"


def _requirements(report: "Report") -> Iterator[str]:
    yield from ("", "## Requirements")
    for group in wording.groups(report):
        if group.requirements:
            yield from ("", f"### {group.area.value}", "")
            rows = (
                (
                    f"{r.status.value}{' (egress proven)' if r.strength == 'egress' else ''}",
                    r.title,
                    r.importance.value,
                    r.because,
                    wording.citation(r.source, report.profile),
                )
                for r in group.requirements
            )
            yield from _table(("status", "requirement", "importance", "because", "source"), rows)


def _areas(report: "Report") -> Iterator[str]:
    yield from ("", "## Scores by area", "")
    rows = (
        (
            a.name.value,
            "not measured" if a.score is None else f"{a.score:.0f}",
            f"{a.weight:g}",
            wording.share(a.confidence_ratio),
        )
        for a in report.score.areas
    )
    yield from _table(("area", "score", "weight", "coverage"), rows)


def _untestable(report: "Report") -> Iterator[str]:
    found = wording.untestable(report)
    if found:
        yield from ("", "## Not testable from here", "")
    for because, requirements in found.items():
        yield f"- {', '.join(code(r.id, 80) for r in requirements)}: {md(because)}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    yield from (f"| {' | '.join(md(clean(value)) for value in row)} |" for row in rows)
