"""The server's side of a TCP connection, in clear or in TLS, with the alerts that a real server sends."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from readycheck.twin.blueprint import Blueprint, Chain
from readycheck.twin.certificates import KEY_FILE

_CHUNK = 16384
_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=1"
_OLD_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=0"

T = TypeVar("T")


class Channel(Protocol):
    async def read(self) -> bytes:
        """Some bytes; empty at the end."""

    async def write(self, data: bytes) -> None: ...


class ClearChannel:
    """A connection whose first bytes were read to see what it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
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


class Contexts:
    """The TLS settings of every port: which chain, which versions, whether a certificate is asked for."""

    def __init__(self, folder: Path, blueprint: Blueprint) -> None:
        self._folder, self._blueprint = folder, blueprint
        self._made: dict[tuple[Chain, bool], ssl.SSLContext] = {}

    def of_port(self, port: int) -> ssl.SSLContext:
        chain = self._blueprint.faults.chains.get(port, Chain.GOOD)
        return self._of(chain, mutual=port in self._blueprint.mutual)

    def _of(self, chain: Chain, *, mutual: bool) -> ssl.SSLContext:
        if (chain, mutual) not in self._made:
            self._made[chain, mutual] = self._make(chain, mutual)
        return self._made[chain, mutual]

    def _make(self, chain: Chain, mutual: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{chain}.pem", self._folder / KEY_FILE)
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._by_name
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
        if self._blueprint.faults.old_tls:
            _make_old(context)
        return context

    def _by_name(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name in self._blueprint.faults.misnamed:
            tls.context = self._of(Chain.MISNAMED, mutual=False)


def _make_old(context: ssl.SSLContext) -> None:
    context.set_ciphers(_OLD_CIPHERS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def wanted_chains(blueprint: Blueprint) -> set[Chain]:
    """The chains that the servers of a world need."""
    return {
        Chain.GOOD,
        *blueprint.faults.chains.values(),
        *([Chain.MISNAMED] if blueprint.faults.misnamed else []),
    }
