"""The report as a plug-in's output."""

import re
from dataclasses import replace

import pytest

from readycheck.cli.run import STATUS
from readycheck.render.nagios import LONGEST, STATUSES, render
from readycheck.verdict import Judgement, Readiness

from . import factory

LABEL = r"(?:'(?P<quoted>(?:[^'=\n]|'')+)'|(?P<plain>[^'= \n]+))"
NUMBER, RANGE = r"-?\d+(?:\.\d+)?", r"@?(?:(?:~|-?\d+(?:\.\d+)?):)?(?:-?\d+(?:\.\d+)?)?"
PERFORMANCE = re.compile(
    rf"{LABEL}=(?:(?P<value>{NUMBER})(?P<unit>s|us|ms|%|B|KB|MB|TB|c)?|U)"
    rf"(?:;(?P<warn>{RANGE})(?:;(?P<crit>{RANGE})(?:;(?P<low>{NUMBER})?(?:;(?P<high>{NUMBER})?)?)?)?)?"
)
MANY = 300


def parsed(text: str) -> tuple[str, dict[str, re.Match[str]], list[str]]:
    """What Nagios makes of it: status, performance data by label, long text. The plug-in guidelines are the grammar."""
    assert text.endswith("\n") and "\r" not in text and "\0" not in text
    first, *long = text.removesuffix("\n").split("\n")
    words, pipe, performance = first.partition("|")
    status = re.fullmatch(r"READYCHECK (OK|WARNING|CRITICAL|UNKNOWN) - \S.*\S ", words)
    assert status and pipe and not any("|" in line for line in (performance, *long)), (
        "a pipe begins more data"
    )
    found, place = {}, 1
    while place < len(performance):
        one = PERFORMANCE.match(performance, place)
        assert one, performance[place:]
        assert one.end() == len(performance) or performance[one.end()] == " "
        label = one["quoted"] or one["plain"]
        assert label not in found
        found[label], place = one, one.end() + 1
    return status[1], found, long


@pytest.mark.parametrize("state", list(factory.STATES))
def test_nagios_can_read_it(state: str) -> None:
    report = factory.STATES[state]()
    text = render(report)
    status, performance, _ = parsed(text)
    assert list(STATUSES.values()).index(status) == STATUS[report.verdict.value]
    assert len(text.encode()) <= LONGEST
    assert all(character.isprintable() or character == "\n" for character in text)
    assert {"score", "coverage", "fail", "warn", "inconclusive", "pass", "duration"} <= set(performance)
    for one in performance.values():
        assert one["low"] is None or one["value"] is None or float(one["low"]) <= float(one["value"])


def test_what_is_too_long_loses_whole_lines_and_whole_values() -> None:
    names = [f"requirement-with-a-long-name-{number}" for number in range(MANY)]
    measured = tuple(factory.requirement(name, checks=("sip/sip.example.com:8934",)) for name in names)
    failed = replace(measured[0], status=Judgement.FAIL, because="\N{SNOWMAN}" * 300)
    report = factory.not_ready(requirements=(*measured, *(replace(failed, id=name) for name in names)))
    text = render(report)
    _, performance, long = parsed(text)
    assert 0.8 * LONGEST < len(text.encode()) <= LONGEST
    assert len(performance) < MANY
    assert long[-1] == "..." and long[-2].endswith("\N{SNOWMAN}" * 300)


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
