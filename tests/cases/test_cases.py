"""Stored runs: what was seen must lead to the same verdict and findings, whatever the rules become."""

import lzma
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readycheck.rejudge import rejudge
from readycheck.report import Report, load
from readycheck.verdict import POSITIVE, Judgement

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((HERE / "expected.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Case:
    report: Report
    expected: Mapping[str, Any]


@pytest.fixture(scope="module", params=EXPECTED)
def case(request: pytest.FixtureRequest) -> Case:
    """One at a time: reports are large."""
    name = request.param
    stored = lzma.decompress((HERE / "reports" / f"{name}.json.xz").read_bytes())
    return Case(rejudge(load(stored, name)), EXPECTED[name])


def test_every_stored_run_is_expected() -> None:
    assert {path.name.removesuffix(".json.xz") for path in (HERE / "reports").iterdir()} == set(EXPECTED)


def test_the_verdict(case: Case) -> None:
    assert case.report.verdict.value == case.expected["verdict"]


def test_the_findings_are_these_and_no_others(case: Case) -> None:
    found = {(f.cause, f.where.value) for f in case.report.findings}
    assert found == {tuple(pair) for pair in case.expected["findings"]}


def test_each_finding_says_what_to_do(case: Case) -> None:
    assert all(f.summary.endswith(".") and f.remedy.endswith(".") for f in case.report.findings)


def test_the_affected_requirements(case: Case) -> None:
    affected = {requirement for f in case.report.findings for requirement in f.affects}
    assert affected >= set(case.expected.get("affects", []))


def test_nothing_passes_that_was_not_seen_to(case: Case) -> None:
    for check in case.report.checks:
        if check.status in POSITIVE:
            assert check.observations, check.id
    passed = [r for r in case.report.requirements if r.status is Judgement.PASS]
    assert all(r.checks and r.strength for r in passed)
