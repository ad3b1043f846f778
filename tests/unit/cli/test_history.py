"""The commands that look into stored runs, through the program's entry point."""

import csv
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.cli import storing
from readycheck.history import spool
from readycheck.history.place import place_of
from readycheck.history.store import opened
from readycheck.report import dump, load
from tests.unit.history.runs import case, small
from tests.unit.history.test_remembered import seen
from tests.unit.telemetry.fake_collector import collecting

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("READYCHECK_STORE")
    return tmp_path


@pytest.fixture
def filled(home: Path) -> Path:
    """In the default place; the dates are of 2026, and a test must not grow old."""
    with opened(place_of(None), writing=True) as store:
        store.record(case("sni-filter"))
        for number in range(3):
            store.record(small(number, score=60 + 10 * number, site="north"))
        store.record(case("sni-required"))
    return home / "data" / "readycheck" / "history.db"


def told(capsys: Captured, *arguments: str) -> str:
    assert main(["history", *arguments]) == 0
    out, complaint = capsys.readouterr()
    assert complaint == ""
    return out


def refused(capsys: Captured, *arguments: str) -> str:
    assert main(["history", *arguments]) == 3
    out, complaint = capsys.readouterr()
    assert (out, complaint.count("\n")) == ("", 1)
    return complaint.removeprefix("readycheck: ").rstrip()


def test_list(filled: Path, capsys: Captured) -> None:
    rows = told(capsys, "list").splitlines()
    assert [row.split()[-1] for row in rows[1:3]] == ["sni-required", "80"]
    assert len(told(capsys, "list", "-n", "2").splitlines()) == 5
    assert len(json.loads(told(capsys, "list", "--site", "north", "-f", "json"))) == 3
    assert len(list(csv.reader(StringIO(told(capsys, "list", "--profile", "example", "-f", "csv"))))) == 4
    assert told(capsys, "list", "--site", "nowhere") == "no runs\n"


def test_show_is_the_report(filled: Path, capsys: Captured) -> None:
    report = case("sni-required")
    assert told(capsys, "show", "-f", "json") == dump(report)
    assert told(capsys, "show", report.run.id[:8]).startswith("NOT READY")
    again = load(told(capsys, "show", "last", "--rejudge", "-f", "json"), "it")
    assert "judged again" in again.run.notes[-1]
    newer = load(told(capsys, "show", "--profile", "webex-calling", "-f", "json"), "it")
    assert newer.run.profile_hash == newer.profile.hash != report.run.profile_hash


def test_diff_takes_the_last_two_of_a_site_and_profile(filled: Path, capsys: Captured) -> None:
    assert told(capsys, "diff").splitlines()[1].split()[2] == case("sni-required").run.id[:12]
    found = json.loads(told(capsys, "diff", "--site", "north", "-f", "json"))
    assert [found[name]["id"][:8] for name in ("before", "after")] == ["00000001", "00000002"]
    assert [(c["of"], c["before"], c["after"]) for c in found["comparison"]["changes"]] == [
        ("score", "70", "80")
    ]
    assert json.loads(told(capsys, "diff", "00000000", "-f", "json"))["after"]["id"][:8] == "00000002"
    assert "score,score,60,70,better" in told(capsys, "diff", "00000000", "00000001", "-f", "csv")


def test_trend(filled: Path, capsys: Captured) -> None:
    north = ("--site", "north", "--since", "99y")
    said, line = told(capsys, "trend", *north).splitlines()
    assert said.startswith("score: 3 of 3 runs; lowest 60, median 70, highest 80, last 80")
    assert line == "▁▅█"
    assert len(told(capsys, "trend", "--plot", *north).splitlines()) == 11
    assert len(json.loads(told(capsys, "trend", "-f", "json", *north))["points"]) == 3
    assert told(capsys, "trend", "-f", "csv", *north).splitlines()[0] == "started_at,score"
    assert "dns-udp.rtt_ms" in told(capsys, "trend", "--names", "--since", "99y").splitlines()


