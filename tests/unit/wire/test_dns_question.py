"""Questions to name servers, held against dnspython's."""

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.wire.dns_question import is_reply, question

LABELS = st.from_regex(r"[A-Za-z0-9_-]{1,63}", fullmatch=True)
NAMES = st.lists(LABELS, max_size=3).map(".".join)
KINDS = st.sampled_from(["A", "AAAA", "SRV", "TXT", "SOA"])
fuzz = settings(deadline=None, database=None, max_examples=100)


@fuzz
@given(NAMES, KINDS, st.integers(0, 0xFFFF), st.sampled_from([0, 1232]), st.sampled_from(["", "."]))
def test_a_question_is_what_dnspython_would_send(
    name: str, kind: str, identifier: int, payload: int, end: str
) -> None:
    edns = {"use_edns": 0, "payload": payload} if payload else {"use_edns": False}
    theirs = dns.message.make_query(name or ".", kind, id=identifier, **edns)
    assert question(identifier, name + end, dns.rdatatype.from_text(kind), payload) == theirs.to_wire()


def test_names_in_other_scripts_are_encoded() -> None:
    theirs = dns.message.make_query("bücher.example", "A", id=1, use_edns=False)
    assert question(1, "bücher.example", 1) == theirs.to_wire()


@pytest.mark.parametrize("name", ["a..b", ".a", "x" * 64, ".".join(["a" * 50] * 6), "ü" * 64, "ü..a"])
def test_what_is_no_name_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match=r"label|name"):
        question(1, name, 1)


def reply(name: str, *, kind: str = "A", identifier: int = 7, rcode: int = 0, is_one: bool = True) -> bytes:
    asked = dns.message.make_query(name, kind, id=identifier, use_edns=False)
    made = dns.message.make_response(asked) if is_one else asked
    made.set_rcode(dns.rcode.Rcode(rcode))
    return made.to_wire()


ASKED = question(7, "host.example", 1, 1232)


def test_a_reply_repeats_the_question_in_whatever_case() -> None:
    for asked in (ASKED, question(7, "Host.example", 1)):
        assert is_reply(reply("host.example"), asked)
        assert is_reply(reply("HOST.eXample"), asked)


@pytest.mark.parametrize(
    "wire",
    [
        reply("other.example"),
        reply("host.example.com"),
        reply("host.example", kind="AAAA"),
        reply("host.example", identifier=8),
        reply("host.example", is_one=False),
        reply("host.example")[:20],
        reply("host.example")[:11],
        b"",
        reply("host.example")[:2] + b"\xa8" + reply("host.example")[3:],  # another opcode
        reply("host.example")[:5] + b"\2" + reply("host.example")[6:],  # two questions
    ],
)
def test_what_does_not_is_no_reply(wire: bytes) -> None:
    assert not is_reply(wire, ASKED)


@pytest.mark.parametrize(
    ("rcode", "is_one"), [(0, False), (1, True), (2, True), (3, False), (4, True), (5, True)]
)
def test_an_error_need_not_repeat_it(rcode: int, is_one: bool) -> None:
    wire = reply("host.example", rcode=rcode)
    assert is_reply(wire[:4] + bytes(8), ASKED) is is_one


@fuzz
@given(st.binary(max_size=80))
def test_any_bytes_are_survived(wire: bytes) -> None:
    is_reply(ASKED[:2] + wire, ASKED)
