"""What `/probe` is asked to run, and the command that runs it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from readycheck.catalog import is_path
from readycheck.schedule.child import program

_MOST_PARAMETERS = 32
_LONGEST_VALUE = 300
_KNOWN = ("profile", "target", "role", "site", "set")
_ONCE = ("profile", "site")


class Refused(Exception):
    """The request gets no metrics but this status and one line."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Job:
    profile: str
    targets: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    site: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """Of these, one is run at a time."""
        return (self.profile, *self.targets)

    @property
    def named(self) -> str:
        """For people."""
        return " ".join(filter(None, (self.profile, *self.targets, f"({self.site})" if self.site else "")))

    @property
    def labels(self) -> Mapping[str, str]:
        """Others for each job: two with the same ones would be one series."""
        return {
            "profile": self.profile,
            "site": self.site,
            "target": _joined(self.targets),
            "role": _joined(self.roles),
            "set": _joined(self.values),
        }

    def command(self, options: Sequence[str], deadline_s: float) -> list[str]:
        """`options` are those of `run` that hold for all; what the job says comes later, and so is in force."""
        wanted = [f"--target={target}" for target in self.targets]
        wanted += [f"--role={role}" for role in self.roles]
        wanted += [f"--set={value}" for value in self.values]
        wanted += [f"--site={self.site}"] if self.site else []
        wanted += [f"--deadline={deadline_s:.3f}", "--format=prometheus", "--quiet", "--", self.profile]
        return [*program(), "run", *options, *wanted]


def _joined(words: Sequence[str]) -> str:
    return ",".join(word.replace("\\", "\\\\").replace(",", "\\,") for word in words)


def read_job(query: str, profiles: Collection[str], site: str) -> Job:
    """`site` is what it is called where the query does not say. Raises `Refused`."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError:
        raise _bad("not a query of up to 32 parameters in UTF-8") from None
    given: dict[str, list[str]] = {name: [] for name in _KNOWN}
    for name, value in pairs:
        if name not in given:
            raise _bad(f"unknown parameter (known: {', '.join(_KNOWN)})")
        if not value or len(value) > _LONGEST_VALUE or not value.isprintable():
            raise _bad(f"{name}: not 1 to {_LONGEST_VALUE} printable characters")
        given[name].append(value)
    for name in _ONCE:
        if len(given[name]) > 1:
            raise _bad(f"{name}: given more than once")
    return Job(
        profile=_profile(given["profile"], profiles),
        targets=tuple(given["target"]),
        roles=tuple(given["role"]),
        values=tuple(given["set"]),
        site=given["site"][0] if given["site"] else site,
    )


def _profile(given: Sequence[str], profiles: Collection[str]) -> str:
    """A name that is known: what is asked for over the network never becomes the path of a file."""
    if not given:
        raise _bad("profile: missing")
    (name,) = given
    if is_path(name) or name.partition("@")[0] not in profiles:
        raise _bad(f"profile: not known (known: {', '.join(sorted(profiles))})")
    return name


def read_patience(text: str | None) -> float | None:
    """`X-Prometheus-Scrape-Timeout-Seconds`. Raises `Refused`."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _bad("X-Prometheus-Scrape-Timeout-Seconds: not a number of seconds")
    return seconds


def _bad(why: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, why)
