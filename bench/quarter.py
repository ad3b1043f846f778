"""A quarter of runs of one site, a run every 15 minutes, through the store, the comparison and the alerts.

`python -m bench.quarter > docs/quarter.md` publishes it. Each run is a program of its own, which remembers what is on
the disk; some are killed before they could write what they know, some while they tell it, and for some hours nobody
can be told.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import process_time

from bench.site import DAY_S, DAYS, EVERY_S, HOUR_S, SEEDS, Seed, run_at, shown_s
from bench.table import Row, remark, show
from readycheck.alert.channel import DeliveryError
from readycheck.alert.decision import Message, Rules
from readycheck.alert.desk import tell
from readycheck.comparison.compare import compare
from readycheck.history.baseline import is_good, latest
from readycheck.history.place import place_of
from readycheck.history.store import Store, opened
from readycheck.report import Report

KILLED, KILLED_TELLING = 0.02, 0.2
"""Of all runs, before what they know is on the disk; of those that have something to tell, before they could."""
DEAF = ((2.5, 2.7), (9.3, 9.6), (40.5, 41.0))
"""Days from and to which nobody can be told."""
BEFORE_CAUSE_H, BEFORE_FIGURE_H, AFTER_H = 1.0, 2.5, 2.5
BEFORE_DRIFT_H, BEFORE_ADOPTED_H = 41 * 24.0, 7.5 * 24
"""How late a fault and its end may be told: as docs/regressions.md has it, and some runs that are missed.

What creeps by 1 % a day is 30 % worse after 30 days, its median of a week some days later, when that week is over.
"""


class Killed(BaseException):
    """The program ends here."""


@dataclass
class Listener:
    """Somebody who is told, at times, and keeps what arrives and when."""

    got: list[tuple[float, Message]] = field(default_factory=list)
    now_s: float = 0.0
    kills: bool = False
    id: str = "listener"
    name: str = "listener"

    def send(self, message: Message) -> None:
        if self.kills:
            raise Killed
        if any(begins <= self.now_s / DAY_S < ends for begins, ends in DEAF):
            raise DeliveryError("nobody answers")
        self.got.append((self.now_s, message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What came of a seed: hours after it began and after it ended (or began, if it stays), None for never.

    An outage is told when it is over, and that is its only message. `ends` says whether an end is to be told at all.
    """

    seed: Seed
    raised: Message | None
    told_h: float | None
    over_h: float | None
    ends: bool
    reminders: int

    @property
    def troubles(self) -> list[str]:
        """What is not as the seed deserves."""
        wrong = {
            "told for nothing": not self.seed.key and self.raised is not None,
            "not told": bool(self.seed.key) and self.raised is None,
            "told late": self.told_h is not None and self.told_h > self.latest_h,
            "its end is not told": bool(self.seed.key) and self.ends and self.over_h is None,
            "its end is told late": self.over_h is not None and self.over_h > self.latest_end_h,
            "another suspect": self.raised is not None and self.seed.suspect not in self.suspect,
        }
        return [f"{self.seed.what}: {what}" for what, is_so in wrong.items() if is_so]

    @property
    def latest_h(self) -> float:
        if not self.seed.ends and self.seed.key != "network":
            return BEFORE_DRIFT_H
        return BEFORE_FIGURE_H if self.seed.key.startswith("figure:") else BEFORE_CAUSE_H

    @property
    def latest_end_h(self) -> float:
        return BEFORE_ADOPTED_H if self.seed.ends == "adopted" else AFTER_H

    @property
    def suspect(self) -> str:
        return self.raised.text.partition("First suspect: ")[2].partition(".")[0] if self.raised else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of all days that were played. `false` is what no seed deserves, `twice` what arrived more than once."""

    days: float
    runs: int
    stored: int
    kills: int
    messages: int
    fates: tuple[Fate, ...]
    false: tuple[Message, ...]
    twice: int
    waits: int
    seconds: float

    @property
    def troubles(self) -> list[str]:
        """What is not as the seeds deserve; none is right."""
        wrong = [f"for nothing: {message.kind} {message.key} {message.text}" for message in self.false]
        wrong += [trouble for fate in self.fates for trouble in fate.troubles]
        wrong += [f"{self.twice} messages arrived twice"] if self.twice else []
        wrong += [f"{self.runs - self.stored} runs are not stored"] if self.runs != self.stored else []
        return wrong + ([f"{self.waits} messages are not delivered"] if self.waits else [])


def play(days: float = DAYS) -> Result:
    with tempfile.TemporaryDirectory(prefix="readycheck-quarter-") as folder:
        return _play(days, Path(folder))


def _play(days: float, folder: Path) -> Result:
    began, listener, chance = process_time(), Listener(), Random("kills")
    runs = kills = 0
    with opened(place_of(str(folder / "history.db")), writing=True) as store:
        for number in range(int(days * DAY_S / EVERY_S)):
            report = run_at(number)
            if report is None:
                continue
            listener.now_s = number * EVERY_S
            fall = chance.random()
            kept = _compared(report, store)
            store.record(kept)
            kills += _told(folder / "alerts", listener, kept, fall, shown_s(listener.now_s))
            runs += 1
        stored = store.counts()[1]
    sent = [message.id for _, message in listener.got]
    fates, false = _judged(days, [message for _, message in listener.got])
    return Result(
        days=days,
        runs=runs,
        stored=stored,
        kills=kills,
        messages=len(sent),
        fates=tuple(fates),
        false=tuple(false),
        twice=len(sent) - len(set(sent)),
        waits=len(list((folder / "alerts" / "queue").glob("[!.]*.json"))),
        seconds=process_time() - began,
    )


def _compared(report: Report, store: Store) -> Report:
    """As `--baseline last-good` does."""
    before = latest(store, report.run.site, report.run.profile, is_good)
    return replace(report, comparison=compare(before, report)) if before else report


def _told(folder: Path, listener: Listener, report: Report, fall: float, now: float) -> int:
    """Whether the program was killed: in the middle of telling, or before its memory was on the disk."""
    listener.kills = fall > 1.0 - KILLED_TELLING
    forgets = list(folder.glob("series-*.json")) if fall < KILLED else []
    with _restored(forgets):
        try:
            tell(folder, [listener], report, Rules(), now)
        except Killed:
            return 1
    return int(bool(forgets))


@contextmanager
def _restored(files: Sequence[Path]) -> Iterator[None]:
    """As they were, afterwards."""
    for file in files:
        shutil.copy(file, file.with_suffix(".before"))
    yield
    for file in files:
        file.with_suffix(".before").replace(file)


# --- what each seed deserves ---------------------------------------------------------------------------


def _judged(days: float, messages: Sequence[Message]) -> tuple[list[Fate], list[Message]]:
    left = list(messages)
    fates = [_fate(seed, days, left) for seed in SEEDS if seed.begins_s + DAY_S <= days * DAY_S]
    return fates, left


def _fate(seed: Seed, days: float, left: list[Message]) -> Fate:
    """Takes what is the seed's out of what is left."""
    begun, ended, end = shown_s(seed.begins_s), shown_s(seed.ends_s), shown_s(days * DAY_S)
    until = ended + DAY_S if seed.ends == "over" else end
    mine = [m for m in left if seed.key and m.key.startswith(seed.key) and begun <= m.moment <= until]
    raised = [m for m in mine if m.kind in ("raised", "outage", "drifted")][:1]
    over = [m for m in mine if m.kind == seed.ends][:1]
    still = [m for m in mine if m.kind == "still" and _is_due(m, raised, over)]
    for message in (*raised, *over, *still):
        left.remove(message)
    due = {"over": ended + DAY_S, "adopted": begun + 8 * DAY_S}.get(seed.ends, end + 1.0)
    return Fate(
        seed=seed,
        raised=raised[0] if raised else None,
        told_h=_hours(raised, ended if seed.key == "network" else begun),
        over_h=_hours(over, begun if seed.ends == "adopted" else ended),
        ends=due <= end,
        reminders=len(still),
    )


