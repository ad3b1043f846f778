"""Tables of profiles: fitted to a terminal, or whole lines for another program."""

from datetime import date

import pytest
from rich.cells import cell_len

from readycheck.catalog import read
from readycheck.overview import tables
from tests.unit.builders import make_profile, requirement

TODAY = date(2026, 11, 26)
STEER = "\x1b[2J\x07\u202eevil"


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_a_table_fits_its_terminal(width: int, colour: bool) -> None:
    profile = read("webex-calling")
    text = tables.show(profile, TODAY, width, colour=colour)
    assert ("\x1b[" in text) is colour
    if not colour:
        assert max(map(cell_len, text.splitlines())) <= width
        together = "".join(text.split())
        assert all(r.id in together for r in profile.requirements) or width < 200


def test_without_a_terminal_each_requirement_has_one_line() -> None:
    profile = read("webex-calling")
    lines = tables.show(profile, TODAY, None).splitlines()
    for found in profile.requirements:
        [line] = [line for line in lines if line.startswith(f"{found.id}: ")]
        assert f"  {found.importance.value}  " in line
        assert line.endswith(found.source.section)
    assert not [line for line in lines if line != line.rstrip()]


def test_what_steers_a_terminal_is_not_shown() -> None:
    profile = make_profile(requirement("r", title=STEER, origin=STEER), title=STEER, summary=STEER)
    for width in (None, 80):
        assert not set(tables.show(profile, TODAY, width)) & set(STEER[:1] + "\x07\u202e")
        row = tables.listed(STEER, profile, STEER, TODAY)
        assert not set(tables.listing([row], width)) & set(STEER[:1] + "\x07\u202e")


def test_a_listing_says_how_old_and_from_where() -> None:
    profile = make_profile(revision="2016-04-18", checked="2026-11-01")
    row = tables.listed("example", profile, "built in", TODAY)
    head, line = tables.listing([row], None).splitlines()
    assert head.split("  ")[0] == "PROFILE"
    assert line.split() == [
        *("example", "Example", "2016-04-18", "10", "years", "25", "days", "ago", "7", "built", "in")
    ]


def test_nothing_to_list_is_a_heading() -> None:
    assert tables.listing([], None).split()[0] == "PROFILE"
