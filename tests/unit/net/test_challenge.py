"""Challenges, as servers write them and as they should not."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.net.challenge import Challenge, parse


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["Negotiate", "NTLM"], [Challenge("Negotiate"), Challenge("NTLM")]),
        (["NTLM TlRM+/==, Basic"], [Challenge("NTLM", "TlRM+/=="), Challenge("Basic")]),
        (['Basic realm="a, Digest \\"b\\""'], [Challenge("Basic", "", {"realm": 'a, Digest "b"'})]),
        (
            ['Digest realm=x, qop="auth,auth-int" , nonce="=", NTLM,Basic realm="y"'],
            [
                Challenge("Digest", "", {"realm": "x", "qop": "auth,auth-int", "nonce": "="}),
                Challenge("NTLM"),
                Challenge("Basic", "", {"realm": "y"}),
            ],
        ),
        (["Basic REALM=a, realm=b"], [Challenge("Basic", "", {"realm": "a"})]),
        ([", ,Basic,"], [Challenge("Basic")]),
        (['Basic realm="a\rX: y"', "NTLM"], [Challenge("Basic"), Challenge("NTLM")]),
        (['Basic realm="open', "=", "x=y", "", "\x00NTLM"], [Challenge("Basic")]),
        (["Digest a=b; c=d"], [Challenge("Digest")]),
    ],
)
def test_challenges(values: list[str], found: list[Challenge]) -> None:
    assert list(parse(values)) == found


def test_a_challenge_goes_by_its_name_in_any_case() -> None:
    assert Challenge("nTLM").name == "ntlm"


@pytest.mark.parametrize(
    "value", ['"' + '\\"' * 8000, "a" * 30000, "a=" * 15000, "A A=" * 8000, "NTLM, " * 6000]
)
async def test_values_without_end_take_bounded_time(value: str) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    assert len(parse([value, f"Basic {value}", f"Basic realm={value}"])) <= 16
    assert clock() - began < 1


@settings(deadline=None, database=None, max_examples=300)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_value_is_survived(values: list[str]) -> None:
    for challenge in parse(values):
        assert challenge.scheme.isascii() and challenge.scheme.isprintable()
        assert all(
            value.isprintable() or not value.isascii() or "\t" in value for value in challenge.params.values()
        )
