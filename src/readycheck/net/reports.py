"""RTCP beside a stream: sender reports from a port of their own, or from that of the stream, and what comes back."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from readycheck.net.headers import Headers
from readycheck.net.interface import Endpoint, Reported
from readycheck.wire.rtcp import (
    Block,
    SenderReport,
    middle,
    ntp_time,
    pack_sender_report,
    round_trip_ms,
    unpack_reports,
)

SPACING_NS = 1_000_000_000
"""Shorter than RFC 3550 section 6.2 has it for so little traffic: a run lasts no minutes."""
_FIRST_NS = 100_000_000


@dataclass(slots=True, kw_only=True)
class Reports:
    """`progress` tells the packets, octets and the RTP time of the stream so far."""

    sock: socket.socket
    ssrc: int
    clock_rate: float
    seconds: float
    progress: Callable[[], tuple[int, int, int]]
    now_ns: Callable[[], int]
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))  # RFC 7022 section 4.2
    sent: int = 0
    answered: int = 0
    trips_ms: list[float] = field(default_factory=list)
    last: Block | None = None
    _open: set[int] = field(default_factory=set)

    @property
    def first_ns(self) -> int:
        """After the beginning of the stream."""
        return _FIRST_NS

    @property
    def due(self) -> int:
        """How many: one at once, and one for each second that is left."""
        return 1 + max(0, int((self.seconds * 1e9 - 2 * _FIRST_NS) // SPACING_NS))

    def send(self) -> None:
        packets, octets, timestamp = self.progress()
        ntp = ntp_time(self.now_ns())
        self._open.add(middle(ntp))
        report = SenderReport(ssrc=self.ssrc, ntp=ntp, timestamp=timestamp, packets=packets, octets=octets)
        with suppress(OSError):  # an ICMP error: it counts as sent, and unanswered
            self.sock.send(pack_sender_report(report, self.name))
        self.sent += 1

    def take(self, data: bytes, headers: Headers) -> None:
        """Keep an answer about this stream, but none of its copies; `ValueError` for what is none."""
        for block in unpack_reports(data).blocks:
            if block.ssrc == self.ssrc and block.last_report in self._open:
                self._open.remove(block.last_report)
                self.answered += 1
                self.last = block
                trip_ms = round_trip_ms(headers.received_ns, block)
                if trip_ms is not None:
                    self.trips_ms.append(trip_ms)

    def told(self, counted: int | None) -> Reported:
        local, to = self.sock.getsockname(), self.sock.getpeername()
        return Reported(
            local=_endpoint(local),
            to=_endpoint(to),
            sent=self.sent,
            answered=self.answered,
            round_trips_ms=tuple(self.trips_ms),
            counted=counted,
            lost=self.last.lost if self.last else None,
            jitter_ms=self.last.jitter / self.clock_rate * 1000 if self.last else None,
        )


def _endpoint(name: tuple[str, int]) -> Endpoint:
    return name[0], name[1]
