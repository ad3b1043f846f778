"""No string of a server's leaves the terminal, the table, the page or the sheet."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.render.clean import cell, clean, code, markdown

ANYTHING = st.text(st.characters(), max_size=300)


@given(ANYTHING)
def test_what_is_cleaned_is_one_visible_line(text: str) -> None:
    strange = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not {unicodedata.category(character) for character in clean(text)} & strange


@given(ANYTHING, st.integers(min_value=3, max_value=50))
def test_what_is_cleaned_is_bounded(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain, 10 ms (ok)", "plain, 10 ms (ok)"),
        ("grün 電話", "grün 電話"),
        ("\x1b]0;title\x07", "?]0;title?"),
        ("exe\u202egnp", "exe?gnp"),
        ("a\u2066b\u2069c", "a?b?c"),
        ("soft\u00adhyphen\u200bspace", "soft?hyphen?space"),
        ("two\r\nlines\tand tabs", "two lines and tabs"),
        ("\x9b2J", "?2J"),
        ("x" * 500, "x" * 397 + "..."),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[a](http://evil.example)", r"\[a\](http:\//evil.example)"),
        ("| a | `b`", r"\| a \| \`b\`"),
        ("www.evil.example", r"www\.evil.example"),
        ("@everyone see #1", r"\@everyone see \#1"),
        ("- not a list - here", r"\- not a list - here"),
        ("1. not a list", r"1\. not a list"),
    ],
)
def test_markdown(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


def test_code_cannot_be_left() -> None:
    assert code("a`|<b>") == "`a'/<b>`"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_a_cell_is_no_formula(text: str) -> None:
    assert cell(text).startswith("'")


def test_a_harmless_cell_stays_as_it_is() -> None:
    assert cell("media-stun: 3 of 4") == "media-stun: 3 of 4"
