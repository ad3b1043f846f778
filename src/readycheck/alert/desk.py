"""From a report to messages on their way: what a series remembers is kept in a file of its own."""

import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.alert import queue
from readycheck.alert.channel import Channel, DeliveryError, Heartbeat
from readycheck.alert.decision import Hint, Rules, Subject, Told, decide
from readycheck.regression.advance import advance
from readycheck.regression.policy import Policy
from readycheck.regression.sighting import series_of
from readycheck.regression.state import State
from readycheck.render.comparison import first_suspect
from readycheck.render.files import write_lasting
from readycheck.verdict import Readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import TypeAdapter

    from readycheck.report import Report


VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of one series of runs. The `line` is new where it begins anew, and so are the names of its messages."""

    version: int = VERSION
    line: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = field(default_factory=State)
    told: Told = field(default_factory=Told)


@cache
def _adapter() -> "TypeAdapter[Memory]":
    from pydantic import TypeAdapter

    return TypeAdapter(Memory)


def tell(
    folder: Path, channels: "Sequence[Channel]", report: "Report", rules: Rules, now: float
) -> list[str]:
    """Take the report in, queue what it gives cause for, and deliver what is due. Never costs the run.

    The messages are queued before the state is kept: who is killed in between works out the same ones again. Each of
    the two has a lock of its own: a way that hangs keeps nobody from taking a report in.
    """
    troubles: list[str] = []
    try:
        with queue.locked(folder):
            troubles += _take_in(folder, channels, report, rules, now)
        with queue.locked(folder / queue.WAITING):
            troubles += queue.deliver(folder, {each.id: each for each in channels}, now)
    except queue.BusyError as busy:
        left = "what waits goes with the next run" if busy.folder != folder else "this run is told to nobody"
        troubles.append(f"alerts: {busy.folder}: another program has had it for {queue.LOCK_S:.0f} s; {left}")
    except OSError as error:
        troubles.append(f"alerts: {folder}: {error.strerror or type(error).__name__}")
    return troubles


def begin(channels: "Sequence[Channel]", run: str) -> list[str]:
    """To Healthchecks: a run that has begun and does not end is missed."""
    return _ping(channels, lambda each: each.begin(run))


def end(channels: "Sequence[Channel]", report: "Report") -> list[str]:
    """To Healthchecks, for each run; a late one would be a lie, so it is not kept."""
    good = report.verdict in (Readiness.READY, Readiness.WARNINGS)
    text = f"{report.run.profile}: {report.verdict.value}"
    return _ping(channels, lambda each: each.end(report.run.id, text, good=good))


def _ping(channels: "Sequence[Channel]", how: "Callable[[Heartbeat], None]") -> list[str]:
    troubles = []
    for each in channels:
        if isinstance(each, Heartbeat):
            try:
                how(each)
            except DeliveryError as error:
                troubles.append(f"--alert {each.name}: {error}")
    return troubles


def _take_in(
    folder: Path, channels: "Sequence[Channel]", report: "Report", rules: Rules, now: float
) -> list[str]:
    series = series_of(report)
    file = folder / f"series-{series}.json"
    memory, troubles = _recall(file)
    if memory is None:
        return troubles
    state, events = advance(memory.state, report, Policy(), now)
    subject = Subject(
        series=f"{series} {memory.line}",
        site=report.run.site or "",
        profile=report.run.profile,
        run=report.run.id,
        hint=_hint(report, now),
    )
    told, messages = decide(memory.told, events, rules, now, subject)
    for message in messages:
        for each in channels:
            if not isinstance(each, Heartbeat):
                queue.put(folder, message, each.id, now)
    write_lasting(file, _adapter().dump_json(replace(memory, state=state, told=told)))
    return troubles


def _hint(report: "Report", now: float) -> Hint | None:
    comparison = report.comparison
    if comparison is None or not comparison.suspects:
        return None
    return Hint(text=first_suspect(comparison), explains=comparison.suspects[0].explains, moment=now)


def _recall(file: Path) -> tuple[Memory | None, list[str]]:
    """What is damaged is put aside, and the series begins anew. None for what a newer program knows."""
    try:
        memory = _adapter().validate_json(file.read_bytes())
    except FileNotFoundError:
        return Memory(), []
    except ValueError:
        file.replace(file.with_suffix(".damaged"))
        return Memory(), [f"alerts: {file} is damaged; it was put aside, and the series begins anew"]
    if memory.version != VERSION:
        return None, [
            f"alerts: {file}: of another version of readycheck, and left as it is; nothing new is told"
        ]
    return memory, []
