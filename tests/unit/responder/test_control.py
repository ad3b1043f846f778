"""The conversation before and after a stream; whoever proves nothing gets nothing."""

import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.net.interface import Endpoint
from readycheck.responder.callbacks import CallBacks
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Sources
from readycheck.responder.hold import HoldLimits, Holds
from readycheck.responder.load import LoadLimits, Loads
from readycheck.responder.mirrors import Mirrors
from readycheck.responder.session import Limits, Sessions
from readycheck.wire.far_end import (
    MAGIC,
    REQUEST_SIZE,
    TAG_SIZE,
    VERSION,
    Kind,
    Message,
    pack_message,
    unpack_message,
)

HERE, OTHER = ("192.0.2.1", 40000), ("198.51.100.9", 40000)
WANTED = {"seconds": 10, "packets_per_second": 50, "payload_bytes": 160}
KEY = b"of this site"


def control(key: bytes = b"", rate: float = 1000.0, **limits: Any) -> Control:
    return Control(Sessions(Limits(**limits)), Cookies(b"secret"), Sources(rate, rate, 10_000.0), key)


def ask(
    to: Control, kind: Kind, body: Mapping[str, Any], source: Endpoint = HERE, now_s: float = 0.0,
    size: int = REQUEST_SIZE,
) -> Message | None:  # fmt: skip
    data = pack_message(kind, body, to.key, size=size)
    answer = to.answer(data, source, now_s)
    assert answer is None or len(answer) <= len(data)
    return unpack_message(answer, to.key) if answer is not None else None


def cookie(of: Control, source: Endpoint = HERE) -> str:
    found = ask(of, Kind.HELLO, {}, source)
    assert found is not None and found.kind is Kind.COOKIE
    return str(found.body["cookie"])


def opened(by: Control) -> Message:
    found = ask(by, Kind.OPEN, {"cookie": cookie(by), **WANTED})
    assert found is not None and found.kind is Kind.OPENED
    return found


def test_from_hello_to_close() -> None:
    desk = control(KEY)
    terms = opened(desk).body
    assert {name: terms[name] for name in WANTED} == WANTED
    (session,) = desk.sessions
    assert session.admits(0, 160, 0.1)
    told = ask(desk, Kind.REPORT, {"token": terms["token"]})
    assert told is not None and (told.kind, told.body["received"]) == (Kind.COUNTED, 1)
    closed = ask(desk, Kind.CLOSE, {"token": terms["token"]})
    assert closed is not None and (closed.kind, closed.body["received"]) == (Kind.CLOSED, 1)
    assert len(desk.sessions) == 0
    assert ask(desk, Kind.REPORT, {"token": terms["token"]}) is None


def test_which_packets_arrived_is_told_of_a_stream_that_is_closed() -> None:
    desk = control()
    token = opened(desk).body["token"]
    (session,) = desk.sessions
    for number in (0, 2, 1, 1):
        session.admits(number, 160, 0.1)
    for _ in range(2):
        closed = ask(desk, Kind.CLOSE, {"token": token, "offset": 0})
        assert closed is not None
        assert {name: closed.body[name] for name in ("size", "seen", "duplicates", "reordered")} == {
            "size": 1, "seen": "Bw==", "duplicates": 1, "reordered": 1
        }  # fmt: skip
    older = ask(desk, Kind.CLOSE, {"token": token})
    assert older is not None and "seen" not in older.body


def test_a_source_sees_how_it_is_seen() -> None:
    found = ask(control(), Kind.HELLO, {})
    assert found is not None and found.body["seen_as"] == list(HERE)


@pytest.mark.parametrize("stolen", ["", "0" * 32, "ü", None, 5, ["x"]])
def test_without_a_cookie_of_its_own_a_source_opens_nothing(stolen: object) -> None:
    assert ask(control(), Kind.OPEN, {"cookie": stolen, **WANTED}) is None


def test_a_spoofed_source_opens_nothing() -> None:
    """The cookie went to the one who has the address."""
    desk = control()
    assert ask(desk, Kind.OPEN, {"cookie": cookie(desk), **WANTED}, OTHER) is None
    assert len(desk.sessions) == 0


def test_an_old_cookie_opens_nothing() -> None:
    desk = control()
    assert ask(desk, Kind.OPEN, {"cookie": cookie(desk), **WANTED}, now_s=100.0) is None


