"""Both ends' audio: a packet of G.711 every 20 ms, RTCP twice a second, and what came of it (RFC 3550)."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import (
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
)

from readycheck.net.steady import SteadyClock
from readycheck.wire.rtcp import ntp_time

PAYLOAD_TYPE, CLOCK = 0, 8000
"""G.711 mu-law (RFC 3551)."""
PACKET_S = 0.02
_SAMPLES = 160
_REPORT_S = 0.5
_CNAME = 1
_TONE = bytes.fromhex("1e0b0b1e9e8b8b9e") * (_SAMPLES // 8)
"""A tone of 1 kHz at 0 dBm0 (G.711 table 6): somebody who listens in hears that it is a test."""
_U16, _U32, _HALF = 0xFFFF, 0xFFFFFFFF, 1 << 31


class Secured(Protocol):
    """As aiortc's DTLS transport."""

    async def _send_rtp(self, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one end says of the packets of the other."""

    expected: int
    lost: int
    jitter_ms: float

    @property
    def loss_ratio(self) -> float:
        return max(0, self.lost) / self.expected if self.expected else 0.0


class Talk:
    """One end. `heard_s` is when its last packet came, `told_s` when the other end last said it had got more."""

    def __init__(self, dtls: Any) -> None:
        self._dtls: Secured = dtls
        self._ssrc, self._first, self._start = (
            secrets.randbits(32),
            secrets.randbits(16),
            secrets.randbits(32),
        )
        self._loop, self._clock = asyncio.get_running_loop(), SteadyClock()
        self._statistics: StreamStatistics | None = None
        self._other_ssrc = 0
        self._last_arrival: tuple[float, int] | None = None
        self._jitter = 0.0
        self._last_report: tuple[int, float] | None = None
        self._told_highest: int | None = None
        self._told: Heard | None = None
        self.sent = 0
        self.rtt_ms: list[float] = []
        self.late_ms: list[float] = []
        self.heard_s: float | None = None
        self.told_s: float | None = None
        dtls._rtp_router.register_receiver(self, ssrcs=[], payload_types=[PAYLOAD_TYPE])
        dtls._rtp_router.register_sender(self, ssrc=self._ssrc)

    @property
    def received(self) -> int:
        return self._statistics.packets_received if self._statistics else 0

    @property
    def down(self) -> Heard | None:
        """Of what arrived here."""
        if self._statistics is None:
            return None
        return Heard(
            expected=self._statistics.packets_expected,
            lost=self._statistics.packets_lost,
            jitter_ms=self._jitter * 1000 / CLOCK,
        )

    @property
    def up(self) -> Heard | None:
        """Of what arrived there, as its last report has it."""
        return self._told

    async def speak(self) -> None:
        """Until it is cancelled. Raises `ConnectionError` when there is no way any more."""
        begin, reported = self._loop.time(), 0.0
        while True:
            due = begin + self.sent * PACKET_S
            await asyncio.sleep(due - self._loop.time())
            self.late_ms.append(max(0.0, (self._loop.time() - due) * 1000))
            await self._send()
            if due - reported >= _REPORT_S:
                reported = due
                await self._report()

    async def _send(self) -> None:
        packet = RtpPacket(
            payload_type=PAYLOAD_TYPE,
            marker=int(not self.sent),
            sequence_number=self._first + self.sent & _U16,
            timestamp=self._start + self.sent * _SAMPLES & _U32,
            ssrc=self._ssrc,
            payload=_TONE,
        )
        self.sent += 1
        await self._dtls._send_rtp(packet.serialize())

    async def _report(self) -> None:
        info = RtcpSenderInfo(
            ntp_timestamp=ntp_time(self._clock.now_ns()),
            rtp_timestamp=self._start + self.sent * _SAMPLES & _U32,
            packet_count=self.sent,
            octet_count=self.sent * _SAMPLES,
        )
        report = RtcpSrPacket(ssrc=self._ssrc, sender_info=info, reports=self._reception())
        source = RtcpSdesPacket([RtcpSourceInfo(self._ssrc, [(_CNAME, b"readycheck")])])
        await self._dtls._send_rtp(bytes(report) + bytes(source))

    def _reception(self) -> list[RtcpReceiverInfo]:
        statistics = self._statistics
        if statistics is None or statistics.max_seq is None:
            return []
        lsr, came_s = self._last_report or (0, self._loop.time())
        return [
            RtcpReceiverInfo(
                ssrc=self._other_ssrc,
                fraction_lost=statistics.fraction_lost,
                packets_lost=statistics.packets_lost,
                highest_sequence=statistics.cycles + statistics.max_seq & _U32,
                jitter=int(self._jitter) & _U32,
                lsr=lsr,
                dlsr=int((self._loop.time() - came_s) * 65536) & _U32 if lsr else 0,
            )
        ]

    # --- what aiortc's transport calls ---

    async def _handle_rtp_packet(self, packet: RtpPacket, *_: Any, **__: Any) -> None:
        if self._statistics is None:
            self._statistics, self._other_ssrc = StreamStatistics(CLOCK), packet.ssrc
        if packet.ssrc == self._other_ssrc:
            self.heard_s = self._loop.time()
            self._statistics.add(packet)
            self._note_arrival(self.heard_s, packet.timestamp)

    def _note_arrival(self, now_s: float, timestamp: int) -> None:
        """Jitter (RFC 3550 section 6.4.1): aiortc's own is by the time of day, which somebody may set."""
        if self._last_arrival is not None:
            before_s, before = self._last_arrival
            due = (timestamp - before + _HALF & _U32) - _HALF
            self._jitter += (abs((now_s - before_s) * CLOCK - due) - self._jitter) / 16
        self._last_arrival = now_s, timestamp

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            self._last_report = (packet.sender_info.ntp_timestamp >> 16 & _U32, self._loop.time())
        if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
            self._take(packet.reports)

    def _take(self, reports: Sequence[RtcpReceiverInfo]) -> None:
        for one in (one for one in reports if one.ssrc == self._ssrc):
            if self._told_highest is None or one.highest_sequence != self._told_highest:
                self.told_s, self._told_highest = self._loop.time(), one.highest_sequence
            expected = (one.highest_sequence - self._first + 1) & _U16 or self.sent
            self._told = Heard(expected=expected, lost=one.packets_lost, jitter_ms=one.jitter * 1000 / CLOCK)
            if one.lsr:
                rtt = (ntp_time(self._clock.now_ns()) >> 16 & _U32) - one.lsr - one.dlsr & _U32
                if rtt < 1 << 31:  # below zero is no time
                    self.rtt_ms.append(rtt * 1000 / 65536)

    def _handle_disconnect(self) -> None:
        """The end of the transport, which `speak` is told of when it sends."""
