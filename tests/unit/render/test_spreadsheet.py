"""The report as CSV."""

import csv
from io import StringIO

import pytest

from readycheck.render.spreadsheet import COLUMNS, render

from . import factory


def rows(text: str) -> list[dict[str, str]]:
    reader = csv.reader(StringIO(text))
    assert tuple(next(reader)) == COLUMNS
    found = list(reader)
    assert all(len(row) == len(COLUMNS) for row in found)
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


@pytest.mark.parametrize("state", list(factory.STATES))
def test_every_check_and_every_requirement_has_a_row(state: str) -> None:
    report = factory.STATES[state]()
    found = rows(render(report))
    bare = [r for r in report.requirements if not r.checks]
    assert len(found) == len(report.checks) + len(bare)


def test_values() -> None:
    first = rows(render(factory.not_ready()))[0]
    assert first["verdict"] == "not-ready"
    assert first["requirement"] == "sip"
    assert first["source"] == "Port reference, Port table: media, revision 2026"
    assert first["rtt_ms"] == "40.125"
    assert first["metrics"] == "sent=1; answered=1; rtt_ms=40.125"


def test_no_cell_is_a_formula() -> None:
    for row in rows(render(factory.hostile("=HYPERLINK(A1)\r\n@x"))):
        assert not [value for value in row.values() if value.startswith(("=", "+", "@", "\t", "\r"))]
        assert not [value for value in row.values() if "\n" in value]
