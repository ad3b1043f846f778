"""What `run` refuses before it starts, and where the report goes after it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.cli import options, run
from readycheck.cli.options import Format
from readycheck.errors import ReadycheckError
from readycheck.report import load
from tests.unit.render.factory import ready

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("-4 and -6 exclude each other", ["-4", "-6"]),
        ("--quick and --thorough exclude each other", ["--quick", "--thorough"]),
        ("--output x.pdf: the ending is none of", ["-o", "x.pdf"]),
        ("--output nosuch/x.json: No such file or directory", ["-o", "nosuch/x.json"]),
        ("--resolver x: not an address", ["--resolver", "x"]),
        ("--set x: not NAME=VALUE", ["--set", "x"]),
        ("--target a=b: not HOST or HOST=ADDRESS", ["--target", "a=b"]),
        ("--otlp: not a URL as http://HOST:4318", ["--otlp", "collector:4318"]),
        ("--site ?: not up to 200 printable", ["--site", "\x07"]),
    ],
)
def test_a_refusal(
    told: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def never(setting: object) -> None:
        raise AssertionError("the run was about to begin")

    monkeypatch.setattr("readycheck.cli.setting.prepare", never)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "webex-calling", *arguments]) == 3
    out, complaint = capsys.readouterr()
    assert (out, complaint.count("\n")) == ("", 1)
    assert complaint.startswith(f"readycheck: {told}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--baseline", "nosuch.json"], ["--baseline", "last", "--no-store"]])
def test_a_run_that_is_only_tried_needs_its_baseline(arguments: list[str], capsys: Captured) -> None:
    assert main(["run", "webex-calling", "--proxy", "none", "--dry-run", *arguments]) == 3
    assert capsys.readouterr().err.startswith(f"readycheck: --baseline {arguments[1]}: ")


def test_a_run_that_is_only_tried_tells_of_alerts_that_cannot_be_sent(capsys: Captured) -> None:
    arguments = ["--alert", "webhook+https://", "--proxy", "none"]
    assert main(["run", "webex-calling", "--dry-run", *arguments]) == 0
    assert "--alert webhook+https://...: no host in it" in capsys.readouterr().err


def test_the_report_goes_to_stdout_and_to_the_files(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "report.json"
    run._tell(ready(), Format.JSON, False, [(file, "json")])
    assert capsys.readouterr().out == file.read_text("utf-8")
    assert load(file.read_bytes(), "it").verdict == "ready"


def test_a_file_that_has_become_unwritable_costs_neither_the_report_nor_the_other_file(
    tmp_path: Path, capsys: Captured
) -> None:
    other = tmp_path / "report.md"
    with pytest.raises(ReadycheckError, match=r"^--output .*gone/report\.json: No such file or directory$"):
        run._tell(ready(), Format.TEXT, False, [(tmp_path / "gone/report.json", "json"), (other, "markdown")])
    assert capsys.readouterr().out.startswith("READY")
    assert other.exists()


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_each_verdict_has_its_status(status: int) -> None:
    assert list(run.STATUS.values()).count(status) == 1


Chosen = Callable[[], str]


@pytest.mark.parametrize(
    ("chosen", "choose"),
    [
        ("any", lambda: options.family(False, False)),
        ("4", lambda: options.family(True, False)),
        ("6", lambda: options.family(False, True)),
        ("normal", lambda: run._effort(False, False)),
        ("quick", lambda: run._effort(True, False)),
        ("thorough", lambda: run._effort(False, True)),
    ],
)
def test_a_choice(chosen: str, choose: Chosen) -> None:
    assert choose() == chosen