def _is_due(message: Message, raised: Sequence[Message], over: Sequence[Message]) -> bool:
    """A day after it was told, and each day after that."""
    last = over[0].moment if over else message.moment
    return bool(raised) and raised[0].moment + DAY_S <= message.moment <= last


def _hours(messages: Sequence[Message], since: float) -> float | None:
    return (messages[0].moment - since) / HOUR_S if messages else None


# --- the page ------------------------------------------------------------------------------------------


def document(result: Result) -> str:
    """The page of docs/."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield from (
        "# A quarter of one site: what is told of it",
        "",
        "Made by `python -m bench.quarter`; do not edit. A simulated site makes a run every "
        f"{EVERY_S / 60:.0f} minutes for {result.days} days. Its reports are judged by the real rules; they are "
        "stored, compared with the last good one, and told of by the real programs, each of which knows only what is "
        "on the disk. Numbers have noise, office hours and outliers; runs are missed or cut off; the clock is wrong "
        "three times; programs are killed; and for some hours nobody can be told.",
        "",
        "| what happens | day | for | message | told after | its end after | reminders | first suspect |",
        "| --- | ---: | ---: | --- | ---: | ---: | ---: | --- |",
    )
    yield from map(_row, result.fates)
    yield from (
        "",
        f"{result.runs} runs ({result.stored} stored), {result.messages} messages arrived. Told for nothing: "
        f"{len(result.false)}. Arrived twice: {result.twice}. Still waiting: {result.waits}. "
        f"Programs killed while they had something to write or to tell: {result.kills}.",
        "",
        "What has no network of its own is told when it is over. A day's reminders are those of what goes on for "
        "longer than that; what lasts for a week is told as the new normal.",
    )


def _row(fate: Fate) -> str:
    seed = fate.seed
    message = f"`{fate.raised.key}`" if fate.raised else "none"
    lasts = "good" if seed.ends == "adopted" else f"{seed.hours:g} h"
    cells = (seed.what, f"{seed.day:g}", lasts, message, _shown(fate.told_h), _shown(fate.over_h))
    return f"| {' | '.join(cells)} | {fate.reminders} | {fate.suspect.partition(':')[0]} |"


def _shown(hours: float | None) -> str:
    return "-" if hours is None else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def measure() -> None:
    """For `make bench-history`: in short, and what is not as it must be."""
    result = play()
    show(
        f"A quarter of one site: {result.runs} runs",
        [Row("store, compare and tell of a run", 1000 * result.seconds / result.runs, "ms")],
    )
    remark(
        f"{len(result.fates)} seeds, {result.messages} messages, {len(result.false)} for nothing, {result.twice} twice"
    )
    for trouble in result.troubles:
        remark(f"WRONG: {trouble}")


if __name__ == "__main__":
    found = play()
    sys.stdout.write(document(found))
    sys.exit("\n".join(found.troubles) or 0)
