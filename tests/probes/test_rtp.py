"""The rtp probe against loopback far ends."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.probe import Failure, Step, Target
from readycheck.wire import rtp
from readycheck_probes.rtp import RtpParams, RtpProbe, _question

from .conftest import Bench
from .servers.stun import stun_server
from .servers.udp import Endpoint, Reply, UdpServer

_RTCP = bytes([0x80, 201, 0, 1]) + bytes(4)


def reflector(*, says: bytes | None = None) -> Reply:
    """Sends RTP back, or `says` something for it; knows no STUN."""

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        if data[0] >> 6 == 2:
            yield data if says is None else says

    return reply


def _params(endpoint: Endpoint) -> RtpParams:
    return RtpParams((Target(network="127.0.0.0/8", address=endpoint[0], port=endpoint[1]),))


@pytest.mark.parametrize(
    ("server", "answered_with"),
    [
        (stun_server(), "stun"),
        (reflector(), "echo"),
        (reflector(says=_RTCP), "rtcp"),
        (reflector(says=rtp.pack_packet(rtp.RtpPacket(8, 1, 1, 1, b"comfort"))), "rtp"),
    ],
)
async def test_any_media_answer_counts(bench: Bench, server: Reply, answered_with: str) -> None:
    with UdpServer(server) as far:
        seen = await bench.measure(RtpProbe(), _params(far.endpoint))

    (echo,) = seen.observations
    assert (echo.step, echo.failure, echo.facts["answered_with"]) == (Step.ECHO, None, answered_with)
    assert (seen.metrics["sent"], seen.metrics["answered"]) == (1, 1)
    assert (seen.metrics["rtt_ms"] is None) == (answered_with in ("rtcp", "rtp"))


async def test_packets_look_like_media(bench: Bench) -> None:
    with UdpServer(reflector()) as far:
        await bench.measure(RtpProbe(), _params(far.endpoint))

    packet = rtp.unpack_packet(far.received[1])
    assert (packet.payload_type, len(packet.payload)) == (0, 160)


@pytest.mark.parametrize(
    ("server", "failure"),
    [
        (stun_server("silent"), Failure.TIMED_OUT),
        (stun_server("garbage"), Failure.PROTOCOL_ERROR),
        (stun_server("truncated"), Failure.PROTOCOL_ERROR),
        (stun_server("empty"), Failure.PROTOCOL_ERROR),
        (reflector(says=b"\x80"), Failure.PROTOCOL_ERROR),
        (reflector(says=b"\x9f" + bytes(30)), Failure.PROTOCOL_ERROR),
    ],
)
async def test_faults(bench: Bench, server: Reply, failure: Failure) -> None:
    with UdpServer(server) as far:
        seen = await bench.measure(RtpProbe(), _params(far.endpoint), deadline_s=0.6)

    assert seen.failures(Step.ECHO) == [failure]
    assert seen.metrics["answered"] == 0


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"\x80\x00" + rest))
def test_no_answer_makes_it_crash(data: bytes) -> None:
    question = _question(Target(address="127.0.0.1", port=1), ("127.0.0.1", 2))
    question.payload(1)
    with suppress(ValueError):
        question.recognise(data)
