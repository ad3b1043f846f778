"""The accuracy page, from rows made by hand."""

from dataclasses import replace
from itertools import pairwise

from .judging import Answer, Row
from .matrix import mended, plays
from .page import Header, page
from .scenario import Scenario
from .today import Heard

HEADER = Header(date="2026-11-27", version="0.1.0", system="Linux 6, Python 3.11", minutes=12.5, worlds=3)
NAMED = Answer(
    wanted="udp-blocked",
    wanted_where="site",
    cause="udp-blocked",
    where="site",
    confidence="certain",
    right=True,
    placed=True,
    worded=True,
)
RIGHT = Row(
    scenario="one",
    topic="blocks",
    profile="webex",
    raw=False,
    status=2,
    exits=(2,),
    seconds=9.0,
    answers=(NAMED,),
)
WRONG = Row(
    scenario="two",
    topic="places",
    profile="webex",
    raw=True,
    status=2,
    exits=(2,),
    answers=(Answer(wanted="service-down", wanted_where="vendor"),),
    blamed=("port-blocked at site (certain) must not be found",),
    beyond="nobody looks | yet",
)
HEARD = Heard(
    scenario="one", tool="nmap", status=0, seconds=3.2, words="8934/tcp open|filtered", says="nothing"
)


def test_the_page_has_the_numbers_and_the_networks() -> None:
    text = page([RIGHT, WRONG], [HEARD], HEADER)
    assert "| causes named, likely or certain | 1 of 1 = 100.0 % (20.7 to 100.0 %) | 0 of 1 = 0.0 %" in text
    assert "| `service-down` | 0 of 1 | `port-blocked` 1 |" in text
    assert "| `one` | webex |  | udp-blocked at site | udp-blocked at site, certain | 9.0 | yes |" in text
    assert "(known: nobody looks / yet)" in text
    assert "| `one` | nmap | 0, 3 s | `8934/tcp open/filtered` |" in text
    assert "`wifi-weak`" in text, "what no network plays is said"


def test_a_busy_machine_is_said() -> None:
    busy = Header(date="", version="", system="", minutes=1.0, worlds=1, loaded=True)
    assert "times below mean nothing" in page([RIGHT], [], busy)
    assert "times below mean nothing" not in page([RIGHT], [], HEADER)


def test_what_was_played_again_after_a_mend_is_said() -> None:
    better = replace(WRONG, blamed=())
    rows, header = mended([RIGHT, WRONG], [better], HEADER)
    assert rows == (RIGHT, better)
    text = page(rows, [], header)
    assert "played again after it, whose rows stand in the place of the first ones: two." in text
    assert "In the first run false blame was 1 of 2 = 50.0 %" in text
    assert "played again" not in page([RIGHT, WRONG], [], HEADER)


def test_what_was_added_after_the_run_is_said() -> None:
    late = replace(RIGHT, scenario="three")
    rows, header = mended([RIGHT], [late], HEADER)
    assert rows == (RIGHT, late)
    text = page(rows, [], header)
    assert "2 networks, 2 runs" in text and "Added after that run (1)" in text
    assert "mended since: three." in text and "played again" not in text


def test_tables_have_as_many_cells_as_their_heads() -> None:
    lines = [line for line in page([RIGHT, WRONG], [HEARD], HEADER).splitlines() if line.startswith("|")]
    for head, rule in pairwise(lines):
        if rule.startswith("| ---"):
            assert head.count("|") == rule.count("|")


def test_each_network_is_played_with_and_without_raw_sockets_and_for_further_products() -> None:
    one = Scenario(name="one", topic="open", also=("webex",))
    two = Scenario(name="two", topic="open", profile="starface")
    ways = [(play.scenario.name, play.profile, play.raw) for play in plays([two, one])]
    assert ways == [
        ("one", "webex-calling", False),
        ("one", "webex-calling", True),
        ("two", "starface", False),
        ("two", "starface", True),
        ("one", "webex", False),
    ]
