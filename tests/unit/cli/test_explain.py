"""`explain` and `report-schema`."""

import json

import jsonschema
import pytest

from readycheck.__main__ import main
from readycheck.cli import explain
from readycheck.diagnose.causes import CAUSES


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_explained(cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", cause]) == 0
    told, complaint = capsys.readouterr()
    assert complaint == ""
    assert told.startswith(f"{cause}: ")
    for part in ("What it means", "What it rests on", "What to do", "Who owns it"):
        assert part in told


def test_an_explanation_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "screen", lambda: (60, False))
    assert main(["explain", "port-blocked"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_a_misspelt_cause_is_answered_with_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "udp-bloked"]) == 3
    told, complaint = capsys.readouterr()
    assert told == ""
    assert complaint.startswith("readycheck: cause 'udp-bloked' is not known (near: udp-blocked")


def test_the_schema_of_a_call_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report-schema", "--call"]) == 0
    assert {"run", "verdict", "calls"} <= set(json.loads(capsys.readouterr().out)["required"])


def test_the_schema_of_the_report_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report-schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"schema_version", "run", "verdict", "findings", "checks"} <= set(schema["required"])
