"""`--alert`: who is told when this run gives cause for it. Nothing of that costs the run its verdict."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from readycheck.cli.output import complain
from readycheck.errors import UsageError

if TYPE_CHECKING:
    from readycheck.alert.channel import Channel
    from readycheck.alert.decision import Rules
    from readycheck.report import Report

SECRET = "READYCHECK_ALERT_SECRET"
_STAND_IN = "twin"  # what is broken in the demo is nobody's trouble
_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)(?: ([A-Za-z0-9_+/-]{1,60}))?")


@dataclass(frozen=True, slots=True)
class Alerting:
    """The ways that can be used, and what is wrong with the others."""

    channels: "tuple[Channel, ...]"
    troubles: tuple[str, ...]
    rules: "Rules"
    folder: Path

    def tell(self, report: "Report", status: int) -> None:
        """After the report is out: what goes wrong is said on stderr."""
        from readycheck.alert.desk import ping, tell

        if report.run.site == _STAND_IN:
            return
        told = tell(self.folder, self.channels, report, self.rules, time.time())
        complain([*self.troubles, *told, *ping(self.channels, status, report)])


def alerting(urls: Sequence[str], quiet: str | None, folder: Path | None) -> Alerting | None:
    """None where nobody is to be told. A URL that cannot be used is said after the run, which counts all the same."""
    from readycheck.alert.channel import channel

    if not urls:
        return None
    rules = _rules(quiet)
    secret = os.environ.get(SECRET, "").encode()
    channels, troubles = [], []
    for url in dict.fromkeys(urls):
        try:
            channels.append(channel(url, secret))
        except UsageError as error:
            troubles.append(f"{error}; nobody is told by it")
    return Alerting(tuple(channels), tuple(troubles), rules, folder or _folder())


def _rules(quiet: str | None) -> "Rules":
    from readycheck.alert.decision import Rules

    if quiet is None:
        return Rules()
    found = _SPAN.fullmatch(quiet)
    if not found:
        raise UsageError(f"--alert-quiet {quiet}: not HH:MM-HH:MM, with or without a time zone after it")
    numbers = [int(part) for part in found.groups()[:4]]
    zone = found[5] or "UTC"
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise UsageError(f"--alert-quiet {quiet}: no time zone {zone} is known here") from None
    return Rules(quiet=((numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]),), zone=zone)


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("readycheck") / "alerts"
