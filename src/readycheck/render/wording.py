"""The words that all the human formats share: verdicts, durations, shares, citations, addresses."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from readycheck.engine import RunState
from readycheck.profile import Area, Importance
from readycheck.render.clean import clean
from readycheck.score import Grade
from readycheck.verdict import Judgement, Readiness, Strength

if TYPE_CHECKING:
    from readycheck.diagnose.finding import Finding
    from readycheck.observation import Observation
    from readycheck.probe import MetricValue
    from readycheck.profile import Profile, Source
    from readycheck.report import CheckReport, Report, RequirementReport

HEADLINES = {
    Readiness.READY: ("READY", "this network carries {product}"),
    Readiness.WARNINGS: (
        "READY WITH WARNINGS",
        "nothing that {product} requires fails; what is weak or open is below",
    ),
    Readiness.NOT_READY: ("NOT READY", "this network does not carry {product} as it is"),
    Readiness.UNKNOWN: ("UNKNOWN", "too little was measured to say whether this network carries {product}"),
}
STATES = {
    RunState.DEADLINE: "time ran out before everything was measured",
    RunState.INTERRUPTED: "this is what was known when the run was ended, and no verdict",
    RunState.CRASHED: "the program failed; this is what was known by then, and no verdict",
}
WORST_FIRST = (
    Judgement.FAIL,
    Judgement.WARN,
    Judgement.INCONCLUSIVE,
    Judgement.SKIPPED,
    Judgement.PASS,
)
_WEIGHTIEST_FIRST = tuple(Importance)
STRENGTHS = {
    Strength.ANSWERED: "answered",
    Strength.EGRESS: "egress proven",
    None: "",
}


def headline(report: "Report") -> tuple[str, str]:
    """The verdict as a word and as a sentence."""
    word, sentence = HEADLINES[report.verdict]
    return word, sentence.format(product=clean(report.profile.title, 80))


def score_line(report: "Report") -> str:
    """Score, grade and coverage, or why there is no score."""
    score = report.score
    number = f"score {score.overall} of 100 ({score.grade.value})"
    if score.overall is None or score.grade is Grade.NOT_GRADED:
        number = "no score"
    parts = [number, f"coverage {share(score.confidence_ratio)} of what can be tested from here"]
    if score.calls is not None:
        parts.append(f"{score.calls} concurrent calls")
    if score.media is not None:
        parts.append(f"media {clean(score.media, 40)}")
    return ", ".join(parts)


def run_facts(report: "Report") -> Iterator[tuple[str, str]]:
    """What was run, when, where, and how it ended."""
    run = report.run
    yield "profile", f"{clean(run.profile)}, revision {clean(run.profile_revision)}"
    yield "roles", ", ".join(clean(role) for role in run.roles)
    yield "started", f"{clean(run.started_at)}, took {duration(run.duration_ms)}"
    if run.site:
        yield "site", clean(run.site)
    if run.state in STATES:
        yield "state", f"{run.state.value}: {STATES[run.state]}"
    if run.self_limited:
        yield "limited", "this host was too busy to look in time: what it took for silence is inconclusive"
    yield "run", f"{clean(run.id)}, seed {run.seed}, readycheck {clean(report.tool.version)}"
    yield from (("note", clean(note)) for note in run.notes)
    yield from (("trusted root", f"SHA-256 {clean(root, 100)}") for root in run.trust_roots)


def no_findings(report: "Report") -> str:
    """Nothing found is good news only where enough was measured."""
    ready = report.verdict in (Readiness.READY, Readiness.WARNINGS)
    return "none: no cause of trouble was found" if ready else "none: no cause could be named"


def place_line(finding: "Finding") -> str:
    """Where it sits, who owns it, how sure that is."""
    where = "place not known" if finding.where.value == "unknown" else f"at: {finding.where.value}"
    owner = "owner not known" if finding.owner.value == "unknown" else f"owner: {finding.owner.value}"
    return f"{where}, {owner}, {finding.confidence.value}"


def duration(milliseconds: float) -> str:
    if not math.isfinite(milliseconds):
        return "an unknown time"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio * 100:.0f} %"


def number(value: "MetricValue") -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def metrics(check: "CheckReport") -> str:
    return ", ".join(f"{clean(name, 40)} {number(v)}" for name, v in check.metrics.items() if v is not None)


def margin(value: float | None) -> str:
    """Distance to the nearest limit, as a share of it."""
    if value is None:
        return ""
    if value >= 1:
        return "far within its limit"
    return f"{share(abs(value))} {'within' if value >= 0 else 'beyond'} its limit"


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def listed(names: Iterable[str], limit: int) -> str:
    """The first names, and how many more there are."""
    known = list(names)
    more = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + more


def citation(source: "Source", profile: "Profile") -> str:
    """Document, section and revision."""
    document = profile.documents.get(source.document)
    title = document.title if document else source.document
    revision = source.revision or (document.revision if document else "")
    parts = (title, source.section, f"revision {revision}" if revision else "")
    return ", ".join(clean(part, 160) for part in parts if part)


def short_citation(source: "Source") -> str:
    return clean(f"{source.document}: {source.section}" if source.section else source.document, 120)


def subject(check: "CheckReport") -> str:
    """What a check was about, as a person would say it."""
    target = check.target
    where = target.host or target.address or target.network or "everything"
    transport = f"{target.transport} " if target.transport else ""
    ports = f" {transport}{target.ports}" if target.ports else f" {transport}".rstrip()
    return clean(f"{where}{ports}{f' through {target.via}' if target.via else ''}", 160)


def whereto(observation: "Observation") -> str:
    """The target of one step; the address beside the name where both are known."""
    target = observation.target
    address = f" ({target.address})" if target.host and target.address else ""
    port = f" {target.transport or ''}{'/' if target.transport else ''}{target.port}" if target.port else ""
    return clean(f"{target.host or target.address or target.network or '?'}{address}{port}", 160)


@dataclass(frozen=True, slots=True)
class Group:
    """The requirements of an area that were testable from here, worst first."""

    area: Area
    score: float | None
    coverage: float | None
    weight: float
    requirements: "tuple[RequirementReport, ...]"


def groups(report: "Report") -> Iterator[Group]:
    """Areas in the order of the score; areas that the score does not know come last."""
    scores = {area.name: area for area in report.score.areas}
    for area in dict.fromkeys([*scores, *Area]):
        mine = sorted(
            (r for r in report.requirements if r.area is area and r.testable),
            key=lambda r: (WORST_FIRST.index(r.status), _WEIGHTIEST_FIRST.index(r.importance)),
        )
        known = scores.get(area)
        if mine or known:
            numbers = (known.score, known.confidence_ratio, known.weight) if known else (None, None, 0.0)
            yield Group(area, *numbers, tuple(mine))


def untestable(report: "Report") -> "Mapping[str, list[RequirementReport]]":
    """What nobody could test from here, by the reason."""
    found: dict[str, list[RequirementReport]] = {}
    for requirement in report.requirements:
        if not requirement.testable:
            found.setdefault(requirement.because, []).append(requirement)
    return found


def counts(report: "Report") -> dict[Judgement, int]:
    """How many testable requirements have each status."""
    testable = [r.status for r in report.requirements if r.testable]
    return {status: testable.count(status) for status in WORST_FIRST}
