"""ClientHellos for who waits for them; nobody else gets a byte, and nobody fills the memory."""

import base64
from typing import Any

import pytest

from readycheck.responder.mirrors import Arrival, Mirrors
from readycheck.responder.session import Refused

HERE, OTHER = "192.0.2.1", "192.0.2.2"
HELLO = bytes(range(256)) * 6


def arrival(data: bytes = HELLO, address: str = HERE) -> Arrival:
    return Arrival(data=data, source=(address, 40000), hop_limit=57, traffic_class=0x68)


def told(mirrors: Mirrors, token: str, offset: object = 0, address: str = HERE, now_s: float = 1.0) -> Any:
    return mirrors.tell(token, address, offset, now_s)


def test_what_came_is_told_in_parts() -> None:
    mirrors = Mirrors()
    token = mirrors.wait(HERE, 0.0)
    assert told(mirrors, token) == {"size": 0}
    mirrors.keep(arrival(), 1.0)
    whole = b""
    while len(whole) < told(mirrors, token)["size"]:
        part = told(mirrors, token, len(whole))
        assert (part["offset"], part["hop_limit"], part["traffic_class"]) == (len(whole), 57, 0x68)
        whole += base64.b64decode(part["data"])
    assert whole == HELLO


def test_each_who_waits_gets_one_and_the_first_counts() -> None:
    mirrors = Mirrors()
    tokens = [mirrors.wait(HERE, 0.0) for _ in range(2)]
    for data in (b"first", b"second", b"third"):
        mirrors.keep(arrival(data), 1.0)
    assert [base64.b64decode(told(mirrors, token)["data"]) for token in tokens] == [b"first", b"second"]


def test_what_comes_from_elsewhere_or_too_late_is_not_kept() -> None:
    mirrors = Mirrors()
    token = mirrors.wait(HERE, 0.0)
    mirrors.keep(arrival(address=OTHER), 1.0)
    mirrors.keep(arrival(), 11.0)
    assert told(mirrors, token) == {"size": 0}


@pytest.mark.parametrize("token", ["", "0" * 32, None, 5, []])
def test_a_token_of_nobody_tells_nothing(token: object) -> None:
    mirrors = Mirrors()
    mirrors.wait(HERE, 0.0)
    assert mirrors.tell(token, HERE, 0, 1.0) is None


def test_a_stolen_token_tells_nothing() -> None:
    mirrors = Mirrors()
    token = mirrors.wait(HERE, 0.0)
    mirrors.keep(arrival(), 1.0)
    assert told(mirrors, token, address=OTHER) is None


@pytest.mark.parametrize("offset", [None, "x", -1, 10**9, 1.5, True])
def test_no_offset_crashes_it(offset: object) -> None:
    mirrors = Mirrors()
    token = mirrors.wait(HERE, 0.0)
    mirrors.keep(arrival(), 1.0)
    assert told(mirrors, token, offset)["offset"] in (0, 1)


def test_one_source_and_all_of_them_are_bounded_and_forgotten() -> None:
    mirrors = Mirrors()
    for _ in range(8):
        mirrors.wait(HERE, 0.0)
    with pytest.raises(Refused):
        mirrors.wait(HERE, 0.0)
    for n in range(992):
        mirrors.wait(f"198.51.{n // 250}.{n % 250}", 0.0)
    with pytest.raises(Refused):
        mirrors.wait(OTHER, 0.0)
    mirrors.wait(OTHER, 61.0)
    assert len(mirrors) == 1
