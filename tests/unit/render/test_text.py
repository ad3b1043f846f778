"""The report for a terminal and for a pipe."""

import re
from dataclasses import replace

import pytest

from readycheck.render.text import render

from . import factory

STATES = list(factory.STATES)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("state", STATES)
def test_it_fits(state: str, width: int, verbose: bool) -> None:
    lines = render(factory.STATES[state](), width=width, verbose=verbose).splitlines()
    assert max(len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("state", STATES)
def test_without_colour_there_is_no_escape_code_and_no_glyph(state: str) -> None:
    text = render(factory.STATES[state](), verbose=True)
    assert text.isascii()
    assert all(character.isprintable() or character == "\n" for character in text)


def test_with_colour_only_our_own_escape_codes_are_there() -> None:
    text = render(factory.hostile(), colour=True, width=120, verbose=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" in text
    assert all(character.isprintable() or character == "\n" for character in plain)


def test_the_environment_of_the_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = render(factory.ready()), render(factory.ready(), colour=True)
    for name, value in (("FORCE_COLOR", "1"), ("NO_COLOR", "1"), ("COLUMNS", "20"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
        assert render(factory.ready()) == plain
        assert render(factory.ready(), colour=True) == coloured
        monkeypatch.delenv(name)


def test_the_sections_are_in_the_order_of_need() -> None:
    text = render(factory.not_ready())
    heads = [
        "NOT READY",
        "FINDINGS",
        "REQUIREMENTS",
        "SCORES BY AREA",
        "NOT TESTABLE FROM HERE",
        "MEASURED FROM",
    ]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)


def test_a_finding_says_what_to_do_and_who_does_it() -> None:
    text = render(factory.not_ready(), width=120)
    assert "1. BLOCKING port-blocked (at: site, owner: network, certain)" in text
    assert "remedy    Allow UDP to port 5004" in text
    assert "affects   media\n" in text
    assert "explains  rtp-range-partial" in text
    assert "2. NOTE dns-slow (place not known, owner not known, possible)" in text


def test_a_long_finding_is_told_whole() -> None:
    found = replace(factory.not_ready().findings[0], summary="Seen there. " * 50 + "It is at hop 3.")
    assert "It is at hop 3." in render(replace(factory.not_ready(), findings=(found,)))


def test_a_status_is_a_word_and_a_sign() -> None:
    text = render(factory.not_ready())
    for words in ("x fail", "! warn", "? inconclusive", "+ pass"):
        assert re.search(rf"^{re.escape(words)} +\S", text, re.MULTILINE)
    assert "✗ fail" in render(factory.not_ready(), colour=True)


@pytest.mark.parametrize("width", [80, 250])
def test_a_requirement_has_title_strength_reason_and_citation(width: int) -> None:
    text = " ".join(render(factory.not_ready(), width=width).split())
    assert "Media over UDP to the service networks" in text
    assert "packets stop on the way" in text
    assert "sip: required, answered" in text
    assert "Port table: media]" in text


def test_egress_is_told_from_an_answer() -> None:
    assert "media: required, egress proven" in render(factory.ready())


def test_a_pass_that_leaves_out_hosts_says_so() -> None:
    because = "the service answered; not asked, as nobody gave them: {two}"
    part = factory.requirement(because=because, ungiven=("{two}",))
    assert because in " ".join(render(factory.ready(requirements=(part,))).split())
    assert because not in " ".join(render(factory.ready(requirements=(factory.requirement(),))).split())


def test_verbose_adds_checks_and_margins() -> None:
    brief, long = render(factory.not_ready()), render(factory.not_ready(), width=140, verbose=True)
    assert "192.0.2.0/24 udp 5004: timed out at echo: packets stop" in long
    assert "192.0.2.0/24 udp 5004" not in brief
    assert "80 % within its limit" in long
    assert "80 % within" not in brief


def test_an_unfinished_run_says_so_at_the_top() -> None:
    text = render(factory.interrupted(), width=120)
    assert "interrupted: this is what was known" in text[: text.index("FINDINGS")]


def test_lost_capabilities_are_said_as_sentences() -> None:
    assert "no raw sockets: at which router a QoS mark changes" in render(factory.ready(), width=120)
