"""decide(told, events, rules, now): which messages a person gets, one for each cause. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from readycheck.diagnose.finding import Severity
from readycheck.regression.policy import DAY_S, HOUR_S
from readycheck.regression.state import Event, Kind

MOST_HELD, MOST_KEYS = 200, 500
_FIGURE = "figure:"
JOIN_S = 6 * HOUR_S
"""A figure that becomes worse so soon after a trouble began is a part of it."""
_ENDS = {Kind.OVER, Kind.ADOPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When not to disturb, as minutes of the day of `zone`, and how often to remind; 0 is never."""

    quiet: tuple[tuple[int, int], ...] = ()
    zone: str = "UTC"
    repeat_s: float = DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. The `id` is the same however often it is worked out."""

    id: str
    kind: str
    key: str
    title: str
    text: str
    severity: Severity
    since: float
    moment: float
    site: str
    profile: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A trouble that goes on: what it consists of, and when somebody was told last.

    `untold` are figures that are left of a cause which is over: they mostly follow soon, and nobody hears of that.
    """

    members: tuple[str, ...]
    title: str
    severity: Severity
    since: float
    told_at: float
    untold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """The first suspect of a comparison with an earlier run: a sentence, and what it `explains`."""

    text: str
    explains: tuple[str, ...]
    moment: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What has been told; `held` waits for the end of quiet hours, `counts` are the messages for each key so far.

    `hint` is the last that there was: a figure is believed after some runs, and by then the last run that was good
    enough to compare with may be one of them.
    """

    open: Mapping[str, Open] = field(default_factory=dict)
    held: tuple[Message, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    hint: Hint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the messages are about; `hint` is of this run."""

    series: str
    site: str
    profile: str
    run: str
    hint: Hint | None = None


def decide(
    told: Told, events: Sequence[Event], rules: Rules, now: float, subject: Subject
) -> tuple[Told, tuple[Message, ...]]:
    """The next state and what is to be sent now."""
    desk = _Desk(told, now, subject)
    desk.take(events)
    desk.remind(rules.repeat_s)
    if is_quiet(rules, now):
        return replace(desk.told, held=_merged((*told.held, *desk.messages))), ()
    return replace(desk.told, held=()), (*told.held, *desk.messages)


def is_quiet(rules: Rules, now: float) -> bool:
    """A span that ends before it begins goes over midnight."""
    local = datetime.fromtimestamp(now, zone_of(rules.zone))
    minute = local.hour * 60 + local.minute
    return any(
        begin <= minute < end if begin <= end else minute >= begin or minute < end
        for begin, end in rules.quiet
    )


def zone_of(name: str) -> tzinfo:
    """Raises as `ZoneInfo` does. Windows and small containers know no zones, but everybody knows this one."""
    return UTC if name == "UTC" else ZoneInfo(name)


