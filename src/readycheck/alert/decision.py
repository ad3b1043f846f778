"""decide(told, events, rules, now): which messages a person gets, one for each cause. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from readycheck.diagnose.finding import Severity
from readycheck.regression.policy import DAY_S
from readycheck.regression.state import Event, Kind

MOST_HELD, MOST_KEYS = 200, 500
_BEGINS = {Kind.RAISED}
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
    """A trouble that goes on: what it consists of, and when somebody was told last."""

    members: tuple[str, ...]
    title: str
    severity: Severity
    since: float
    told_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What has been told; `held` waits for the end of quiet hours, `counts` are the messages for each key so far."""

    open: Mapping[str, Open] = field(default_factory=dict)
    held: tuple[Message, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the messages are about; `hint` is the first suspect of a comparison, if there is one."""

    series: str
    site: str
    profile: str
    run: str
    hint: str = ""


def decide(
    told: Told, events: Sequence[Event], rules: Rules, now: float, subject: Subject
) -> tuple[Told, tuple[Message, ...]]:
    """The next state and what is to be sent now."""
    desk = _Desk(told, now, subject)
    for key, those in _grouped(events).items():
        desk.take(key, those)
    desk.remind(rules.repeat_s)
    if is_quiet(rules, now):
        return replace(desk.told, held=_merged((*told.held, *desk.messages))), ()
    return replace(desk.told, held=()), (*told.held, *desk.messages)


def is_quiet(rules: Rules, now: float) -> bool:
    """A span that ends before it begins goes over midnight."""
    local = datetime.fromtimestamp(now, ZoneInfo(rules.zone))
    minute = local.hour * 60 + local.minute
    return any(
        begin <= minute < end if begin <= end else minute >= begin or minute < end
        for begin, end in rules.quiet
    )


def alert_key(key: str) -> str:
    """All requirements' figures of one metric are one trouble."""
    kind, _, rest = key.partition(":")
    return f"{kind}:{rest.rpartition('/')[2]}" if kind == "figure" else key


def _grouped(events: Iterable[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(alert_key(event.key), []).append(event)
    return found


class _Desk:
    def __init__(self, told: Told, now: float, subject: Subject) -> None:
        self.told = told
        self.messages: list[Message] = []
        self._now = now
        self._subject = subject

    def take(self, key: str, events: Sequence[Event]) -> None:
        """Those of one trouble: it begins with the first that begins, and ends with the last that ends."""
        begun = [event for event in events if event.kind in _BEGINS]
        ended = [event for event in events if event.kind in _ENDS]
        if begun:
            self._begin(key, begun)
        if ended:
            self._end(key, ended)
        for kind in (Kind.DRIFTED, Kind.OUTAGE):
            if those := [event for event in events if event.kind is kind]:
                self._send(key, kind.value, those[0], "; ".join(map(_sentence, those[:8])))

    def _begin(self, key: str, events: Sequence[Event]) -> None:
        known = self.told.open.get(key)
        members = dict.fromkeys((*(known.members if known else ()), *(event.key for event in events)))
        first = events[0]
        opened = known or Open(
            members=(), title=first.title, severity=first.severity, since=first.since, told_at=self._now
        )
        self._open(key, replace(opened, members=tuple(members)))
        if known is None:
            self._send(key, Kind.RAISED.value, first, "; ".join(map(_sentence, events[:8])))

    def _end(self, key: str, events: Sequence[Event]) -> None:
        known = self.told.open.get(key)
        if known is None:
            return
        left = tuple(member for member in known.members if member not in {event.key for event in events})
        self._open(key, replace(known, members=left) if left else None)
        if not left:
            text = "; ".join(map(_sentence, events[:8]))
            self._send(key, events[0].kind.value, replace(events[0], since=known.since), text)

    def _open(self, key: str, opened: Open | None) -> None:
        others = {name: one for name, one in self.told.open.items() if name != key}
        self.told = replace(self.told, open={**others, key: opened} if opened else others)

    def remind(self, repeat_s: float) -> None:
        """Of what has gone on for long since somebody was told. A clock that went back begins anew."""
        for key, one in list(self.told.open.items()):
            since_told = self._now - one.told_at
            if since_told < 0 or (repeat_s and since_told >= repeat_s):
                self._open(key, replace(one, told_at=self._now))
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
        hint = f" First suspect: {about.hint}" if about.hint and kind == Kind.RAISED.value else ""
        self.messages.append(
            Message(
                id=hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32],
                kind=kind,
                key=key,
                title=f"{about.site or 'this site'}, {about.profile}: {_HEADS.get(kind, kind)}: {title}",
                text=text + hint,
                severity=severity,
                since=since,
                moment=self._now,
                site=about.site,
                profile=about.profile,
                run=about.run,
            )
        )


_HEADS = {"raised": "worse", "over": "recovered", "adopted": "the new normal", "drifted": "slowly worse"}


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
