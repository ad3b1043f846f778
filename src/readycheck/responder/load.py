"""Throughput: who may fill a TCP connection, how fast, how long and with how much. Pure; time is an argument."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.guard import Sources, network_of
from readycheck.responder.session import Refused, within
from readycheck.wire.far_end import WINDOW_S

WAYS = ("up", "down")
ENTRY_BYTES = 65_536.0
"""What a connection is charged before anything moves: more than the last piece, for which nothing may be left."""

_BURST_S = 0.05
_MOST_CROWDED = 1000
_LONGEST_NAME = 64
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLimits:
    """What is granted at most: so many bits a second each way to all together, and so many bytes an hour to a source.

    Whoever measures has a few connections each way; a rate of 0 serves nobody.
    """

    bits_per_second: float = 100e6
    seconds: float = 10.0
    bytes_per_source: float = 1e9
    at_once: int = 64
    per_source: int = 16


@dataclass(slots=True)
class Pace:
    """When the next bytes may go, so that no second has more than its share."""

    bytes_per_second: float
    free_s: float = 0.0

    def wait_s(self, size: int, now_s: float) -> float:
        """Charge so many, and say how long whoever moved them has to rest."""
        self.free_s = max(self.free_s, now_s - _BURST_S) + size / self.bytes_per_second
        return max(0.0, self.free_s - now_s)


@dataclass(slots=True, kw_only=True)
class Load:
    """One connection that may be filled, up (by the agent) or down, and what went over it in each window of time.

    Those of one measurement are a `group`, by a name that the agent draws.
    """

    source: Endpoint
    way: str
    group: str
    seconds: float
    bits_per_second: float
    began_s: float
    moved: int = 0
    spent: bool = False
    windows: list[int] = field(default_factory=list)

    def is_over(self, now_s: float) -> bool:
        return self.spent or now_s - self.began_s >= self.seconds

    def note(self, size: int, now_s: float) -> None:
        self.moved += size
        index = max(0, int((now_s - self.began_s) / WINDOW_S))
        self.windows.extend([0] * (index + 1 - len(self.windows)))
        self.windows[index] += size

    def terms(self) -> Mapping[str, Any]:
        return {"way": self.way, "seconds": self.seconds, "bits_per_second": self.bits_per_second}

    def told(self) -> Mapping[str, Any]:
        """What the agent hears at the end; `spent` says that this source has had its share of the hour."""
        return {"moved": self.moved, "windows": self.windows, "spent": self.spent}


class Loads:
    """All that are under way: of the thread that serves the connections, and of no other."""

    def __init__(self, limits: LoadLimits) -> None:
        self.limits = limits
        self._open: dict[Endpoint, Load] = {}
        rate = max(1.0, limits.bits_per_second) / 8
        self._pace = {way: Pace(rate) for way in WAYS}
        self._crowded: OrderedDict[str, None] = OrderedDict()
        hourly = limits.bytes_per_source
        self._shares = Sources(hourly / _HOUR_S, hourly, overall=4 * rate + limits.at_once * ENTRY_BYTES)

    def __len__(self) -> int:
        return len(self._open)

    def open(self, source: Endpoint, wanted: Mapping[str, Any], now_s: float) -> Load:
        """One for each connection. Raises `Refused` for want of room, of the source's share, or of sense."""
        limits, way = self.limits, wanted.get("way")
        if not limits.bits_per_second:
            raise Refused("throughput is not served here")
        if way not in WAYS:
            raise Refused("way is to be up or down")
        seconds = within(wanted, "seconds", limits.seconds)
        if source in self._open:
            raise Refused("this connection is filled already")
        if len(self) >= limits.at_once:
            raise Refused("all that may measure throughput at once do")
        mine = network_of(source[0])
        if sum(network_of(one[0]) == mine for one in self._open) >= limits.per_source:
            raise Refused(f"{limits.per_source} connections of this source are filled")
        if not self._shares.allows(source[0], now_s, cost=ENTRY_BYTES):
            raise Refused("this source has had its share of the hour")
        load = Load(
            source=source,
            way=str(way),
            group=_group(source, wanted),
            seconds=seconds,
            bits_per_second=limits.bits_per_second,
            began_s=now_s,
        )
        self._open[source] = load
        return load

    def of(self, source: Endpoint) -> Load | None:
        return self._open.get(source)

    def moved(self, load: Load, size: int, now_s: float) -> float:
        """Count what went over it, and say how long to rest; who has had their share is done."""
        load.note(size, now_s)
        load.spent = not self._shares.allows(load.source[0], now_s, cost=float(size))
        wait_s = self._pace[load.way].wait_s(size, now_s)
        if load.group not in self._crowded and self._is_crowded(load, wait_s > 0):
            self._crowded[load.group] = None
            if len(self._crowded) > _MOST_CROWDED:
                self._crowded.popitem(last=False)
        return wait_s

    def _is_crowded(self, load: Load, at_the_limit: bool) -> bool:
        """Whether others take of what is let through, or are behind the same line."""
        others = [one for one in self._open.values() if one.way == load.way and one.group != load.group]
        mine = network_of(load.source[0])
        return bool(others) and (at_the_limit or any(network_of(one.source[0]) == mine for one in others))

    def crowded(self, source: Endpoint, wanted: Mapping[str, Any]) -> bool:
        """Whether a measurement, asked for by its name, shared with others."""
        return _group(source, wanted) in self._crowded

    def close(self, load: Load) -> None:
        self._open.pop(load.source, None)


def _group(source: Endpoint, wanted: Mapping[str, Any]) -> str:
    """Within its network: nobody else's. Who draws no name is one with all others there that do not."""
    name = wanted.get("group")
    return f"{network_of(source[0])} {name[:_LONGEST_NAME] if isinstance(name, str) else ''}"
