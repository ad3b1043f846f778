"""Which packets of a stream arrived, how many of them twice or overtaken: what no lost answer can hide. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST = 1 << 18
"""Three times what an agent sends at most; 32 kB, however many packets an operator grants."""
_PART_BYTES = 600
"""In base64 and with all that is told beside it, less than a request has bytes."""


@dataclass(slots=True)
class Arrivals:
    """A bit for each number below `most`: what is beyond was not granted, and is not noted.

    Of a stream that may be longer than any agent's there is no account.
    """

    most: int
    duplicates: int = 0
    reordered: int = 0
    _next: int = 0
    _bits: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        if self.most > _MOST:
            self.most = 0

    def note(self, number: int) -> None:
        if not 0 <= number < self.most:
            return
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        if self._bits[place] & bit:
            self.duplicates += 1
            return
        self._bits[place] |= bit
        if number < self._next:  # RFC 4737 section 3
            self.reordered += 1
        else:
            self._next = number + 1

    def told(self, offset: object) -> Mapping[str, Any]:
        """The bits from a byte on, the lowest number in the lowest bit; all others are 0."""
        if not self.most:
            return {}
        begin = offset if isinstance(offset, int) and 0 <= offset <= len(self._bits) else 0
        part = self._bits[begin : begin + _PART_BYTES]
        return {
            "duplicates": self.duplicates,
            "reordered": self.reordered,
            "size": len(self._bits),
            "offset": int(begin),
            "seen": base64.b64encode(part).decode(),
        }
