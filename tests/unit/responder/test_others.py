"""STUN and SIP on the open port: for anybody, or for who has shown the key."""

import pytest

from readycheck.responder.binding import Bindings, Corner
from readycheck.responder.guard import Known, Sources
from readycheck.responder.others import Others
from readycheck.wire.mirror import turned_over
from readycheck.wire.sip import pack_options
from readycheck.wire.stun import pack_binding_request

HERE, PLACE = ("192.0.2.1", 5060), ("198.51.100.1", 3478)
STUN = pack_binding_request(bytes(12))
SIP = pack_options(
    uri="sip:far.example",
    via_transport="UDP",
    local=HERE,
    branch="z9hG4bKa",
    call_id="c",
    tag="t",
)


def others(known: Known | None = None, rate: float = 100.0) -> Others:
    return Others(Bindings(Corner(PLACE), Sources(rate, rate, 999.0)), known)


def test_a_request_of_sip_comes_back_in_as_many_bytes() -> None:
    said = others().answer(SIP, HERE, 0.0)
    assert said is not None and (said.origin, said.to) == (PLACE, HERE)
    assert len(said.data) == len(SIP) and turned_over(said.data) == SIP


def test_what_it_returned_is_not_returned_again() -> None:
    said = others().answer(SIP, HERE, 0.0)
    assert said is not None and others().answer(said.data, HERE, 0.0) is None


def test_a_flood_is_returned_at_its_rate() -> None:
    flooded = others(rate=5.0)
    assert sum(flooded.answer(SIP, HERE, 0.0) is not None for _ in range(100)) == 5


@pytest.mark.parametrize("data", [STUN, SIP])
def test_with_a_key_only_the_known_are_answered_and_for_a_while(data: bytes) -> None:
    known = Known()
    keyed = others(known)
    assert keyed.answer(data, HERE, 0.0) is None
    known.note(HERE[0], 0.0)
    assert keyed.answer(data, HERE, 1.0) is not None
    assert keyed.answer(data, ("192.0.2.2", 5060), 1.0) is None
    assert keyed.answer(data, HERE, 601.0) is None


@pytest.mark.parametrize("data", [b"", b"\x80" + bytes(40), b"OPTIONS", b"GET / HTTP/1.1\r\n\r\n"])
def test_nothing_else_is_answered(data: bytes) -> None:
    assert others().answer(data, HERE, 0.0) is None


def test_the_known_are_bounded() -> None:
    known = Known(most=2)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        known.note(address, 0.0)
    assert not known.holds("192.0.2.1", 0.0) and known.holds("192.0.2.3", 0.0)
