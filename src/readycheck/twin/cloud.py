"""`python -m readycheck.twin.cloud FOLDER [loopback]`: the vendor's servers, the resolver and the time servers.

Reads a blueprint as one line on stdin, writes one line to stdout when everything listens, and ends with its
stdin. In the loopback world one listener stands for every address, and what comes in names the one it is for.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

from readycheck.twin import envelope, topology
from readycheck.twin.blueprint import RESOLVER, Blueprint
from readycheck.twin.certificates import utc_now, write_certificates
from readycheck.twin.channel import Channel, ClearChannel, Contexts, TlsChannel, wanted_chains
from readycheck.twin.services import Endpoint, Services
from readycheck.twin.zone import make_zone
from readycheck.wire.sip import MessageBuffer

IDLE_S = 30.0

_TLS_HANDSHAKE = 0x16
_IP_PKTINFO = 8
_PKTINFO = struct.Struct("=I4s4s")
_MAX_DATAGRAM = 65535
_MAX_HEAD = 16384


class Cloud:
    """All servers of one world."""

    def __init__(self, blueprint: Blueprint, folder: Path) -> None:
        self._blueprint = blueprint
        self._services = Services(blueprint, make_zone(blueprint))
        self._contexts = Contexts(folder, blueprint)

    async def serve(self, *, loopback: bool) -> None:
        told = await (self._serve_loopback() if loopback else self._serve_world())
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    async def _serve_world(self) -> dict[str, int]:
        loop = asyncio.get_running_loop()
        for port in {*_short(self._blueprint.tcp), 53, topology.ECHO_PORT} - {*self._blueprint.faults.closed}:
            await asyncio.start_server(self._connected, "0.0.0.0", port, backlog=512)
        for port in {*_short(self._blueprint.udp), 53, topology.ECHO_PORT}:
            channel = _open_datagrams(port)
            loop.add_reader(channel, self._drain, channel, port)
        return {}

    async def _serve_loopback(self) -> dict[str, int]:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._enveloped, "127.0.0.1", 0, backlog=512)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Enveloped(self._services), local_addr=("127.0.0.1", 0)
        )
        return {
            "tcp": server.sockets[0].getsockname()[1],
            "udp": transport.get_extra_info("sockname")[1],
        }

    def _drain(self, channel: socket.socket, port: int) -> None:
        """Answer what is there, each from the address that was asked."""
        with suppress(BlockingIOError):
            while True:
                payload, ancillary, _, source = channel.recvmsg(_MAX_DATAGRAM, 64)
                asked = next(
                    d for level, kind, d in ancillary if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO)
                )
                _, _, address = _PKTINFO.unpack(asked[: _PKTINFO.size])
                reply = self._services.datagram(
                    payload, source, (socket.inet_ntoa(address), port), time.time()
                )
                if reply is not None:
                    told = [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, address, bytes(4)))]
                    with suppress(OSError):  # a way back that is broken is the asker's to notice
                        channel.sendmsg([reply], told, 0, source)

    async def _enveloped(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = envelope.unpack_endpoint(await reader.readexactly(envelope.SIZE))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            writer.close()
            return
        await self._talk(reader, writer, asked)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("sockname")[:2]
        await self._talk(reader, writer, (host, port))

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Endpoint
    ) -> None:
        try:
            async with asyncio.timeout(IDLE_S):
                await self._speak(reader, writer, asked)
        except (OSError, TimeoutError, ssl.SSLError, ValueError):
            pass  # the client went away or talked nonsense; a server says no more than its alert
        finally:
            writer.close()

    async def _speak(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Endpoint
    ) -> None:
        """TLS or not is seen from the first byte, SIP or HTTP from the first line."""
        first = await reader.read(_MAX_HEAD)
        channel: Channel = ClearChannel(reader, writer, first)
        secure = first[:1] == bytes([_TLS_HANDSHAKE])
        if asked[1] == 53:
            await self._names(channel, asked)
        elif secure:
            channel = TlsChannel(channel, self._contexts.of_port(asked[1]))
            await channel.handshake()
            await self._requests(channel, asked, secure=True)
        elif first and asked[1] not in self._blueprint.sip:
            await self._requests(channel, asked, secure=False)

    async def _requests(self, channel: Channel, asked: Endpoint, *, secure: bool) -> None:
        head = await channel.read()
        if b" sip:" in head[:80].lower() or b" sips:" in head[:80].lower():
            await self._calls(channel, head)
            return
        while head and b"\r\n\r\n" not in head and len(head) < _MAX_HEAD:
            more = await channel.read()
            if not more:
                return
            head += more
        if head:
            await channel.write(self._services.page(head, secure=secure, asked=asked))

    async def _calls(self, channel: Channel, data: bytes) -> None:
        buffer = MessageBuffer()
        while data:
            buffer.feed(data)
            while (request := buffer.take()) is not None:
                reply = self._services.message(request)
                if reply is not None:
                    await channel.write(reply)
            data = await channel.read()

    async def _names(self, channel: Channel, asked: Endpoint) -> None:
        """DNS over TCP: messages with their length before them."""
        data = b""
        while asked[0] == RESOLVER and (more := await channel.read()):
            data += more
            while len(data) >= 2 and len(data) >= 2 + int.from_bytes(data[:2], "big"):
                size = 2 + int.from_bytes(data[:2], "big")
                query, data = data[2:size], data[size:]
                reply = self._services.zone.answer(query, stream=True)
                if reply is None:
                    return
                await channel.write(len(reply).to_bytes(2, "big") + reply)


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
                self._transport.sendto(envelope.pack_endpoint(asked) + reply, addr)


def _short(ranges: tuple[tuple[int, int], ...]) -> Iterator[int]:
    for ports in ranges:
        if not topology.is_long(ports):
            yield from range(ports[0], ports[1] + 1)


def _open_datagrams(port: int) -> socket.socket:
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    channel.setblocking(False)
    channel.bind(("0.0.0.0", port))
    return channel


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    # Ctrl-C is the agent's; whoever started these servers also ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, loopback = Path(sys.argv[1]), sys.argv[2:] == ["loopback"]
    blueprint = Blueprint.from_json(sys.stdin.buffer.readline().decode())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    write_certificates(folder, blueprint.addresses, wanted_chains(blueprint), utc_now())
    asyncio.run(Cloud(blueprint, folder).serve(loopback=loopback))


if __name__ == "__main__":
    main()
