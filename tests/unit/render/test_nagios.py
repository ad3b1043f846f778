"""The report as a plug-in's output."""

import re

import pytest

from readycheck.render.nagios import LONGEST, render
from readycheck.verdict import Readiness

from . import factory

PERFORMANCE = re.compile(r"('[^'=|]+'|[^'=| ]+)=(U|-?[0-9.]+)(s|%)?(;[0-9.:]*){0,4}")


@pytest.mark.parametrize("state", list(factory.STATES))
def test_the_first_line_is_text_and_performance_data(state: str) -> None:
    text = render(factory.STATES[state]())
    first, _, rest = text.partition("\n")
    words, _, performance = first.partition(" | ")
    assert re.match(r"READYCHECK (OK|WARNING|CRITICAL|UNKNOWN) - ", words)
    assert "|" not in words
    assert "|" not in rest
    assert PERFORMANCE.sub("", performance).strip() == ""
    assert len(rest) <= LONGEST + 10
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Readiness.READY, "OK"),
        (Readiness.WARNINGS, "WARNING"),
        (Readiness.NOT_READY, "CRITICAL"),
        (Readiness.UNKNOWN, "UNKNOWN"),
    ],
)
def test_the_status_agrees_with_the_exit_status(verdict: Readiness, word: str) -> None:
    assert render(factory.ready(verdict=verdict)).startswith(f"READYCHECK {word} - ")


def test_the_line_of_a_broken_site() -> None:
    first, *rest = render(factory.not_ready()).splitlines()
    assert first.startswith(
        "READYCHECK CRITICAL - example at Berlin not-ready, score 49 (poor):"
        " port-blocked (site), dns-slow (unknown) | score=49;85:;50:;0;100 coverage=91.2%;60:;;0;100"
    )
    assert "'rtt_sip'=0.040125s;;;0" in first
    assert rest[1] == "remedy: Allow UDP to port 5004 of the service networks outbound."


def test_no_score_is_undetermined() -> None:
    assert " | score=U;" in render(factory.interrupted())
