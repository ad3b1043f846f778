"""ClientHellos as they arrived, for whoever said before that it would send one. Pure; time is an argument.

The client may end its handshake, or not: another connection asks for what came, in parts that fit an answer.
"""

import base64
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.session import Refused

WAIT_S = 10.0
_KEPT_S = 60.0
_MOST, _MOST_OF_ONE = 1000, 8
_PART_BYTES = 600
"""In base64 and with all that is told beside it, less than a request has bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What came, and how its connection looked from here."""

    data: bytes
    source: Endpoint
    hop_limit: int
    traffic_class: int


@dataclass(slots=True)
class _Waiting:
    address: str
    since_s: float
    arrival: Arrival | None = None


class Mirrors:
    def __init__(self) -> None:
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, address: str, now_s: float) -> str:
        """The token of who waits for the next one from an address. Raises `Refused` for want of room."""
        self._forget(now_s)
        mine = sum(one.address == address for one in self._waiting.values())
        if mine >= _MOST_OF_ONE or len(self) >= _MOST:
            raise Refused("too many are waited for")
        token = secrets.token_hex(16)
        self._waiting[token] = _Waiting(address, now_s)
        return token

    def keep(self, arrival: Arrival, now_s: float) -> None:
        """For the first who waits for one from this address."""
        self._forget(now_s)
        for one in self._waiting.values():
            fits = one.address == arrival.source[0] and now_s - one.since_s <= WAIT_S
            if fits and one.arrival is None:
                one.arrival = arrival
                return

    def tell(self, token: object, address: str, offset: object, now_s: float) -> Mapping[str, Any] | None:
        """A part of what came, its size 0 while nothing has; None for a token that is not this address's."""
        self._forget(now_s)
        one = self._waiting.get(token) if isinstance(token, str) else None
        if one is None or one.address != address:
            return None
        if one.arrival is None:
            return {"size": 0}
        begin = offset if isinstance(offset, int) and 0 <= offset <= len(one.arrival.data) else 0
        part = one.arrival.data[begin : begin + _PART_BYTES]
        return {
            "size": len(one.arrival.data),
            "offset": int(begin),
            "data": base64.b64encode(part).decode(),
            "source": list(one.arrival.source),
            "hop_limit": one.arrival.hop_limit,
            "traffic_class": one.arrival.traffic_class,
        }

    def _forget(self, now_s: float) -> None:
        while self._waiting:
            token, oldest = next(iter(self._waiting.items()))
            if now_s - oldest.since_s <= _KEPT_S:
                return
            del self._waiting[token]
