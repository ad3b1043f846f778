"""The order in which findings are read."""

import itertools

from readycheck.diagnose.finding import (
    ORDER,
    SURENESS,
    Confidence,
    Finding,
    Owner,
    Severity,
    Where,
    shown,
    sort_key,
)


def finding(severity: Severity, confidence: Confidence, cause: str) -> Finding:
    return Finding(
        cause=cause,
        where=Where.SITE,
        confidence=confidence,
        severity=severity,
        owner=Owner.NETWORK,
        summary="",
        affects=(),
        evidence=(),
    )


def test_the_gravest_and_surest_come_first() -> None:
    everything = [finding(*row) for row in itertools.product(Severity, Confidence, ("b", "a"))]
    ordered = [(f.severity, f.confidence, f.cause) for f in sorted(everything, key=sort_key)]
    assert ordered[0] == (Severity.BLOCKING, Confidence.CERTAIN, "a")
    assert ordered[1] == (Severity.BLOCKING, Confidence.CERTAIN, "b")
    assert ordered[5] == (Severity.BLOCKING, Confidence.POSSIBLE, "b")
    assert ordered[-1] == (Severity.NOTE, Confidence.POSSIBLE, "b")


def test_every_word_has_a_rank() -> None:
    assert set(ORDER) == set(Severity)
    assert set(SURENESS) == set(Confidence)


def test_the_words_of_the_report() -> None:
    assert [w.value for w in Where] == ["host", "site", "isp", "vendor", "unknown"]
    assert [c.value for c in Confidence] == ["certain", "likely", "possible"]
    assert [s.value for s in Severity] == ["blocking", "degrading", "note"]
    owners = ["host-admin", "network", "proxy", "dns", "isp", "vendor", "unknown"]
    assert [o.value for o in Owner] == owners


def test_of_many_names_a_few_are_shown_once_each() -> None:
    assert shown(["a", "b", "a", "c"]) == "a, b, c"
    assert shown(iter("abcde")) == "a, b, c and 2 more"
    assert shown("abcde", 4) == "a, b, c, d and 1 more"
