"""The report for a ticket."""

import re

import pytest

from readycheck.render.markdown import render

from . import factory


@pytest.mark.parametrize("state", list(factory.STATES))
def test_tables_are_tables(state: str) -> None:
    rows = [line for line in render(factory.STATES[state]()).splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(cells) <= {3, 5, 6}
    assert all(row.endswith("|") for row in rows)


def test_it_has_verdict_findings_and_requirements() -> None:
    text = render(factory.not_ready())
    assert text.startswith("# Example Calling: NOT READY\n")
    assert "### blocking: `port-blocked`" in text
    assert "- remedy: Allow UDP to port 5004" in text
    assert "| fail | Media over UDP to the service networks | required | 1 of 1 checks" in text
    assert "| pass (egress proven) |" in render(factory.ready())


def test_what_servers_say_is_no_markup() -> None:
    text = render(factory.hostile())
    outside = re.sub(r"`[^`\n]*`", "", text.replace("\\`", ""))
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert "http://evil" not in outside
    assert all(character.isprintable() or character == "\n" for character in text)
