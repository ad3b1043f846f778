"""`--alert`: who is told when this run gives cause for it. Nothing of that costs the run its verdict."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from readycheck.cli.output import complain
from readycheck.errors import UsageError
from readycheck.regression.policy import DAY_S, HOUR_S

if TYPE_CHECKING:
    from readycheck.alert.channel import Channel
    from readycheck.alert.decision import Rules
    from readycheck.report import Report

SECRET = "READYCHECK_ALERT_SECRET"
_STAND_IN = "twin"  # what is broken in the demo is nobody's trouble
_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)(?: ([A-Za-z0-9_+/-]{1,60}))?")
_REPEAT = re.compile(r"([1-9]\d{0,3})([hd])|never")
_ALWAYS = ((0, 24 * 60),)


@dataclass(frozen=True, slots=True)
class Alerting:
    """The ways that can be used, and what is wrong with the others."""

    channels: "tuple[Channel, ...]"
    troubles: tuple[str, ...]
    rules: "Rules"
    folder: Path

    def begin(self, run: str, site: str | None) -> None:
        """Before the run: nobody should wait for its end to read that a URL was mistyped."""
        from readycheck.alert.desk import begin

        if site != _STAND_IN:
            complain([*self.troubles, *begin(self.channels, run)])

    def tell(self, report: "Report") -> None:
        """After the report is out: what goes wrong is said on stderr."""
        from readycheck.alert.desk import end, tell

        if report.run.site == _STAND_IN:
            return
        missed = end(self.channels, report)  # first: how long a run takes is measured by it
        told = tell(self.folder, self.channels, report, self._rules_now(), time.time())
        complain([*told, *missed])

    def _rules_now(self) -> "Rules":
        """What nobody can hear for now is held back, as at night: a URL that is wrong will be mended."""
        return self.rules if self.channels or not self.troubles else replace(self.rules, quiet=_ALWAYS)


def alerting(
    urls: Sequence[str], quiet: str | None, folder: Path | None, repeat: str | None = None
) -> Alerting | None:
    """None where nobody is to be told. A URL that cannot be used is said before the run, which counts all the same."""
    from readycheck.alert.channel import channel

    rules = _rules(quiet, repeat)
    if not urls:
        return None
    secret = os.environ.get(SECRET, "").encode()
    channels, troubles = [], []
    for url in dict.fromkeys(urls):
        try:
            channels.append(channel(url, secret))
        except UsageError as error:
            troubles.append(f"{error}; nobody is told by it")
    return Alerting(tuple(channels), tuple(troubles), rules, folder or _folder())


def _rules(quiet: str | None, repeat: str | None) -> "Rules":
    from readycheck.alert.decision import Rules, zone_of

    rules = Rules() if repeat is None else Rules(repeat_s=_repeat_s(repeat))
    if quiet is None:
        return rules
    found = _SPAN.fullmatch(quiet)
    if not found:
        raise UsageError(f"--alert-quiet {quiet}: not HH:MM-HH:MM, with or without a time zone after it")
    numbers = [int(part) for part in found.groups()[:4]]
    zone = found[5] or "UTC"
    try:
        zone_of(zone)
    except (OSError, ValueError, KeyError):
        raise UsageError(f"--alert-quiet {quiet}: no time zone {zone} is known here") from None
    return replace(rules, quiet=((numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]),), zone=zone)


def _repeat_s(text: str) -> float:
    found = _REPEAT.fullmatch(text)
    if not found:
        raise UsageError(f"--alert-repeat {text}: not a time as 12h or 7d, nor never")
    return 0.0 if text == "never" else int(found[1]) * {"h": HOUR_S, "d": DAY_S}[found[2]]


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("readycheck") / "alerts"
