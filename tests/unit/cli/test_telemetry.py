"""What `--otlp` and the variables of OpenTelemetry make of a run."""

import sys

import pytest

from readycheck.cli.telemetry import telemetry
from readycheck.errors import UsageError
from readycheck.net.guard import ONLY_NETNS
from tests.unit.telemetry.fake_collector import collecting
from tests.unit.test_report import report

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
Captured = pytest.CaptureFixture[str]


def test_nothing_is_imported_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "readycheck.telemetry.collector", None)
    telemetry(None)(report())


def test_a_run_is_sent(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    with collecting() as fake:
        telemetry(fake.url)(report())
        monkeypatch.setenv(ENDPOINT, f"{fake.url}/told")
        telemetry(None)(report())
    assert [path for path, _, _ in fake.requests] == [
        "/v1/traces",
        "/v1/metrics",
        "/told/v1/traces",
        "/told/v1/metrics",
    ]
    assert capsys.readouterr() == ("", "")


def test_what_does_not_arrive_is_told(capsys: Captured) -> None:
    with collecting() as fake:
        fake.status = 500
        telemetry(fake.url)(report())
    out, complaint = capsys.readouterr()
    assert (out, complaint.count("it answered with status 500\n")) == ("", 2)


def test_the_variables_do_not_mean_a_stand_in_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "nonsense")
    with pytest.raises(UsageError, match=f"{ENDPOINT}: not a URL"):
        telemetry(None)
    monkeypatch.setenv(ONLY_NETNS, "1")
    telemetry(None)(report())
