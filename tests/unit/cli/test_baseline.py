"""Where a baseline comes from, and what is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.cli.baseline import compared, find
from readycheck.errors import UsageError
from readycheck.report import Report, dump
from tests.unit.test_report import report

RUN = report()


class Kept:
    """Runs of a store, by name."""

    def __init__(self, **runs: Report) -> None:
        self._runs = runs

    def last(self, site: str | None, profile: str) -> Report | None:
        return self._runs.get("last")

    def last_good(self, site: str | None, profile: str) -> Report | None:
        return self._runs.get("good")

    def run(self, id: str) -> Report | None:
        return self._runs.get(id)


def file(folder: Path, report: Report) -> str:
    path = folder / "before.json"
    path.write_text(dump(report), "utf-8")
    return str(path)


def test_a_file_is_a_baseline(tmp_path: Path) -> None:
    before = find(file(tmp_path, RUN), site="attic", profile="example")
    after = compared(replace(RUN, tool=replace(RUN.tool, version="9")), before)
    assert after.comparison and [d.after for d in after.comparison.differences] == [("9",)]


def test_no_baseline_yet_is_no_comparison() -> None:
    assert find("last", site="attic", profile="example", runs=Kept()) is None
    assert compared(RUN, None) is RUN


@pytest.mark.parametrize("text", ["last", "last-good", "r7"])
def test_a_run_of_the_store(text: str) -> None:
    kept = Kept(last=RUN, good=RUN, r7=RUN)
    assert find(text, site="attic", profile="example", runs=kept) is RUN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("last", "--baseline last: no run is kept"),
        ("nosuch/x.json", "--baseline nosuch/x.json: No such file or directory"),
        (".json", "--baseline .json: No such file"),
        ("./", "--baseline ./: Is a directory"),
    ],
)
def test_what_is_none(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        find(text, site=None, profile="example")


def test_a_run_that_is_not_kept() -> None:
    with pytest.raises(UsageError, match="--baseline r8: no such run is kept"):
        find("r8", site=None, profile="example", runs=Kept())


def test_a_file_that_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"schema_version": 1}')
    with pytest.raises(UsageError, match=r"--baseline .*x\.json: .*: Field required"):
        find(str(tmp_path / "x.json"), site=None, profile="example")


def test_a_run_of_another_product(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a run of example, not of zoom"):
        find(file(tmp_path, RUN), site=None, profile="zoom")


def test_a_run_of_the_demo_is_none_for_a_network(tmp_path: Path) -> None:
    twin = replace(RUN, run=replace(RUN.run, site="twin"))
    with pytest.raises(UsageError, match="a run of the demo says nothing about this network"):
        find(file(tmp_path, twin), site="attic", profile="example")
    assert find(file(tmp_path, twin), site="twin", profile="example") == twin


def test_it_is_refused_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "webex-calling", "--baseline", str(tmp_path / "no.json")]) == 3
    out, complaint = capsys.readouterr()
    assert (out, complaint) == (
        "",
        f"readycheck: --baseline {tmp_path / 'no.json'}: No such file or directory\n",
    )
