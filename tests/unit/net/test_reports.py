"""What an agent sends as RTCP, and what it takes as an answer."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from readycheck.net.headers import Headers
from readycheck.net.reports import Reports
from readycheck.wire.rtcp import Block, middle, ntp_time, pack_receiver_report, unpack_reports

NOW_NS = 1_800_000_000_000_000_000


@pytest.fixture
def pair() -> Iterator[tuple[Reports, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))
        here.connect(there.getsockname())
        yield reports(here), there


def reports(sock: Any, seconds: float = 10.0, now_ns: Callable[[], int] = lambda: NOW_NS) -> Reports:
    return Reports(
        sock=sock,
        ssrc=7,
        clock_rate=8000.0,
        seconds=seconds,
        progress=lambda: (3, 480, 320),
        now_ns=now_ns,
    )


@pytest.mark.parametrize(("seconds", "due"), [(0.1, 1), (1.0, 1), (1.3, 2), (3.0, 3), (10.0, 10)])
def test_one_a_second_while_the_stream_lasts(seconds: float, due: int) -> None:
    assert reports(None, seconds).due == due


def test_a_report_and_its_answer(pair: tuple[Reports, socket.socket]) -> None:
    ours, there = pair
    ours.send()
    sender = unpack_reports(there.recv(2048)).sender
    assert sender is not None and (sender.packets, sender.octets, sender.timestamp) == (3, 480, 320)
    block = Block(ssrc=7, lost=2, jitter=16, last_report=middle(ntp_time(NOW_NS)), delay=65536)
    ours.take(pack_receiver_report(9, block, "x"), Headers(NOW_NS + 1_040_000_000, 0, 0))
    ours.take(pack_receiver_report(9, block, "x"), Headers(NOW_NS + 1_040_000_000, 0, 0))  # a copy
    told = ours.told(1)
    assert (told.sent, told.answered, told.lost, told.jitter_ms) == (1, 1, 2, 2.0)
    assert told.round_trips_ms == pytest.approx((40.0,), abs=0.05)


def test_a_copy_of_an_answer_hides_no_lost_one(pair: tuple[Reports, socket.socket]) -> None:
    times = iter([NOW_NS, NOW_NS + 1_000_000_000])
    ours = reports(pair[0].sock, now_ns=lambda: next(times))
    ours.send()
    ours.send()
    answer = pack_receiver_report(9, Block(ssrc=7, last_report=middle(ntp_time(NOW_NS))), "x")
    for _ in range(2):
        ours.take(answer, Headers(NOW_NS + 40_000_000, 0, 0))
    assert (ours.told(2).sent, ours.told(2).answered) == (2, 1)


def test_what_is_of_another_stream_is_no_answer(pair: tuple[Reports, socket.socket]) -> None:
    ours, _ = pair
    ours.send()
    ours.take(pack_receiver_report(9, Block(ssrc=8), "x"), Headers(NOW_NS, 0, 0))
    with pytest.raises(ValueError, match="RTCP"):
        ours.take(b"\x80\x00", Headers(NOW_NS, 0, 0))
    assert ours.told(None).answered == 0
