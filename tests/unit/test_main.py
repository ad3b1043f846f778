"""The one entry point: a status for everything, and one line for whatever is not a verdict."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from readycheck import __main__ as entry
from readycheck.errors import ProfileError

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """The status of a command that does this."""

    def does(work: Callable[[], Any]) -> int:
        monkeypatch.setattr(entry, "_invoke", lambda given: work())
        return entry.main(["something"])

    return does


Does = Callable[[Callable[[], Any]], int]


def raises(error: BaseException) -> Callable[[], Any]:
    def work() -> Any:
        raise error

    return work


@pytest.mark.parametrize(
    ("result", "status"), [(0, 0), (1, 1), (2, 2), (3, 3), (None, 0), (4, 3), (130, 3), (-1, 3)]
)
def test_the_status_of_a_result(result: Any, status: int, does: Does, capsys: Captured) -> None:
    assert does(lambda: result) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ProfileError("a.toml: roles: missing"), "a.toml: roles: missing"),
        (ExceptionGroup("tasks", [ProfileError("a.toml: roles: missing")]), "a.toml: roles: missing"),
        (ProfileError("two\nlines \x1b[31m"), "two lines ?[31m"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_one_line_for_what_a_person_can_act_on(
    error: BaseException, line: str, does: Does, capsys: Captured
) -> None:
    assert does(raises(error)) == 3
    assert capsys.readouterr() == ("", f"readycheck: {line}\n")


def test_a_bug_names_its_place(does: Does, capsys: Captured) -> None:
    assert does(raises(ZeroDivisionError("division"))) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith("readycheck: internal error: ZeroDivisionError: division (")
    assert "test_main.py:" in complaint


def test_a_bug_in_a_task_names_itself(does: Does, capsys: Captured) -> None:
    async def divide() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(divmod, 1, 0))

    assert does(lambda: asyncio.run(divide())) == 3
    assert capsys.readouterr().err.startswith("readycheck: internal error: ZeroDivisionError: ")


def test_a_line_has_an_end(does: Does, capsys: Captured) -> None:
    assert does(raises(ProfileError("x" * 100_000))) == 3
    assert len(capsys.readouterr().err) < 1100


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (1, 3), (2, 3), ("said", 3)])
def test_nobody_else_sets_the_status(code: Any, status: int, does: Does) -> None:
    assert does(raises(SystemExit(code))) == status


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_signal_is_an_interruption(name: str, does: Does, capsys: Captured) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    assert does(lambda: os.kill(os.getpid(), number)) == 3
    assert capsys.readouterr().err == "readycheck: interrupted\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "Missing command (see 'readycheck --help')"),
        (["profile"], "Missing command (see 'readycheck profile --help')"),
        (["frob"], "No such command 'frob'"),
        (["--frob"], "No such option: --frob"),
        (["run"], "Missing argument 'PROFILE' (see 'readycheck run --help')"),
        (["explain", "a", "b"], "Got unexpected extra argument"),
        (["run", "webex-calling", "--deadline", "soon"], "Invalid value for '--deadline': "),
        (["run", "webex-calling", "--rate"], "Option '--rate' requires an argument"),
    ],
)
def test_a_usage_error_is_never_a_verdict(arguments: list[str], line: str, capsys: Captured) -> None:
    assert entry.main(arguments) == 3
    told, complaint = capsys.readouterr()
    assert (told, complaint.count("\n")) == ("", 1)
    assert complaint.startswith(f"readycheck: {line}")
    assert "Value error" not in complaint


CLOSED = """
import os, sys
from readycheck.__main__ import main
status = main(["demo", "--list"])
sys.exit(status or os.open("/dev/null", os.O_RDONLY) < 3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's")
def test_a_closed_stream_does_not_lend_its_number_to_another_file() -> None:
    command = 'exec "$0" -c "$1" <&- >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, CLOSED], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
