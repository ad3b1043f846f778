"""Runs as processes: their status, and what stops them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from readycheck.schedule import child
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


def test_windows_tells_a_run_by_ctrl_break(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SIGUSR1 stands in for it: `terminate` would end the run without its report."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", signal.SIGUSR1, raising=False)
    runs = script(MINDFUL.replace("SIGTERM", "SIGUSR1"), str(tmp_path / "ready"))
    stopping = threading.Thread(target=stop_when, args=(tmp_path / "ready", runs))
    stopping.start()
    assert runs.run() == 3
    stopping.join()


def test_windows_without_a_console_ends_it_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", 9999, raising=False)
    monkeypatch.setattr(subprocess.Popen, "send_signal", without_console(subprocess.Popen.send_signal))
    runs = script(MINDFUL, str(tmp_path / "ready"))
    stopping = threading.Thread(target=stop_when, args=(tmp_path / "ready", runs))
    stopping.start()
    assert runs.run() == 3
    stopping.join()


def without_console(send: Callable[..., None]) -> Callable[..., None]:
    def sent(process: "subprocess.Popen[bytes]", number: int) -> None:
        if number == 9999:
            raise OSError(6, "The handle is invalid")
        send(process, number)

    return sent


def test_a_signal_is_heeded_while_a_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows lets none interrupt a wait, so that no wait may be long."""
    waits: list[float] = []

    class Child:
        kill = None

        def wait(self, seconds: float) -> int:
            waits.append(seconds)
            if len(waits) < 3:
                raise subprocess.TimeoutExpired("run", seconds)
            return 7

    assert child._end(Child(), 900.0) == 7  # type: ignore[arg-type]
    assert max(waits) <= 1


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
