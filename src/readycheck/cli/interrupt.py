"""SIGINT, SIGTERM and their like: the first one ends the run, not the report; the second one ends the program."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TypeVar

from readycheck.cli.signals import ENDING

_Result = TypeVar("_Result")
_UNKNOWN = 3
_SHOW_CURSOR = "\x1b[?25h"


class Interruption:
    """Signals are minded while `minded()` lasts, and cancel what `run` runs."""

    def __init__(self) -> None:
        self.came = False
        self._running = False
        self._cancel: Callable[[], object] | None = None

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Not those that whoever started the program has ignored, as `nohup` does."""
        before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
            before = {number: signal.signal(number, self._arrived) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self, job: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run `job` in a loop of its own; a signal cancels it, and it may return what it has."""
        self._running = True
        try:
            return asyncio.run(self._cancellable(job))
        finally:
            self._running = False

    async def _cancellable(self, job: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        if self.came:
            task.cancel()
        try:
            return await job()
        finally:
            self._cancel = None

    def _arrived(self, number: int, frame: object) -> None:
        if self.came and self._running:
            _leave()
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        if self._cancel is not None:
            self._cancel()


def _leave() -> NoReturn:
    """At once: a loop into which an exception is thrown from outside may wait for ever for its tasks."""
    with suppress(OSError, ValueError, AttributeError):
        cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
        os.write(sys.stderr.fileno(), f"{cursor}readycheck: interrupted\n".encode())
    os._exit(_UNKNOWN)
