"""What `--alert` takes."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from readycheck.alert import desk
from readycheck.cli.alerting import alerting
from readycheck.errors import UsageError
from tests.unit.alert.test_desk import BLOCKED
from tests.unit.test_report import report


def test_nobody_is_told_where_nobody_asked() -> None:
    assert alerting([], None, None) is None


def test_a_bad_url_costs_no_run_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = alerting(["webhook+https://u:geheim@/x", "command:true"], None, tmp_path)
    assert found and len(found.channels) == 1
    found.begin("a" * 32, None)
    complaint = capsys.readouterr().err
    assert complaint == "readycheck: --alert webhook+https://...: no host in it; nobody is told by it\n"
    found.tell(report())
    assert capsys.readouterr().err == ""


def test_what_a_bad_url_could_not_tell_is_told_when_it_is_mended(tmp_path: Path) -> None:
    def tell(url: str, run: str) -> None:
        found = alerting([url], None, tmp_path)
        assert found
        found.tell(replace(BLOCKED, run=replace(BLOCKED.run, id=run)))

    for run in ("r1", "r2", "r3"):
        tell("webhook+https://", run)
    script = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"
    tell(f'command:{sys.executable} -c "{script}" {tmp_path / "got"}', "r4")
    told = json.loads((tmp_path / "got").read_text())
    assert (told["kind"], told["key"], told["run"]) == ("raised", "cause:port-blocked", "r2")


def test_the_demo_alarms_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = alerting(["command:/nosuch", "bad"], None, tmp_path)
    assert found
    found.begin("a" * 32, "twin")
    found.tell(report(site="twin"))
    assert capsys.readouterr().err == "" and not list(tmp_path.iterdir())


def test_a_run_has_ended_for_those_who_time_it_before_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who delivers may have to wait for others for minutes."""
    order: list[str] = []

    def noted(word: str, *_: object) -> list[str]:
        order.append(word)
        return [word]

    monkeypatch.setattr(desk, "end", partial(noted, "end"))
    monkeypatch.setattr(desk, "tell", partial(noted, "tell"))
    found = alerting(["command:true"], None, tmp_path)
    assert found
    found.tell(report())
    assert order == ["end", "tell"]
    assert capsys.readouterr().err == "readycheck: tell\nreadycheck: end\n"


@pytest.mark.parametrize(
    ("quiet", "span", "zone"),
    [("22:00-07:00", (1320, 420), "UTC"), ("0:00-6:30 Europe/Berlin", (0, 390), "Europe/Berlin")],
)
def test_quiet_hours(quiet: str, span: tuple[int, int], zone: str) -> None:
    found = alerting(["command:true"], quiet, None)
    assert found and (found.rules.quiet, found.rules.zone) == ((span,), zone)


@pytest.mark.parametrize(
    "quiet", ["", "22-7", "25:00-07:00", "22:00-07:00 Nowhere/Atall", "22:00-07:00 ../x"]
)
def test_hours_that_are_none(quiet: str) -> None:
    with pytest.raises(UsageError, match="--alert-quiet"):
        alerting(["command:true"], quiet, None)


@pytest.mark.parametrize(("repeat", "seconds"), [(None, 86400), ("12h", 43200), ("7d", 604800), ("never", 0)])
def test_reminders(repeat: str | None, seconds: float) -> None:
    found = alerting(["command:true"], None, None, repeat)
    assert found and found.rules.repeat_s == seconds


@pytest.mark.parametrize("repeat", ["", "0h", "12", "h", "1y", "-1h", "99999h", "Never"])
def test_reminders_that_are_none(repeat: str) -> None:
    with pytest.raises(UsageError, match=r"--alert-repeat .*: not a time"):
        alerting([], None, None, repeat)
