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


def test_hostile_strings_are_escaped() -> None:
    text = render(factory.hostile())
    assert "\x1b" not in text
    assert json.loads(text)["run"]["site"] == factory.HOSTILE
