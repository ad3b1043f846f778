"""SIGINT, SIGTERM and SIGHUP: the first one ends the run, not the report; the second one ends the program."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_UNKNOWN = 3
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption:
    """Signals are minded while `minded()` lasts, and cancel what `run` runs."""

    def __init__(self) -> None:
        self.came = False
        self._impatient = False
        self._cancel: Callable[[], object] | None = None

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Not those that whoever started the program has ignored, as `nohup` does."""
        before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            numbers = [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
            heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
            before = {number: signal.signal(number, self._arrived) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self, job: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run `job` in a loop of its own; a signal cancels it, and it may return what it has."""
        return asyncio.run(self._cancellable(job))

    async def _cancellable(self, job: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        loop.set_exception_handler(self._complain)
        if self.came:
            task.cancel()
        try:
            return await job()
        finally:
            self._cancel = None

    def _arrived(self, number: int, frame: object) -> None:
        if self._impatient:
            os._exit(_UNKNOWN)
        if self.came:
            self._impatient = True
            raise KeyboardInterrupt
        self.came = True
        if self._cancel is not None:
            self._cancel()

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self._impatient:  # otherwise it is about tasks that were not let end
            loop.default_exception_handler(context)
