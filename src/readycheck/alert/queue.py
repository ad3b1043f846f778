"""Messages that are still to be delivered: a folder with a file for each message and way, which outlives the program.

A file is written beside and renamed, and leaves a mark when it has been delivered: a message that is worked out anew
after a crash has the same name, and is not queued again. Who is killed between the delivery and the mark delivers
once more; the message's id tells the receiver, as `Idempotency-Key`.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.alert.channel import COMMAND_S, TIMEOUT_S, Channel, DeliveryError, bounded
from readycheck.alert.decision import Message
from readycheck.regression.policy import DAY_S, HOUR_S
from readycheck.render.files import take_lock, write_lasting

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FIRST_S, LONGEST_S, GIVEN_UP_S, KEPT_S = 60.0, 6 * HOUR_S, 7 * DAY_S, 30 * DAY_S
PATIENCE_S = 60.0
"""Nothing more is tried after that: the run waits for its end, and others for the lock."""
SEND_S = COMMAND_S + TIMEOUT_S
LOCK_S = PATIENCE_S + SEND_S + 20
WAITING = "queue"
"""The room of what is still to be delivered, whose lock is for who delivers."""
_PAUSE_S = 0.05


class BusyError(Exception):
    """Another program has the folder, and does not let go of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A message on its way to one channel: tried so often, and not before `due` again."""

    message: Message
    channel: str
    queued: float
    due: float
    attempts: int = 0


@cache
def _adapter() -> "TypeAdapter[Parcel]":
    from pydantic import TypeAdapter

    return TypeAdapter(Parcel)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One program at a time. Raises `BusyError` where another has it for longer than it may deliver."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    until = time.monotonic() + LOCK_S
    with (folder / ".lock").open("a+") as held:
        while not take_lock(held.fileno()):
            if time.monotonic() > until:
                raise BusyError(folder)
            time.sleep(_PAUSE_S)
        yield


def put(folder: Path, message: Message, channel: str, now: float) -> None:
    """Queue it, unless it is queued or delivered: looked for in the order in which who delivers moves it."""
    name = f"{message.id}-{channel}.json"
    if not any((folder / room / name).exists() for room in (WAITING, "sent", "failed")):
        parcel = Parcel(message=message, channel=channel, queued=now, due=now)
        write_lasting(folder / WAITING / name, _adapter().dump_json(parcel))


def deliver(folder: Path, channels: Mapping[str, Channel], now: float) -> list[str]:
    """Try what is due, the oldest first; the answer says what went wrong.

    A way that fails is not tried again at once, and nobody hears of the end of a trouble before its beginning: what
    has just been queued is reason enough to try what was queued of the same before.
    """
    troubles, until = [], time.monotonic() + PATIENCE_S
    broken: set[str] = set()
    behind: set[tuple[str, ...]] = set()
    parcels = [(file, _read(folder, file)) for file in sorted((folder / WAITING).glob("[!.]*.json"))]
    new = {_about(parcel) for _, parcel in parcels if parcel and not parcel.attempts}
    for file, parcel in sorted(parcels, key=lambda pair: pair[1].message.moment if pair[1] else 0.0):
        if parcel is None:
            troubles.append(f"alerts: {file.name} is damaged, and was put aside")
            continue
        if parcel.channel in broken or _about(parcel) in behind or time.monotonic() > until:
            continue
        parcel = replace(parcel, due=now) if _about(parcel) in new else parcel
        if trouble := _try(folder, file, parcel, channels, now):
            troubles.append(trouble)
            broken.add(parcel.channel)
        if file.exists():
            behind.add(_about(parcel))
    _prune(folder, now)
    return troubles


def _about(parcel: Parcel) -> tuple[str, ...]:
    message = parcel.message
    return parcel.channel, message.site, message.profile, message.key


def _read(folder: Path, file: Path) -> Parcel | None:
    try:
        return _adapter().validate_json(file.read_bytes())
    except ValueError:
        _move(folder, file, "failed")
        return None


def _try(folder: Path, file: Path, parcel: Parcel, channels: Mapping[str, Channel], now: float) -> str:
    if (folder / "sent" / file.name).exists():
        file.unlink(missing_ok=True)
        return ""
    way = channels.get(parcel.channel)
    # A clock that went back must not keep it waiting.
    waits = now < parcel.due <= now + LONGEST_S
    if waits or (way is None and now - parcel.queued < GIVEN_UP_S):
        return ""
    try:
        if way is None:
            raise DeliveryError("nobody names this way any more")
        bounded(partial(way.send, parcel.message), SEND_S)
    except DeliveryError as error:
        return _again(folder, file, parcel, way.name if way else "an alert", str(error), now)
    write_lasting(folder / "sent" / file.name, f"{now}\n".encode())
    file.unlink(missing_ok=True)
    return ""


def _again(folder: Path, file: Path, parcel: Parcel, name: str, reason: str, now: float) -> str:
    if now - parcel.queued >= GIVEN_UP_S:
        _move(folder, file, "failed")
        return f"--alert {name}: {reason}; given up after {GIVEN_UP_S / DAY_S:.0f} days, kept in failed/"
    wait = min(FIRST_S * 2.0**parcel.attempts, LONGEST_S)
    later = replace(parcel, attempts=parcel.attempts + 1, due=now + wait)
    write_lasting(file, _adapter().dump_json(later))
    return f"--alert {name}: {reason}; it is kept, and will be tried again"


def _move(folder: Path, file: Path, room: str) -> None:
    (folder / room).mkdir(parents=True, exist_ok=True, mode=0o700)
    file.replace(folder / room / file.name)


def _prune(folder: Path, now: float) -> None:
    for mark in (folder / "sent").glob("[!.]*.json"):
        with contextlib.suppress(OSError, ValueError):
            if now - float(mark.read_text()) > KEPT_S:
                mark.unlink(missing_ok=True)
