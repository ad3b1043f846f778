"""The report as Monitoring Plugins have it: one line with performance data, then the long text."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from readycheck.render import wording
from readycheck.render.clean import clean
from readycheck.score import CAP_FAILED, FAIR, GOOD, LEAST_COVERAGE
from readycheck.verdict import Judgement, Readiness

if TYPE_CHECKING:
    from readycheck.report import Report, RequirementReport

LONGEST = 8000
"""Bytes of all of it: Nagios reads 8 kB of what a plug-in says."""
_PERFORMANCE, _SUMMARY = 3500, 300
_MORE = "...\n"
STATUSES = {
    Readiness.READY: "OK",
    Readiness.WARNINGS: "WARNING",
    Readiness.NOT_READY: "CRITICAL",
    Readiness.UNKNOWN: "UNKNOWN",
}
_LISTED = (Judgement.FAIL, Judgement.WARN, Judgement.INCONCLUSIVE)


def render(report: "Report") -> str:
    """`READYCHECK STATUS - text | label=value ...`, then findings and what is not well."""
    words = f"READYCHECK {STATUSES[report.verdict]} - {_plain(_summary(report), _SUMMARY)}"
    first = f"{words} | {_joined(_performance(report), ' ', _PERFORMANCE)}\n"
    details = (_plain(line, 400) for line in _details(report))
    return first + _joined((f"{line}\n" for line in details), "", LONGEST - _size(first) - len(_MORE), _MORE)


def _joined(parts: Iterable[str], between: str, most: int, more: str = "") -> str:
    """As many of them as `most` bytes hold, none cut in two."""
    kept: list[str] = []
    size = 0
    for part in parts:
        size += _size(part) + len(between)
        if size > most:
            return between.join(kept) + more
        kept.append(part)
    return between.join(kept)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _summary(report: "Report") -> str:
    score = report.score
    graded = f"score {score.overall} ({score.grade.value})" if score.overall is not None else "not graded"
    site = f" at {report.run.site}" if report.run.site else ""
    causes = wording.listed((f"{f.cause} ({f.where.value})" for f in report.findings), 3)
    state = "" if report.run.state.value == "complete" else f" [{report.run.state.value}]"
    because = f": {causes}" if causes else ""
    return f"{report.run.profile}{site} {report.verdict.value}{state}, {graded}{because}"


def _performance(report: "Report") -> Iterator[str]:
    """Ranges as the guidelines write them: `85:` alerts below 85. What was not measured is `U`."""
    score = report.score
    overall = "U" if score.overall is None else str(score.overall)
    yield f"score={overall};{GOOD}:;{FAIR if FAIR > CAP_FAILED else CAP_FAILED}:;0;100"
    yield f"coverage={score.confidence_ratio * 100:.1f}%;{LEAST_COVERAGE * 100:.0f}:;;0;100"
    for status, count in wording.counts(report).items():
        yield f"{status.value}={count};;;0"
    yield f"duration={report.run.duration_ms / 1000:.3f}s;;;0"
    for requirement in report.requirements:
        rtt = _rtt_ms(report, requirement)
        if rtt is not None:
            yield f"'rtt_{_label(requirement.id)}'={rtt / 1000:.6f}s;;;0"


def _rtt_ms(report: "Report", requirement: "RequirementReport") -> float | None:
    """The slowest check's median round trip."""
    wanted = set(requirement.checks)
    known = [c.metrics.get("rtt_ms") for c in report.checks if c.id in wanted]
    return max((float(value) for value in known if value is not None), default=None)


def _details(report: "Report") -> Iterator[str]:
    for finding in report.findings:
        yield f"{finding.severity.value}: {finding.cause} ({wording.place_line(finding)}): {finding.summary}"
        if finding.remedy:
            yield f"  remedy: {finding.remedy}"
    for requirement in report.requirements:
        if requirement.testable and requirement.status in _LISTED:
            status, weight = requirement.status.value, requirement.importance.value
            yield f"{status}: {requirement.id} ({weight}): {requirement.because}"


def _plain(text: str, limit: int) -> str:
    """A pipe ends the text of a plug-in."""
    return clean(text, limit).replace("|", "/")


def _label(text: str) -> str:
    return clean(text, 80).replace("'", "").replace("=", "")
