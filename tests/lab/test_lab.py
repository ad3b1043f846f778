"""The unmodified agent, in a network of real servers, tells all-open from each fault."""

import json
import os
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from .judging import STATUS, judged, told
from .scenario import Scenario, scenarios
from .stage import Play, ProgramMissing, Stage

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

CHOSEN = [scenario for scenario in scenarios() if scenario.ci]


@pytest.fixture(scope="module")
def schema() -> Any:
    command = [sys.executable, "-m", "readycheck", "report-schema"]
    environment = {**os.environ, "READYCHECK_LOOPBACK_ONLY": "1"}
    return json.loads(subprocess.run(command, capture_output=True, env=environment, check=True).stdout)


@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, stage: Stage, schema: Any) -> None:
    try:
        done = stage.play(Play.of(scenario))
    except ProgramMissing as missing:
        pytest.skip(f"lab: {missing} (as root, `make test` installs them)")
    run, report = done.run, done.run.report
    assert report is not None, f"status {run.status}, no report: {run.stderr}{run.stdout[:500]}"
    jsonschema.Draft202012Validator(schema).validate(report)
    assert report["run"]["state"] in ("complete", "deadline"), run.stderr
    assert run.status == STATUS[report["verdict"]]
    assert "raw_sockets" not in report["environment"]["capabilities"]
    assert judged(done.scenario, scenario.profile, False, run).wrong == [], told(scenario, run)
