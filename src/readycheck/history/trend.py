"""A number over time, as a line of blocks and as a plot of characters. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

Point = tuple[int, float | None]
BLOCKS = "▁▂▃▄▅▆▇█"
GAP = " "
_HEIGHT = 8


def buckets(points: Sequence[Point], width: int) -> list[float | None]:
    """Medians of equal times, from the first point to the last; None where nothing was measured."""
    if not points or width < 1:
        return []
    moments = [moment for moment, _ in points]
    first, last = min(moments), max(moments)
    number = min(width, len(points))
    found: list[list[float]] = [[] for _ in range(number)]
    for moment, value in points:
        if value is not None:
            index = (moment - first) * number // (last - first) if last > first else 0
            found[min(number - 1, index)].append(value)
    return [median(values) if values else None for values in found]


def sparkline(values: Sequence[float | None]) -> str:
    """One block for each; from the smallest to the largest of them."""
    low, high = _bounds(values)
    return "".join(
        GAP if value is None else BLOCKS[_level(value, low, high, len(BLOCKS))] for value in values
    )


def columns_of(points: Sequence[Point], width: int) -> int:
    """Of a plot, beside its scale."""
    return min(len(points), max(10, width - 12))


def plot(points: Sequence[Point], width: int) -> list[str]:
    """Rows of a plot with its scale on the left and the days below."""
    values = buckets(points, columns_of(points, width))
    if not [value for value in values if value is not None]:
        return ["nothing was measured"]
    low, high = _bounds(values)
    levels = [None if value is None else _level(value, low, high, _HEIGHT * len(BLOCKS)) for value in values]
    rows = []
    for row in reversed(range(_HEIGHT)):
        scale = high if row == _HEIGHT - 1 else low if row == 0 else None
        label = "" if scale is None else f"{scale:.4g}"
        rows.append(f"{label:>9} │" + "".join(_cell(level, row) for level in levels).rstrip())
    first, last = min(moment for moment, _ in points), max(moment for moment, _ in points)
    below = f"{_day(first)}{_day(last):>{max(0, len(values) - 16)}}" if len(values) > 36 else _day(first)
    return [*rows, f"{'':>9} └" + "─" * len(values), f"{'':>11}{below}"]


def _bounds(values: Sequence[float | None]) -> tuple[float, float]:
    measured = [value for value in values if value is not None]
    return (min(measured), max(measured)) if measured else (0.0, 0.0)


def _level(value: float, low: float, high: float, levels: int) -> int:
    if high <= low:
        return levels // 2
    return min(levels - 1, int((value - low) / (high - low) * levels))


def _cell(level: int | None, row: int) -> str:
    if level is None:
        return " "
    filled = level + 1 - row * len(BLOCKS)
    return " " if filled <= 0 else BLOCKS[min(len(BLOCKS), filled) - 1]


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M")
