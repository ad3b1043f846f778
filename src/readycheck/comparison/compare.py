"""compare(before, after): what of the result changed from one run to another, and the first suspect. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from readycheck.comparison.change import Aspect, Baseline, Change, Comparison, Direction
from readycheck.comparison.circumstances import differences
from readycheck.comparison.figures import Figure, figures
from readycheck.comparison.suspects import suspects
from readycheck.diagnose.finding import ORDER, SURENESS, Finding
from readycheck.verdict import Judgement, Readiness

if TYPE_CHECKING:
    from readycheck.report import Report, RequirementReport

_SHARE = 0.25
"""Two single runs differ by this much on any day: a figure that differs by less has not changed."""
_AREA = 5.0
_FIGURES = 40
_GOODNESS = {Readiness.READY: 3, Readiness.WARNINGS: 2, Readiness.UNKNOWN: 1, Readiness.NOT_READY: 0}
_MERIT = {Judgement.PASS: 3, Judgement.WARN: 1, Judgement.INCONCLUSIVE: 1, Judgement.FAIL: 0}


def compare(before: "Report", after: "Report", systems: Mapping[str, str] | None = None) -> Comparison:
    """From the first to the second. `systems` are the AS of the egress addresses, where somebody knows them."""
    changed = tuple(_changes(before, after))
    around = tuple(differences(before, after, systems or {}))
    return Comparison(
        baseline=Baseline(
            id=before.run.id,
            started_at=before.run.started_at,
            site=before.run.site,
            verdict=before.verdict.value,
            profile_revision=before.run.profile_revision,
            version=before.tool.version,
        ),
        changes=changed,
        differences=around,
        suspects=suspects(
            changed,
            around,
            explained={name for finding in after.findings for name in finding.affects},
            redefined=_redefined(before, after),
        ),
    )


def _changes(before: "Report", after: "Report") -> Iterator[Change]:
    yield from _verdict(before, after)
    yield from _scores(before, after)
    yield from _findings(before.findings, after.findings)
    yield from _requirements(before, after)
    yield from _figures(figures(before), figures(after))


def _redefined(before: "Report", after: "Report") -> frozenset[str]:
    """What the profiles word or cite otherwise asks for the same."""
    told = {"title", "source", "note"}
    old = {r.id: r.model_dump(exclude=told) for r in before.profile.requirements}
    new = {r.id: r.model_dump(exclude=told) for r in after.profile.requirements}
    return frozenset(name for name in old.keys() & new.keys() if old[name] != new[name])


def _turn(gain: float) -> Direction:
    return Direction.BETTER if gain > 0 else Direction.WORSE if gain < 0 else Direction.OTHER


def _verdict(before: "Report", after: "Report") -> Iterator[Change]:
    if before.verdict is not after.verdict:
        yield Change(
            aspect=Aspect.VERDICT,
            of="verdict",
            title="verdict",
            before=before.verdict.value,
            after=after.verdict.value,
            direction=_turn(_GOODNESS[after.verdict] - _GOODNESS[before.verdict]),
        )


def _scores(before: "Report", after: "Report") -> Iterator[Change]:
    old, new = before.score, after.score
    if old.overall != new.overall:
        yield _score(Aspect.SCORE, "score", old.overall, new.overall)
    areas = {area.name: area.score for area in old.areas}
    for area in new.areas:
        was = areas.get(area.name)
        if was is not None and area.score is not None and abs(area.score - was) >= _AREA:
            yield _score(Aspect.AREA, area.name.value, was, area.score)


def _score(aspect: Aspect, of: str, old: float | None, new: float | None) -> Change:
    shown = ["not graded" if value is None else f"{value:.0f}" for value in (old, new)]
    gain = 0.0 if old is None or new is None else new - old
    return Change(aspect=aspect, of=of, title=of, before=shown[0], after=shown[1], direction=_turn(gain))


def _findings(before: Sequence[Finding], after: Sequence[Finding]) -> Iterator[Change]:
    """By cause and place."""
    old, new = _named(before), _named(after)
    for name in dict.fromkeys((*new, *old)):
        was, became = old.get(name), new.get(name)
        if was and became and (was.severity, was.confidence) == (became.severity, became.confidence):
            continue
        yield Change(
            aspect=Aspect.FINDING,
            of=name,
            title=(became or was or after[0]).summary,
            before=_weight(was),
            after=_weight(became),
            direction=_turn(_gravity(was) - _gravity(became)),
        )


def _named(findings: Sequence[Finding]) -> dict[str, Finding]:
    return {f"{finding.cause}@{finding.where.value}": finding for finding in reversed(findings)}


def _weight(finding: Finding | None) -> str:
    return f"{finding.severity.value}, {finding.confidence.value}" if finding else ""


def _gravity(finding: Finding | None) -> float:
    """The severity counts first, then how sure it is."""
    return 0 if finding is None else 10 * (3 - ORDER[finding.severity]) + 3 - SURENESS[finding.confidence]


def _requirements(before: "Report", after: "Report") -> Iterator[Change]:
    """Those that either run tested; a requirement that came or went with the profile is neither worse nor better."""
    old, new = ({r.id: r for r in report.requirements} for report in (before, after))
    for name in dict.fromkeys((*new, *old)):
        was, became = old.get(name), new.get(name)
        if _standing(was) != _standing(became):
            yield _requirement(name, was, became)


def _standing(requirement: "RequirementReport | None") -> str:
    if requirement is None:
        return ""
    strength = f" ({requirement.strength.value})" if requirement.strength else ""
    return requirement.status.value + strength


def _requirement(name: str, was: "RequirementReport | None", became: "RequirementReport | None") -> Change:
    merits = [_MERIT.get(each.status) if each else None for each in (was, became)]
    gain = 0 if merits[0] is None or merits[1] is None else merits[1] - merits[0]
    shown = became or was
    return Change(
        aspect=Aspect.REQUIREMENT,
        of=name,
        title=shown.title if shown else name,
        before=_standing(was),
        after=_standing(became),
        direction=_turn(gain),
    )


def _figures(before: Sequence[Figure], after: Sequence[Figure]) -> Iterator[Change]:
    """The largest first, as shares of what they were."""
    old = {figure.key: figure for figure in before}
    pairs = [(old[new.key], new) for new in after if new.key in old]
    moved = [(was, became) for was, became in pairs if is_another(was, became)]
    moved.sort(key=lambda pair: -abs(pair[1].value - pair[0].value) / max(pair[0].value, pair[0].floor))
    for was, became in moved[:_FIGURES]:
        gain = became.value - was.value
        yield Change(
            aspect=Aspect.FIGURE,
            of=became.key,
            title=became.key,
            before=f"{was.value:g}",
            after=f"{became.value:g}",
            direction=_turn(gain if became.higher else -gain),
        )


def is_another(was: Figure, became: Figure) -> bool:
    """It differs by more than single runs do, and by enough to be felt."""
    apart = abs(became.value - was.value)
    return apart >= became.floor and apart >= _SHARE * abs(was.value)
