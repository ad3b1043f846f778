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

    @property
    def too_late(self) -> bool:
        return self.worst_s >= TOO_LATE_S

    @contextmanager
    def felt(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Feel it while the block runs; blocks may overlap, each with a timer of its own."""
        timer: asyncio.TimerHandle | None = None

        def arm() -> None:
            nonlocal timer
            due = loop.time() + TICK_S
            timer = loop.call_at(due, tick, due)

        def tick(due: float) -> None:
            self.worst_s = max(self.worst_s, loop.time() - due)
            arm()

        arm()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
