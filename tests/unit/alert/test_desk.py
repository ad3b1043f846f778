"""From reports to messages: over restarts, damage and a full disk, the run counts."""

from pathlib import Path

import pytest

from readycheck.alert import queue
from readycheck.alert.decision import Rules
from readycheck.alert.desk import tell
from readycheck.report import Report
from tests.unit.alert.test_queue import NOW, Way
from tests.unit.builders import World
from tests.unit.test_report import report

GOOD = report()
BLOCKED = report(World(wall=lambda t: "drop" if t.port == 8934 else None))


def play(folder: Path, way: Way, pattern: str, began: int = 0) -> list[str]:
    """Each letter is a program of its own, a quarter of an hour after the one before: x is blocked."""
    troubles = []
    for number, letter in enumerate(pattern, began):
        found = _named(BLOCKED if letter == "x" else GOOD, number)
        troubles += tell(folder, [way], found, Rules(), NOW + 900.0 * number)
    return troubles


def _named(found: Report, number: int) -> Report:
    from dataclasses import replace

    return replace(found, run=replace(found.run, id=f"r{number}"))


def test_a_block_is_told_once_and_its_end_too(tmp_path: Path) -> None:
    way = Way()
    assert play(tmp_path, way, "..xxxxx......") == []
    assert len(way.got) == 2


def test_nothing_is_lost_while_it_cannot_be_told(tmp_path: Path) -> None:
    way = Way(broken=True)
    assert play(tmp_path, way, "..xxx......")
    way.broken = False
    assert play(tmp_path, way, "." * 10, 200) == []
    assert len(way.got) == 2


def test_who_is_killed_before_the_state_is_kept_sends_nothing_twice(tmp_path: Path) -> None:
    way = Way()
    play(tmp_path, way, "..x")
    (memory,) = tmp_path.glob("series-*.json")
    before = memory.read_bytes()
    play(tmp_path, way, "x", 3)
    memory.write_bytes(before)
    play(tmp_path, way, "x", 4)
    assert len(way.got) == 1


def test_who_finds_another_at_it_for_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other may hang; the run is over all the same, and the next one counts again."""
    monkeypatch.setattr(queue, "LOCK_S", 0.0)
    way = Way()
    with queue.locked(tmp_path):
        (told,) = play(tmp_path, way, "x")
    assert told == f"alerts: {tmp_path}: another program has had it for 0 s; this run is told to nobody"
    assert play(tmp_path, way, "xxxx", 1) == []
    assert len(way.got) == 1


def test_who_delivers_keeps_nobody_from_taking_a_report_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A way may hang for as long as several programs would wait for each other."""
    monkeypatch.setattr(queue, "LOCK_S", 0.0)
    way, room = Way(), tmp_path / queue.WAITING
    with queue.locked(room):
        told = play(tmp_path, way, "xx")
    assert set(told) == {
        f"alerts: {room}: another program has had it for 0 s; what waits goes with the next run"
    }
    assert play(tmp_path, way, ".", 2) == []
    assert len(way.got) == 1


def test_a_damaged_memory_is_put_aside(tmp_path: Path) -> None:
    way = Way()
    play(tmp_path, way, "xx")
    (memory,) = tmp_path.glob("series-*.json")
    memory.write_text("{")
    (told,) = play(tmp_path, way, "xx", 2)
    assert "is damaged; it was put aside" in told
    assert len(way.got) == 2 and list(tmp_path.glob("*.damaged"))


def test_a_memory_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    way = Way()
    play(tmp_path, way, "x")
    (memory,) = tmp_path.glob("series-*.json")
    newer = memory.read_text().replace('"version":1', '"version":2')
    memory.write_text(newer)
    told = play(tmp_path, way, "x", 1)
    assert told == [
        f"alerts: {memory}: of another version of readycheck, and left as it is; nothing new is told"
    ]
    assert memory.read_text() == newer and way.got == []


def test_a_folder_that_is_none_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (told,) = play(tmp_path / "file", Way(), "x")
    assert told.startswith("alerts: ")
