"""The health file of a watch: what came of the last run, when the next one is due, and until when to believe it."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from readycheck.errors import ReadycheckError
from readycheck.render.files import write_beside

VERSION = 1
_LARGEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Moments are seconds since 1970; of what has not been yet, None."""

    profile: str
    site: str | None
    every_s: int
    state: str = "starting"  # then waiting and running in turn, at last stopped
    runs: int = 0
    missed: int = 0
    last_start: float | None = None
    last_end: float | None = None
    last_status: int | None = None
    last_verdict: str | None = None  # None after a run that was killed
    next_due: float | None = None
    alive_until: float = 0.0  # by then the file is written again


_MOMENTS = ("last_start", "last_end", "next_due", "alive_until")


def text_of(health: Health) -> str:
    told = asdict(health)
    moments = {name: _iso(told[name]) for name in _MOMENTS}
    return json.dumps({"schema_version": VERSION, **told, **moments}, indent=1) + "\n"


def write(path: Path, health: Health) -> None:
    """Raises `UsageError`."""
    write_beside(path, text_of(health), option="--health")


def check(path: Path, now: float) -> str:
    """A line about a watch that is well. Raises `ReadycheckError` about one that is not."""
    option = f"--check-health {path}"
    try:
        with path.open(encoding="utf-8") as file:
            told = json.loads(file.read(_LARGEST))
        alive_until = datetime.fromisoformat(told["alive_until"]).timestamp()
        return _judged(told, alive_until, now)
    except OSError as error:
        raise ReadycheckError(f"{option}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError):
        raise ReadycheckError(f"{option}: not the health file of a watch") from None
    except _Unwell as error:
        raise ReadycheckError(f"{option}: {error}") from None


class _Unwell(Exception):
    pass


def _judged(told: dict[str, Any], alive_until: float, now: float) -> str:
    """A network in a bad state is no trouble of the watch."""
    if told["state"] == "stopped":
        raise _Unwell("the watch was stopped")
    if now > alive_until:
        raise _Unwell(f"the watch has not been heard of since it was due at {told['alive_until']}")
    if told["last_end"] and told["last_verdict"] is None:
        raise _Unwell(f"the last run was killed (status {told['last_status']})")
    last = f"last verdict {told['last_verdict']} at {told['last_end']}" if told["last_end"] else "no run yet"
    return f"{told['profile']}: {told['state']}, {last}, next due at {told['next_due']}"


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
