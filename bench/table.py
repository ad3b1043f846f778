"""How results are printed."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A number beside what it is compared with; `limit` is what the project promises."""

    what: str
    value: float
    unit: str
    beside: str = ""
    reference: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        parts = [f"  {self.what:<52}{self.value:>10.1f} {self.unit:<4}"]
        if self.reference:
            parts.append(
                f"{self.value / self.reference:>8.2f} x {self.beside} ({self.reference:.1f} {self.unit})"
            )
        if self.limit is not None:
            parts.append(
                f"   promised: {self.limit:.1f} {self.unit}{', OVER' if self.value > self.limit else ''}"
            )
        return "".join(parts)


def show(title: str, rows: Iterable[Row]) -> None:
    sys.stdout.write(f"{title}\n")
    for row in rows:
        sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


def remark(text: str) -> None:
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()