def test_prune_keeps_a_line_of_each(filled: Path, capsys: Captured) -> None:
    assert told(capsys, "prune", "--keep", "0h").endswith("5 reports dropped; 5 runs, 0 with their reports\n")
    assert told(capsys, "list").count("(pruned)") == 5
    assert "its report was pruned" in refused(capsys, "show")


def test_check_tells_what_waits_and_what_is_no_database_any_more(filled: Path, capsys: Captured) -> None:
    spool.of(place_of(None)).put(small(9), None)
    assert told(capsys, "check").splitlines()[0].startswith("1 run waits in ")
    content = bytearray(filled.read_bytes())
    content[:100] = bytes(100)
    filled.write_bytes(content)
    assert refused(capsys, "list") == (
        f"{filled}: not a database, or a damaged one; 'readycheck history check --salvage FILE' saves what "
        "can be read"
    )
    assert filled.read_bytes() == content


def test_check_tells_what_was_set_aside(filled: Path, capsys: Captured) -> None:
    queue = spool.of(place_of(None))
    aside = spool.set_aside(queue.put(small(9), None), spool.REFUSED, "because")
    assert told(capsys, "check").splitlines()[0] == f"set aside, with the reason beside it: {aside}"
    for number in range(10, 20):
        last = spool.set_aside(queue.put(small(number), None), spool.REFUSED, "because")
    shown = told(capsys, "check").splitlines()
    assert shown[0] == f"11 runs are set aside in {queue.folder}; the last ones:"
    assert [line.rpartition(" ")[2] for line in shown[1:-1]][-1] == str(last) and len(shown) == 12


def test_of_what_never_was_a_database_nothing_is_saved(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "junk.db").write_text("my notes")
    arguments = ("check", "--store", str(tmp_path / "junk.db"), "--salvage", str(tmp_path / "new.db"))
    assert refused(capsys, *arguments).endswith("nothing of a run can be read in it; it is left as it is")
    assert [path.name for path in tmp_path.glob("*.db*")] == ["junk.db"]


def test_check_tells_of_each_damaged_run(filled: Path, capsys: Captured) -> None:
    with opened(place_of(None), writing=True) as store, store.writing() as connection:
        connection.exec_driver_sql("UPDATE report SET body = substr(body, 1, 20) WHERE place = 2")
    assert main(["history", "check"]) == 3
    complaint = capsys.readouterr().err.splitlines()
    assert "run 00000000 is damaged" in complaint[0]
    assert complaint[-1] == f"readycheck: {filled}: damaged; --salvage FILE saves what can be read"
    saved = filled.with_name("saved.db")
    assert "4 runs saved whole, 1 without their reports, 0 lost" in told(
        capsys, "check", "--salvage", str(saved)
    )
    assert told(capsys, "check", "--store", str(saved)).endswith(
        "5 runs, 4 with their reports, all readable\n"
    )


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("no runs are stored there", ["list"]),
        ("no runs are stored there", ["prune"]),
        ("--store none: there are no runs", ["list", "--store", "none"]),
        ("--store mysql://***@h/d: neither a file", ["list", "--store", "mysql://u:secret@h/d"]),
        ("--since soon: not an age as 12h, 30d, 8w or 1y", ["list", "--since", "soon"]),
        ("--keep 1: not an age", ["prune", "--keep", "1"]),
        ("profile 'nowhere' is not known", ["show", "--profile", "nowhere"]),
        ("--salvage x.db: only for a file", ["check", "--salvage", "x.db", "--store", "postgresql://h/d"]),
    ],
)
def test_a_refusal(home: Path, capsys: Captured, said: str, arguments: list[str]) -> None:
    complaint = refused(capsys, *arguments)
    assert said in complaint
    assert "secret" not in complaint
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("no such run", ["show", "ffff"]),
        ("00000: more than one run begins so", ["show", "00000"]),
        ("only one run of profile", ["diff", "--profile", "example", "--site", "alone"]),
        ("there is no later one of its site and profile", ["diff", "00000009"]),
        ("there is no later one of its site and profile", ["diff", "00000002"]),
        ("--site ?: not up to", ["list", "--site", "\udcff"]),
        ("--profile a?: not up to", ["prune", "--profile", "a\0"]),
        ("nothing.rtt_ms: no run has such a number", ["trend", "nothing.rtt_ms", "--since", "99y"]),
        ("the run is of profile 'webex-calling', and not of 'webex'", ["show", "--profile", "webex"]),
    ],
)
def test_what_a_store_does_not_have(filled: Path, capsys: Captured, said: str, arguments: list[str]) -> None:
    with opened(place_of(None), writing=True) as store:
        store.record(small(9, site="alone"))
        store.record(case("pmtu-blackhole"))
    assert said in refused(capsys, *arguments)


