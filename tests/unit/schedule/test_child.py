"""Runs as processes: their status, and what stops them."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from readycheck.schedule.child import Runs, beyond_s, program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

MINDFUL = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
open(sys.argv[-1], "w").close()
time.sleep(30)
"""
STUBBORN = MINDFUL.replace("lambda *_: sys.exit(3)", "signal.SIG_IGN")


def script(text: str, *arguments: str, longest_s: float = 30.0) -> Runs:
    return Runs(arguments, longest_s, command=(sys.executable, "-c", text))


def test_its_status_and_arguments() -> None:
    ended = script("import sys; sys.exit(sys.argv[1:] != ['run', 'x', '--site=a b'])", "x", "--site=a b")
    assert ended.run() == 0
    assert script("raise SystemExit(2)").run() == 2


def test_it_reads_nothing_and_is_a_group_of_its_own() -> None:
    assert (
        script("import os, sys; sys.exit(sys.stdin.read() != '' or os.getpgid(0) != os.getpid())").run() == 0
    )


def test_who_stops_it_lets_it_end_in_its_own_way(tmp_path: Path) -> None:
    runs = script(MINDFUL, str(tmp_path / "ready"))
    stopping = threading.Thread(target=stop_when, args=(tmp_path / "ready", runs))
    stopping.start()
    assert runs.run() == 3
    stopping.join()
    assert runs.run() == -signal.SIGTERM, "it was stopped, and does not begin again"


def stop_when(ready: Path, runs: Runs) -> None:
    while not ready.exists():
        threading.Event().wait(0.01)
    runs.stop()


def test_one_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("readycheck.schedule.child._KILLED_AFTER_S", 0.1)
    assert script(STUBBORN, str(tmp_path / "ready"), longest_s=0.5).run() in (
        -signal.SIGKILL,
        -signal.SIGTERM,
    )


def test_idle_connections_are_given_their_time() -> None:
    assert (beyond_s(None), beyond_s(124)) == (900, 900 + 124 * 60)


def test_a_single_file_is_its_own_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert program() == (sys.executable, "-P", "-m", "readycheck")
    monkeypatch.setattr(sys, "argv", ["/opt/readycheck.pyz", "watch"])
    assert program() == (sys.executable, "/opt/readycheck.pyz")
