"""Stored runs as text, JSON and CSV."""

import csv
import json
from io import StringIO

from readycheck.history import listing
from readycheck.history.summary import summarize
from tests.unit.history.runs import case, small
from tests.unit.render.factory import HOSTILE

RUNS = [summarize(case("sni-required")), summarize(small(2, score=97, site="north"))]


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text)))


def test_a_table_has_a_line_for_each_run_and_one_of_their_scores() -> None:
    head, first, second, _, scores = listing.table(RUNS).splitlines()
    assert head.split()[0] == "RUN"
    assert first.split()[-1] == "sni-required"
    assert second.split()[3:6] == ["north", "example", "ready"]
    assert scores == "scores, oldest first: █▁"


def test_no_runs() -> None:
    assert listing.table([]) == "no runs\n"
    assert json.loads(listing.table_json([])) == []
    assert len(rows(listing.table_csv([]))) == 1


def test_json_has_all_of_a_summary() -> None:
    first = json.loads(listing.table_json(RUNS))[0]
    assert first["causes"] == list(RUNS[0].causes)
    assert first["numbers"] == dict(RUNS[0].numbers)


def test_csv_is_a_table() -> None:
    head, *found = rows(listing.table_csv(RUNS))
    assert [dict(zip(head, row, strict=True))["score"] for row in found] == ["49", "97"]


def test_nothing_that_somebody_chose_steers_a_terminal_or_a_spreadsheet() -> None:
    runs = [summarize(small(1, site=HOSTILE)), summarize(small(2, site="=cmd()"))]
    assert "\x1b" not in listing.table(runs)
    assert "\u202e" not in listing.table(runs)
    assert rows(listing.table_csv(runs))[2][2] == "'=cmd()"


def test_a_trend() -> None:
    points = [(0, 1.0), (1000, None), (2000, 3.0)]
    said, line = listing.trend("dns.rtt_ms", points, 80, plotted=False).splitlines()
    assert said == "dns.rtt_ms: 2 of 3 runs; lowest 1, median 3, highest 3, last 3"
    assert line == "▁ █"
    assert len(listing.trend("dns.rtt_ms", points, 80, plotted=True).splitlines()) == 11
    assert json.loads(listing.trend_json("x", points))["points"][1] == ["1970-01-01T00:00:01.000Z", None]
    assert rows(listing.trend_csv("x", points))[3] == ["1970-01-01T00:00:02.000Z", "3.0"]
    assert listing.trend("x", [(0, None)], 80, plotted=False) == "x: nothing was measured in 1 runs\n"


def test_a_trend_says_what_a_column_is_where_it_is_more_than_a_run() -> None:
    points = [(number, float(number)) for number in range(200)]
    assert listing.trend("x", points, 80, plotted=False).splitlines()[0].endswith("about 2.5 runs")
    lines = listing.trend("x", points, 80, plotted=True).splitlines()
    assert lines[0].endswith("; a column is the median of about 2.9 runs")
    assert max(map(len, lines[1:])) <= 80
    assert "column" not in listing.trend("x", points[:60], 80, plotted=True)
