"""The servers that answer at once: everything over UDP, and names over TCP."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from readycheck.twin import envelope, topology
from readycheck.twin.services import Endpoint, Services

IDLE_S = 30.0

_IP_PKTINFO = 8
_SO_RCVBUFFORCE = 33
_PKTINFO = struct.Struct("=I4s4s")
_MAX_DATAGRAM = 65535
_RECEIVE_BUFFER = 4 << 20


class PromptServers:
    """UDP on every port of the product, and the resolver."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def open_world(self) -> None:
        loop = asyncio.get_running_loop()
        ports = {53, topology.ECHO_PORT, *topology.single_ports(self._services.blueprint.udp)}
        for port in ports:
            channel = open_datagrams(port)
            loop.add_reader(channel, self._drain, channel, port)
        await asyncio.start_server(self._connected, "0.0.0.0", 53, backlog=512)

    async def open_loopback(self) -> dict[str, int]:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._enveloped, "127.0.0.1", 0, backlog=512)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Enveloped(self._services), local_addr=("127.0.0.1", 0)
        )
        _enlarge(transport.get_extra_info("socket"))
        return {
            "names": server.sockets[0].getsockname()[1],
            "udp": transport.get_extra_info("sockname")[1],
        }

    def _drain(self, channel: socket.socket, port: int) -> None:
        """Answer what is there, each from the address that was asked."""
        with suppress(BlockingIOError):
            while True:
                payload, ancillary, _, source = channel.recvmsg(_MAX_DATAGRAM, 64)
                address = asked_address(ancillary)
                to = (socket.inet_ntoa(address), port)
                reply = self._services.datagram(payload, source, to, time.time())
                if reply is not None:
                    _after(self._services.delay_s(port), answer_from, channel, address, reply, source)

    async def _enveloped(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            asked = envelope.unpack_endpoint(await reader.readexactly(envelope.SIZE))
            if asked[0] in self._services.blueprint.name_servers:
                await self._talk(reader, writer)
        writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.get_extra_info("sockname")[0] in self._services.blueprint.name_servers:
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """DNS over TCP: messages with their length before them."""
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(IDLE_S):
                while True:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    reply = self._services.zone.answer(await reader.readexactly(size), stream=True)
                    if reply is None:
                        return
                    await asyncio.sleep(self._services.delay_s(53))
                    writer.write(len(reply).to_bytes(2, "big") + reply)
                    await writer.drain()


class _Enveloped(asyncio.DatagramProtocol):
    """Answers in the envelope that the question came in."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's transport is one by its methods, not by its class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Endpoint) -> None:
        with suppress(ValueError):
            asked = envelope.unpack_endpoint(data)
            reply = self._services.datagram(data[envelope.SIZE :], addr, asked, time.time())
            if reply is not None and self._transport is not None:
                told = envelope.pack_endpoint(asked) + reply
                _after(self._services.delay_s(asked[1]), self._transport.sendto, told, addr)


def _after(seconds: float, send: Callable[..., None], *what: Any) -> None:
    if seconds:
        asyncio.get_running_loop().call_later(seconds, send, *what)
    else:
        send(*what)


def answer_from(channel: socket.socket, address: bytes, payload: bytes, to: Endpoint) -> None:
    """Answer from the address that was asked; a way back that is broken is the asker's to notice."""
    told = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, address, bytes(4)))]
    with suppress(OSError):
        channel.sendmsg([payload], told, 0, to)


def asked_address(ancillary: list[tuple[int, int, bytes]]) -> bytes:
    told = next(d for level, kind, d in ancillary if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO))
    address: bytes = _PKTINFO.unpack(told[: _PKTINFO.size])[2]
    return address


def open_datagrams(port: int) -> socket.socket:
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    channel.setblocking(False)
    channel.bind(("0.0.0.0", port))
    _enlarge(channel)
    return channel


def _enlarge(channel: socket.socket) -> None:
    """Questions come in bursts that the usual buffer of some hundred packets does not hold."""
    for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):
        with suppress(OSError):
            channel.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER)
