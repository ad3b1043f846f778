"""A run as a process of its own: what it takes of memory, and may have leaked, goes with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

SINGLE_FILE = ".pyz"
_KILLED_AFTER_S = 15.0
_LOOK_S = 0.5
"""Windows lets no signal interrupt a wait: it is heeded in between."""
_BEYOND_DEADLINE_S = 900.0
_GROUP = None if os.name == "nt" else 0
_FLAGS = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # of Windows


def program() -> tuple[str, ...]:
    """This program, for another process of it; what a single file has unpacked is found through it alone."""
    if sys.argv[0].endswith(SINGLE_FILE):
        return sys.executable, os.path.abspath(sys.argv[0])
    return sys.executable, "-P", "-m", "readycheck"


def beyond_s(idle_minutes: int | None) -> float:
    """What a run may take past its deadline; one that is still there afterwards hangs.

    Streams, ladders of NAT and a slow store add to it, and for as long as they are to be idle, idle connections.
    """
    return _BEYOND_DEADLINE_S + 60.0 * (idle_minutes or 0)


class Runs:
    """One at a time. It is not in our group of processes: Ctrl-C reaches it through us, and once."""

    def __init__(self, arguments: Sequence[str], longest_s: float, command: Sequence[str] = ()) -> None:
        self._command = [*(command or program()), "run", *arguments]
        self._longest_s = longest_s
        self._running: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> int:
        """Its exit status; below zero where a signal ended it."""
        if self._stopped:
            return -signal.SIGTERM
        with subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, process_group=_GROUP, creationflags=_FLAGS
        ) as child:
            self._running = child
            if self._stopped:  # in between
                self.stop()
            try:
                return _end(child, self._longest_s)
            finally:
                self._running = None

    def stop(self) -> None:
        """The first time the run ends with a report of what it knows, the second time without one."""
        self._stopped = True
        if self._running is not None:
            with suppress(OSError):
                _ask_to_end(self._running)


def _ask_to_end(child: "subprocess.Popen[bytes]") -> None:
    """Of Windows, where `terminate` is the end without a report, Ctrl-Break is heard as a signal."""
    if sys.platform == "win32":
        with suppress(OSError):  # there is no console
            child.send_signal(signal.CTRL_BREAK_EVENT)
            return
    child.terminate()


def _end(child: "subprocess.Popen[bytes]", longest_s: float) -> int:
    for patience_s, insist in ((longest_s, partial(_ask_to_end, child)), (_KILLED_AFTER_S, child.kill)):
        until = monotonic() + patience_s
        while (left_s := until - monotonic()) > 0:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(min(left_s, _LOOK_S))
        insist()
    return child.wait()