def test_a_stolen_token_tells_and_closes_nothing() -> None:
    desk = control()
    token = opened(desk).body["token"]
    for kind in (Kind.REPORT, Kind.CLOSE):
        assert ask(desk, kind, {"token": token}, OTHER) is None
    assert len(desk.sessions) == 1


def test_a_refusal_says_why() -> None:
    desk = control(sessions=0)
    found = ask(desk, Kind.OPEN, {"cookie": cookie(desk), **WANTED})
    assert found is not None and found.kind is Kind.REFUSED
    assert found.body["because"] == "all sessions are taken"


def test_a_mirror_is_for_who_has_proved_its_address_and_over_tcp() -> None:
    desk = control()
    assert ask(desk, Kind.MIRROR, {}) is None
    assert ask(desk, Kind.MIRROR, {"token": "0" * 32}) is None
    assert ask(desk, Kind.MIRROR, {"cookie": cookie(desk)}, OTHER) is None
    found = ask(desk, Kind.MIRROR, {"cookie": cookie(desk)})
    assert found is not None and found.kind is Kind.REFUSED


def test_who_has_proved_its_address_is_known_and_nobody_else() -> None:
    desk = control(KEY)
    ask(desk, Kind.HELLO, {})
    assert not desk.known.holds(HERE[0], 0.0)
    opened(desk)
    assert desk.known.holds(HERE[0], 0.0) and not desk.known.holds(OTHER[0], 0.0)


def test_a_replayed_request_opens_no_second_stream() -> None:
    desk = control(KEY)
    request = pack_message(Kind.OPEN, {"cookie": cookie(desk), **WANTED}, KEY, size=REQUEST_SIZE)
    answers = [desk.answer(request, HERE, 0.0) for _ in range(5)]
    assert len(set(answers)) == 1 and len(desk.sessions) == 1
    assert desk.answer(request, OTHER, 0.0) is None


def test_without_the_key_there_is_silence() -> None:
    assert control(KEY).answer(pack_message(Kind.HELLO, {}, b"", size=REQUEST_SIZE), HERE, 0.0) is None


def test_a_short_request_gets_no_longer_answer() -> None:
    assert ask(control(), Kind.HELLO, {}, size=40) is None


def test_a_flood_of_requests_is_answered_at_its_rate() -> None:
    desk = control(rate=5.0)
    assert sum(ask(desk, Kind.HELLO, {}) is not None for _ in range(100)) == 5
    assert ask(desk, Kind.HELLO, {}, OTHER) is not None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind % 2 == 0])
def test_answers_are_not_answered(kind: Kind) -> None:
    assert ask(control(), kind, {"cookie": "x"}) is None


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 400).map(lambda digits: 10**digits)
    | st.floats()
    | st.text(max_size=300)
    | st.lists(st.integers(0, 70000), max_size=5)
    | st.sampled_from(["udp", "tcp", "up", "down", [[[]]], {"a": {}}])
)
NAMES = (*WANTED, "cookie", "token", "number", "down", "way", "group", "transport", "ports", "offset")


def everything() -> Control:
    """What any port of the responder may be asked, at one."""
    made, holds = control(), Holds(HoldLimits())
    return replace(made, mirrors=Mirrors(), loads=Loads(LoadLimits()), callbacks=CallBacks(), holds=holds)


@given(st.sampled_from(Kind), st.dictionaries(st.sampled_from(NAMES), ODD), st.booleans(), st.booleans())
def test_no_body_crashes_it_nor_makes_it_say_more_than_was_said(
    kind: Kind, body: dict[str, Any], proved: bool, sound: bool
) -> None:
    desk = everything()
    body |= ({"cookie": cookie(desk)} if proved else {}) | (WANTED if sound else {})
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    bare = (struct.pack("!4sBBH", MAGIC, VERSION, kind, len(text)) + text).ljust(
        REQUEST_SIZE - TAG_SIZE, b"\0"
    )
    data = bare + hmac.digest(b"", bare, "sha256")[:TAG_SIZE]
    answer = desk.answer(data, HERE, 0.0)
    assert answer is None or len(answer) <= len(data)


