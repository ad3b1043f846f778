"""A packet rate that a network hardly notices."""

import asyncio


class Pace:
    """A token bucket, kept as the time at which it will be full again."""

    def __init__(self, rate_per_second: float, burst: int = 1) -> None:
        if rate_per_second <= 0 or burst < 1:
            raise ValueError(f"a pace needs a positive rate and burst, not {rate_per_second:g} and {burst}")
        self._interval = 1.0 / rate_per_second
        self._credit = self._interval * (burst - 1)
        self._full_at = 0.0

    def claim(self, now: float) -> float:
        """Take the next token; returns how many seconds to wait before it may be used."""
        slot = max(self._full_at, now)
        self._full_at = slot + self._interval
        return max(0.0, slot - self._credit - now)

    async def take(self) -> None:
        """Wait for one's turn; turns are given out in the order of asking."""
        wait = self.claim(asyncio.get_running_loop().time())
        if wait > 0:
            await asyncio.sleep(wait)
