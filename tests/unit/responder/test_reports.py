"""Sender reports are answered to who has the stream, in fewer bytes, and rarely."""

import pytest

from readycheck.responder.reports import answer_report, is_report
from readycheck.responder.session import Limits, Session, Sessions
from readycheck.wire.rtcp import SenderReport, middle, ntp_time, pack_sender_report, unpack_reports

AGENT = ("192.0.2.1", 8500)
BESIDE = ("192.0.2.1", 8501)
WANTED = {"seconds": 10, "packets_per_second": 50, "payload_bytes": 160, "clock_rate": 16000}
NOW_NS = 1_800_000_000_000_000_000
NTP = ntp_time(NOW_NS)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Limits(), draw=lambda: 77)


@pytest.fixture
def session(sessions: Sessions) -> Session:
    return sessions.open(AGENT, WANTED, 0.0)


def report(ssrc: int = 77, name: str = "0123456789abcdef") -> bytes:
    return pack_sender_report(SenderReport(ssrc=ssrc, ntp=NTP), name)


def test_what_was_received_is_told(sessions: Sessions, session: Session) -> None:
    for number in (0, 1, 3):
        session.admits(number, 160, number * 0.02)
        session.note_transit(number * 20_000_000, number * 25_000_000)
    answer = answer_report(report(), BESIDE, [sessions], NOW_NS, NOW_NS + 500_000_000, 0.1)
    assert answer is not None and len(answer) <= len(report())
    (block,) = unpack_reports(answer).blocks
    assert (block.ssrc, block.lost, block.lost_share, block.highest) == (77, 1, 0.25, 3)
    assert (block.last_report, block.delay) == (middle(NTP), 32768)
    assert block.jitter == int((5 / 16 + (10 - 5 / 16) / 16) * 16)
    assert unpack_reports(answer).ssrc != 77


def test_a_share_is_of_the_time_since_the_last_report(sessions: Sessions, session: Session) -> None:
    shares = []
    for number in (1, 3, 5):  # one of two is lost, then none
        session.admits(number, 160, 0.0)
        if number == 5:
            session.admits(4, 160, 0.0)
        answer = answer_report(report(), BESIDE, [sessions], NOW_NS, NOW_NS, 0.0)
        shares.append(unpack_reports(answer or b"").blocks[0].lost_share)
    assert shares == [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (report(ssrc=78), BESIDE),
        (report(), ("192.0.2.2", 8501)),
        (report()[:-4], BESIDE),
        (b"\x80\xc8\x00\x06", BESIDE),
    ],
)
def test_strangers_and_rubbish_hear_nothing(
    sessions: Sessions, session: Session, data: bytes, source: tuple[str, int]
) -> None:
    assert answer_report(data, source, [sessions], NOW_NS, NOW_NS, 0.0) is None
    assert session.reports == 0


def test_an_answer_is_never_longer(sessions: Sessions, session: Session) -> None:
    assert answer_report(report(name=""), BESIDE, [sessions], NOW_NS, NOW_NS, 0.0) is None


def test_a_flood_of_reports_is_not_answered(sessions: Sessions, session: Session) -> None:
    answers = [answer_report(report(), BESIDE, [sessions], NOW_NS, NOW_NS, 0.0) for _ in range(100)]
    assert sum(answer is not None for answer in answers) == 10


def test_reports_are_told_from_streams() -> None:
    assert is_report(report()) and not is_report(b"\x80\x00" + bytes(30))
