"""Calls from here to who asked for them: what was ordered, and what came of it. Time is an argument.

Nobody else than the address that asked, and has proved that it receives there, is ever called; asked twice, it is
called once. What the calls of a request send is no longer than the request.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from readycheck.net.interface import Endpoint
from readycheck.responder.guard import Sources
from readycheck.responder.session import Refused

LASTS_S = 2.5
"""After so long a call has come or will not."""
BYTES_PER_CALL = 300
"""Three datagrams with their headers, or as many packets that open a connection, and some to spare."""

_KEPT_S = 120.0
"""Twice as long as a cookie holds, so that no request can be played again."""
_MOST = 1000
_MOST_PORTS = 4
_CALLS_PER_SOURCE, _CALLS_BURST, _CALLS_OVERALL = 0.5, 24.0, 50.0


@dataclass(slots=True)
class Order:
    """One request; `outcomes` by port, of those calls that are over."""

    token: str
    source: Endpoint
    transport: str
    ports: tuple[int, ...]
    since_s: float
    outcomes: dict[int, str] = field(default_factory=dict)


class CallBacks:
    """Several threads ask."""

    def __init__(self) -> None:
        self._sources = Sources(_CALLS_PER_SOURCE, _CALLS_BURST, _CALLS_OVERALL)
        self._orders: OrderedDict[tuple[object, ...], Order] = OrderedDict()
        self._waiting: list[Order] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._orders)

    def order(self, source: Endpoint, body: Mapping[str, Any], size: int, now_s: float) -> Order:
        """What was asked for, once; raises `Refused` for want of room or of sense."""
        transport, ports = _wanted(body, size)
        key = (source, body.get("cookie"), transport, ports)
        with self._lock:
            self._forget(now_s)
            if (known := self._orders.get(key)) is not None:
                return known
            if len(self._orders) >= _MOST or not self._sources.allows(source[0], now_s, len(ports)):
                raise Refused("too many calls were asked for")
            made = Order(secrets.token_hex(16), source, transport, ports, now_s)
            self._orders[key] = made
            self._waiting.append(made)
            return made

    def take(self) -> Order | None:
        """The next one to be done, if there is one: each is taken once."""
        with self._lock:
            return self._waiting.pop(0) if self._waiting else None

    def tell(self, token: object, address: str, now_s: float) -> Mapping[str, Any] | None:
        """What came of it so far; None for a token that is not this address's."""
        with self._lock:
            self._forget(now_s)
            for one in self._orders.values():
                if isinstance(token, str) and one.token == token and one.source[0] == address:
                    return {"outcomes": {str(port): said for port, said in one.outcomes.items()}}
        return None

    def _forget(self, now_s: float) -> None:
        while self._orders:
            key, oldest = next(iter(self._orders.items()))
            if now_s - oldest.since_s <= _KEPT_S:
                return
            del self._orders[key]


def _wanted(body: Mapping[str, Any], size: int) -> tuple[str, tuple[int, ...]]:
    transport, ports = body.get("transport"), body.get("ports")
    if transport not in ("udp", "tcp"):
        raise Refused("transport is to be udp or tcp")
    if not isinstance(ports, list) or not 1 <= len(ports) <= _MOST_PORTS:
        raise Refused(f"ports is to be a list of 1 to {_MOST_PORTS}")
    if not all(isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 for port in ports):
        raise Refused("a port is to be a number from 1 to 65535")
    if len(ports) * BYTES_PER_CALL > size:
        raise Refused(f"a request for {len(ports)} calls is to be {len(ports) * BYTES_PER_CALL} bytes long")
    return str(transport), tuple(dict.fromkeys(ports))
