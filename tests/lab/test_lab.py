"""The unmodified agent, in a network of real servers, tells all-open from each fault."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import pytest

from .agent import Run
from .conftest import Stage
from .table import SCENARIOS, Scenario

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

STATUS = {"ready": 0, "warnings": 1, "not-ready": 2, "unknown": 3}


@pytest.fixture(scope="module")
def schema() -> Any:
    command = [sys.executable, "-m", "readycheck", "report-schema"]
    environment = {**os.environ, "READYCHECK_LOOPBACK_ONLY": "1"}
    return json.loads(subprocess.run(command, capture_output=True, env=environment, check=True).stdout)


def _parameter(scenario: Scenario) -> Any:
    """A known limit is run and reported, and does not fail the suite; whether it holds depends on the sample."""
    marks = [pytest.mark.xfail(reason=scenario.beyond, strict=False)] if scenario.beyond else []
    return pytest.param(scenario, id=scenario.name, marks=marks)


@pytest.mark.parametrize("scenario", [_parameter(scenario) for scenario in SCENARIOS])
def test_scenario(scenario: Scenario, stage: Stage, schema: Any) -> None:
    run = stage.play(scenario)
    report = run.report
    assert report is not None, f"status {run.status}, no report: {run.stderr}{run.stdout[:500]}"
    jsonschema.Draft202012Validator(schema).validate(report)
    assert report["run"]["state"] in ("complete", "deadline"), run.stderr
    assert run.status == STATUS[report["verdict"]]
    assert _unprivileged(report)
    assert list(_passed_unmeasured(report)) == []
    said = _said(scenario, run)
    assert [*_wrong_status(scenario, run), *_wrong_findings(scenario, report["findings"])] == [], said


def _unprivileged(report: Mapping[str, Any]) -> bool:
    return "raw_sockets" not in report["environment"]["capabilities"]


def _wrong_status(scenario: Scenario, run: Run) -> list[str]:
    return [] if run.status in scenario.exits else [f"exit {run.status}, not {scenario.exits}"]


def _wrong_findings(scenario: Scenario, findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is missing, misplaced, forbidden, or more than the one surplus guess beside each named cause."""
    wrong = []
    named: set[str] = set()
    for expected in scenario.expected:
        found = [f for f in findings if f["cause"] in expected.causes]
        named |= {f["cause"] for f in found}
        if not found:
            wrong.append(f"{' or '.join(expected.causes)} was not found")
        elif not any(f["where"] in expected.where for f in found):
            wrong.append(f"{found[0]['cause']} is at {found[0]['where']}, not {expected.where}")
        elif not any(expected.words in f["summary"] for f in found):
            wrong.append(f"{expected.words!r} is not in {found[0]['summary']!r}")
    wrong += [f"{f['cause']} must not be found" for f in findings if f["cause"] in scenario.forbidden]
    others = [f for f in findings if f["cause"] not in named and f["severity"] != "note"]
    guesses = [f for f in others if f["confidence"] == "possible"]
    wrong += [f"{f['cause']} is a surplus finding" for f in others if f["confidence"] != "possible"]
    if len(guesses) > len(scenario.expected):
        wrong.append(f"a list of guesses: {', '.join(f['cause'] for f in guesses)}")
    return wrong


def _passed_unmeasured(report: Mapping[str, Any]) -> Sequence[str]:
    """Whatever passed must have a successful observation, or hop-limited packets that left the site."""
    checks = {check["id"]: check for check in report["checks"]}
    egress = any(c["probe"] == "path" and c["metrics"].get("egress_proven") for c in checks.values())
    wrong = [
        check["id"]
        for check in checks.values()
        if check["status"] in ("pass", "warn")
        and not _succeeded(check)
        and not (check["strength"] == "egress" and egress)
    ]
    for requirement in report["requirements"]:
        if requirement["status"] in ("pass", "warn"):
            mine = [checks[i] for i in requirement["checks"] if i in checks]
            if not any(check["status"] in ("pass", "warn") for check in mine):
                wrong.append(requirement["id"])
    return wrong


def _succeeded(check: Mapping[str, Any]) -> bool:
    return any(
        observation["failure"] is None or observation["facts"].get("answered_by_server")
        for observation in check["observations"]
    )


def _said(scenario: Scenario, run: Run) -> str:
    """What one reads first when a scenario fails."""
    report = run.report or {}
    findings = [
        f"  {f['cause']} at {f['where']}, {f['confidence']}, {f['severity']}: {f['summary']}"
        for f in report["findings"]
    ]
    unmet = [
        f"  {r['id']} ({r['importance']}): {r['status']}, {r['because']}"
        for r in report["requirements"]
        if r["status"] not in ("pass", "skipped") and r["importance"] in ("required", "recommended")
    ]
    head = f"{scenario.name} {scenario.why}: exit {run.status} after {run.seconds:.1f} s, {report['run']['state']}"
    return "\n".join([head, *findings, *unmet])
