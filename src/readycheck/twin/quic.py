"""Web servers that speak HTTP/3 as well, on UDP 443 of every address."""

import asyncio
import struct
from contextlib import suppress
from pathlib import Path

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from readycheck.twin.blueprint import Chain
from readycheck.twin.certificates import KEY_FILE
from readycheck.twin.prompt import answer_from, asked_address, open_datagrams
from readycheck.twin.services import Endpoint

PORT = 443

_CID_BYTES = 8
_MOST = 256
_Peer = tuple[Endpoint, bytes]


class QuicServers:
    """One connection for each asker and address asked; the oldest make room for new ones."""

    def __init__(self, folder: Path) -> None:
        self._settings = QuicConfiguration(is_client=False, alpn_protocols=list(H3_ALPN), idle_timeout=10.0)
        self._settings.load_cert_chain(str(folder / f"{Chain.GOOD}.pem"), str(folder / KEY_FILE))
        self._open: dict[_Peer, QuicConnection] = {}
        self._spoken: dict[_Peer, H3Connection] = {}

    async def open_world(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = open_datagrams(PORT)
        self._loop.add_reader(self._channel, self._drain)

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while True:
                payload, ancillary, _, source = self._channel.recvmsg(65535, 64)
                with suppress(ValueError, struct.error):
                    self._received(payload, (source, asked_address(ancillary)))

    def _received(self, payload: bytes, peer: _Peer) -> None:
        from aioquic._buffer import Buffer

        header = pull_quic_header(Buffer(data=payload), host_cid_length=_CID_BYTES)
        if peer not in self._open:
            if header.packet_type is not QuicPacketType.INITIAL:
                return
            self._make_room()
            self._open[peer] = QuicConnection(
                configuration=self._settings, original_destination_connection_id=header.destination_cid
            )
        self._open[peer].receive_datagram(payload, peer[0], now=self._loop.time())
        self._answer(peer)

    def _make_room(self) -> None:
        while len(self._open) >= _MOST:
            self._forget(next(iter(self._open)))

    def _forget(self, peer: _Peer) -> None:
        self._open.pop(peer, None)
        self._spoken.pop(peer, None)

    def _answer(self, peer: _Peer) -> None:
        connection = self._open[peer]
        while (event := connection.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self._forget(peer)
                return
            if isinstance(event, ProtocolNegotiated):
                self._spoken[peer] = H3Connection(connection)
            if peer in self._spoken:
                for told in self._spoken[peer].handle_event(event):
                    if isinstance(told, HeadersReceived):
                        headers = [(b":status", b"200"), (b"server", b"readycheck twin")]
                        self._spoken[peer].send_headers(told.stream_id, headers, end_stream=True)
        self._send(peer)

    def _send(self, peer: _Peer) -> None:
        connection = self._open[peer]
        for payload, _ in connection.datagrams_to_send(now=self._loop.time()):
            answer_from(self._channel, peer[1], payload, peer[0])
        if (timer := connection.get_timer()) is not None:
            self._loop.call_at(timer, self._wake, peer, connection)

    def _wake(self, peer: _Peer, connection: QuicConnection) -> None:
        """Whoever has heard more meanwhile has another timer by now."""
        timer = connection.get_timer()
        if self._open.get(peer) is connection and timer is not None and self._loop.time() >= timer:
            connection.handle_timer(self._loop.time())
            self._answer(peer)
