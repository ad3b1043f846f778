"""What holds for every format: the same input gives the same text, and a profile's words stay within comments."""

import csv
import json
from io import StringIO
from typing import Any

import pytest

from readycheck.cli.firewall import Format
from readycheck.firewall import FORMATS, render
from readycheck.firewall.rules import Known
from readycheck.firewall.sheet import Wish, draw_up
from tests.unit.builders import SOURCE

from .sample import CALLED, EVERY_KIND, PLACEHOLDERS, product

WISHES = {
    "default": Wish(withdrawn=True),
    "all": Wish(everything=True, internal=True, source_ports=True, withdrawn=True),
    "any": Wish(any_name=True, known=Known(resolvers=("192.0.2.53", "2001:db8::53"))),
    "given": Wish(known=Known(values={"ntp-server": "192.0.2.1", "gateway": "192.0.2.2"})),
}
MARKS = {"nftables": "#", "cisco-asa": "!", "cisco-ios": "!", "paloalto": "#", "fortinet": "#", "aws-sg": "#"}
EVIL = 'x\n"; */ \'; $(reboot) `reboot` ${file("x")} %{ if } \\ \u2028 \u202e \x1b[2J\r\n! ? |}\n# \u00e9\u4e2d =1+1'


def marked(text: str) -> Any:
    """A profile of every kind of row that says `text` wherever a profile may say what it likes."""
    source = {"document": "doc", "section": text, "revision": text}
    rows = [{**row, "title": text, "condition": text, "note": text, "source": source} for row in EVERY_KIND]
    for row in rows:
        targets = row["targets"]
        row["targets"] = {**targets, "description": text} if isinstance(targets, dict) else targets
    withdrawn = [
        {"what": text, "when": text, "source": {**SOURCE, "section": text}, "networks": ["192.0.2.0/24"]},
        {"what": text, "when": text, "source": SOURCE, "transport": "tcp", "ports": ["5061-5070"]},
    ]
    return product(
        *rows,
        title=text,
        documents={"doc": {"title": text, "publisher": text, "revision": text}},
        placeholders={"ntp-server": {**PLACEHOLDERS["ntp-server"], "title": text, "example": text}},
        roles=[{"name": "app", "title": text}, {"name": "gateway", "title": text}],
        withdrawn=withdrawn,
    )


def uncommented(text: str, mark: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith(mark)]


def test_the_command_knows_the_formats() -> None:
    assert [form.value for form in Format] == list(FORMATS)


@pytest.mark.parametrize("wish", WISHES.values(), ids=list(WISHES))
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_again(form: str, wish: Wish) -> None:
    assert render(draw_up(product(), wish), form) == render(draw_up(product(), wish), form)


@pytest.mark.parametrize("wish", WISHES.values(), ids=list(WISHES))
@pytest.mark.parametrize("form", FORMATS)
def test_every_requirement_is_named(form: str, wish: Wish) -> None:
    text = render(draw_up(product(), wish), form)
    assert [row["id"] for row in EVERY_KIND if row["id"] not in text] == ["statement"]


@pytest.mark.parametrize("wish", WISHES.values(), ids=list(WISHES))
@pytest.mark.parametrize("form", MARKS)
def test_words_stay_within_comments(form: str, wish: Wish) -> None:
    harmless, evil = (render(draw_up(marked(text), wish), form) for text in ("x", EVIL))
    assert uncommented(evil, MARKS[form]) == uncommented(harmless, MARKS[form])
    assert len(uncommented(evil, MARKS[form])) > 10
    assert evil.isascii() and not any(c in evil for c in "\r\x1b\t")


@pytest.mark.parametrize("form", ["cisco-asa", "cisco-ios"])
def test_no_question_mark_asks_a_router_for_help(form: str) -> None:
    assert "?" not in render(draw_up(marked(EVIL), WISHES["all"]), form)


def test_words_stay_within_comments_of_terraform() -> None:
    harmless, evil = (
        json.loads(render(draw_up(marked(text), WISHES["all"]), "terraform")) for text in ("x", EVIL)
    )
    for document in (harmless, evil):
        del document["//"]
        for variable in document["variable"].values():
            del variable["description"]
    assert evil == harmless


def test_words_stay_within_their_cells() -> None:
    found = list(csv.reader(StringIO(render(draw_up(marked(EVIL), WISHES["all"]), "csv"))))
    assert {len(row) for row in found} == {17}
    assert all(
        cell.isprintable() and not cell.startswith(("=", "+", "-", "@")) for row in found for cell in row
    )


def test_words_do_not_steer_a_terminal() -> None:
    text = render(draw_up(marked(EVIL), WISHES["all"]), "text")
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("form", MARKS)
def test_hosts_and_placeholders_are_words_too(form: str) -> None:
    name = 'a"; reboot\n'
    words = EVIL.replace("{", "(").replace("}", ")")
    hosts = [f"{{{name}}}", f"x.{{{name}}}.example.com", words]
    row = {**EVERY_KIND[0], "id": "odd", "targets": {"hosts": hosts}}
    text = render(draw_up(product(row, placeholders={name: {"title": "t"}}), Wish()), form)
    assert text.isascii() and "odd" in text
    assert not any("reboot" in line or "odd" in line for line in uncommented(text, MARKS[form]))


@pytest.mark.parametrize("form", MARKS)
def test_hosts_that_are_called_are_words_too(form: str) -> None:
    """The zone of an IPv6 address may be any text at all."""
    row = {**CALLED, "targets": {"hosts": ["fe80::1%eth0\nreboot"]}}
    text = render(draw_up(product(row), Wish()), form)
    assert text.isascii() and "trunk" in text
    assert not any("reboot" in line for line in uncommented(text, MARKS[form]))
