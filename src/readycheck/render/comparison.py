"""A comparison with an earlier run as sentences, which the formats for people share; and by itself."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from readycheck.comparison.change import Aspect, Direction
from readycheck.render.clean import clean
from readycheck.render.spreadsheet import table

if TYPE_CHECKING:
    from readycheck.comparison.change import Change, Comparison, Difference
    from readycheck.report import Report

MOST_CHANGES, MOST_EXPLAINED = 12, 6
_NAMES = {
    Aspect.FINDING: "finding",
    Aspect.REQUIREMENT: "requirement",
    Aspect.FIGURE: "",
    Aspect.AREA: "area",
}


def title(comparison: "Comparison") -> str:
    """The baseline: which run, and when."""
    return f"run {clean(comparison.baseline.id, 60)} of {clean(comparison.baseline.started_at, 40)}"


def first_suspect(comparison: "Comparison") -> str:
    """A sentence: what to look at first, or why nothing can be named."""
    worse = any(change.direction is Direction.WORSE for change in comparison.changes)
    if comparison.suspects:
        suspect = comparison.suspects[0]
        names = ", ".join(clean(name, 80) for name in suspect.explains[:MOST_EXPLAINED])
        more = len(suspect.explains) - MOST_EXPLAINED
        return (
            f"{suspect.circumstance.value}: {clean(suspect.why)}. "
            f"It may be behind {names}{f' and {more} more' if more > 0 else ''}."
        )
    if not worse:
        return "none: nothing became worse."
    if comparison.differences:
        return "none: what else changed is not known to bring about what became worse."
    return "none: nothing else changed that the reports tell of."


def rows(comparison: "Comparison", verbose: bool = False) -> Iterator[tuple[str, str]]:
    """Label and text: the first suspect, then what changed, the worse before the better, then what else did."""
    yield "first suspect", first_suspect(comparison)
    for suspect in comparison.suspects[1:3]:
        yield "or", f"{suspect.circumstance.value}: {clean(suspect.why)}."
    most = 10_000 if verbose else MOST_CHANGES
    for direction in Direction:
        changes = [change for change in comparison.changes if change.direction is direction]
        yield from ((_label(direction), change_line(change)) for change in changes[:most])
        if len(changes) > most:
            yield _label(direction), f"and {len(changes) - most} more"
    if not comparison.changes:
        yield "changed", "nothing of the result"
    yield from (("else changed", difference_line(each)) for each in comparison.differences)


def _label(direction: Direction) -> str:
    return "changed" if direction is Direction.OTHER else direction.value


def change_line(change: "Change") -> str:
    """What it was, and what it has become."""
    name = f"{_NAMES.get(change.aspect, '')} {clean(change.of, 100)}".strip()
    if not change.before:
        return f"{name}: new, {clean(change.after, 80)}"
    if not change.after:
        return f"{name}: gone, was {clean(change.before, 80)}"
    return f"{name}: {clean(change.before, 80)} -> {clean(change.after, 80)}"


def difference_line(difference: "Difference") -> str:
    """What it was, and what it has become."""
    of = f" at {clean(difference.of, 120)}" if difference.of else ""
    return f"{difference.circumstance.value}{of}: {_listed(difference.before)} -> {_listed(difference.after)}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(clean(value, 120) for value in values) or "none"


# --- by itself -----------------------------------------------------------------------------------------


def as_text(before: "Report", after: "Report", comparison: "Comparison", verbose: bool = False) -> str:
    """The two runs side by side, and below that what a report says of its baseline."""
    sides = [("", "before", "after"), *zip(_FACTS, _facts(before), _facts(after), strict=True)]
    wide = max(len(first) for _, first, _ in sides)
    lines = [f"{label:<{_LABEL}}{first:<{wide}}  {second}".rstrip() for label, first, second in sides]
    lines += ["", *(f"{label:<{_LABEL}}{text}" for label, text in rows(comparison, verbose))]
    return "\n".join(lines) + "\n"


def as_json(before: "Report", after: "Report", comparison: "Comparison") -> str:
    """The comparison is as in a report."""
    sides = {name: _side(report) for name, report in (("before", before), ("after", after))}
    return json.dumps({**sides, "comparison": asdict(comparison)}, indent=2) + "\n"


def as_csv(comparison: "Comparison") -> str:
    found = [(c.aspect.value, c.of, c.before, c.after, c.direction.value) for c in comparison.changes]
    found += [
        (d.circumstance.value, d.of, _listed(d.before), _listed(d.after), "") for d in comparison.differences
    ]
    return table(("aspect", "of", "before", "after", "direction"), found)


_LABEL = 16
_FACTS = ("run", "started", "site", "profile", "verdict", "score", "causes")


def _facts(report: "Report") -> tuple[str, ...]:
    run, score = report.run, report.score.overall
    causes = " ".join(dict.fromkeys(finding.cause for finding in report.findings))
    texts = (run.id[:12], run.started_at, run.site or "-", f"{run.profile} {run.profile_revision}")
    marks = (report.verdict.value, "-" if score is None else str(score), causes or "-")
    return tuple(clean(text, 60) for text in (*texts, *marks))


def _side(report: "Report") -> dict[str, Any]:
    run = report.run
    return {
        "id": run.id,
        "started_at": run.started_at,
        "site": run.site,
        "profile": run.profile,
        "profile_revision": run.profile_revision,
        "verdict": report.verdict.value,
        "score": report.score.overall,
        "causes": list(dict.fromkeys(finding.cause for finding in report.findings)),
    }
