"""Processes that end, that do not, and that are not there."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from readycheck.web import agent
from readycheck.web.agent import Ended, run_agent

PYTHON = (sys.executable, "-S", "-c")
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: {0}); "
    "print(1, flush=True); time.sleep(60)"
)


async def run(script: str, limit_s: float = 30) -> tuple[Ended, list[str]]:
    told: list[str] = []
    return await run_agent([*PYTHON, script], limit_s, told.append), told


async def test_what_it_said_and_how_it_ended() -> None:
    ended, told = await run("import sys; print('a 1\\n# EOF'); sys.stderr.write('a\\nb\\n'); sys.exit(2)")
    assert (ended, told) == (Ended(2, ("a", "b")), ["a 1\n# EOF\n"])


async def test_what_does_not_end_is_not_told() -> None:
    assert (await run("print('a 1')"))[1] == []


async def test_what_is_too_long_is_read_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_LONGEST", 1 << 17)
    assert await run("print('a' * (1 << 20) + '\\n# EOF')") == (Ended(0), [])


async def test_it_is_told_before_the_end() -> None:
    into = asyncio.Queue[str]()
    script = "import time; print('a 1\\n# EOF', flush=True); time.sleep(60)"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_agent([*PYTHON, script], 60, into.put_nowait))
        assert await into.get() == "a 1\n# EOF\n"
        running.cancel()
    assert running.cancelled()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends it at once")
async def test_it_is_told_to_end_and_may_say_what_it_knows() -> None:
    ended, told = await run(STUBBORN.format("(print('# EOF'), sys.exit(3))"), 0.3)
    assert (ended.status, told) in ((3, ["1\n# EOF\n"]), (-15, []))  # the latter before it heeds signals


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends it at once")
async def test_it_is_ended_if_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "GRACE_S", 0.05)
    ended, _ = await run(STUBBORN.format("None"), 0.3)
    assert ended.status in (-9, -15)


async def test_it_does_not_outlive_its_task(tmp_path: Path) -> None:
    sleeper = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await run_agent([*PYTHON, sleeper, str(tmp_path / "pid")], 60, print)
    if (tmp_path / "pid").exists() and sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_its_surroundings_are_those_of_the_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PYTHONPATH of ours would reach the programs that a run alerts by, whose Python may be another."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    ended, _ = await run("import os, sys; sys.stderr.write(os.environ.get('PYTHONPATH', 'none'))")
    assert ended.complaints == ("none",)


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OSError, match="nowhere"):
        await run_agent(["/nowhere/python"], 1, print)
