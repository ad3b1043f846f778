"""advance(state, report, policy, now): takes a run in, and says what a person should know now. Pure.

Causes are believed after two of three runs, figures by the median of the recent ones against the median of the
history. Each is told when it begins and when it is over, and not in between. A run without a network of its own
says nothing of the rest, and the outage is told when it is over, because before that nobody would hear of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from readycheck.diagnose.finding import Severity
from readycheck.regression.alarm import Alarm, Edge, mark, turn
from readycheck.regression.policy import Policy
from readycheck.regression.sighting import Sighting, sight
from readycheck.regression.state import (
    MOST_TRACKS,
    MOST_TROUBLES,
    Event,
    Kind,
    Outage,
    State,
    Track,
    Watched,
)
from readycheck.regression.track import KINDS, Moment, follow

if TYPE_CHECKING:
    from readycheck.report import Report

_GAPS = 9


def advance(state: State, report: "Report", policy: Policy, now: float) -> tuple[State, tuple[Event, ...]]:
    """The next state, and what has just begun or ended. `now` is in seconds since 1970."""
    return step(state, sight(report), policy, now)


def step(state: State, seen: Sighting, policy: Policy, now: float) -> tuple[State, tuple[Event, ...]]:
    """The same for what is remembered of a report. A run that was taken in already changes nothing."""
    if not seen.judged or seen.run == state.run:
        return state, ()
    state = replace(state, run=seen.run, moment=now, gaps=_gaps(state, now))
    usual = median(state.gaps) if state.gaps else 0.0
    at = Moment(now=now, run=seen.run, usual_s=usual, policy=policy)
    if seen.dead:
        return replace(state, outage=_lasting(state.outage, now)), ()
    outage = _outage(state, at)
    troubles, told = _troubles(state, seen, at)
    tracks, moved = _tracks(state, seen, at)
    outages = state.outages + len(outage)
    taken = replace(state, troubles=troubles, tracks=tracks, outage=None, outages=outages)
    return taken, (*outage, *told, *moved)


def _gaps(state: State, now: float) -> tuple[float, ...]:
    """A clock that was set back tells nothing of how often there is a run."""
    gap = now - state.moment if state.moment is not None else 0.0
    return (*state.gaps, round(gap, 1))[-_GAPS:] if gap > 0 else state.gaps


def _lasting(outage: Outage | None, now: float) -> Outage:
    return Outage(min(outage.since, now), outage.runs + 1) if outage else Outage(now, 1)


def _outage(state: State, at: Moment) -> tuple[Event, ...]:
    """It is told when it is over. One run without a network is a cable that was moved."""
    if not state.outage or state.outage.runs < at.policy.seen:
        return ()
    return (
        Event(
            kind=Kind.OUTAGE,
            key="network",
            title=f"The site had no network for {state.outage.runs} runs, and has one again.",
            since=min(state.outage.since, at.now),
            moment=at.now,
            run=at.run,
            severity=Severity.BLOCKING,
            episode=state.outages + 1,
        ),
    )


def _troubles(state: State, seen: Sighting, at: Moment) -> tuple[dict[str, Watched], list[Event]]:
    kept, events = {}, []
    for key in list(dict.fromkeys((*state.troubles, *seen.troubles)))[:MOST_TROUBLES]:
        watched, event = _watch(_known(state, seen, key), key, key in seen.troubles, at)
        events += [event] if event else []
        if not _is_forgotten(watched.alarm, at):
            kept[key] = watched
    return kept, events


def _known(state: State, seen: Sighting, key: str) -> Watched:
    """As the last run that saw it tells it."""
    known, trouble = state.troubles.get(key), seen.troubles.get(key)
    if trouble:
        alarm = known.alarm if known else Alarm()
        return Watched(alarm=alarm, title=trouble.title, severity=trouble.severity)
    return state.troubles[key]


def _watch(watched: Watched, key: str, bad: bool, at: Moment) -> tuple[Watched, Event | None]:
    rule = at.rule(at.policy.seen, at.policy.sightings)
    alarm, edge = turn(mark(watched.alarm, bad, at.now, rule), at.now, rule, at.policy)
    began = watched.alarm.since if edge is Edge.OVER else alarm.since
    watched = replace(watched, alarm=alarm)
    if not edge:
        return watched, None
    return watched, Event(
        kind=KINDS[edge],
        key=key,
        title=watched.title,
        since=at.now if began is None else min(began, at.now),
        moment=at.now,
        run=at.run,
        severity=watched.severity,
        episode=alarm.episode,
    )


def _is_forgotten(alarm: Alarm, at: Moment) -> bool:
    """How often it has come is known for as long as that counts."""
    return alarm.is_idle and all(at.now - moment > at.policy.longest_hold_s for moment in alarm.raises)


def _tracks(state: State, seen: Sighting, at: Moment) -> tuple[Mapping[str, Track], list[Event]]:
    """Those that this run did not measure stay as they are; the longest unseen go where there are too many."""
    fresh, events = {}, []
    for figure in seen.figures:
        fresh[figure.key], event = follow(state.tracks.get(figure.key, Track()), figure, at)
        events += [event] if event else []
    kept = {**state.tracks, **fresh}
    if len(kept) > MOST_TRACKS:
        kept = dict(sorted(kept.items(), key=lambda item: -item[1].seen)[:MOST_TRACKS])
    return kept, events
