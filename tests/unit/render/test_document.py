"""The report as JSON."""

import json

import pytest

from readycheck.render.document import render
from readycheck.report import load

from . import factory


@pytest.mark.parametrize("state", [name for name in factory.STATES if name != "hostile"])
def test_it_can_be_read_back(state: str) -> None:
    text = render(factory.STATES[state]())
    assert render(load(text, "here")) == text


def test_nothing_in_it_steers_a_terminal() -> None:
    text = "\x7f\x9b31m\u202egnp\u2028\u200b\U000e0001 \u00fc \u96fb"
    shown = render(factory.hostile(text))
    assert {letter for letter in shown if not letter.isprintable()} == {"\n"}
    assert "\u00fc \u96fb" in shown
    assert json.loads(shown)["run"]["site"] == text


def test_half_a_character_costs_no_report() -> None:
    odd = factory.ready(environment=factory.environment(host="desk-\udcff", notes=("eth\udc80 is odd",)))
    shown = render(odd)
    assert json.loads(shown)["environment"]["host"] == "desk-?"
    assert render(load(shown, "here")) == shown


def test_hostile_strings_are_escaped() -> None:
    text = render(factory.hostile())
    assert "\x1b" not in text
    assert json.loads(text)["run"]["site"] == factory.HOSTILE
