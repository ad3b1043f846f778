"""A comparison in words: the first suspect before anything else, and nothing of it steers a terminal."""

import json
from dataclasses import replace

import pytest

from readycheck.comparison.change import (
    Aspect,
    Baseline,
    Change,
    Circumstance,
    Comparison,
    Difference,
    Direction,
    Suspect,
)
from readycheck.render import FORMATS
from readycheck.render.comparison import as_csv, as_json, as_text, first_suspect, rows, title
from readycheck.report import dump
from tests.unit.render.factory import HOSTILE, ready

BASELINE = Baseline(
    id="r0",
    started_at="2026-11-20T03:00:00.000Z",
    site=None,
    verdict="ready",
    profile_revision="2026-11",
    version="0.1.0",
)
WORSE = Change(
    aspect=Aspect.FINDING,
    of="udp-blocked@site",
    title="x",
    before="",
    after="blocking, certain",
    direction=Direction.WORSE,
)
ROUTE = Difference(circumstance=Circumstance.GATEWAY, before=("192.168.1.1",), after=("192.168.1.254",))
BLAMED = Suspect(circumstance=Circumstance.GATEWAY, explains=("udp-blocked@site",), why="the way is another")
NOTHING = Comparison(baseline=BASELINE, changes=(), differences=(), suspects=())
ALL = Comparison(baseline=BASELINE, changes=(WORSE,), differences=(ROUTE,), suspects=(BLAMED,))


def test_the_first_suspect_goes_first() -> None:
    assert title(ALL) == "run r0 of 2026-11-20T03:00:00.000Z"
    assert list(rows(ALL)) == [
        ("first suspect", "gateway: the way is another. It may be behind udp-blocked@site."),
        ("worse", "finding udp-blocked@site: new, blocking, certain"),
        ("else changed", "gateway: 192.168.1.1 -> 192.168.1.254"),
    ]


@pytest.mark.parametrize(
    ("comparison", "told"),
    [
        (NOTHING, "none: nothing became worse."),
        (replace(NOTHING, changes=(WORSE,)), "none: nothing else changed that the reports tell of."),
        (replace(ALL, suspects=()), "none: what else changed is not known to bring about what became worse."),
    ],
)
def test_why_there_is_none(comparison: Comparison, told: str) -> None:
    assert first_suspect(comparison) == told


def test_a_long_list_is_cut_and_says_so() -> None:
    many = replace(NOTHING, changes=(WORSE,) * 40)
    assert [text for label, text in rows(many) if label == "worse"][-1] == "and 28 more"
    assert len(list(rows(many, verbose=True))) == 41


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_it_is_in_the_report_for_people(format_: str) -> None:
    text = FORMATS[format_](replace(ready(), comparison=ALL))
    assert "192.168.1.254" in text and "compared with" in text.lower()
    assert "compared with" not in FORMATS[format_](ready()).lower()


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_what_a_server_has_chosen_does_no_harm(format_: str) -> None:
    change = replace(WORSE, of=HOSTILE, after=HOSTILE)
    hostile = replace(ALL, changes=(change,), differences=(replace(ROUTE, of=HOSTILE, after=(HOSTILE,)),))
    text = FORMATS[format_](replace(ready(), comparison=hostile))
    assert "\x1b" not in text and "\u202e" not in text
    assert format_ == "text" or "<script>" not in text


BEFORE, AFTER = ready(), replace(ready(), comparison=ALL)


def test_two_runs_side_by_side() -> None:
    head, *lines = as_text(BEFORE, AFTER, ALL).splitlines()
    assert head.split() == ["before", "after"]
    names = ["run", "started", "site", "profile", "verdict", "score", "causes"]
    assert [line.split()[0] for line in lines[:7]] == names and not lines[7]
    assert lines[8:] == [f"{label:<16}{text}" for label, text in rows(ALL)]


def test_the_comparison_by_itself_is_the_reports() -> None:
    found = json.loads(as_json(BEFORE, AFTER, ALL))
    assert found["comparison"] == json.loads(dump(AFTER))["comparison"]
    assert found["before"]["id"] == BEFORE.run.id and found["after"]["verdict"] == "ready"


def test_it_is_a_table_too() -> None:
    head, *lines = as_csv(ALL).splitlines()
    assert head == "aspect,of,before,after,direction"
    assert lines == [
        'finding,udp-blocked@site,,"blocking, certain",worse',
        "gateway,,192.168.1.1,192.168.1.254,",
    ]


def test_what_somebody_chose_steers_nothing_here_either() -> None:
    bad = replace(ROUTE, before=(HOSTILE,), after=("=cmd()",))
    found = replace(ALL, differences=(bad,), changes=(replace(WORSE, of="=cmd()", after=HOSTILE),))
    site = replace(BEFORE, run=replace(BEFORE.run, site=HOSTILE))
    assert "\x1b" not in as_text(site, AFTER, found) and "\x1b" not in as_csv(found)
    assert "finding,'=cmd()," in as_csv(found)
