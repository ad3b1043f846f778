"""A run in a process of its own: it may take memory, hang or crash, and the exporter serves on."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from readycheck.render.exposition import END

GRACE_S = 5.0
"""For a run that was told to end to say what it knows."""

_READ = 1 << 16
_LONGEST = 8 << 20
_MOST_COMPLAINTS = 10
_END = f"\n{END}".encode()


@dataclass(frozen=True, slots=True)
class Ended:
    """`complaints` are the last lines on stderr."""

    status: int
    complaints: tuple[str, ...] = ()


async def run_agent(command: Sequence[str], limit_s: float, told: Callable[[str], None]) -> Ended:
    """`told` gets the metrics as soon as they are out: afterwards the run is still to be stored.

    It is told to end after `limit_s`, ended if it does not, and does not outlive this task. Raises `OSError`.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_listen(process.stdout, told))
            complaining = group.create_task(process.stderr.read())
            ending = group.create_task(process.wait())
            if not (await asyncio.wait({ending}, timeout=limit_s))[0]:
                process.terminate()
                await asyncio.wait({ending}, timeout=GRACE_S)
            if not ending.done():
                process.kill()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    lines = complaining.result().decode("utf-8", "replace").splitlines()
    return Ended(ending.result(), tuple(lines[-_MOST_COMPLAINTS:]))


async def _listen(said: asyncio.StreamReader, told: Callable[[str], None]) -> None:
    """To the end, also of what is too long: nobody is to be kept waiting for a reader."""
    text, listening = b"", True
    while part := await said.read(_READ):
        text = text + part if listening else b""
        if text.rstrip(b"\r\n").endswith(_END):
            told(text.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n") + "\n")
            listening = False
        listening = listening and len(text) < _LONGEST
