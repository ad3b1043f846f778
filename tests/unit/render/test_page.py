"""The HTML page: self-contained, bounded, and closed to what servers say."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from readycheck.render.page import render

from . import factory

VOID = {"meta", "br"}
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "style"}


class Page(HTMLParser):
    """Tags, attributes and text; complains of tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("state", list(factory.STATES))
def test_it_is_whole_and_asks_nobody(state: str) -> None:
    text = render(factory.STATES[state]())
    page = Page(text)
    assert not page.open
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"} & set(page.tags)
    assert not FETCHING & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_its_own_style_alone() -> None:
    text = render(factory.ready())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    style = text[text.index("<style>") + 7 : text.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy
    assert (
        policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_what_servers_say_is_text() -> None:
    text = render(factory.hostile())
    assert "<script" not in text
    assert "alert('x')" not in text.replace("&#39;", "'").replace("&lt;script&gt;alert('x')", "")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_it_has_verdict_score_findings_citation_evidence_and_timings() -> None:
    page = Page(render(factory.not_ready()))
    words = " ".join(" ".join(page.words).split())
    for expected in (
        "NOT READY",
        "49 of 100, poor",
        "port-blocked",
        "Allow UDP to port 5004",
        "Port reference, Port table: media, revision 2026",
        "timed out at echo",
        "sip.example.com (192.0.2.7) tcp/8934",
        "tls.version TLSv1.3",
        "inbound: needs a far end outside the site",
    ):
        assert expected in words
    assert page.tags.count("svg") == 1
    assert page.tags.count("rect") == 4


def test_lists_can_be_read_and_break_between_their_parts() -> None:
    text = render(factory.not_ready(findings=(factory.finding(affects=("sip", "media")),)))
    assert "</code>, <code>" in text and "</code>,<code>" not in text


@pytest.mark.parametrize("text", ["<&\"'>" * 60, "plain words " * 40, "\x1b" * 400])
def test_a_large_report_stays_small(text: str) -> None:
    page = render(factory.large(checks=400, observations=2000, text=text))
    assert len(page.encode()) < 2_000_000


def test_what_is_left_out_is_counted() -> None:
    page = render(factory.large(checks=4000, observations=400_000, text="x"))
    assert len(page.encode()) < 4_000_000
    assert "more observations are in the JSON report" in page
    assert "more checks are in the JSON report" in page