def test_storing_costs_no_verdict_and_is_told(home: Path, capsys: Captured) -> None:
    file = home / "runs.db"
    file.write_text("not a database")
    with storing.stored(small(1), storing.store_at(str(file))):
        pass
    assert "; this run waits in " in capsys.readouterr().err
    assert file.read_text() == "not a database"


def test_a_report_that_could_not_be_written_is_stored_all_the_same(home: Path) -> None:
    place = storing.store_at(None)
    with pytest.raises(OSError), storing.stored(small(1), place):
        raise OSError
    assert place is not None
    with opened(place) as store:
        assert store.counts() == (1, 1)


def test_a_demo_is_kept_under_the_site_of_the_twin(home: Path) -> None:
    place = storing.store_at(None)
    with storing.storing_demo(place) as arguments:
        Path(arguments[1]).write_text(dump(small(1, site="office")), "utf-8")
    assert not Path(arguments[1]).exists()
    assert place is not None
    with opened(place) as store:
        assert store.find("last").site == "twin"


def test_addresses_are_remembered_but_not_those_of_a_stand_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, report = storing.store_at(None), seen("8.8.1.1")
    monkeypatch.setenv("READYCHECK_ONLY_NETNS", "1")
    with storing.stored(report, place):
        pass
    monkeypatch.delenv("READYCHECK_ONLY_NETNS")
    assert storing.remembered("example", None, place) == ()
    with storing.stored(report, place):
        pass
    assert [one.address for one in storing.remembered("example", None, place)] == ["8.8.1.1"]
    assert storing.remembered("example", None, None) == ()
    monkeypatch.setenv("READYCHECK_ONLY_NETNS", "1")
    assert storing.remembered("example", None, place) == ()


def test_nowhere(home: Path) -> None:
    assert storing.store_at(None, no_store=True) is storing.store_at("none") is None
    with storing.storing_demo(None) as arguments:
        assert arguments == []
    with storing.stored(small(1), None):
        pass
    assert not list(home.iterdir())


def test_nothing_of_the_database_is_imported_before_the_report_is_out() -> None:
    code = (
        "import sys\n"
        "from readycheck.cli.storing import remembered, store_at\n"
        "import readycheck.cli.run, readycheck.assess, readycheck.conclude, readycheck.render.text\n"
        "store_at('postgresql://u@h/d'); remembered('webex', None, store_at(None))\n"
        "print(*sorted({'sqlalchemy', 'alembic', 'sqlite3', 'zstandard', 'pg8000'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_export_sends_a_stored_run(filled: Path, capsys: Captured) -> None:
    with collecting() as fake:
        assert told(capsys, "export", "--otlp", fake.url) == told(
            capsys, "export", "last", "--otlp", fake.url
        )
    first, again = (body for path, _, body in fake.requests if path == "/v1/traces")
    assert first == again
    assert case("sni-required").run.id.encode() in first


def test_export_says_what_it_lacks(filled: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(capsys, "export") == "--otlp or OTEL_EXPORTER_OTLP_ENDPOINT is to say where"
    with collecting() as fake:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", fake.url)
        assert refused(capsys, "export", "nosuch").startswith("nosuch: no such run")
        fake.status, fake.after = 503, "3600"
        assert refused(capsys, "export").endswith(
            f"traces: it answered with status 503; otlp: {fake.url}: metrics: it answered with status 503"
        )
