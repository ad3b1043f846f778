"""What comments say, and that nothing gets out of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.firewall import remarks
from readycheck.firewall.sheet import Wish, draw_up
from tests.unit.builders import SOURCE, requirement

from .sample import DNS, FORWARDED, MEDIA, OPTIONAL, SIGNALLING, TIME, WEB, WORDS, product, sheet

HARMFUL = set('"\\$`{}?!%|^\n\r\t\x1b')


@given(st.text())
def test_plain_words_have_nothing_that_a_format_reads_as_its_own(text: str) -> None:
    found = remarks.plain(text)
    assert found.isascii() and not set(found) & HARMFUL
    assert remarks.plain(found) == found


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Aperçu général", "Apercu general"),
        ("a\nno shutdown", "a no shutdown"),
        ("${file('/etc/passwd')}", "..file('/etc/passwd')."),
        ('" ; drop', ". ; drop"),
    ],
)
def test_words_stay_readable(text: str, plain: str) -> None:
    assert remarks.plain(text) == plain


@given(st.text(), st.integers(12, 60))
def test_identifiers(text: str, limit: int) -> None:
    found = remarks.identifier(text, limit)
    assert len(found) <= limit
    assert all(c.isascii() and (c.isalnum() or c in "_.-") for c in found)


def test_long_identifiers_stay_apart() -> None:
    one, other = (remarks.identifier("a" * 70 + end, 63) for end in ("x", "y"))
    assert one != other and len(one) == len(other) == 63


def test_variables() -> None:
    assert remarks.variable("{sip.{customer}-1}") == "sip__customer__1".replace("__c", "._c").replace(
        ".", "_"
    )


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=5))
def test_each_line_stands_behind_its_mark(lines: list[str]) -> None:
    assert all(line == "!" or line.startswith("! ") for line in remarks.commented("!", lines))


def test_long_lines_are_broken_and_indented() -> None:
    first, *others = remarks.commented("#", ["    " + "word " * 40])
    assert first.startswith("#     word") and all(line.startswith("#         word") for line in others)


def test_a_rule_is_told_with_its_requirements() -> None:
    row = requirement("late", importance="recommended", ports=["80"], condition="on Mondays")
    (rule,) = sheet(SIGNALLING, row).rules
    assert list(remarks.about(rule)) == [
        "required: sip [sip]",
        "    ports 5061",
        "    source: doc, 1, revision 1",
        "recommended: late [late]",
        "    only if: on Mondays",
        "    ports 80",
        "    source: doc, 1, revision 1",
    ]


def test_source_ports_and_words_are_told() -> None:
    (rule,) = sheet(MEDIA).rules
    assert "    from source ports 8000-8099" in remarks.about(rule)
    (rule,) = sheet(WORDS).rules
    assert "    to: your provider" in remarks.about(rule)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SIGNALLING, ""),
        (DNS, "not in force: give name-servers"),
        (TIME, "not in force: give ntp-server"),
        (WORDS, "not in force: the destination is told in words only"),
        (OPTIONAL, "not in force: optional"),
        ({**TIME, "importance": "optional"}, "not in force: optional; give ntp-server"),
        (FORWARDED, "not in force: give gateway"),
    ],
)
def test_why_a_rule_is_not_in_force(row: object, reason: str) -> None:
    found = sheet(row)  # type: ignore[arg-type]
    (rule,) = (*found.rules, *found.spare)
    assert remarks.why_not(found, rule) == reason


def test_a_device_is_told_slugs_only() -> None:
    found = sheet(SIGNALLING)
    (rule,) = found.rules
    assert remarks.served(found, rule, 100) == "example 1: sip (required)"
    odd = replace(found, revision='2"\n3')
    assert remarks.served(odd, rule, 100) == "example 2__3: sip (required)"
    assert remarks.served(found, rule, 15) == "example 1: s..."


def test_what_a_format_cannot_express() -> None:
    told = list(remarks.unsaid(sheet(WEB), lambda _, name: "*" not in name))
    assert told[1:] == [
        "    *.example.net  outbound tcp 443, for web (required)",
        "    *-cdn.example.org  outbound tcp 443, for web (required)",
    ]
    assert list(remarks.unsaid(sheet(WEB), lambda *_: True)) == []


def test_names_without_name_servers() -> None:
    words = "None of this lets DNS through"
    assert any(line.startswith(words) for line in remarks.scope(sheet(WEB)))
    assert not any(line.startswith(words) for line in remarks.scope(sheet(WEB, DNS)))
    assert not any(line.startswith(words) for line in remarks.scope(sheet(SIGNALLING)))


def test_withdrawn_rows() -> None:
    rows = [
        {"what": "old net", "when": "2020", "source": SOURCE, "networks": ["192.0.2.0/24"]},
        {"what": "old port", "when": "2021", "source": SOURCE, "transport": "udp", "ports": ["9000-9011"]},
        {"what": "moved", "when": "2022", "source": SOURCE, "networks": ["198.51.100.1/32"]},
        {"what": "a feature", "when": "2023", "source": SOURCE},
    ]
    found = draw_up(product(MEDIA, withdrawn=rows), Wish(withdrawn=True))
    assert list(remarks.withdrawn(found))[1:] == [
        "    2020: old net [doc, 1]",
        "        close: 192.0.2.0/24",
        "    2021: old port [doc, 1]",
        "        close: udp 9011",
        "        but keep: udp 9000-9010, which is needed by media",
        "    2022: moved [doc, 1]",
        "        still covered: 198.51.100.1/32 lies within 198.51.100.0/24, which is needed by media",
        "    2023: a feature [doc, 1]",
        "        no rule can be derived from what the document says",
    ]
    assert list(remarks.withdrawn(draw_up(product(MEDIA), Wish(withdrawn=True))))[1:] == [
        "    nothing is recorded in this profile"
    ]


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("*.example.com", "example.com"),
        ("a.example.com", ""),
        ("*-a.example.com", ""),
        ("*.*.example.com", ""),
    ],
)
def test_leading_wildcards(name: str, domain: str) -> None:
    assert remarks.starred(name) == domain
