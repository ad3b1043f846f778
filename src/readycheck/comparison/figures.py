"""The numbers of a report that can get better or worse: one for each metric of each requirement. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from readycheck.units import Unit

if TYPE_CHECKING:
    from readycheck.profile import Requirement
    from readycheck.report import Report

MOST = 400
_HIGHER = {"mos", "r", "binding_s", "held_s", "marks_kept_ratio"}
_LOWER = ("_ms", "_ratio")
_NOT_OF_THE_NETWORK = ("expires_days", "pacing_p95_ms")


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of a requirement's checks; `higher` is better, or lower is."""

    requirement: str
    metric: str
    value: float
    higher: bool = False

    @property
    def key(self) -> str:
        return f"{self.requirement}/{self.metric}"

    @property
    def floor(self) -> float:
        """The least difference that anybody would feel: below it a change is not worth a word."""
        return floor_of(self.metric)


def floor_of(metric: str) -> float:
    """In the unit that the metric's name ends in."""
    floors = {Unit.MILLISECONDS: 10.0, Unit.RATIO: 0.01, Unit.SECONDS: 5.0}
    return next((floor for unit, floor in floors.items() if metric.endswith(f"_{unit.value}")), 0.2)


def figures(report: "Report") -> tuple[Figure, ...]:
    """All of a report, in the order of its requirements. A host that was late itself has measured itself."""
    if report.run.self_limited:
        return ()
    return tuple(_figures(report))[:MOST]


def _figures(report: "Report") -> Iterator[Figure]:
    needs = {requirement.id: requirement for requirement in report.profile.requirements}
    measured: dict[tuple[str, str], list[float]] = {}
    for check in report.checks:
        if check.requirement is None:
            continue
        for name, value in check.metrics.items():
            if value is not None:
                measured.setdefault((check.requirement, name), []).append(float(value))
    for (requirement, name), values in measured.items():
        higher = _is_higher_better(name, needs.get(requirement))
        if higher is not None:
            sizes = values if higher else [abs(value) for value in values]
            yield Figure(requirement, name, round(median(sizes), 4), higher)


def _is_higher_better(name: str, requirement: "Requirement | None") -> bool | None:
    """As the profile has it, else by the name; None for what counts, or tells of something else."""
    if name in _NOT_OF_THE_NETWORK:
        return None
    if requirement and name in requirement.limits:
        return requirement.limits[name].higher
    return True if name in _HIGHER else False if name.endswith(_LOWER) else None
