"""The catalogue of causes: complete, usable in a terminal, and the same as its page."""

import re
from pathlib import Path

import pytest

from readycheck.diagnose import certificates, clock, inspection, names, offline, reach
from readycheck.diagnose.causes import CAUSES, Cause, document, explain
from readycheck.errors import UsageError

ROOT = Path(__file__).parents[3]

CODES = """
    udp-blocked port-blocked port-rejected subnet-blocked address-blocked rtp-range-partial
    udp-return-blocked rate-limited service-down intermittent no-network site-offline host-firewall
    ipv6-broken ipv6-only vpn-in-path wifi-weak egress-unstable nat-symmetric nat-double
    nat-binding-short idle-timeout-short sip-alg tls-inspection certificate-expired
    certificate-name-mismatch certificate-untrusted certificate-chain-incomplete tls-version tls-cipher
    sni-filter sni-required quic-blocked proxy-required proxy-auth-required proxy-auth-failed
    proxy-auth-unsupported proxy-denies proxy-unreachable proxy-breaks-websocket proxy-transparent
    pac-error captive-portal dns-unreachable dns-filter dns-hijack dns-tcp-blocked dns-slow ntp-blocked
    clock-skew pmtu-blackhole loss burst-loss jitter delay reordering duplication dscp-changed
    bandwidth-insufficient bufferbloat slow-connect
"""
NOTES = """
    vpn-in-path wifi-weak egress-unstable nat-symmetric nat-double quic-blocked proxy-transparent
    dns-tcp-blocked
"""


def test_every_cause_of_the_public_interface_is_there() -> None:
    assert set(CODES.split()) <= set(CAUSES)


def test_the_causes_that_are_mostly_notes() -> None:
    assert {code for code, cause in CAUSES.items() if cause.note_only} == set(NOTES.split())


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES.keys())
def test_an_entry_says_what_a_reader_needs(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cause.code)
    assert len(cause.title.split()) <= 8
    assert not cause.title.endswith(".")
    for text in (cause.meaning, cause.evidence, cause.remedy):
        assert text == " ".join(text.split())
        assert text.endswith(".")
        assert len(text.split()) >= 8
    assert 1 <= len(re.findall(r"\.(?= [A-Z]|$)", cause.meaning)) <= 3
    assert all(source and not source.endswith(".") for source in cause.see)


def test_causes_that_an_entry_mentions_exist() -> None:
    for cause in CAUSES.values():
        said = f"{cause.meaning} {cause.evidence} {cause.remedy}"
        mentioned = re.findall(r"(?:\(| is )([a-z]+(?:-[a-z]+)+)(?=[);,.:]| when| where)", said)
        unknown = set(mentioned) - set(CAUSES) - {"address-dependent"}
        assert not unknown, (cause.code, unknown)
        assert cause.code not in mentioned


def test_every_cause_that_a_rule_names_is_explained() -> None:
    modules = (certificates, clock, inspection, names, offline, reach)
    text = "".join(Path(str(m.__file__)).read_text("utf-8") for m in modules)
    named = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', text))
    assert named & set(CAUSES) == named
    assert {"udp-blocked", "tls-inspection", "clock-skew", "site-offline"} <= named


def test_an_explanation_is_plain_text_for_a_terminal() -> None:
    text = explain("nat-symmetric")
    cause = CAUSES["nat-symmetric"]
    assert text.startswith(f"nat-symmetric: {cause.title}\n")
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) <= 88
    flat = " ".join(text.split()).replace("- ", "-")
    for part in (cause.meaning, cause.evidence, cause.remedy, *cause.see):
        assert part.replace("- ", "-") in flat
    assert "network; a note, unless a requirement of the profile is affected" in flat
    assert not re.search(r"[`*#]{2}|\x1b", text)


@pytest.mark.parametrize("code", CAUSES)
def test_all_of_them_can_be_explained(code: str) -> None:
    assert explain(code).startswith(f"{code}: ")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("udp-block", "cause 'udp-block' is not known (near: udp-blocked"),
        ("NTP-Blocked", "cause 'NTP-Blocked' is not known (near: ntp-blocked"),
        ("zzzzzz", "cause 'zzzzzz' is not known"),
        ("", "cause '' is not known"),
    ],
)
def test_an_unknown_cause_is_refused_with_its_neighbours(asked: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        explain(asked)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "causes.md").read_text("utf-8") == document(), (
        "run `python -m readycheck.diagnose.causes > docs/causes.md`"
    )


def test_the_page_marks_notes_and_links_every_section() -> None:
    page = document()
    assert "| [`nat-double`](#nat-double)° |" in page
    for code in CAUSES:
        assert f"(#{code})" in page
        assert f"\n## {code}\n" in page
