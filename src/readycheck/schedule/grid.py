"""When a run is due: slots of the wall clock, the same after each restart, others for each site. Pure.

Slots lie a fixed offset after the multiples of the interval since 1970, in UTC: no time zone and no summer time
moves them.
"""

import hashlib
import re
from dataclasses import dataclass
from math import floor

from readycheck.errors import UsageError

SHORTEST_S, LONGEST_S = 60, 86_400
GRACE_S = 30.0
"""A slot that is missed by more is not made up for: who was suspended or late would else leave its place."""

_INTERVAL = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def interval(option: str, text: str) -> int:
    """`15m` in seconds. Raises `UsageError` that names the option."""
    found = _INTERVAL.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UsageError(f"{option} {text}: not an interval of 1m to 1d, as 15m or 1h")
    return seconds


def offset(who: str, profile: str, every_s: int) -> int:
    """Seconds into the interval, evenly spread over all sites and the same for ever for one of them."""
    drawn = hashlib.sha256(f"{who}\0{profile}".encode()).digest()
    return int.from_bytes(drawn[:8]) * every_s >> 64


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now, and the slot that is due next."""

    due: float
    starts: bool = False
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    every_s: int
    offset_s: int = 0

    def after(self, now: float) -> float:
        """The first slot after `now`."""
        passed = floor((now - self.offset_s) / self.every_s)
        return float(self.offset_s + (passed + 1) * self.every_s)

    def step(self, due: float, now: float) -> Step:
        """`due` came of the last step. A clock set back by less than the grace repeats no slot."""
        if now < due:
            set_back = due - now > self.every_s + GRACE_S
            return Step(self.after(now) if set_back else due)
        following = self.after(now)
        slot = following - self.every_s
        starts = now - slot <= GRACE_S
        return Step(following, starts, missed=round((slot - due) / self.every_s) + (not starts))
