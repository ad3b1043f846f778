"""The server's side of a TCP connection, in clear or in TLS, with the alerts that a real server sends."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

_CHUNK = 16384

T = TypeVar("T")


class Channel(Protocol):
    async def read(self) -> bytes:
        """Some bytes; empty at the end."""

    async def write(self, data: bytes) -> None: ...


class ClearChannel:
    """A connection whose first bytes were read to see what it is."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b""
    ) -> None:
        self._reader, self._writer, self._first = reader, writer, first

    async def read(self) -> bytes:
        first, self._first = self._first, b""
        return first or await self._reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class TlsChannel:
    """TLS driven by hand, because asyncio's own TLS servers fail a handshake without an alert."""

    def __init__(self, below: Channel, context: ssl.SSLContext) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        await self._drive(self._tls.do_handshake)

    async def read(self) -> bytes:
        try:
            return await self._drive(lambda: self._tls.read(_CHUNK))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    async def write(self, data: bytes) -> None:
        await self._drive(lambda: self._tls.write(data))

    async def _drive(self, operation: Callable[[], T]) -> T:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fetch()
            except ssl.SSLError:
                await self._flush()
                raise
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._below.write(self._outgoing.read())

    async def _fetch(self) -> None:
        data = await self._below.read()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
