"""What is remembered from run to run: plain data of bounded size, which has a form in JSON (`alert.desk`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from readycheck.diagnose.finding import Severity
from readycheck.regression.alarm import Alarm
from readycheck.regression.level import Level

MOST_TROUBLES, MOST_TRACKS = 100, 400


class Kind(StrEnum):
    """What an event tells."""

    RAISED = "raised"
    OVER = "over"
    ADOPTED = "adopted"
    DRIFTED = "drifted"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a person may want to know, once. `key` is `cause:...`, `verdict:...`, `figure:...` or `network`.

    `episode` counts how often it has come. `normal` and `value` are those of a figure.
    """

    kind: Kind
    key: str
    title: str
    since: float
    moment: float
    run: str
    severity: Severity = Severity.DEGRADING
    episode: int = 1
    normal: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A trouble that has been seen."""

    alarm: Alarm
    title: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A figure through time, smaller is better; `recent` are its last values, `seen` when it was measured last.

    `new` is what is normal since it became worse, in case that it stays so.
    """

    level: Level = field(default_factory=Level)
    alarm: Alarm = field(default_factory=Alarm)
    recent: tuple[tuple[float, float], ...] = ()
    seen: float = 0.0
    new: Level | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """No network of its own, `runs` times in a row."""

    since: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Of one series of runs. `gaps` are the last pauses between runs, `run` the last one that was taken in."""

    run: str = ""
    moment: float | None = None
    gaps: tuple[float, ...] = ()
    troubles: Mapping[str, Watched] = field(default_factory=dict)
    tracks: Mapping[str, Track] = field(default_factory=dict)
    outage: Outage | None = None
    outages: int = 0
