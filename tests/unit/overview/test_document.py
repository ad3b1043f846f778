"""The page of a profile: nothing is missing from it, nothing in it is markup by accident, and it is up to date."""

import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from readycheck.catalog import BUILT_IN, places, read_at
from readycheck.overview.document import render
from readycheck.profile import Profile
from tests.unit.builders import SOURCE, make_profile, requirement

PAGES = Path(__file__).parents[3] / "docs" / "profiles"
BUILT_INS = {place.name: place for place in places() if place.source == BUILT_IN}


@cache
def built_in(name: str) -> Profile:
    return read_at(BUILT_INS[name])


def leaves(value: Any, key: str = "") -> Iterator[str]:
    """Every text of a profile, keys of its own included."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name not in ("hash", "low", "high"):
                yield from leaves(below, name)
                if key in ("documents", "networks", "names", "placeholders", "params", "limits"):
                    yield name
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    elif isinstance(value, str) and value not in ("", "none"):  # of a direction or a transport: there is none
        yield value


def plain(text: str) -> str:
    """As a reader sees it, whatever was escaped for the page, without regard to case and spaces."""
    shown = html.unescape(re.sub(r"\\([\\`*_\[\]#|~<>&@$:/.)=+-])", r"\1", text.replace("<br>", " ")))
    return " ".join(shown.split()).lower()


def ranges(profile: Profile) -> Iterator[str]:
    for row in (
        *profile.requirements,
        *profile.qos,
        *profile.cryptography,
        *profile.reserved,
        *profile.withdrawn,
    ):
        yield from map(str, (*row.ports, *getattr(row, "source_ports", ())))


@pytest.mark.parametrize("name", BUILT_INS)
def test_everything_that_is_in_the_profile_is_on_its_page(name: str) -> None:
    profile = built_in(name)
    page = plain(render(profile))
    missing = {text for text in leaves(profile.model_dump(mode="json")) if plain(text) not in page}
    assert not missing
    assert not [ports for ports in ranges(profile) if ports not in page]


@pytest.mark.parametrize("name", BUILT_INS)
def test_the_page_is_up_to_date(name: str) -> None:
    page = PAGES / f"{name}.md"
    assert page.is_file() and page.read_text("utf-8") == render(built_in(name)), (
        f"run `make docs`, or `readycheck profile show {name} --format markdown > docs/profiles/{name}.md`"
    )


def test_there_is_no_page_of_a_profile_that_is_gone() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(BUILT_INS)


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_link_of_the_page_leads_somewhere(name: str) -> None:
    page = render(built_in(name))
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    anchors |= set(re.findall(r'<a id="([^"]*)">', page))
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_row_has_as_many_cells_as_its_table(name: str) -> None:
    width = 0
    for line in render(built_in(name)).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        width = width or cells
        assert cells == width, line


# --- text that would be markup ------------------------------------------------------------------------

HOSTILE = "a|b <script>x</script> [l](https://evil.example) ![i](x) `c` ```\n# h\n| - | $ @user **b** <br> &lt; \u202e"


def hostile() -> Profile:
    """A profile whose every free text would be markup."""
    source = {"document": HOSTILE, "section": HOSTILE, "revision": HOSTILE}
    group = {"title": HOSTILE, "networks": ["192.0.2.0/24"], "source": source}
    names = {
        "title": HOSTILE,
        "domains": [{"pattern": "a.example.com", "purpose": HOSTILE}],
        "source": source,
    }
    row = requirement(
        "r",
        title=HOSTILE,
        origin=HOSTILE,
        condition=HOSTILE,
        note=HOSTILE,
        source=source,
        params={HOSTILE: HOSTILE},
        limits={HOSTILE: {"warn": 1, "source": HOSTILE}},
        targets={
            "networks": [HOSTILE],
            "names": [HOSTILE],
            "hosts": ["{" + HOSTILE + "}"],
            "description": HOSTILE,
        },
    )
    statement = {"says": HOSTILE, "source": source}
    return make_profile(
        row,
        title=HOSTILE,
        summary=HOSTILE,
        revision=HOSTILE,
        documents={
            HOSTILE: {"title": HOSTILE, "publisher": HOSTILE, "revision": "1", "url": f"https://x {HOSTILE}"}
        },
        networks={HOSTILE: group},
        names={HOSTILE: names},
        placeholders={HOSTILE: {"title": HOSTILE, "example": HOSTILE, "choices": [HOSTILE]}},
        proxies=[
            {"product": HOSTILE, "configuration": [HOSTILE], "authentication": ["basic"], "source": source}
        ],
        inspection=[{"product": HOSTILE, "support": "supported", "note": HOSTILE, "source": source}],
        exemptions=[{"names": ["a.example.com"], "reason": HOSTILE, "source": source}],
        network_access=[{"product": HOSTILE, "methods": [HOSTILE], "source": source}],
        cryptography=[{"purpose": HOSTILE, "versions": [HOSTILE], "suites": [HOSTILE], "source": source}],
        reserved=[{"transport": "udp", "ports": ["1"], "reason": HOSTILE, "source": source}],
        qos=[{"source_role": "app", "traffic": HOSTILE, "dscp": [46], "printed": HOSTILE, "source": source}],
        normalisations=[{"printed": HOSTILE, "used": HOSTILE, "reason": HOSTILE, "source": source}],
        contradictions=[
            {"about": HOSTILE, "statements": [statement] * 2, "used": HOSTILE, "reason": HOSTILE}
        ],
        withdrawn=[{"what": HOSTILE, "when": HOSTILE, "source": source}],
        pins=[{"name": HOSTILE, "spki_sha256": "A" * 43 + "=", "source": HOSTILE}],
        controls=[{"host": "c.example.org", "port": 443, "purpose": HOSTILE}],
    )


def test_no_text_becomes_markup() -> None:
    page = render(hostile())
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    inline = [child for token in tokens for child in token.children or ()]
    raw = {
        token.content.strip() for token in (*tokens, *inline) if token.type in ("html_block", "html_inline")
    }
    assert all(re.fullmatch(r'<br>|<a id="[a-z0-9-]*">|</a>|<a id="[a-z0-9-]*"></a>', tag) for tag in raw), (
        raw
    )
    links = {str(token.attrs["href"]) for token in inline if token.type == "link_open"}
    assert all(link.startswith("#") for link in links), links
    assert not [token for token in inline if token.type == "image"]
    assert "\u202e" not in page
    titles = [token for token in tokens if token.type == "heading_open" and token.tag == "h1"]
    assert len(titles) == 1


def test_only_an_address_becomes_a_link() -> None:
    def page(url: str) -> str:
        document = {"title": "T", "publisher": "P", "revision": "1", "url": url}
        return render(make_profile(documents={"doc": document}))

    assert "[T](https://a.example/b?c=d#e)" in page("https://a.example/b?c=d#e")
    for odd in ("javascript:alert(1)", "https://a.example/) x", "https://a.example/<b>"):
        assert "](java" not in page(odd) and "[T](" not in page(odd)


# --- what is not there --------------------------------------------------------------------------------


def test_sections_and_columns_without_content_are_left_out() -> None:
    page = render(make_profile(requirement("r"), controls=[], pins=[]))
    assert "## Withdrawn" not in page and "(#withdrawn)" not in page
    assert "| what | to | ports |" not in page
    assert "when" not in page
    assert "## Networks" in page


def test_a_profile_that_extends_another_says_so() -> None:
    assert "which extends `webex`" in render(make_profile(extends="webex"))


def test_what_is_said_of_a_requirement_stands_in_its_row() -> None:
    row = requirement(
        "r",
        origin="app",
        source_ports=["1024-65535"],
        limits={"rtt_ms": {"warn": 200, "fail": 400.5, "source": SOURCE["section"]}},
        pinned=True,
        proxied=True,
        weight=2.0,
    )
    [line] = [
        line for line in render(make_profile(row)).splitlines() if "`r`" in line and line.startswith("| **")
    ]
    assert "| app, from TCP 1024-65535<br>outbound |" in line
    assert "[Service](#networks-service) | TCP 8934 | required<br>weight 2 |" in line
    assert (
        "`sip`; rtt\\_ms warns from 200, fails from 400.5 (1); by a pinned authority; through the proxy"
        in line
    )
