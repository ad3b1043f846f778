"""`compare A B`, through the program's entry point."""

import json
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.history.place import place_of
from readycheck.history.store import opened
from readycheck.report import dump
from tests.unit.builders import World
from tests.unit.history.runs import case
from tests.unit.test_report import report

Captured = pytest.CaptureFixture[str]
GOOD = report(site="attic")
BLOCKED = report(World(wall=lambda t: "drop" if t.port == 8934 else None), id="b" * 32, site="cellar")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("READYCHECK_STORE")
    (tmp_path / "a.json").write_text(dump(GOOD), encoding="utf-8")
    with opened(place_of(None), writing=True) as store:
        store.record(BLOCKED)
    return tmp_path


def test_a_file_beside_a_stored_run(files: Path, capsys: Captured) -> None:
    assert main(["compare", str(files / "a.json"), "last"]) == 0
    text = capsys.readouterr().out
    assert [line.split()[1:] for line in text.splitlines() if line.startswith(("site", "verdict"))] == [
        ["attic", "cellar"],
        ["ready", "not-ready"],
    ]
    assert "worse           finding port-blocked@site: new, blocking, certain" in text


def test_as_a_program_reads_it(files: Path, capsys: Captured) -> None:
    assert main(["compare", "bbbb", str(files / "a.json"), "-f", "json"]) == 0
    changes = json.loads(capsys.readouterr().out)["comparison"]["changes"]
    assert {change["direction"] for change in changes} == {"better"}


def test_what_cannot_be_compared(files: Path, capsys: Captured) -> None:
    (files / "other.json").write_text(dump(case("sni-required")), encoding="utf-8")
    (files / "broken.json").write_text("{", encoding="utf-8")
    for b, said in (
        ("nosuch", "nosuch: no such run in "),
        (str(files / "none.json"), "none.json: No such file"),
        (str(files / "broken.json"), "broken.json"),
        (str(files / "other.json"), "runs of example and webex-calling: only those of one profile"),
    ):
        assert main(["compare", str(files / "a.json"), b]) == 3
        out, complaint = capsys.readouterr()
        assert (out, complaint.count("\n")) == ("", 1) and said in complaint
    assert main(["compare", "last", "last", "--store", "none"]) == 3
    assert "last: no run is kept, and it is no file" in capsys.readouterr().err