@pytest.mark.parametrize("number", ["\N{LATIN SMALL LETTER E WITH ACUTE}" * 500, [7], None, -1, 10**400])
def test_what_is_sent_back_as_it_came_is_a_number(number: Any) -> None:
    desk = control()
    assert ask(desk, Kind.SIZE, {"cookie": cookie(desk), "number": 7}) is not None
    said = desk.reply(
        Message(Kind.SIZE, {"cookie": cookie(desk), "number": number}), HERE, 0.0, {}, size=1200
    )
    assert said is None


def test_a_number_that_is_too_large_to_be_one_is_cut_like_others() -> None:
    desk = control()
    said = desk.reply(
        Message(Kind.OPEN, {"cookie": cookie(desk), **WANTED, "seconds": 10**400}), HERE, 0.0, {}, size=1200
    )
    assert said is not None and said[1]["seconds"] == Limits().seconds


def test_throughput_is_not_to_be_had_by_datagrams() -> None:
    desk = control()
    body = {"cookie": cookie(desk), "way": "down", "seconds": 1}
    refused = ask(desk, Kind.LOAD, body)
    assert refused is not None and refused.kind is Kind.REFUSED
    assert ask(desk, Kind.LOAD, body, OTHER) is None


def test_sizes_are_answered_no_longer_than_asked_and_only_to_who_proved() -> None:
    desk = control()
    body = {"cookie": cookie(desk), "number": 7}
    for down, size in ((False, 700), (True, 1472)):
        data = pack_message(Kind.SIZE, {**body, "down": down}, size=size)
        answer = desk.answer(data, HERE, 0.0)
        assert answer is not None and unpack_message(answer).body == {"number": 7}
        assert len(answer) == size if down else len(answer) < 100
        assert desk.answer(data, OTHER, 0.0) is None


def test_a_cookie_that_comes_back_makes_known_and_a_hello_alone_does_not() -> None:
    desk = control(KEY)
    shown = cookie(desk)
    assert not desk.known.holds(HERE[0], 0.0)
    assert ask(desk, Kind.HELLO, {"cookie": shown}, OTHER) is not None
    assert not desk.known.holds(OTHER[0], 0.0), "the cookie of another is no proof"
    assert ask(desk, Kind.HELLO, {"cookie": shown}) is not None
    assert desk.known.holds(HERE[0], 0.0)


# --- calls --------------------------------------------------------------------------------------------


CALL = {"transport": "udp", "ports": [5060]}


def calling() -> Control:
    return Control(
        Sessions(Limits()), Cookies(b"secret"), Sources(1000.0, 1000.0, 9999.0), KEY, callbacks=CallBacks()
    )


def test_who_proves_its_address_is_called_and_told() -> None:
    desk = calling()
    granted = ask(desk, Kind.CALL_BACK, {"cookie": cookie(desk), **CALL})
    assert granted is not None and granted.kind is Kind.CALLED
    assert desk.callbacks is not None
    order = desk.callbacks.take()
    assert order is not None and (order.source, order.ports) == (HERE, (5060,))
    order.outcomes[5060] = "sent"
    told = ask(desk, Kind.CALL_BACK, {"token": granted.body["token"]})
    assert told is not None and told.body == {"outcomes": {"5060": "sent"}}
    assert ask(desk, Kind.CALL_BACK, {"token": granted.body["token"]}, OTHER) is None


@pytest.mark.parametrize("shown", [None, 7, "", "0" * 32, "\xff"])
def test_a_spoofed_source_is_never_called(shown: object) -> None:
    desk = calling()
    assert ask(desk, Kind.CALL_BACK, {"cookie": shown, **CALL}) is None
    assert ask(desk, Kind.CALL_BACK, {"cookie": cookie(desk, OTHER), **CALL}) is None
    assert ask(desk, Kind.CALL_BACK, {"cookie": cookie(desk), **CALL}, now_s=3600.0) is None
    assert desk.callbacks is not None and desk.callbacks.take() is None


def test_a_short_request_is_refused_its_calls() -> None:
    desk = calling()
    answer = ask(desk, Kind.CALL_BACK, {"cookie": cookie(desk), **CALL}, size=299)
    assert answer is not None and answer.kind is Kind.REFUSED
    assert desk.callbacks is not None and desk.callbacks.take() is None
