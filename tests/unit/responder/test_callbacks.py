"""Who is called, and how often: the address that asked, once, and no more than it paid for."""

from typing import Any

import pytest

from readycheck.responder.callbacks import BYTES_PER_CALL, CallBacks
from readycheck.responder.session import Refused
from readycheck.wire.far_end import REQUEST_SIZE, pack_call

HERE, OTHER = ("192.0.2.1", 40000), ("198.51.100.9", 40000)
WANTED = {"cookie": "c", "transport": "udp", "ports": [5060, 10000]}


def test_an_order_is_taken_once_and_told_to_who_gave_it() -> None:
    calls = CallBacks()
    order = calls.order(HERE, WANTED, REQUEST_SIZE, 0.0)
    assert calls.take() is order and calls.take() is None
    order.outcomes[5060] = "sent"
    assert calls.tell(order.token, HERE[0], 1.0) == {"outcomes": {"5060": "sent"}}


@pytest.mark.parametrize("token", ["", "0" * 32, None, 7, ["a"]])
def test_a_token_is_of_no_use_to_anybody_else(token: object) -> None:
    calls = CallBacks()
    order = calls.order(HERE, WANTED, REQUEST_SIZE, 0.0)
    assert calls.tell(order.token, OTHER[0], 0.0) is None
    assert calls.tell(token, HERE[0], 0.0) is None


def test_a_request_that_is_played_again_calls_nobody() -> None:
    calls = CallBacks()
    first = calls.order(HERE, WANTED, REQUEST_SIZE, 0.0)
    calls.take()
    assert calls.order(HERE, WANTED, REQUEST_SIZE, 60.0) is first, "as long as its cookie holds"
    assert calls.take() is None


def test_a_flood_is_called_at_its_rate() -> None:
    calls = CallBacks()
    granted = 0
    for number in range(200):
        try:
            calls.order(HERE, {**WANTED, "cookie": str(number)}, REQUEST_SIZE, 0.0)
            granted += 1
        except Refused:
            continue
    assert granted == 12  # of two ports each


def test_memory_is_bounded_and_forgets() -> None:
    calls = CallBacks()
    for number in range(3000):
        source = (f"10.{number % 250}.{number // 250}.1", 1)
        try:
            calls.order(source, {**WANTED, "cookie": str(number)}, REQUEST_SIZE, number * 0.05)
        except Refused:
            continue
    assert 0 < len(calls) <= 1000
    calls.tell("x", HERE[0], 9999.0)
    assert len(calls) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"transport": "icmp"},
        {"transport": None},
        {"ports": []},
        {"ports": [0]},
        {"ports": [65536]},
        {"ports": [True]},
        {"ports": ["80"]},
        {"ports": "80"},
        {"ports": [1, 2, 3, 4, 5]},
        {"ports": {}},
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        CallBacks().order(HERE, {**WANTED, **changes}, REQUEST_SIZE, 0.0)


def test_calls_are_no_longer_than_the_request() -> None:
    with pytest.raises(Refused, match="600 bytes long"):
        CallBacks().order(HERE, WANTED, 599, 0.0)
    headers, times = 28, 3
    assert times * (len(pack_call("0" * 32)) + headers) <= BYTES_PER_CALL
