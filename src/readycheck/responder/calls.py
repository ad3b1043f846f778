"""All calls of one place: whose, how many and how long. Takes one only with the extra `readycheck[call]`."""

import asyncio
import importlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from readycheck.net.interface import Endpoint
from readycheck.responder.guard import network_of
from readycheck.responder.offer import CallLimits, read_offer
from readycheck.responder.session import Refused

if TYPE_CHECKING:
    import socket

    from readycheck.responder.call import Call


@dataclass(slots=True)
class Placed:
    """A call, and who may ask for it."""

    token: str
    source: Endpoint
    call: "Call"

    def answer(self) -> Mapping[str, Any]:
        mine = self.call.identity
        return {
            "token": self.token,
            "user": mine.user,
            "password": mine.password,
            "fingerprint": mine.fingerprint,
        }


@dataclass(slots=True)
class Calls:
    """`connected` makes sockets of this place's UDP port. Raises `Refused` with the reason, for the caller."""

    here: Endpoint
    connected: "Callable[[Endpoint], socket.socket]"
    limits: CallLimits = field(default_factory=CallLimits)
    _on: dict[str, Placed] = field(default_factory=dict)
    _expected: int = 0

    def __len__(self) -> int:
        return len(self._on)

    async def open(
        self, body: Mapping[str, Any], source: Endpoint, write: Callable[[bytes], Awaitable[None]]
    ) -> Placed:
        self._refuse_too_many(source)
        self._expected += 1
        try:
            await _load()
            offer = read_offer(body, self.limits)
            from readycheck.responder.call import Call

            call = Call(offer, self.limits, self.here, self.connected, write)
            await call.prepare()
        finally:
            self._expected -= 1
        placed = Placed(secrets.token_hex(16), source, call)
        self._on[placed.token] = placed
        return placed

    def close(self, placed: Placed) -> None:
        self._on.pop(placed.token, None)

    def introduce(self, data: bytes, source: Endpoint) -> bool:
        """Whether it names a call, whose it then is; the reflector's thread asks."""
        for placed in tuple(self._on.values()):
            user = placed.call.identity.user
            if user and f"{user}:".encode() in data:
                placed.call.introduce(data, source)
                return True
        return False

    def _refuse_too_many(self, source: Endpoint) -> None:
        if len(self._on) + self._expected >= self.limits.calls:
            raise Refused("all calls are taken")
        mine = network_of(source[0])
        if (
            sum(network_of(one.source[0]) == mine for one in self._on.values())
            >= self.limits.calls_per_source
        ):
            raise Refused(f"{self.limits.calls_per_source} calls of this source are on")


async def _load() -> None:
    """Not on the way of everybody else: it takes a fifth of a second, once."""
    try:
        await asyncio.to_thread(importlib.import_module, "readycheck.responder.call")
    except ImportError:
        raise Refused("it takes no calls: readycheck[call] is not installed there") from None
