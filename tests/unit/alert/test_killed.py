"""A program that is killed outright while it tells: nothing is lost, and what was marked is not sent again."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sys
from pathlib import Path
from readycheck.alert import queue
from tests.unit.alert.test_queue import NOW, message

class Way:
    id, name = "way", "way"

    def send(self, sent):
        with open(sys.argv[2], "a") as file:
            file.write(sent.id + chr(10))

folder, stop = Path(sys.argv[1]), int(sys.argv[3])
steps = 0
plain = queue.write_lasting

def write(path, content):
    global steps
    steps += 1
    if steps == stop:
        os.kill(os.getpid(), signal.SIGKILL)
    plain(path, content)

queue.write_lasting = write
with queue.locked(folder):
    for number in range(10):
        queue.put(folder, message(f"m{number}"), "way", NOW)
    queue.deliver(folder, {"way": Way()}, NOW)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_killed_at_any_write_all_of_it_arrives(tmp_path: Path) -> None:
    folder, log = tmp_path / "alerts", tmp_path / "log"
    for stop in (3, 9, 8, 6, 1, 99):
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(folder), str(log), str(stop)], check=False, cwd=Path.cwd()
        )
        assert ended.returncode in (0, -9)
    got = log.read_text().split()
    assert set(got) == {f"m{number}" for number in range(10)}
    # Killed between a delivery and its mark, that one goes again, with the same id.
    assert len(got) - len(set(got)) <= 5
    assert not list((folder / "queue").glob("[!.]*.json"))
