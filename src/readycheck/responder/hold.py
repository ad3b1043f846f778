"""Idle connections: who may keep one, and for how long. Pure; time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.guard import network_of
from readycheck.responder.session import Refused, within


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLimits:
    """A connection is held for `seconds` in all; RFC 5382 section 5 wants it to live for two hours and four minutes."""

    seconds: float = 7_500.0
    at_once: int = 128
    per_source: int = 24


@dataclass(slots=True, kw_only=True)
class Hold:
    """A connection that is silent on purpose until `rings_s`, or else until the agent speaks."""

    source: Endpoint
    ends_s: float
    rings_s: float


class Holds:
    """All that are kept: of the thread that serves the connections, and of no other."""

    def __init__(self, limits: HoldLimits) -> None:
        self.limits = limits
        self._kept: dict[Endpoint, Hold] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, source: Endpoint, wanted: Mapping[str, Any], now_s: float) -> Hold:
        """One a connection, again and again until its time is over. Raises `Refused` for want of room or of sense."""
        seconds = within(wanted, "seconds", self.limits.seconds)
        hold = self._kept.get(source) or self._new(source, now_s)
        if now_s + seconds > hold.ends_s:
            raise Refused(f"a connection is held for {self.limits.seconds:g} s at most")
        hold.rings_s = now_s + seconds
        self._kept[source] = hold
        return hold

    def _new(self, source: Endpoint, now_s: float) -> Hold:
        if not self.limits.at_once:
            raise Refused("connections are not held here")
        if len(self) >= self.limits.at_once:
            raise Refused("all connections that may be held are")
        mine = network_of(source[0])
        if sum(network_of(one[0]) == mine for one in self._kept) >= self.limits.per_source:
            raise Refused(f"{self.limits.per_source} connections of this source are held")
        return Hold(source=source, ends_s=now_s + self.limits.seconds, rings_s=now_s)

    def of(self, source: Endpoint) -> Hold | None:
        return self._kept.get(source)

    def close(self, source: Endpoint) -> None:
        self._kept.pop(source, None)
