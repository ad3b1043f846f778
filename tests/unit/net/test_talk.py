"""Two ends that talk through a wire of the test's own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import RtcpPacket, RtpPacket, is_rtcp

from readycheck.net.talk import Talk


class Wire:
    """In place of a DTLS transport: what is sent goes to `other`, if `passes` lets it."""

    def __init__(self, passes: Callable[[bytes], bool] = lambda data: True) -> None:
        self._rtp_router = RtpRouter()
        self._passes = passes
        self.other: Talk | None = None

    async def _send_rtp(self, data: bytes) -> None:
        if self.other is None or not self._passes(data):
            return
        if not is_rtcp(data):
            await self.other._handle_rtp_packet(RtpPacket.parse(data))
        else:
            for packet in RtcpPacket.parse(data):
                await self.other._handle_rtcp_packet(packet)


async def talked(up: Callable[[bytes], bool], seconds: float = 1.3) -> tuple[Talk, Talk]:
    here, there = Wire(up), Wire()
    near, far = Talk(here), Talk(there)
    here.other, there.other = far, near
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.speak()) for one in (near, far)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
    return near, far


class EveryTenth:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, data: bytes) -> bool:
        self.count += not is_rtcp(data)
        return is_rtcp(data) or self.count % 10 != 0


async def test_each_end_knows_what_came_to_the_other() -> None:
    near, far = await talked(lambda data: True)
    assert near.sent > 40 and far.received == near.sent
    assert near.down is not None and near.down.lost == 0
    assert near.up is not None and near.up.lost == 0 and near.up.jitter_ms < 50
    assert near.rtt_ms and min(near.rtt_ms) < 100
    assert near.heard_s is not None and near.told_s is not None


async def test_loss_is_told_by_who_lacks_the_packets() -> None:
    near, far = await talked(EveryTenth())
    assert near.up is not None and near.down is not None and far.down is not None
    assert near.down.lost == 0
    assert near.up.lost == pytest.approx(near.up.expected / 10, abs=1)
    assert far.down.lost == pytest.approx(far.down.expected / 10, abs=1)


async def test_a_way_that_is_lost_is_never_heard_of() -> None:
    near, far = await talked(lambda data: False, seconds=0.7)
    assert far.received == 0 and far.heard_s is None
    assert near.told_s is None and near.up is None
    assert near.received > 0


async def test_another_source_in_the_same_call_is_not_counted() -> None:
    near = Talk(Wire())
    for ssrc in (1, 1, 2):
        await near._handle_rtp_packet(RtpPacket(ssrc=ssrc, payload_type=0), arrival_time_ms=0)
    assert near.received == 2


async def test_a_clock_that_is_set_is_no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter(range(10**6))
    monkeypatch.setattr("time.time", lambda: 86_400.0 * next(days))
    near, _ = await talked(lambda data: True)
    assert near.down is not None and near.down.jitter_ms < 50
    assert near.up is not None and near.up.jitter_ms < 50


async def test_timestamps_that_wrap_are_no_jitter() -> None:
    near = Talk(Wire())
    for number in range(3):
        packet = RtpPacket(
            ssrc=1, payload_type=0, sequence_number=number, timestamp=2**32 - 160 + number * 160
        )
        packet.timestamp &= 2**32 - 1
        await near._handle_rtp_packet(packet)
    assert near.down is not None and 0 < near.down.jitter_ms < 50


async def test_no_way_any_more_ends_it() -> None:
    class Cut(Wire):
        async def _send_rtp(self, data: bytes) -> None:
            raise ConnectionError

    cut: Any = Cut()
    with pytest.raises(ConnectionError):
        await Talk(cut).speak()
