"""CSV: a row for each far end, with the requirements that ask for it."""

import csv
from io import StringIO
from typing import Any

from readycheck.firewall import render
from readycheck.firewall.sheet import Wish, draw_up
from readycheck.firewall.spreadsheet import COLUMNS
from tests.unit.builders import SOURCE, requirement

from .sample import BETWEEN, CALLED, DNS, MEDIA, OPTIONAL, SIGNALLING, WEB, product, sheet


def rows(*given: Any, **wish: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(render(sheet(*given, **wish), "csv"))))


def test_columns() -> None:
    text = render(sheet(SIGNALLING), "csv")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert text.count("\n") == 4 and "\r" not in text


def test_a_row_for_each_far_end() -> None:
    found = rows(MEDIA)
    assert [row["value"] for row in found] == ["198.51.100.0/24", "203.0.113.7/32", "2001:db8:1::/48"]
    first = found[0]
    assert (first["profile"], first["rule"], first["state"]) == ("example", "out-udp-5004", "in force")
    assert (first["direction"], first["transport"], first["ports"]) == ("outbound", "udp", "5004 9000-9010")
    assert (first["source_ports"], first["far_end"], first["importance"]) == (
        "8000-8099",
        "networks",
        "required",
    )
    assert (first["requirements"], first["titles"], first["sources"]) == (
        "media",
        "media",
        "doc, 1, revision 1",
    )


def test_a_row_names_those_who_ask_for_its_far_end() -> None:
    other = requirement("late", importance="recommended", ports=["443"], targets={"hosts": ["late.example"]})
    found = {row["value"]: (row["requirements"], row["importance"]) for row in rows(WEB, other)}
    assert found["late.example"] == ("late", "recommended")
    assert found["api.example.com"] == ("web", "required")


def test_states() -> None:
    found = {row["requirements"]: row["state"] for row in rows(SIGNALLING, DNS, CALLED, OPTIONAL, BETWEEN)}
    assert found == {
        "sip": "in force",
        "dns": "not in force: give name-servers",
        "trunk": "not in force: give gateway",
        "extra": "not in force: optional",
        "pbx": "between segments",
    }


def test_withdrawn_rows() -> None:
    withdrawn = [
        {
            "what": "net",
            "when": "2020",
            "source": SOURCE,
            "networks": ["192.0.2.0/24"],
            "names": ["a.example"],
        },
        {"what": "moved", "when": "2021", "source": SOURCE, "transport": "tcp", "ports": ["5061"]},
    ]
    text = render(draw_up(product(SIGNALLING, withdrawn=withdrawn), Wish(withdrawn=True)), "csv")
    *_, free, kept = csv.DictReader(StringIO(text))
    assert (free["state"], free["value"], free["titles"]) == (
        "withdrawn: may be closed",
        "192.0.2.0/24 a.example",
        "net",
    )
    assert (kept["state"], kept["ports"]) == ("withdrawn: still covered", "")
    assert kept["note"] == "still covered: tcp 5061, which is needed by sip"


def test_formulas_are_marked_as_text() -> None:
    (first, *_) = rows(requirement("sip", title="=cmd()", condition="+1"))
    assert (first["titles"], first["conditions"]) == ("'=cmd()", "'+1")
