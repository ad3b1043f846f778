"""Units of metrics, and which way is better."""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    MILLISECONDS = "ms"
    RATIO = "ratio"
    COUNT = "count"
    SECONDS = "s"
    DAYS = "days"
    BYTES = "bytes"
    BITS_PER_SECOND = "bits_per_second"


class Better(StrEnum):
    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a probe declares it can produce."""

    name: str
    unit: Unit
    better: Better = Better.NEITHER
    title: str = ""
