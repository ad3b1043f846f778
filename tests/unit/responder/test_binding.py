"""STUN answers: which place they leave from, what they tell, and what they cost."""

import pytest

from readycheck.net.interface import Endpoint
from readycheck.responder.binding import Bindings, Corner, Said, corners
from readycheck.responder.guard import Sources
from readycheck.wire.stun import (
    MessageClass,
    StunMessage,
    pack_binding_request,
    pack_binding_success,
    pack_message,
    unpack_message,
)

TID = bytes(range(12))
HERE = ("192.0.2.1", 40000)
A1, A2 = ("198.51.100.1", 3478), ("198.51.100.1", 3479)
B1, B2 = ("198.51.100.2", 3478), ("198.51.100.2", 3479)
SQUARE = corners((A1, A2, B1, B2))


def bindings(corner: Corner = SQUARE[0], rate: float = 1000.0) -> Bindings:
    return Bindings(corner, Sources(rate, rate, 9999.0))


def ask(of: Bindings, source: Endpoint = HERE, **asked: object) -> Said | None:
    return of.answer(pack_binding_request(TID, **asked), source, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change_ip", "change_port", "origin"),
    [(False, False, A1), (False, True, A2), (True, False, B1), (True, True, B2)],
)
def test_an_answer_leaves_from_where_it_is_wanted(
    change_ip: bool, change_port: bool, origin: Endpoint
) -> None:
    said = ask(bindings(), change_ip=change_ip, change_port=change_port)
    assert said is not None and (said.origin, said.to) == (origin, HERE)
    told = unpack_message(said.data)
    assert (told.xor_mapped_address, told.mapped_address) == (HERE, HERE)
    assert (told.response_origin, told.other_address) == (origin, B2)


def test_an_answer_goes_to_the_port_that_is_wanted() -> None:
    said = ask(bindings(), response_port=5)
    assert said is not None and said.to == (HERE[0], 5)


def test_one_address_names_no_other_and_refuses_to_use_one() -> None:
    """OTHER-ADDRESS with the same address would make clients take every NAT for a friendly one."""
    (only, _) = corners((A1, A2))
    plain = ask(bindings(only))
    assert plain is not None and unpack_message(plain.data).other_address is None
    changed = ask(bindings(only), change_port=True)
    assert changed is not None and changed.origin == A2
    refused = ask(bindings(only), change_ip=True)
    assert refused is not None and refused.origin == A1
    told = unpack_message(refused.data)
    assert (told.message_class, told.error_code, told.unknown_attributes) == (
        MessageClass.ERROR,
        420,
        (3,),
    )


def test_families_do_not_stand_in_for_each_other() -> None:
    assert all(corner.other_address is None for corner in corners((A1, ("2001:db8::1", 3478))))


def test_all_addresses_say_nothing_of_where_an_answer_leaves_from() -> None:
    said = ask(bindings(Corner(("0.0.0.0", 3478))))
    assert said is not None and unpack_message(said.data).response_origin is None


def test_what_is_not_understood_is_named() -> None:
    priority = b"\x00\x24\x00\x04" + bytes(4)
    request = bytearray(pack_binding_request(TID) + priority)
    request[3] = len(priority)
    said = bindings().answer(bytes(request), HERE, 0.0)
    assert said is not None and unpack_message(said.data).unknown_attributes == (0x24,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(20),
        pack_binding_success(TID, HERE),
        pack_message(StunMessage(MessageClass.INDICATION, 1, TID)),
        pack_message(StunMessage(MessageClass.REQUEST, 3, TID)),
        pack_binding_request(TID)[:-1],
    ],
)
def test_answers_indications_and_rubbish_get_nothing(data: bytes) -> None:
    """Two servers made to talk to each other would never stop."""
    assert bindings().answer(data, HERE, 0.0) is None


@pytest.mark.parametrize(
    ("places", "source", "size"),
    [
        (((A1[0], 3478), (B1[0], 3478)), HERE, 68),
        ((("2001:db8::1", 3478), ("2001:db8::2", 3478)), ("2001:db8::9", 5), 116),
    ],
)
def test_an_answer_is_as_long_as_is_said(places: tuple[Endpoint, ...], source: Endpoint, size: int) -> None:
    with_both = tuple((host, port) for host, _ in places for port in (3478, 3479))
    said = ask(bindings(corners(with_both)[0]), source)
    assert said is not None and len(said.data) == size


def test_short_requests_have_a_small_rate_of_their_own() -> None:
    flooded = bindings()
    assert sum(ask(flooded) is not None for _ in range(1000)) == 120
    assert ask(flooded, ("192.0.2.2", 1)) is not None


def test_all_short_requests_together_are_bounded_whatever_they_claim_to_come_from() -> None:
    flooded = bindings()
    spoofed = [(f"192.0.{n // 250}.{n % 250}", 9) for n in range(3000)]
    assert sum(ask(flooded, source) is not None for source in spoofed) == 1000


def test_a_padded_request_pays_for_its_answer() -> None:
    padded = bindings(rate=500.0)
    answers = [ask(padded, padding=60) for _ in range(1000)]
    assert sum(said is not None for said in answers) == 500
    assert all(len(said.data) <= 84 for said in answers if said is not None)
