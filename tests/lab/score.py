"""From rows to numbers: who was named for what, and how often somebody was blamed falsely. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from readycheck.media.stream import wilson

from .judging import UNKNOWN, Answer, Row

T = TypeVar("T")

NOTHING = "(nothing)"


@dataclass(frozen=True)
class Rate:
    """`hits` of `of`, with the interval in which the true ratio lies with 95 % (Wilson)."""

    hits: int
    of: int

    @property
    def ratio(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.of)

    def __str__(self) -> str:
        if not self.of:
            return "none of none"
        low, high = self.interval
        return f"{self.hits} of {self.of} = {100 * self.hits / self.of:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


@dataclass(frozen=True)
class Confusion:
    """How often `truth` was answered with `said`."""

    counts: Counter[tuple[str, str]]

    @property
    def truths(self) -> list[str]:
        return sorted({truth for truth, _ in self.counts}, key=_nothing_last)

    @property
    def sayings(self) -> list[str]:
        return sorted({said for _, said in self.counts}, key=_nothing_last)

    def of(self, truth: str, said: str) -> int:
        return self.counts[truth, said]


def _nothing_last(name: str) -> tuple[bool, str]:
    return name == NOTHING, name


@dataclass(frozen=True, kw_only=True)
class Score:
    """The numbers of a set of runs; those that were not played count nowhere but in `unplayed`."""

    runs: int
    unplayed: int
    causes: Rate
    places: Rate
    unknown_places: Rate
    false_blame: Rate
    false_blame_where_open: Rate
    surplus: Rate
    silent: Rate
    inconclusive: Rate
    right_exits: Rate
    unmeasured_passes: int
    median_s: float
    median_open_s: float
    by_cause: Confusion
    by_place: Confusion


def score(rows: Iterable[Row]) -> Score:
    everything = list(rows)
    played = [row for row in everything if not row.problem]
    faulty = [row for row in played if row.answers]
    opened = [row for row in played if not row.answers]
    answers = [answer for row in faulty for answer in row.answers]
    named = [answer for answer in answers if answer.sure]
    return Score(
        runs=len(played),
        unplayed=len(everything) - len(played),
        causes=Rate(len(named), len(answers)),
        places=_rate(named, lambda answer: answer.located),
        unknown_places=_rate(named, lambda answer: not answer.located and answer.where == UNKNOWN),
        false_blame=_rate(played, lambda row: bool(row.blamed)),
        false_blame_where_open=_rate(opened, lambda row: bool(row.blamed)),
        surplus=_rate(played, lambda row: len(row.guesses) > len(row.answers)),
        silent=_rate(faulty, _says_nothing),
        inconclusive=Rate(sum(row.inconclusive for row in played), sum(row.requirements for row in played)),
        right_exits=_rate(played, lambda row: row.status in row.exits),
        unmeasured_passes=sum(len(row.unmeasured) for row in played),
        median_s=median([row.seconds for row in faulty] or [0.0]),
        median_open_s=median([row.seconds for row in opened] or [0.0]),
        by_cause=confusion_of_causes(played),
        by_place=confusion_of_places(answers),
    )


def _rate(of: Sequence[T], true: Callable[[T], bool]) -> Rate:
    return Rate(sum(map(true, of)), len(of))


def _says_nothing(row: Row) -> bool:
    """Honest, and of no use: no cause is named at all, right or wrong."""
    return not row.blamed and not row.guesses and not any(answer.cause for answer in row.answers)


def confusion_of_causes(rows: Iterable[Row]) -> Confusion:
    """A cause that was missed stands against each false one of the same run, else against nothing."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        false = [words.partition(" ")[0] for words in row.blamed if " at " in words]
        missed = [answer for answer in row.answers if not answer.sure]
        counts.update((answer.wanted, answer.cause) for answer in row.answers if answer.sure)
        for answer in missed:
            counts.update((answer.wanted, said) for said in _instead(answer, false))
        if not missed:
            truth = row.answers[0].wanted if row.answers else NOTHING
            named = {answer.cause for answer in row.answers}
            counts.update((truth, said) for said in false if said not in named)
        if not row.answers and not false:
            counts[NOTHING, NOTHING] += 1
    return Confusion(counts)


def _instead(answer: Answer, false: Sequence[str]) -> Sequence[str]:
    return [f"{answer.cause}?"] if answer.cause else false or [NOTHING]


def confusion_of_places(answers: Iterable[Answer]) -> Confusion:
    """Of the causes that were named, surely or not."""
    return Confusion(Counter((answer.wanted_where, answer.where) for answer in answers if answer.cause))
