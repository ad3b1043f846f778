"""A run in a process of its own: it may take memory, hang or crash, and the exporter serves on."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from readycheck.web.job import environment

GRACE_S = 5.0
"""For a run that was told to end to say what it knows."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`text` is what went to stdout, `complaint` the last line on stderr."""

    status: int
    text: str
    complaint: str


async def run_agent(command: Sequence[str], limit_s: float) -> Ended:
    """Told to end after `limit_s`, and ended if it does not; it does not outlive this task. Raises `OSError`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment()
    )
    try:
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(process.communicate())
            if not (await asyncio.wait({talking}, timeout=limit_s))[0]:
                process.terminate()
                await asyncio.wait({talking}, timeout=GRACE_S)
            if not talking.done():
                process.kill()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    said, complained = talking.result()
    lines = complained.decode("utf-8", "replace").splitlines()
    return Ended(process.returncode or 0, said.decode("utf-8", "replace"), lines[-1] if lines else "")
