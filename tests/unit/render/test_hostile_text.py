"""Whatever a server, a host or a stranger's profile says, a format keeps its shape and its reader's peace."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from readycheck.render import FORMATS
from readycheck.render.clean import clean
from readycheck.render.text import render as render_text
from readycheck.report import Report

from . import factory

ATTACKS = (
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b31m\x85",
    "\u202egnp.exe\u2066\u200b\ufeff\U000e0041",
    "\u2028\u2029\x0b\x0c\x1c\x1d\x1e",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "</style></svg></title><!--",
    "]]>&xxe;<!DOCTYPE a>",
    "{{ 7*7 }}{% for x in y %}",
    "=cmd|'/c calc'!A0",
    "@SUM(A1)\t+1-1",
    "\n=1+1\r\n-2",
    "| a | b |\n| --- |\n",
    "[x](javascript:alert(1)) ![x](http://evil.example/x) <http://evil.example>",
    "``` \n# heading\n* * *",
    'x" } 1\nreadycheck_score{a="',
    '\\n\\"\\',
    "| score=100 'a'=1",
    "[red]bold[/red] :smile:",
    "\udcff\ud800",
    "%s %n %(x)s {0} {x.__class__}",
)
PIECES = st.sampled_from(ATTACKS) | st.text(st.characters(), max_size=12)
TEXTS = st.lists(PIECES, min_size=1, max_size=4).map("".join).filter(clean)
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")
SAMPLE = re.compile(r'[a-z_]+\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\} \S+')
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def attacked(check: Callable[[str], None]) -> Callable[[], None]:
    """Run a check with each attack, and with many mixtures of them."""
    found = settings(deadline=None, database=None, max_examples=25)(given(TEXTS)(check))
    for attack in ATTACKS:
        found = example(attack)(found)
    return found


def rendered(name: str, text: str) -> str:
    return FORMATS[name](factory.hostile(text))


def plain() -> Report:
    return factory.hostile("x")


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
def test_only_line_feeds_are_not_printable(name: str) -> None:
    @attacked
    def check(text: str) -> None:
        shown = rendered(name, text)
        assert {letter for letter in shown if not letter.isprintable()} <= {"\n"}

    check()


@attacked
def test_the_terminal_is_told_colours_only(text: str) -> None:
    for verbose in (False, True):
        shown = render_text(factory.hostile(text), colour=True, verbose=verbose)
        assert {c for c in COLOUR.sub("", shown) if not c.isprintable()} <= {"\n"}


class _Shape(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_comment(self, data: str) -> None:
        self.found.add(("!--", ()))

    @classmethod
    def of(cls, page: str) -> set[tuple[str, tuple[str, ...]]]:
        shape = cls()
        shape.feed(page)
        shape.close()
        return shape.found


@attacked
def test_a_page_has_no_other_elements(text: str) -> None:
    assert _Shape.of(rendered("html", text)) == _Shape.of(FORMATS["html"](plain()))


@attacked
def test_junit_has_no_other_elements(text: str) -> None:
    def tags(document: str) -> list[str]:
        return [element.tag for element in ElementTree.fromstring(document.encode()).iter()]

    assert tags(rendered("junit", text)) == tags(FORMATS["junit"](plain()))


@attacked
def test_a_markdown_table_keeps_its_columns(text: str) -> None:
    def columns(document: str) -> list[int]:
        return [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in document.splitlines()]

    assert columns(rendered("markdown", text)) == columns(FORMATS["markdown"](plain()))


@attacked
def test_nagios_has_one_bar_and_its_performance_data(text: str) -> None:
    shown = rendered("nagios", text)
    first = shown.splitlines()[0]
    assert shown.count("|") == first.count("|") == 1
    data = first.partition("|")[2]
    assert re.fullmatch(r"(?: (?:[a-z]+|'[^'=]+')=[^ ';=]+(?:;[0-9.:]*){1,4})+", data)


@attacked
def test_no_cell_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(rendered("csv", text))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == len(list(csv.reader(io.StringIO(FORMATS["csv"](plain())))))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell)]


@attacked
def test_prometheus_can_read_every_line(text: str) -> None:
    lines = rendered("prometheus", text).splitlines()
    assert not [line for line in lines if not line.startswith("# ") and not SAMPLE.fullmatch(line)]
    assert len(lines) == len(FORMATS["prometheus"](plain()).splitlines())
