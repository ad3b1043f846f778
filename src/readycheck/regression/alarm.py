"""k of n, edge-triggered: raised once, held, and over when it has been calm for long enough. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from readycheck.regression.policy import DAY_S, Policy

_RAISES = 8


class Edge(StrEnum):
    RAISED = "raised"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Alarm:
    """`marks` are the last runs and whether they were bad; `since` when it was raised, if it is.

    `bad_at` is the last bad run, `raises` the last times that it was raised, `episode` how often so far.
    """

    marks: tuple[tuple[float, bool], ...] = ()
    since: float | None = None
    bad_at: float = 0.0
    raises: tuple[float, ...] = ()
    episode: int = 0

    @property
    def is_idle(self) -> bool:
        """It may be forgotten: nothing of it is going on."""
        return self.since is None and not any(bad for _, bad in self.marks)


@dataclass(frozen=True, slots=True)
class Rule:
    """`needed` of `of` runs; runs longer ago than `memory_s` count no more."""

    needed: int
    of: int
    memory_s: float


def mark(alarm: Alarm, bad: bool, now: float, rule: Rule) -> Alarm:
    """Take in a run. A clock that has gone back takes what is stored back with it."""
    earlier = ((min(moment, now), was) for moment, was in alarm.marks)
    marks = (*((moment, was) for moment, was in earlier if now - moment <= rule.memory_s), (now, bad))
    return Alarm(
        marks=marks[-rule.of :],
        since=None if alarm.since is None else min(alarm.since, now),
        bad_at=now if bad else min(alarm.bad_at, now),
        raises=tuple(min(moment, now) for moment in alarm.raises),
        episode=alarm.episode,
    )


def turn(alarm: Alarm, now: float, rule: Rule, policy: Policy) -> tuple[Alarm, Edge | None]:
    """Raise it or end it, if that is due after the runs that are marked."""
    bad = sum(was for _, was in alarm.marks)
    if alarm.since is None and bad >= rule.needed:
        raises = (*alarm.raises, now)[-_RAISES:]
        return replace(alarm, since=now, raises=raises, episode=alarm.episode + 1), Edge.RAISED
    calm = len(alarm.marks) - bad >= rule.needed and now - alarm.bad_at >= hold_s(alarm, now, policy)
    if alarm.since is not None and calm:
        return replace(alarm, since=None, marks=()), Edge.OVER
    return alarm, None


def hold_s(alarm: Alarm, now: float, policy: Policy) -> float:
    """What comes and goes is one trouble: each time within a day doubles how long it must be calm."""
    lately = sum(now - moment <= DAY_S for moment in alarm.raises)
    return min(policy.hold_s * 2.0 ** max(0, lately - 1), policy.longest_hold_s)
