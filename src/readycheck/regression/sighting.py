"""What a series of runs remembers of a report: causes, figures, and whether there was a network. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from readycheck.comparison.figures import Figure, figures
from readycheck.diagnose.finding import Confidence, Severity
from readycheck.engine import RunState
from readycheck.verdict import Judgement, Readiness

if TYPE_CHECKING:
    from readycheck.diagnose.finding import Finding
    from readycheck.report import Report

DEAD = ("no-network", "site-offline")
_JUDGED = (RunState.COMPLETE, RunState.DEADLINE)
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A cause, or a verdict that no cause explains."""

    key: str
    title: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One run. `judged` is False for one that was cut off, which shows nothing; `dead` without a network of its own."""

    run: str
    judged: bool = True
    dead: bool = False
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()


def sight(report: "Report") -> Sighting:
    """Of a run without a network nothing else counts: all that it lacks follows from that."""
    dead = any(f.cause in DEAD and f.confidence is not Confidence.POSSIBLE for f in report.findings)
    judged = report.run.state in _JUDGED
    if dead or not judged:
        return Sighting(run=report.run.id, judged=judged, dead=dead)
    troubles = {trouble.key: trouble for trouble in _troubles(report)}
    return Sighting(run=report.run.id, troubles=troubles, figures=figures(report))


def _troubles(report: "Report") -> Iterator[Trouble]:
    """Wherever a cause is said to sit: routers that are heard at one time and not at another move it about."""
    counted = [finding for finding in reversed(report.findings) if _counts(finding)]
    for finding in counted:
        yield Trouble(
            key=f"cause:{finding.cause}", title=finding.summary[:_LONGEST], severity=finding.severity
        )
    if not _explained(report, counted):
        verdict = report.verdict.value
        title = f"The verdict is {verdict}, and no cause can be named."
        yield Trouble(key=f"verdict:{verdict}", title=title, severity=Severity.BLOCKING)


def _explained(report: "Report", counted: "list[Finding]") -> bool:
    """What is not ready needs a cause that blocks, what is unknown one that bears on what could not be decided."""
    if report.verdict is Readiness.NOT_READY:
        return any(finding.severity is Severity.BLOCKING for finding in counted)
    undecided = {r.id for r in report.requirements if r.status is Judgement.INCONCLUSIVE}
    affected = {name for finding in counted for name in finding.affects}
    return report.verdict is not Readiness.UNKNOWN or bool(undecided & affected)


def _counts(finding: "Finding") -> bool:
    """Notes are none of anybody's business at night, and guesses are not either unless they block."""
    sure = finding.confidence is not Confidence.POSSIBLE or finding.severity is Severity.BLOCKING
    return sure and finding.severity is not Severity.NOTE


def series_of(report: "Report") -> str:
    """Runs that can be compared with each other: of one site and product, made with the same selection."""
    run = report.run
    chosen = [run.options.get(key) for key in ("only", "skip", "effort", "family", "interface", "source")]
    parts = repr((run.site, run.profile, sorted(run.roles), chosen))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
