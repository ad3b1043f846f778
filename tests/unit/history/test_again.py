"""Stored runs judged again."""

import pytest

from readycheck.errors import UsageError
from readycheck.history.again import judge_again
from readycheck.profile import Profile
from readycheck.rejudge import rejudge
from readycheck.report import Report
from readycheck.verdict import Judgement, Readiness
from tests.unit.history.runs import case


def revised(report: Report, revision: str = "2027-01", **changes: object) -> Profile:
    data = report.profile.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Profile.model_validate({**data, "revision": revision, "hash": "f" * 64, **changes})


def test_the_same_rules_come_to_the_same_verdict_and_say_that_they_judged_again() -> None:
    report = rejudge(case("sni-required"))
    again = judge_again(report)
    assert (again.verdict, again.score, again.findings) == (report.verdict, report.score, report.findings)
    assert "judged again by readycheck" in again.run.notes[-1]
    assert report.run.started_at in again.run.notes[-1]


def test_a_newer_profile_judges_what_was_measured() -> None:
    report = case("sni-required")
    data = report.profile.model_dump(mode="json", by_alias=True, exclude_unset=True)
    failed = {r.id for r in report.requirements if r.status is Judgement.FAIL}
    assert failed
    milder = [
        {**one, "importance": "informational"} if one["id"] in failed else one for one in data["requirements"]
    ]
    again = judge_again(report, revised(report, requirements=milder))
    assert report.verdict is Readiness.NOT_READY
    assert again.verdict is not Readiness.NOT_READY
    assert again.run.profile_revision == "2027-01"
    assert again.run.profile_hash == "f" * 64


def test_a_new_requirement_is_not_measured_and_one_that_is_gone_is_gone() -> None:
    report = case("sni-required")
    data = report.profile.model_dump(mode="json", by_alias=True, exclude_unset=True)
    first, *others = data["requirements"]
    again = judge_again(report, revised(report, requirements=[*others, {**first, "id": "brand-new"}]))
    found = {r.id: r for r in again.requirements}
    assert first["id"] not in found
    assert found["brand-new"].status is Judgement.INCONCLUSIVE
    assert "did not ask for it" in found["brand-new"].because


def test_another_product_is_refused() -> None:
    report = case("sni-required")
    with pytest.raises(UsageError, match="the run is of profile 'webex-calling', and not of 'other'"):
        judge_again(report, revised(report, name="other"))
