"""Sessions: what is granted of what was asked, and what each packet of a stream gets. Pure; time is an argument."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.arrivals import Arrivals
from readycheck.responder.guard import Bucket, network_of
from readycheck.wire.rtcp import Block

_GRACE_S = 2.0
_BURST_S = 2.0
"""What a wireless network holds back for a moment comes all at once, and is answered nevertheless."""
_COPIES = 2.0
"""So many of each packet are answered, where a network sends everything twice."""
_CLOCK_RATE, _MOST_CLOCK_RATE = 8000, 1_000_000
_LONGEST_NAME = 64
_REPORTS_PER_SECOND, _REPORTS_AT_ONCE = 5.0, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the responder grants at most; a session that has not begun within `idle_s` is over."""

    sessions: int = 500
    sessions_per_source: int = 64
    seconds: float = 300.0
    packets_per_second: float = 500.0
    payload_bytes: int = 1200
    idle_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One stream as it was asked for, or as it was granted."""

    seconds: float
    packets_per_second: float
    payload_bytes: int
    clock_rate: int = _CLOCK_RATE


class Refused(Exception):
    """The reason, in words for whoever asked."""


@dataclass(slots=True, kw_only=True)
class Session:
    """A stream that was granted to one source, and what came of it."""

    token: str
    ssrc: int
    source: Endpoint
    name: str
    granted: Wanted
    began_s: float
    heard_s: float
    bucket: Bucket
    arrivals: Arrivals
    received: int = 0
    refused: int = 0
    highest: int = -1
    jitter_ns: float = 0.0
    transit_ns: int | None = None
    reports: int = 0
    reports_bucket: Bucket = field(default_factory=lambda: Bucket(_REPORTS_PER_SECOND, _REPORTS_AT_ONCE))
    reported: tuple[int, int] = (0, 0)

    def admits(self, number: int, payload_bytes: int, now_s: float) -> bool:
        """Whether a packet is within what was granted; counts it either way, for it was not lost."""
        self.heard_s = now_s
        self.arrivals.note(number)
        over = now_s - self.began_s > self.granted.seconds + _GRACE_S
        if over or payload_bytes > self.granted.payload_bytes or not self.bucket.takes(now_s):
            self.refused += 1
            return False
        self.received += 1
        self.highest = max(self.highest, number)
        return True

    def note_transit(self, sent_ns: int, received_ns: int) -> None:
        """For the jitter of RFC 3550 section 6.4.1; the offset of the clocks cancels."""
        transit_ns = received_ns - sent_ns
        if self.transit_ns is not None:
            self.jitter_ns += (abs(transit_ns - self.transit_ns) - self.jitter_ns) / 16
        self.transit_ns = transit_ns

    def reception(self) -> Block:
        """What a receiver report says of the stream, shares since the one before (RFC 3550 appendix A.3)."""
        expected = self.highest + 1
        before, received = self.reported
        self.reported = expected, self.received
        lately, lost = expected - before, expected - before - (self.received - received)
        return Block(
            ssrc=self.ssrc,
            lost_share=max(0, lost) / lately if lately > 0 else 0.0,
            lost=expected - self.received,
            highest=max(0, self.highest),
            jitter=int(self.jitter_ns * self.granted.clock_rate / 1e9),
        )

    def counted(self, offset: object = None) -> Mapping[str, Any]:
        """What the agent is told at the end; with an offset, which packets arrived, too."""
        told = {"received": self.received, "refused": self.refused, "highest": self.highest}
        which = self.arrivals.told(offset) if offset is not None else {}
        return {**told, "reports": self.reports, **which}


def granted(wanted: Mapping[str, Any], limits: Limits) -> Wanted:
    """What was asked for, cut to the limits. Raises `Refused` for what is no request."""
    return Wanted(
        seconds=within(wanted, "seconds", limits.seconds),
        packets_per_second=within(wanted, "packets_per_second", limits.packets_per_second),
        payload_bytes=int(within(wanted, "payload_bytes", limits.payload_bytes)),
        clock_rate=int(within({"clock_rate": _CLOCK_RATE, **wanted}, "clock_rate", _MOST_CLOCK_RATE)),
    )


def within(wanted: Mapping[str, Any], key: str, most: float) -> float:
    """A number as it was asked for, cut to what is granted. Raises `Refused` for what is none."""
    value = wanted.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise Refused(f"{key} is to be a number above 0")
    return float(min(value, most))  # an integer may be too large for a float


def _name(wanted: Mapping[str, Any]) -> str:
    name = wanted.get("name", "")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise Refused(f"name is to be a text of at most {_LONGEST_NAME} characters")
    return name


class Sessions:
    """All that are open."""

    def __init__(self, limits: Limits, draw: Callable[[], int] = lambda: secrets.randbits(32)) -> None:
        self.limits = limits
        self._draw = draw
        self._open: dict[str, Session] = {}
        self._by_ssrc: dict[int, Session] = {}
        self._by_source: dict[Endpoint, Session] = {}
        self._ended: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._open.values()))

    def open(self, source: Endpoint, wanted: Mapping[str, Any], now_s: float) -> Session:
        """One for each source port; asked again, it is the same. Raises `Refused` for want of room or of sense.

        The agent's name for it tells a question that was overtaken by the stream from that for another stream.
        """
        grant, name = granted(wanted, self.limits), _name(wanted)
        known = self._by_source.get(source)
        if (
            known is not None
            and known.granted == grant
            and known.name == name
            and (name or not known.received)
        ):
            return known
        if known is not None:
            self.close(known)
        if len(self._open) >= self.limits.sessions:
            raise Refused("all sessions are taken")
        mine = network_of(source[0])
        if sum(network_of(s.source[0]) == mine for s in self) >= self.limits.sessions_per_source:
            raise Refused(f"{self.limits.sessions_per_source} sessions of this source are open")
        rate = grant.packets_per_second
        session = Session(
            token=secrets.token_hex(16),
            ssrc=self._new_ssrc(),
            source=source,
            name=name,
            granted=grant,
            began_s=now_s,
            heard_s=now_s,
            bucket=Bucket(rate * _COPIES, max(20.0, rate * _BURST_S)),
            arrivals=Arrivals(ceil(rate * (grant.seconds + _GRACE_S))),
        )
        self._open[session.token] = self._by_ssrc[session.ssrc] = self._by_source[source] = session
        return session

    def of(self, token: object, source: Endpoint) -> Session | None:
        """A token is of no use to anybody else: the address has to be that of the session, too."""
        return _of(self._open, token, source)

    def ended(self, token: object, source: Endpoint) -> Session | None:
        """One of the last that ended: the answer to a CLOSE may be lost, and the agent asks again."""
        return _of(self._ended, token, source)

    def carrying(self, ssrc: int, source: Endpoint) -> Session | None:
        """The session whose packets these are: of its stream, from its very port."""
        session = self._by_ssrc.get(ssrc)
        return session if session is not None and session.source == source else None

    def reporting(self, ssrc: int, source: Endpoint) -> Session | None:
        """The session whose sender reports: of its stream, from its address, whatever port NAT gave to RTCP."""
        session = self._by_ssrc.get(ssrc)
        return session if session is not None and session.source[0] == source[0] else None

    def close(self, session: Session) -> None:
        self._open.pop(session.token, None)
        self._ended[session.token] = session
        if len(self._ended) > self.limits.sessions:
            self._ended.popitem(last=False)
        self._by_ssrc.pop(session.ssrc, None)
        self._by_source.pop(session.source, None)

    def expired(self, now_s: float) -> list[Session]:
        """Those that are over or were left: closed with this."""
        late = [s for s in self if self._is_over(s, now_s)]
        for session in late:
            self.close(session)
        return late

    def _is_over(self, session: Session, now_s: float) -> bool:
        """A stream that has begun may be cut off for long and come back: what it sends then is not lost."""
        ended = now_s - session.began_s > session.granted.seconds + _GRACE_S + self.limits.idle_s
        return ended or (not session.received and now_s - session.heard_s > self.limits.idle_s)

    def _new_ssrc(self) -> int:
        while (ssrc := self._draw()) in self._by_ssrc:
            pass
        return ssrc


def _of(sessions: Mapping[str, Session], token: object, source: Endpoint) -> Session | None:
    session = sessions.get(token) if isinstance(token, str) else None
    return session if session is not None and session.source[0] == source[0] else None