class _Desk:
    def __init__(self, told: Told, now: float, subject: Subject) -> None:
        self.told = replace(told, hint=subject.hint or told.hint)
        self.messages: list[Message] = []
        self._now = now
        self._subject = subject

    def take(self, events: Sequence[Event]) -> None:
        """Each cause is a trouble of its own; the figures of one run are one, and may be a cause's."""
        begun = [event for event in events if event.kind is Kind.RAISED]
        for event in begun:
            if not event.key.startswith(_FIGURE):
                self._begin(event.key, [event])
        if figures := [event for event in begun if event.key.startswith(_FIGURE)]:
            self._begin(self._beside() or figures[0].key, figures)
        self._end([event for event in events if event.kind in _ENDS])
        for kind in (Kind.DRIFTED, Kind.OUTAGE):
            if those := [event for event in events if event.kind is kind]:
                self._send(those[0].key, kind.value, those[0], _text(those))

    def _beside(self) -> str | None:
        """The last trouble that began at about the same time: figures show it too, each a little later."""
        told = {key: one for key, one in self.told.open.items() if not one.untold}
        lately = {key: one for key, one in told.items() if 0 <= self._now - one.since <= JOIN_S}
        return max(lately, key=lambda key: lately[key].since, default=None)

    def _begin(self, key: str, events: Sequence[Event]) -> None:
        known = self.told.open.get(key)
        members = dict.fromkeys((*(known.members if known else ()), *(event.key for event in events)))
        first = events[0]
        opened = known or Open(
            members=(), title=first.title, severity=first.severity, since=first.since, told_at=self._now
        )
        self._open(key, replace(opened, members=tuple(members)))
        if known is None:
            self._send(key, Kind.RAISED.value, first, _text(events) + self._hint(events))

    def _hint(self, events: Sequence[Event]) -> str:
        """Of this run; for figures also one that their like became worse with."""
        hint, before = self._subject.hint, self.told.hint
        if hint is None and before and self._now - before.moment <= JOIN_S:
            hint = before if _parts(event.key for event in events) & _parts(before.explains) else None
        return f" First suspect: {hint.text}" if hint else ""

    def _end(self, events: Sequence[Event]) -> None:
        """A cause is over by itself, figures with the last of them."""
        for key, known in list(self.told.open.items()):
            those = [event for event in events if event.key in known.members]
            if not those:
                continue
            ended = {event.key for event in those}
            left = tuple(member for member in known.members if member not in ended)
            is_cause = key in ended and not key.startswith(_FIGURE)
            self._open(key, replace(known, members=left) if left and not is_cause else None)
            if left and is_cause:
                self._open(left[0], self._rest(known, left))
            if (is_cause or not left) and not known.untold:
                over = replace(those[0], title=known.title, since=known.since)
                self._send(key, those[0].kind.value, over, _text(those))

    def _rest(self, known: Open, left: tuple[str, ...]) -> Open:
        requirement, _, metric = left[0].removeprefix(_FIGURE).partition("/")
        title = f"{metric} of {requirement}"
        return replace(known, members=left, title=title, told_at=self._now, untold=True)

    def _open(self, key: str, opened: Open | None) -> None:
        others = {name: one for name, one in self.told.open.items() if name != key}
        self.told = replace(self.told, open={**others, key: opened} if opened else others)

    def remind(self, repeat_s: float) -> None:
        """Of what has gone on for long since somebody was told. A clock that went back begins anew."""
        for key, one in list(self.told.open.items()):
            since_told = self._now - one.told_at
            if since_told < 0 or (repeat_s and since_told >= repeat_s):
                self._open(key, replace(one, told_at=self._now, untold=one.untold and since_told < 0))
            if repeat_s and since_told >= repeat_s:
                self._write(key, "still", one.title, f"It goes on: {one.title}", one.severity, one.since)

    def _send(self, key: str, kind: str, event: Event, text: str) -> None:
        self._write(key, kind, event.title, text, event.severity, event.since)

    def _write(self, key: str, kind: str, title: str, text: str, severity: Severity, since: float) -> None:
        count = self.told.counts.get(key, 0) + 1
        counts = {**{name: n for name, n in self.told.counts.items() if name != key}, key: count}
        self.told = replace(self.told, counts=dict(list(counts.items())[-MOST_KEYS:]))
        about = self._subject
        name = f"{about.series} {key} {count}"
        self.messages.append(
            Message(
                id=hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32],
                kind=kind,
                key=key,
                title=f"{about.site or 'this site'}, {about.profile}: {_HEADS.get(kind, kind)}: {title}",
                text=text,
                severity=severity,
                since=since,
                moment=self._now,
                site=about.site,
                profile=about.profile,
                run=about.run,
            )
        )


_HEADS = {"raised": "worse", "over": "recovered", "adopted": "the new normal", "drifted": "slowly worse"}


def _parts(figures: Iterable[str]) -> set[str]:
    """Their requirements and metrics."""
    return {part for key in figures if "/" in key for part in key.removeprefix(_FIGURE).split("/")}


def _text(events: Sequence[Event]) -> str:
    return "; ".join(map(_sentence, events[:8]))


def _sentence(event: Event) -> str:
    """A cause has its own; a figure says from where to where."""
    if event.normal is None or event.value is None:
        return event.title
    return f"{event.title}: {event.value:g}, normal is {event.normal:g}"


def _merged(held: Sequence[Message]) -> tuple[Message, ...]:
    """What began and was over before anybody was to be disturbed is one message."""
    kept: list[Message] = []
    for message in held:
        begun = next((m for m in kept if m.key == message.key and m.kind == "raised"), None)
        if message.kind == "over" and begun:
            kept.remove(begun)
        if message.kind == "still" and begun:
            continue
        kept.append(message)
    return tuple(kept[-MOST_HELD:])
