"""The servers of connections, in TLS and in clear, on every TCP port: SIP, HTTP, or what the port is told to speak."""

import asyncio
import socket
import ssl
from pathlib import Path

from readycheck.responder.channel import Channel, ClearChannel, TlsChannel
from readycheck.twin import envelope, topology
from readycheck.twin.certificates import utc_now, write_certificates
from readycheck.twin.channel import Contexts, wanted_chains
from readycheck.twin.dialogue import DIALOGUES, SIP, Dialogue
from readycheck.twin.services import Endpoint, Services
from readycheck.wire.sip import MessageBuffer

IDLE_S = 30.0

_TLS_HANDSHAKE = b"\x16"
_MAX_HEAD = 16384
_SO_ORIGINAL_DST = 80


class StreamServers:
    """One kind of server on every port: it hears from the first bytes what it is to be."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._services = services
        self._folder = folder
        self._blueprint = services.blueprint
        write_certificates(folder, self._blueprint.addresses, wanted_chains(self._blueprint), utc_now())
        self._contexts = Contexts(folder, self._blueprint)

    async def open_world(self) -> None:
        ports = {topology.ECHO_PORT, *topology.single_ports(self._blueprint.tcp)}
        for port in ports - {53}:
            where = self._blueprint.spared if port in self._blueprint.faults.closed else ("0.0.0.0",)
            if where:
                await asyncio.start_server(self._connected, where, port, backlog=512)
        if self._blueprint.quic and 443 not in topology.single_ports(self._blueprint.udp):
            from readycheck.twin.quic import QuicServers  # for the few worlds that have some

            self._quic = QuicServers(self._folder)
            await self._quic.open_world()

    async def open_loopback(self) -> dict[str, int]:
        server = await asyncio.start_server(self._enveloped, "127.0.0.1", 0, backlog=512)
        return {"tcp": server.sockets[0].getsockname()[1]}

    async def _enveloped(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = envelope.unpack_endpoint(await reader.readexactly(envelope.SIZE))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            writer.close()
            return
        await self._talk(reader, writer, asked)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._talk(reader, writer, _asked(writer.get_extra_info("socket")))

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
        protocol = self._blueprint.spoken.get(asked[1], "")
        dialogue = DIALOGUES.get(protocol)
        if dialogue is not None and not dialogue.secure:
            await _converse(ClearChannel(reader, writer, b""), dialogue)
            return
        first = await reader.read(_MAX_HEAD)
        channel: Channel = ClearChannel(reader, writer, first)
        if first.startswith(_TLS_HANDSHAKE):
            channel = TlsChannel(channel, self._contexts.of_port(asked[1]))
            await channel.handshake()
            if dialogue is not None:
                await _converse(channel, dialogue)
            else:
                await self._requests(channel, asked, secure=True)
        elif first and (asked[1] not in self._blueprint.sip or protocol == SIP):
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
        if self._services.switches(head, secure=secure, asked=asked):
            from readycheck.twin.websocket import converse  # for the few worlds that have one

            await converse(channel, head)
        elif head:
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


async def _converse(channel: Channel, dialogue: Dialogue) -> None:
    if dialogue.greeting:
        await channel.write(dialogue.greeting)
    heard = b""
    while len(heard) < _MAX_HEAD and (more := await channel.read()):
        heard += more
        reply = dialogue.reply(heard)
        if reply is not None:
            await channel.write(reply)
            heard = b""


def _asked(connection: socket.socket) -> Endpoint:
    """Whom the client meant: the firewall leads all ports of a long range to one socket."""
    try:
        told = connection.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, 16)
    except OSError:  # without nftables nobody has moved it
        host, port = connection.getsockname()[:2]
        return host, port
    return socket.inet_ntoa(told[4:8]), int.from_bytes(told[2:4], "big")
