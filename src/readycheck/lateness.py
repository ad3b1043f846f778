"""How late the event loop is: what is said of silence rests on its being on time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

TICK_S = 0.05
TOO_LATE_S = 3.0
"""As long as a named host is given for its answer: a question may not even have left in that time."""


class Lateness:
    """The worst delay of a timer, while it is felt."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def too_late(self) -> bool:
        return self.worst_s >= TOO_LATE_S

    @contextmanager
    def felt(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Feel it while the block runs."""
        self._arm(loop)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + TICK_S
        self._timer = loop.call_at(due, self._tick, loop, due)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.worst_s = max(self.worst_s, loop.time() - due)
        self._arm(loop)
