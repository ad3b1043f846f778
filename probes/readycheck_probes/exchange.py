"""One HTTP/1.1 request on a stream that is already open: httpx over the seam to the network."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpcore
import httpx

from readycheck.probe import Failure, NetError, Stream
from readycheck_probes.hostile import tame

USER_AGENT = "readycheck"
MAX_BODY_BYTES = 64 * 1024
MAX_PARTS = 4096  # chunks of one byte each cost more time than they are worth
_MAX_RECEIVED_BYTES = 256 * 1024
_MAX_READ_BYTES = 64 * 1024


@asynccontextmanager
async def request(
    method: str, url: str, stream: Stream, *, deadline_ms: float, now_ms: Callable[[], float]
) -> AsyncIterator[httpx.Response]:
    """The response once its headers are there; raises `NetError` for what is not HTTP."""
    asked = httpx.Request(method, url, headers={"User-Agent": USER_AGENT, "Accept": "*/*"})
    wire = _Wire(stream, lambda: max(0.0, deadline_ms - now_ms()) / 1000)
    try:
        async with _Transport(wire) as transport:
            response = await transport.handle_async_request(asked)
            try:
                yield response
            finally:
                await response.aclose()
    except httpx.TransportError as error:
        raise NetError(Failure.PROTOCOL_ERROR, tame(str(error)) or "") from error


async def drain(response: httpx.Response) -> bytes:
    """The body as it was sent, as far as one cares to read."""
    received, parts = bytearray(), 0
    async for part in response.aiter_raw():
        received += part
        parts += 1
        if len(received) >= MAX_BODY_BYTES or parts >= MAX_PARTS:
            break
    return bytes(received)


class _Transport(httpx.AsyncHTTPTransport):
    # The probe has connected and greeted already, so that each of its steps has a failure of its own.
    def __init__(self, wire: "_Wire") -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), network_backend=_OpenWire(wire)
        )


class _OpenWire(httpcore.AsyncNetworkBackend):
    def __init__(self, wire: "_Wire") -> None:
        self._wire = wire

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return self._wire


class _Wire(httpcore.AsyncNetworkStream):
    """A stream of ours as httpcore wants it; one deadline for all of it stands against slow drips."""

    def __init__(self, stream: Stream, left_s: Callable[[], float]) -> None:
        self._stream = stream
        self._left_s = left_s
        self._received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(min(max_bytes, _MAX_READ_BYTES), timeout=self._left_s())
        if not data and not self._received:
            raise NetError(Failure.CONNECTION_CLOSED, "closed without an answer")
        self._received += len(data)
        if self._received > _MAX_RECEIVED_BYTES:
            raise NetError(Failure.PROTOCOL_ERROR, f"more than {_MAX_RECEIVED_BYTES} bytes of answer")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            await self._stream.write(buffer, timeout=self._left_s())

    async def aclose(self) -> None:
        self._stream.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return self
