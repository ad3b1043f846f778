"""One figure from run to run: the median of the recent ones against the median of the history. Pure."""

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from readycheck.regression.alarm import Alarm, Edge, Rule, mark, turn
from readycheck.regression.level import Level, Reference, drifted, feed, reference, renewed
from readycheck.regression.policy import Policy
from readycheck.regression.state import Event, Kind, Track

if TYPE_CHECKING:
    from readycheck.comparison.figures import Figure

KINDS = {Edge.RAISED: Kind.RAISED, Edge.OVER: Kind.OVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The run that is taken in; `usual_s` is how often there is one."""

    now: float
    run: str
    usual_s: float
    policy: Policy

    def rule(self, needed: int, of: int) -> Rule:
        """Runs count as recent for the time that they take, with some to spare for those that are missed."""
        return Rule(needed, of, max(self.policy.shortest_memory_s, (of + 2) * self.usual_s))


def follow(track: Track, figure: "Figure", at: Moment) -> tuple[Track, Event | None]:
    """Take in a figure of this run."""
    value = -figure.value if figure.higher else figure.value
    rule = at.rule(at.policy.needed, at.policy.recent)
    recent = [(min(moment, at.now), was) for moment, was in track.recent]
    recent = [(moment, was) for moment, was in recent if at.now - moment <= rule.memory_s]
    track = replace(track, recent=(*recent, (at.now, value))[-at.policy.recent :], seen=at.now)
    normal = reference(track.level, at.now, at.policy.recent * at.usual_s, figure.floor, at.policy)
    if normal is None:
        return replace(track, level=feed(track.level, value, at.now, at.policy)), None
    return _judge(track, normal, figure, at, rule)


def _judge(
    track: Track, normal: Reference, figure: "Figure", at: Moment, rule: Rule
) -> tuple[Track, Event | None]:
    value, since = track.recent[-1][1], track.alarm.since
    limit = normal.limit if since is None else normal.over
    alarm, edge = mark(track.alarm, value > limit, at.now, rule), None
    if (_median(track) > limit) is (since is None):  # the median agrees with what k of n may say
        alarm, edge = turn(alarm, at.now, rule, at.policy)
    track = replace(track, alarm=alarm)
    if edge:
        began = since if edge is Edge.OVER else alarm.since
        comes_anew = edge is Edge.RAISED and len(_chain(alarm, at)) == 1
        fresh = replace(track, new=Level()) if comes_anew else track
        return fresh, _event(KINDS[edge], figure, track, normal.normal, at, began)
    if alarm.since is not None:
        return _adopt(track, normal, figure, at)
    if value > limit:  # what stands out is no part of what is normal
        return track, None
    return _drift(replace(track, level=feed(track.level, value, at.now, at.policy)), figure, at)


def _median(track: Track) -> float:
    return median([value for _, value in track.recent])


def _adopt(track: Track, normal: Reference, figure: "Figure", at: Moment) -> tuple[Track, Event | None]:
    """What has lasted for so long is how it is now, and so is what comes each day."""
    new = feed(track.new or Level(), track.recent[-1][1], at.now, at.policy)
    chain = _chain(track.alarm, at)
    since = chain[0] if len(chain) >= at.policy.adopt_times else track.alarm.since or at.now
    if at.now - since < at.policy.adopt_s:
        return replace(track, new=new), None
    level = renewed(track.level, new, at.policy)
    fresh = replace(track, level=level, new=None, alarm=replace(track.alarm, since=None, marks=(), raises=()))
    return fresh, _event(Kind.ADOPTED, figure, track, normal.normal, at, since)


def _chain(alarm: Alarm, at: Moment) -> tuple[float, ...]:
    """The last times that it was raised, as far back as there is no long pause between two."""
    first = len(alarm.raises) - 1
    while first > 0 and alarm.raises[first] - alarm.raises[first - 1] <= at.policy.apart_s:
        first -= 1
    return alarm.raises[first:]


def _drift(track: Track, figure: "Figure", at: Moment) -> tuple[Track, Event | None]:
    found = drifted(track.level, figure.floor, at.policy)
    if not found:
        return track, None
    best, last = found
    fresh = replace(track, level=replace(track.level, weeks=(last,)))
    event = _event(Kind.DRIFTED, figure, track, best, at, at.now)
    return fresh, replace(event, value=abs(last))


def _event(
    kind: Kind, figure: "Figure", track: Track, normal: float, at: Moment, since: float | None
) -> Event:
    return Event(
        kind=kind,
        key=f"figure:{figure.key}",
        title=f"{figure.metric} of {figure.requirement}",
        since=at.now if since is None else min(since, at.now),
        moment=at.now,
        run=at.run,
        episode=track.alarm.episode,
        normal=round(abs(normal), 3),
        value=round(abs(_median(track)), 3),
    )
