"""Sessions of the responder: granted within limits, of use to their source alone, over in time."""

from typing import Any

import pytest

from readycheck.responder.session import Limits, Refused, Session, Sessions, granted

SOURCE, THIEF = ("192.0.2.1", 40000), ("198.51.100.9", 40000)
WANTED = {"seconds": 10, "packets_per_second": 50, "payload_bytes": 160}


def opened(**limits: Any) -> tuple[Sessions, Session]:
    sessions = Sessions(Limits(**limits))
    return sessions, sessions.open(SOURCE, WANTED, 0.0)


def send(session: Session, number: int, now_s: float, size: int = 160) -> bool:
    return session.admits(number, size, now_s)


def test_a_stream_is_counted() -> None:
    _, session = opened()
    assert send(session, 3, 0.02) and send(session, 9, 0.04)
    assert session.counted() == {"received": 2, "refused": 0, "highest": 9, "reports": 0}


def test_the_count_is_told_again_after_the_end_and_to_nobody_else() -> None:
    sessions, session = opened()
    send(session, 0, 0.02)
    sessions.close(session)
    sessions.close(session)
    assert len(sessions) == 0
    assert sessions.of(session.token, SOURCE) is None
    assert sessions.ended(session.token, SOURCE) is session
    assert sessions.ended(session.token, THIEF) is None
    assert sessions.carrying(session.ssrc, SOURCE) is None


def test_few_are_remembered() -> None:
    sessions = Sessions(Limits(sessions=2))
    ended = [sessions.open(("192.0.2.1", port), WANTED, 0.0) for port in (1,)]
    for port in (2, 3, 4):
        sessions.close(ended[-1])
        ended.append(sessions.open(("192.0.2.1", port), WANTED, 0.0))
    known = [sessions.ended(one.token, one.source) is not None for one in ended]
    assert known == [False, True, True, False]


@pytest.mark.parametrize(
    ("asked", "most"), [("seconds", 300.0), ("packets_per_second", 500.0), ("payload_bytes", 1200)]
)
def test_what_is_asked_is_cut_to_the_limits(asked: str, most: float) -> None:
    assert getattr(granted({**WANTED, asked: 10**9}, Limits()), asked) == most


@pytest.mark.parametrize("value", [None, 0, -1, "5", True, float("nan"), float("inf"), [], {}])
def test_what_is_no_request_is_refused(value: Any) -> None:
    with pytest.raises(Refused, match="seconds"):
        granted({**WANTED, "seconds": value}, Limits())


def test_more_than_was_granted_is_not_answered() -> None:
    _, session = opened()
    assert not send(session, 0, 0.0, size=161)
    assert not send(session, 1, 13.0)

    assert sum(send(session, n, 0.0) for n in range(1000)) <= 100
    assert session.refused > 900


def test_the_granted_rate_is_answered_whole() -> None:
    _, session = opened()
    assert all(send(session, n, n / 50) for n in range(500))


def test_what_was_held_back_or_sent_twice_on_the_way_is_answered() -> None:
    _, session = opened()
    assert all(send(session, n, 1.5) for n in range(75))
    assert all(send(session, n, n / 50) for n in range(75, 500) for _ in range(2))


def test_a_packet_that_is_not_answered_has_arrived() -> None:
    _, session = opened()
    for number in range(400):
        send(session, number, 0.0)
    assert session.refused > 0
    told = session.counted(0)
    assert (told["size"], told["duplicates"]) == (50, 0)


def test_a_stolen_token_or_stream_is_of_no_use() -> None:
    sessions, session = opened()
    assert sessions.of(session.token, SOURCE) is session
    assert sessions.carrying(session.ssrc, SOURCE) is session
    assert sessions.of(session.token, THIEF) is None
    assert sessions.carrying(session.ssrc, THIEF) is None
    assert sessions.carrying(session.ssrc, (SOURCE[0], 40001)) is None
    assert sessions.of(["unhashable"], SOURCE) is None


def test_sessions_are_bounded_for_each_source_and_for_all() -> None:
    sessions = Sessions(Limits(sessions=3, sessions_per_source=2))
    for port in (1, 2):
        sessions.open((SOURCE[0], port), WANTED, 0.0)
    with pytest.raises(Refused, match="of this source"):
        sessions.open(SOURCE, WANTED, 0.0)
    sessions.open(THIEF, WANTED, 0.0)
    with pytest.raises(Refused, match="all sessions"):
        sessions.open(("203.0.113.5", 1), WANTED, 0.0)


def test_a_session_that_does_not_begin_is_over() -> None:
    sessions, session = opened(idle_s=5.0)
    assert sessions.expired(5.0) == []
    assert sessions.expired(5.1) == [session]
    assert len(sessions) == 0
    assert sessions.carrying(session.ssrc, SOURCE) is None


def test_a_stream_that_was_cut_off_goes_on_within_its_time() -> None:
    sessions, session = opened(idle_s=5.0)
    assert send(session, 0, 0.1)
    assert sessions.expired(11.9) == []
    assert send(session, 590, 11.9)
    assert sessions.expired(17.1) == [session]


def test_packets_after_the_end_do_not_keep_a_session() -> None:
    sessions, session = opened(idle_s=5.0)
    for second in range(30):
        send(session, second, float(second))
    assert sessions.expired(30.0) == [session]


def test_two_streams_never_share_a_number() -> None:
    drawn = iter([7, 7, 7, 8])
    sessions = Sessions(Limits(), draw=lambda: next(drawn))
    assert [sessions.open((SOURCE[0], port), WANTED, 0.0).ssrc for port in (1, 2)] == [7, 8]


def test_a_request_that_comes_twice_opens_one_session() -> None:
    sessions, session = opened()
    assert sessions.open(SOURCE, WANTED, 1.0) is session
    send(session, 0, 1.0)
    assert sessions.open(SOURCE, WANTED, 2.0) is not session
    assert len(sessions) == 1


def test_a_request_that_its_stream_has_overtaken_ends_no_stream() -> None:
    sessions = Sessions(Limits())
    session = sessions.open(SOURCE, {**WANTED, "name": "one"}, 0.0)
    send(session, 0, 1.0)
    assert sessions.open(SOURCE, {**WANTED, "name": "one"}, 2.0) is session
    assert sessions.open(SOURCE, {**WANTED, "name": "two"}, 2.0) is not session
    assert len(sessions) == 1


@pytest.mark.parametrize("name", [7, "n" * 65, None])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(Refused, match="name"):
        Sessions(Limits()).open(SOURCE, {**WANTED, "name": name}, 0.0)
