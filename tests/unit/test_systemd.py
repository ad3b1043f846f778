"""The units, as far as they can be judged without starting them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
COMMANDS = {
    "readycheck-responder.service": "readycheck responder",
    "readycheck-exporter.service": "readycheck serve",
}
ANALYZE = shutil.which("systemd-analyze")


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", COMMANDS)
def test_it_has_no_rights_of_its_own(unit: str) -> None:
    told = settings(unit)
    assert told["DynamicUser"] == told["NoNewPrivileges"] == ["yes"]
    assert told["CapabilityBoundingSet"] == [""]
    assert told["ProtectSystem"] == ["strict"]
    assert COMMANDS[unit] in told["ExecStart"][0]
    assert told["MemoryMax"] and told["TasksMax"], "a flood fills this, not the host"


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", COMMANDS)
def test_systemd_understands_it(unit: str) -> None:
    done = subprocess.run(
        [str(ANALYZE), "verify", str(UNITS / unit)], capture_output=True, text=True, check=False
    )
    about_it = [line for line in done.stderr.splitlines() if unit in line]
    assert not about_it, "\n".join(about_it)


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_a_call_that_it_may_not_make_fails_and_kills_nothing(unit: str) -> None:
    assert settings(unit)["SystemCallErrorNumber"] == ["EPERM"]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize(
    "unit", ["readycheck@.service", "readycheck-watch@.service", "readycheck-exporter.service"]
)
def test_a_run_may_make_the_calls_that_it_makes(unit: str) -> None:
    allowed: set[str] = set()
    for words in settings(unit)["SystemCallFilter"]:
        calls = {call for word in words.removeprefix("~").split() for call in _calls(word)}
        allowed = allowed - calls if words.startswith("~") else allowed | calls
    # Sockets and their error queues, Netlink, SQLite, limits (of the sandbox of proxy scripts too), short slices.
    needed = "socket recvmsg sendmmsg setsockopt epoll_wait clone3 execve prctl fdatasync flock rename mmap"
    assert {*needed.split(), "prlimit64", "setrlimit", "sched_setattr"} <= allowed
    assert not {"mount", "setuid", "bpf", "ptrace", "init_module"} & allowed


@cache
def _calls(word: str) -> frozenset[str]:
    """The calls of a group, and of the groups in it."""
    if not word.startswith("@"):
        return frozenset({word})
    asked = [str(ANALYZE), "--no-pager", "syscall-filter", word]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    names = (line.strip() for line in told.splitlines()[1:] if not line.strip().startswith("#"))
    return frozenset(call for name in names if name for call in _calls(name))


def test_a_watch_alone_is_told_to_stop() -> None:
    assert settings("readycheck-watch@.service")["KillMode"] == ["mixed"]
