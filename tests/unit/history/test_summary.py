"""What stays of a run."""

from statistics import median

from readycheck.history.summary import epoch_ms, summarize
from tests.unit.history.runs import case, small


def test_notes_are_no_causes() -> None:
    report = case("pmtu-blackhole")
    found = summarize(report)
    named = [each.cause for each in report.findings if each.severity.value != "note"]
    assert named
    assert found.failed == tuple(r.id for r in report.requirements if r.status.value == "fail")
    assert list(found.causes) == list(dict.fromkeys(named))


def test_numbers_are_medians_of_a_requirements_checks() -> None:
    report = case("sni-required")
    values = [
        float(check.metrics["rtt_ms"] or 0)
        for check in report.checks
        if check.requirement == "app-configuration-names" and check.metrics.get("rtt_ms") is not None
    ]
    assert len(values) > 2
    found = summarize(report).numbers
    assert found["app-configuration-names.rtt_ms"] == round(median(values), 4)
    assert not [name for name in found if name.endswith((".sent", ".answered"))]


def test_an_ungraded_run_has_no_score() -> None:
    found = summarize(case("all-dropped"))
    assert found.score is None
    assert "score" not in found.numbers


def test_the_site_is_the_reports_unless_another_is_given() -> None:
    assert summarize(small(1, site="office")).site == "office"
    assert summarize(small(1, site=None)).site == ""
    assert summarize(small(1, site="office"), "twin").site == "twin"


def test_times() -> None:
    assert epoch_ms("1970-01-01T00:00:01.500Z") == 1500
