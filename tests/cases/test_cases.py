"""Stored runs: what was seen must lead to the same verdict and findings, whatever the rules become."""

import lzma
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from readycheck.rejudge import rejudge
from readycheck.report import Report, load
from readycheck.verdict import POSITIVE, Judgement

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((HERE / "expected.toml").read_text(encoding="utf-8"))


@cache
def judged(name: str) -> Report:
    return rejudge(load(lzma.decompress((HERE / "reports" / f"{name}.json.xz").read_bytes()), name))


def test_every_stored_run_is_expected() -> None:
    assert {path.name.removesuffix(".json.xz") for path in (HERE / "reports").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_verdict(name: str) -> None:
    assert judged(name).verdict.value == EXPECTED[name]["verdict"]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_findings_are_these_and_no_others(name: str) -> None:
    found = {(f.cause, f.where.value) for f in judged(name).findings}
    assert found == {tuple(pair) for pair in EXPECTED[name]["findings"]}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_affected_requirements(name: str) -> None:
    affected = {requirement for f in judged(name).findings for requirement in f.affects}
    assert affected >= set(EXPECTED[name].get("affects", []))


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_passes_that_was_not_seen_to(name: str) -> None:
    for check in judged(name).checks:
        if check.status in POSITIVE:
            assert check.observations, check.id
    passed = [r for r in judged(name).requirements if r.status is Judgement.PASS]
    assert all(r.checks and r.strength for r in passed)
