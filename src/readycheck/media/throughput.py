"""Rates from bytes in windows of time, and how many calls a rate carries. Pure."""

from collections.abc import Sequence
from itertools import zip_longest

CALL_BITS_PER_SECOND = 100e3
"""A leg of a call, each way, with 50 packets a second: the figure that CScan publishes."""
RESERVE = 0.75
"""The share of a measured rate that is planned with: a line that is filled to the brim queues."""
_BEGINNING = 0.25
"""Connections take up to a second to find their rate: the first quarter of the windows does not count."""


def together(each: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The windows of several connections that began at once."""
    return tuple(map(sum, zip_longest(*each, fillvalue=0)))


def bits_per_second(windows: Sequence[int], window_s: float, seconds: float) -> float | None:
    """Without how it began, and without windows that were cut; None when nothing is left to tell."""
    whole = list(windows[: int(seconds / window_s + 1e-9)])
    counted = whole[int(len(whole) * _BEGINNING + 0.5) :]
    return sum(counted) * 8 / (len(counted) * window_s) if counted else None


def calls_as_cscan(up: float, down: float) -> int:
    """Rates that were measured one after the other; no reserve."""
    return int(min(up, down) / CALL_BITS_PER_SECOND)


def calls(up: float, down: float, legs: int = 1) -> int:
    """Rates that were measured at the same time; two legs where both ends of a call are behind the line."""
    return int(RESERVE * min(up, down) / (CALL_BITS_PER_SECOND * legs))
