"""Sends what looks like media to media ports: some far ends send it back, or answer STUN there."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from readycheck.probe import Endpoint, Metric, MetricValue, Net, Observation, Question, Step, Target
from readycheck.wire import rtp
from readycheck_probes.asking import ask_all
from readycheck_probes.binding import Binding
from readycheck_probes.tally import COMMON_METRICS, tally

_PCMU = 0
_SAMPLES = 160
_SILENCE = b"\xff" * _SAMPLES


@dataclass(frozen=True, slots=True)
class RtpParams:
    """Media ports, by address or by name."""

    targets: tuple[Target, ...] = ()


class RtpProbe:
    """A STUN binding request and 20 ms of G.711 in turns; whatever answers either, counts."""

    name: ClassVar[str] = "rtp"
    title: ClassVar[str] = "RTP packets to media ports"
    Params: ClassVar[type[RtpParams]] = RtpParams
    metrics: ClassVar[tuple[Metric, ...]] = COMMON_METRICS
    proves: ClassVar[Step] = Step.ECHO
    may_be_silent: ClassVar[bool] = True  # media ports open when a call does

    async def measure(self, params: RtpParams, net: Net) -> None:
        await ask_all(net, params.targets, _question)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.ECHO)


class _Turns:
    """Even attempts are STUN, which servers answer; odd ones are RTP, which reflectors send back."""

    def __init__(self) -> None:
        self._binding = Binding()
        self._ssrc = secrets.randbits(32)
        self._first = secrets.randbits(15)

    def payload(self, attempt: int) -> bytes:
        if attempt % 2 == 0:
            return self._binding.payload(attempt)
        packet = rtp.RtpPacket(_PCMU, self._first + attempt, attempt * _SAMPLES, self._ssrc, _SILENCE)
        return rtp.pack_packet(packet)

    def recognise(self, data: bytes) -> Mapping[str, Any] | None:
        if data[:1] and data[0] >> 6 == 0:  # The first two bits tell STUN from RTP (RFC 7983 section 7).
            facts = self._binding.recognise(data)
            return None if facts is None else {"answered_with": "stun", **facts}
        if rtp.is_rtcp(data):
            return {"answered_with": "rtcp"}
        packet = rtp.unpack_packet(data)
        if packet.ssrc != self._ssrc:
            return {"answered_with": "rtp"}
        return {"answered_with": "echo", "attempt": packet.sequence - self._first}


def _question(target: Target, _: Endpoint) -> Question:
    turns = _Turns()
    return Question(target, turns.payload, turns.recognise)
