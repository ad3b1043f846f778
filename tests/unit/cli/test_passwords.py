"""What is secret in a URL stays in memory: not in the store, in what waits, in a report, or on a screen."""

import socket
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from readycheck.cli.alerting import alerting
from readycheck.cli.setting import Setting, prepare
from readycheck.history.keep import keep
from readycheck.history.place import place_of
from readycheck.history.store import opened
from readycheck.report import Report, dump
from tests.unit.builders import World
from tests.unit.test_report import report

SECRET = "geheim"
BLOCKED = report(World(wall=lambda t: "drop" if t.port == 8934 else None), site="attic")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def ways() -> list[str]:
    """Of each kind one that cannot be used, or that nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        there = f"u:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/{SECRET}?token={SECRET}"
    return [
        f"webhook+http://{there}",
        f"healthchecks+http://{there}",
        f"json://{there}",
        f"command:/nosuch --password {SECRET}",
        f"webhook+https://u:{SECRET}@/x",
        f"nosuch://u:{SECRET}@host/{SECRET}",
        f"syslog://u:{SECRET}@:nothing",
    ]


def texts(folder: Path) -> Iterator[bytes]:
    """All files, as they are and unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            yield str(path).encode() + body
            with suppress(zlib.error):
                yield zlib.decompress(body)


def taken_in(made: Report, number: int) -> Report:
    return replace(made, run=replace(made.run, id=f"{number:032x}"))


def test_alerts_that_fail_show_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = alerting(ways(), None, tmp_path / "alerts")
    assert found and len(found.channels) >= 3
    for number in range(3):
        found.begin(f"{number:032x}", "attic")
        found.tell(taken_in(BLOCKED, number))
    said = "".join(capfd.readouterr())
    assert said.count("--alert ") > 10 and SECRET not in said and SECRET not in repr(found)
    assert list((tmp_path / "alerts" / "queue").glob("[!.]*.json"))
    assert all(SECRET.encode() not in text for text in texts(tmp_path))


def test_stores_show_none(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = place_of(f"postgresql://u:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/runs?password={SECRET}")
    (said,) = keep(BLOCKED, place)
    assert "this run waits" in said and SECRET not in said and SECRET not in repr(place)
    assert all(SECRET.encode() not in text for text in texts(tmp_path))


def test_a_proxys_is_in_no_report_and_in_no_store(tmp_path: Path) -> None:
    setting = Setting(profile="starface", proxy=f"http://u:{SECRET}@127.0.0.1:3128")
    request, _, environment = prepare(setting)
    assert "127.0.0.1:3128" in repr(request.options)
    run = replace(BLOCKED.run, options=request.options)
    made = replace(BLOCKED, run=run, environment=environment)
    assert SECRET not in dump(made) and SECRET not in repr(setting)
    place = place_of(str(tmp_path / "history.db"))
    with opened(place, writing=True) as store:
        store.record(made)
    assert place.file
    with closing(sqlite3.connect(place.file)) as connection:
        assert SECRET not in "\n".join(connection.iterdump())
    assert all(SECRET.encode() not in text for text in texts(tmp_path))
