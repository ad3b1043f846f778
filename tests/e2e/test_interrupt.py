"""Ctrl-C and its kin: the report of what is known, then the end; nobody who stops reading is an error."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from readycheck.report import schema

pytestmark = [pytest.mark.twin, pytest.mark.alone]

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# A link whose other end is silent: every packet leaves, none is answered.
SILENT = (
    "ip link set lo up; ip link add near type veth peer name far; ip link set near up; ip link set far up;"
    "ip addr add 192.168.7.2/24 dev near; ip route add default via 192.168.7.1;"
    "ip neigh add 192.168.7.1 lladdr 02:00:00:00:00:01 dev near;"
    'READYCHECK_ONLY_NETNS=$(stat -Lc %i /proc/self/ns/net) exec "$@"'
)
WORLD = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", SILENT, "sh"]
READYCHECK = [sys.executable, "-m", "readycheck"]
RUN = [*WORLD, *READYCHECK, "run", "webex-calling", "--quick"]
DEMO = [*READYCHECK, "demo", "--quick", "--break", "all-dropped"]
LOOPBACK = [*READYCHECK, "demo", "--quick", "--loopback", "--break", "all-dropped"]
WAYS = {"run": RUN, "demo": DEMO, "loopback": LOOPBACK}
WAIT_S = 30.0


@contextmanager
def started(command: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command whose report goes to the file `out`, and which is killed if the test leaves it running."""
    with (tmp_path / "out").open("w") as out:
        running = subprocess.Popen(
            command,
            env=os.environ | {"PATH": PATH, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        try:
            yield running
        finally:
            running.kill()
            running.communicate()


def await_first_check(running: subprocess.Popen[str]) -> None:
    """With --verbose, each check that has ended is a line of stderr."""
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("1/"):
            return
    pytest.fail("it ended before a check did")


def ended(running: subprocess.Popen[str]) -> tuple[int, str, float]:
    """Status, the rest of stderr, and how long the end took."""
    began = time.monotonic()
    _, told = running.communicate(timeout=WAIT_S)
    return running.returncode, told, time.monotonic() - began


@pytest.mark.parametrize(
    ("way", "number"),
    [
        ("run", signal.SIGINT),
        ("run", signal.SIGTERM),
        ("run", signal.SIGHUP),
        ("demo", signal.SIGINT),
        ("demo", signal.SIGTERM),
        ("loopback", signal.SIGINT),
    ],
)
def test_a_signal_prints_what_is_known(way: str, number: signal.Signals, tmp_path: Path) -> None:
    with started([*WAYS[way], "-f", "json", "-v", "-o", str(tmp_path / "also.json")], tmp_path) as running:
        await_first_check(running)
        running.send_signal(number)
        status, told, took_s = ended(running)
    report: dict[str, Any] = json.loads((tmp_path / "out").read_text())
    assert (status, report["run"]["state"], report["verdict"]) == (3, "interrupted", "unknown")
    assert report["checks"]
    assert "Traceback" not in told
    assert took_s < 5, "the deadline would have been 15 s"
    jsonschema.validate(report, schema())
    assert json.loads((tmp_path / "also.json").read_text()) == report


@pytest.mark.parametrize("way", WAYS)
def test_the_second_one_ends_at_once(way: str, tmp_path: Path) -> None:
    with started([*WAYS[way], "-f", "json", "-v"], tmp_path) as running:
        await_first_check(running)
        running.send_signal(signal.SIGINT)
        # Another number, because two equal signals may arrive as one.
        running.send_signal(signal.SIGTERM)
        status, told, took_s = ended(running)
    assert status == 3
    assert told.endswith("readycheck: interrupted\n")
    assert "Traceback" not in told and "Task" not in told
    assert took_s < 5
    assert not (tmp_path / "out").read_text()


def test_a_signal_before_anything_was_measured(tmp_path: Path) -> None:
    with started([*RUN, "-f", "json"], tmp_path) as running:
        assert running.stderr is not None
        assert "measuring" in running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        status, told, _ = ended(running)
    report = json.loads((tmp_path / "out").read_text())
    assert (status, report["run"]["state"], report["verdict"]) == (3, "interrupted", "unknown")
    assert "Traceback" not in told


def test_what_was_started_with_signals_ignored_heeds_none(tmp_path: Path) -> None:
    nohup = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    with started([*nohup, *RUN, "-f", "json", "-v", "--deadline", "3"], tmp_path) as running:
        await_first_check(running)
        running.send_signal(signal.SIGHUP)
        ended(running)
    assert json.loads((tmp_path / "out").read_text())["run"]["state"] != "interrupted"


def press(command: list[str], keys: int, tmp_path: Path) -> tuple[int, bytes]:
    """Run on a terminal, press Ctrl-C when the live display shows; status and what was shown."""
    child, terminal = pty.fork()
    if not child:
        os.execvpe(command[0], command, os.environ | {"PATH": PATH, "TERM": "xterm", "HOME": str(tmp_path)})
    shown, pressed, until = b"", 0, time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
        if pressed < keys and b" checks" in shown:
            os.write(terminal, b"\x03")
            pressed += 1
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.mark.parametrize("way", ["run", "demo"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_on_a_terminal(way: str, tmp_path: Path) -> None:
    status, shown = press(WAYS[way], 1, tmp_path)
    assert status == 3
    assert b"UNKNOWN" in shown
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1, "the cursor is shown again"
    assert b"Traceback" not in shown


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_twice_on_a_terminal(tmp_path: Path) -> None:
    status, shown = press(RUN, 2, tmp_path)
    assert status == 3
    # The second key may come when the report is already being printed.
    assert b"readycheck: interrupted" in shown or b"UNKNOWN" in shown
    assert shown.count(b"\x1b[?25h") >= 1, "the cursor is shown again"
    assert b"Traceback" not in shown


PROFILE = """
schema_version = 1
name = "closed"
title = "A port that is closed"
revision = "1"
checked = 2026-01-01

[documents.d]
title = "D"
publisher = "P"
revision = "1"

[[roles]]
name = "app"
title = "App"
default = true

[[requirements]]
id = "closed"
title = "Closed"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [2525]
targets = { hosts = ["127.0.0.1"] }
probe = "tcp"
source = { document = "d", section = "s" }
"""
NOT_READY = [*WORLD, *READYCHECK, "run", "./closed.toml", "-q", "--no-controls"]
"""A verdict that no error has: 2."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "closed.toml").write_text(PROFILE)
    return tmp_path


REDIRECTED = {
    "a reader that takes one line": '{ "$@"; echo $? >status; } | head -n 1 >/dev/null',
    "a reader that takes nothing": '{ "$@"; echo $? >status; } | true',
    "no stdout": '"$@" >&-; echo $? >status',
    "no stderr": '"$@" >/dev/null 2>&-; echo $? >status',
    "no stream at all": '"$@" <&- >&- 2>&-; echo $? >status',
}


def redirected(redirection: str, command: list[str], folder: Path) -> tuple[int, str]:
    """Status and stderr of a command whose streams a shell has put elsewhere."""
    done = subprocess.run(
        ["sh", "-c", redirection, "sh", *command],
        cwd=folder,
        env=os.environ | {"PATH": PATH, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return int((folder / "status").read_text()), done.stderr


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize("redirection", REDIRECTED.values(), ids=REDIRECTED)
def test_a_verdict_that_nobody_reads_to_the_end(redirection: str, format_: str, folder: Path) -> None:
    assert redirected(redirection, [*NOT_READY, "-f", format_], folder) == (2, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "command", [NOT_READY, [*READYCHECK, "probe", "list"], [*READYCHECK, "--help"]], ids=len
)
def test_a_full_disk_is_told_and_is_no_verdict(command: list[str], folder: Path) -> None:
    told = redirected('"$@" >/dev/full; echo $? >status', command, folder)
    assert told == (3, "readycheck: standard output: No space left on device\n")


SHORT = {
    "probe list": ["probe", "list"],
    "profile schema": ["profile", "schema"],
    "report-schema": ["report-schema"],
    "help": ["--help"],
    "help of run": ["run", "--help"],
    "version": ["--version"],
}


@pytest.mark.parametrize("arguments", SHORT.values(), ids=SHORT)
def test_a_listing_that_nobody_reads(arguments: list[str], tmp_path: Path) -> None:
    for redirection in REDIRECTED.values():
        assert redirected(redirection, [*READYCHECK, *arguments], tmp_path) == (0, "")
