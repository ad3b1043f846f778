"""`watch` as it is called; its loop, slots and processes have tests of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.schedule.child import Runs
from readycheck.schedule.health import Health, write

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("--every 7x: not an interval of 1m to 1d", ["webex", "--every", "7x"]),
        ("--site ?: not up to 200 printable", ["webex", "--site", "\x07"]),
        ("--health nosuch/x: No such file", ["webex", "--health", "nosuch/x"]),
        ("--check-health nosuch: No such file", ["--check-health", "nosuch"]),
        ("Missing argument 'PROFILE'", []),
        ("Invalid value for '--deadline'", ["webex", "--deadline", "x"]),
    ],
)
def test_a_refusal(
    told: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["watch", *arguments]) == 3
    out, complaint = capsys.readouterr()
    assert (out, complaint.count("\n")) == ("", 1)
    assert complaint.startswith(f"readycheck: {told}")
    assert not list(tmp_path.iterdir())


def test_what_a_run_would_refuse_is_refused_before_the_first_slot(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "webex", "--proxy=none", "--role=nosuch"]) == 3
    complaint = capfd.readouterr().err
    assert complaint.count("\n") == 1 and "nosuch" in complaint


def test_a_health_check(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "health"
    write(
        file, Health(profile="webex", site=None, every_s=60, state="waiting", next_due=1.0, alive_until=32e9)
    )
    assert main(["watch", "--check-health", str(file)]) == 0
    assert capsys.readouterr().out.startswith("webex: waiting, no run yet, next due at ")
    write(file, Health(profile="webex", site=None, every_s=60, state="stopped"))
    assert main(["watch", "--check-health", str(file)]) == 3


def test_a_run_is_given_the_time_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    longest: list[float] = []

    def run(self: Runs) -> int:
        longest.append(self._longest_s)
        return 0

    monkeypatch.setattr("readycheck.cli.watch.usable", lambda arguments: True)
    monkeypatch.setattr(Runs, "run", run)
    arguments = ["--responder=r.example", "--idle=120", "--deadline=30"]
    assert main(["watch", "webex", "--once", *arguments]) == 0
    assert longest == [30 + 900 + 7200]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_sigterm_while_it_waits_is_a_good_end_and_it_was_small_till_then(tmp_path: Path) -> None:
    file = tmp_path / "health"
    command = [sys.executable, "-m", "readycheck", "watch", "webex", "--proxy=none", "--every=1d"]
    with subprocess.Popen([*command, f"--health={file}"], stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("readycheck: next run at ")
        resident_kb = _resident_kb(watching.pid)
        watching.send_signal(signal.SIGTERM)
        assert (watching.wait(20), watching.stderr.read()) == (0, "")
    assert json.loads(file.read_text())["state"] == "stopped"
    assert resident_kb < 80_000


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)
