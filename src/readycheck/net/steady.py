"""The time of day without its steps: somebody may set this host's clock in the middle of a measurement."""

import time
from collections.abc import Callable

_STEP_NS = 1_000_000
"""A clock that is corrected gently takes the other one with it: what is more than this was set."""
_LATELY_NS = 100_000_000
"""What arrived before the clock was set has been read after so long."""
_FRESH_NS = 5_000_000
"""Looked at so lately; a step of less than `_LATELY_NS` is seen no later than that."""
_LOOKS = 3


class SteadyClock:
    """Goes on as it began; the stamps of the kernel, which are of the clock that is set, become its own."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns, self._steady_ns = wall_ns, steady_ns
        self._first = self._ahead = self._before = self._sharply()
        self._set_ns = self._fresh_ns = 0

    def now_ns(self) -> int:
        return self._steady_ns() + self._first

    def of(self, stamp_ns: int, now_ns: int) -> int:
        """When that was: of late, but it may be of just before the clock was set."""
        found = stamp_ns - self._ahead + self._first
        if (
            now_ns < self._fresh_ns and now_ns - _LATELY_NS < found <= now_ns
        ):  # a responder has no time to look
            return found
        self._look(now_ns)
        found = stamp_ns - self._ahead + self._first
        if self._before == self._ahead:
            return found
        earlier = stamp_ns - self._before + self._first
        return max((one for one in (found, earlier) if one <= now_ns), default=found)

    def _look(self, now_ns: int) -> None:
        """Was it set?"""
        if self._is_off(self._wall_ns() - self._steady_ns()) and self._is_off(ahead := self._sharply()):
            self._before, self._ahead, self._set_ns, self._fresh_ns = self._ahead, ahead, now_ns, 0
        elif now_ns - self._set_ns > _LATELY_NS:
            self._before, self._fresh_ns = self._ahead, now_ns + _FRESH_NS

    def _is_off(self, ahead: int) -> bool:
        return abs(ahead - self._ahead) > _STEP_NS

    def _sharply(self) -> int:
        """By how much the time of day is ahead; this process may have been held up at one of a few looks."""
        looks = []
        for _ in range(_LOOKS):
            before_ns, wall_ns, after_ns = self._steady_ns(), self._wall_ns(), self._steady_ns()
            looks.append((after_ns - before_ns, wall_ns - after_ns))
        return min(looks)[1]
