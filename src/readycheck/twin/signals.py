"""Hand this process's signals to the agent that it waits for."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def forwarding(send: Callable[[int], None]) -> Iterator[None]:
    """Call `send` with the number of each signal that would have ended this process."""

    def forward(number: int, _: FrameType | None) -> None:
        # It may have ended by itself in the meantime.
        with suppress(OSError):
            send(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [int(getattr(signal, name)) for name in _FORWARDED if hasattr(signal, name)]
        before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def writing_from_background() -> Iterator[None]:
    """Children started in here may write to a terminal whose foreground they are not in."""
    number = getattr(signal, "SIGTTOU", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
