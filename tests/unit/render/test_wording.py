"""The words that all the human formats share."""

import pytest

from readycheck.observation import Target
from readycheck.plan import CheckTarget
from readycheck.profile import Source
from readycheck.render import wording
from readycheck.verdict import Judgement, Readiness

from . import factory


@pytest.mark.parametrize("verdict", Readiness)
def test_every_verdict_has_a_sentence(verdict: Readiness) -> None:
    word, sentence = wording.headline(factory.ready(verdict=verdict))
    assert word.isupper()
    assert "Example Calling" in sentence


def test_no_score_says_no_score() -> None:
    assert wording.score_line(factory.interrupted()).startswith("no score, coverage 91 %")


def test_an_unfinished_run_says_so() -> None:
    assert ("state", "interrupted: this is what was known when the run was ended, and no verdict") in [
        *wording.run_facts(factory.interrupted())
    ]
    assert "state" not in dict(wording.run_facts(factory.ready()))


def test_nothing_found_is_good_news_only_where_enough_was_measured() -> None:
    assert wording.no_findings(factory.ready()) != wording.no_findings(factory.nothing())


@pytest.mark.parametrize(
    ("milliseconds", "words"), [(0.4, "0 ms"), (83.4, "83 ms"), (6212, "6.2 s"), (75_000, "1 min 15 s")]
)
def test_duration(milliseconds: float, words: str) -> None:
    assert wording.duration(milliseconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (0.8, "80 % within its limit"),
        (-0.5, "50 % beyond its limit"),
        (5.4, "far within its limit"),
    ],
)
def test_margin(value: float | None, words: str) -> None:
    assert wording.margin(value) == words


def test_listed_counts_what_it_leaves_out() -> None:
    assert wording.listed("abc", 3) == "a, b, c"
    assert wording.listed("abcde", 3) == "a, b, c and 2 more"


def test_a_citation_has_document_section_and_revision() -> None:
    report = factory.ready()
    assert wording.citation(factory.SOURCE, report.profile) == (
        "Port reference, Port table: media, revision 2026"
    )
    unknown = Source(document="gone", section="", revision="3")
    assert wording.citation(unknown, report.profile) == "gone, revision 3"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (CheckTarget(host="a.example", ports="443", transport="tcp"), "a.example tcp 443"),
        (CheckTarget(network="192.0.2.0/24", ports="1-9", transport="udp"), "192.0.2.0/24 udp 1-9"),
        (CheckTarget(host="a.example", ports="443", via="proxy"), "a.example 443 through proxy"),
        (CheckTarget(), "everything"),
    ],
)
def test_subject(target: CheckTarget, words: str) -> None:
    assert wording.subject(factory.check(target=target)) == words


def test_whereto_gives_the_address_beside_the_name() -> None:
    assert wording.whereto(factory.observation()) == "sip.example.com (192.0.2.7) tcp/8934"
    assert wording.whereto(factory.observation(target=Target())) == "?"


def test_groups_are_worst_first_and_leave_out_the_untestable() -> None:
    found = {
        group.area.value: [r.id for r in group.requirements] for group in wording.groups(factory.not_ready())
    }
    assert found["signalling"] == ["firmware", "sip"]
    assert "inbound-calls" not in [name for names in found.values() for name in names]
    assert found["media quality"] == []


def test_the_untestable_are_told_by_their_reason() -> None:
    found = wording.untestable(factory.not_ready())
    assert [[r.id for r in some] for some in found.values()] == [["inbound-calls"]]


def test_counts_are_of_the_testable() -> None:
    counted = wording.counts(factory.not_ready())
    assert counted[Judgement.FAIL] == counted[Judgement.PASS] == 1
    assert counted[Judgement.SKIPPED] == 0


def test_numbers() -> None:
    assert [wording.number(v) for v in (None, 3, 40.125, 123456.7)] == ["-", "3", "40.12", "123457"]
    assert wording.metrics(factory.check()) == "sent 1, answered 1, rtt_ms 40.12"
