"""The far end of one call: answers ICE and DTLS, then talks and counts. Imported on use: it needs an extra."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aioice import stun

from readycheck.net.interface import Endpoint
from readycheck.net.secure_media import FramePath, IcePath, Identity, Security, Sockets
from readycheck.net.talk import Talk
from readycheck.responder.guard import Bucket
from readycheck.responder.offer import CallLimits, Offer

ADDRESSES = 4
"""From which one call may be heard: each costs a socket, and gets some checks of ICE."""
_LONGEST = 1500

Connected = Callable[[Endpoint], socket.socket]
Write = Callable[[bytes], Awaitable[None]]


class Call:
    def __init__(
        self, offer: Offer, limits: CallLimits, here: Endpoint, connected: Connected, write: Write
    ) -> None:
        self._offer, self._limits, self._connected = offer, limits, connected
        self._bucket = Bucket(limits.packets_per_second, limits.packets_per_second)
        self._loop = asyncio.get_running_loop()
        self._newcomers: asyncio.Queue[tuple[bytes, Endpoint]] = asyncio.Queue(ADDRESSES)
        self._known: set[Endpoint] = set()
        self._sockets = Sockets(ADDRESSES, self.admits)
        self._ice = IcePath(self._sockets, here, controlling=False) if offer.via == "udp" else None
        self._frames = FramePath(write, "controlled")
        self._security = Security(self._ice or self._frames, "server")
        self._talk: Talk | None = Talk(self._security.dtls)
        user, password = self._ice.credentials if self._ice else ("", "")
        self.identity = Identity(user=user, password=password, fingerprint=self._security.fingerprint)

    def counted(self) -> Mapping[str, Any]:
        """What the caller is told: how far the call has come here."""
        assert self._talk is not None
        return {
            "heard_from": len(self._known),
            "secured": self._security.dtls.state == "connected",
            "received": self._talk.received,
            "sent": self._talk.sent,
        }

    def admits(self, data: bytes) -> bool:
        """Whether the caller keeps to what a call is."""
        return 0 < len(data) <= _LONGEST and self._bucket.takes(time.monotonic())

    def feed(self, data: bytes) -> bool:
        """A frame of the connection; False when it is not admitted."""
        if self._ice is not None or not self.admits(data):
            return False
        self._frames.feed(data)
        return True

    def introduce(self, data: bytes, source: Endpoint) -> None:
        """What came to the open port with this call's name on it; other threads call."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._meet, data, source)

    def _meet(self, data: bytes, source: Endpoint) -> None:
        if self._ice is None or len(self._known) >= ADDRESSES or source in self._known:
            return
        if _is_signed(data, self.identity.password):
            self._known.add(source)
            self._newcomers.put_nowait((data, source))

    async def run(self) -> None:
        """Until it is over; a call that fails is the caller's to tell."""
        try:
            async with asyncio.TaskGroup() as group:
                welcoming = group.create_task(self._welcome())
                await self._hold()
                welcoming.cancel()
        except Exception:  # what a stranger's bytes did to a library ends this call, and nothing else
            return
        finally:
            await self._close()

    async def prepare(self) -> None:
        """Before anybody is told of it: what comes to it from then on is heard."""
        if self._ice is not None:
            await self._ice.gather()

    async def _welcome(self) -> None:
        while True:
            data, source = await self._newcomers.get()
            with suppress(OSError):
                await self._sockets.connect(self._connected(source), source)
                self._sockets.hear(data, source)

    async def _hold(self) -> None:
        assert self._talk is not None
        offer = self._offer
        other = Identity(user=offer.user, password=offer.password, fingerprint=offer.fingerprint)
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(self._limits.setup_s):
                if self._ice is not None:
                    await self._ice.connect(other)
                await self._security.handshake(other)
            async with asyncio.timeout(offer.seconds):
                await self._talk.speak()

    async def _close(self) -> None:
        """It may be cut short itself, as where the responder stops when the caller has just left."""
        try:
            await self._security.close()
            await (self._ice or self._frames).close()
        finally:
            self._sockets.drop()


def _is_signed(data: bytes, password: str) -> bool:
    """Whether it is from who was told the password, over the connection (RFC 8445 section 7.3)."""
    try:
        return bool(stun.parse_message(data).check_message_integrity(password.encode()))
    except ValueError:
        return False
