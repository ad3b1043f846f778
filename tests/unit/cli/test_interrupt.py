"""The first signal ends the run, the second one the program."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from readycheck.cli.interrupt import Interruption

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


async def until_cancelled() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "what is known"
    return "never"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_and_the_result_is_kept(number: signal.Signals) -> None:
    interruption = Interruption()

    async def job() -> str:
        os.kill(os.getpid(), number)
        return await until_cancelled()

    with interruption.minded():
        assert interruption.run(job) == "what is known"
    assert interruption.came


def test_ctrl_break_of_windows_is_a_signal_too() -> None:
    """It is the only one by which another program tells a run there to end."""
    told = "import signal; signal.SIGBREAK = 99; from readycheck.cli.signals import ENDING; print(ENDING)"
    shown = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout
    assert shown == "(2, 15, 1, 99)\n"


def test_without_a_signal_nothing_is_cancelled() -> None:
    interruption = Interruption()

    async def job() -> int:
        return 7

    with interruption.minded():
        assert interruption.run(job) == 7
    assert not interruption.came


def test_a_signal_before_the_loop_is_not_lost() -> None:
    interruption = Interruption()
    with interruption.minded():
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.run(until_cancelled) == "what is known"


def test_a_signal_while_the_report_is_written_does_not_cost_it() -> None:
    interruption = Interruption()
    with interruption.minded():
        assert interruption.run(_seven) == 7
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


async def _seven() -> int:
    return 7


def test_the_handlers_are_as_before() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Interruption().minded():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption().minded():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


STUBBORN = """
import asyncio, os, signal
from readycheck.cli.interrupt import Interruption

async def job():
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGINT)

interruption = Interruption()
with interruption.minded():
    interruption.run(job)
"""


def test_the_second_one_ends_even_what_does_not_let_itself_be_cancelled() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STUBBORN)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "readycheck: interrupted\n")
