"""What a far end tells of a stream when it is closed, in as many parts as it takes. Pure but for who asks."""

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from readycheck.media.two_way import Account
from readycheck.net.interface import NetError
from readycheck.wire.far_end import NONSENSE

_COUNTS = ("received", "reports")


@dataclass(slots=True)
class Told:
    """Counts as far as they were told; the account is whole or none."""

    counts: Mapping[str, int] = field(default_factory=dict)
    account: Account | None = None


def read_account(ask: Callable[[int], Mapping[str, Any]], sent: int) -> Told:
    """`ask` has the answer from a byte on; of a far end that falls silent meanwhile, what it has told."""
    told, seen = Told(), bytearray()
    with suppress(NetError, *NONSENSE):
        while told.account is None:
            closed = ask(len(seen))
            told.counts = {name: int(closed[name]) for name in _COUNTS if name in closed}
            part = base64.b64decode(closed["seen"])
            seen += part
            if len(seen) >= int(closed["size"]):
                told.account = _account(closed, seen)
            elif not part or 8 * len(seen) > sent + 8:
                raise ValueError("an account without an end")
    return told


def _account(closed: Mapping[str, Any], seen: bytearray) -> Account:
    return Account(
        reached=frozenset(n for n in range(8 * len(seen)) if seen[n >> 3] >> (n & 7) & 1),
        duplicates=int(closed["duplicates"]),
        reordered=int(closed["reordered"]),
    )
