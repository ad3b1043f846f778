"""A QUIC server of aioquic's, over one UDP socket, that speaks HTTP/3 or has a fault."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from aioquic._buffer import Buffer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import (
    QuicHeader,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)

from .udp import Endpoint

_TOKEN = b"token:"


class QuicServer:
    """Answers any request with `status`; `retry` first wants a token, `versions` are all that it would speak."""

    def __init__(
        self,
        chain: Path,
        *,
        status: bytes = b"200",
        alpn: tuple[str, ...] = tuple(H3_ALPN),
        retry: bool = False,
        versions: tuple[int, ...] = (),
        mangle: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self._status, self._retry, self._versions, self._mangle = status, retry, versions, mangle
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=list(alpn))
        self._configuration.supported_versions = list(versions) or self._configuration.supported_versions
        self._configuration.load_cert_chain(str(chain))
        self._configuration.verify_mode = ssl.CERT_NONE
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.02)
        self._peers: dict[Endpoint, tuple[QuicConnection, list[H3Connection]]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def endpoint(self) -> Endpoint:
        host, port = self._socket.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopping:
            try:
                data, source = self._socket.recvfrom(65535)
            except TimeoutError:
                self._tick()
                continue
            with suppress(ValueError):
                self._received(data, source)

    def _tick(self) -> None:
        now = time.monotonic()
        for peer, (connection, _) in self._peers.items():
            timer = connection.get_timer()
            if timer is not None and now >= timer:
                connection.handle_timer(now)
                self._send(peer)

    def _received(self, data: bytes, source: Endpoint) -> None:
        header = pull_quic_header(Buffer(data=data), host_cid_length=8)
        if self._versions and header.version not in (None, *self._versions):
            packet = encode_quic_version_negotiation(
                source_cid=header.destination_cid,
                destination_cid=header.source_cid,
                supported_versions=list(self._versions),
            )
            self._socket.sendto(packet, source)
            return
        if source not in self._peers:
            connection = self._open(header, source)
            if connection is None:
                return
            self._peers[source] = connection, []
        connection, _ = self._peers[source]
        connection.receive_datagram(data, source, now=time.monotonic())
        self._answer(source)
        self._send(source)

    def _open(self, header: QuicHeader, source: Endpoint) -> QuicConnection | None:
        if self._retry and not header.token:
            packet = encode_quic_retry(
                version=header.version,
                source_cid=b"retried!",
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=_TOKEN + header.destination_cid,
            )
            self._socket.sendto(packet, source)
            return None
        original = header.token.removeprefix(_TOKEN) if self._retry else header.destination_cid
        retried = header.destination_cid if self._retry else None
        return QuicConnection(
            configuration=self._configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
        )

    def _answer(self, source: Endpoint) -> None:
        connection, spoken = self._peers[source]
        while (event := connection.next_event()) is not None:
            if type(event).__name__ == "ProtocolNegotiated" and not spoken:
                spoken.append(H3Connection(connection))
            for told in spoken[0].handle_event(event) if spoken else ():
                if isinstance(told, HeadersReceived):
                    headers = [
                        (b":status", self._status),
                        (b"server", b"test\x1b[31m"),
                        (b"alt-svc", b'h3=":443"'),
                    ]
                    spoken[0].send_headers(told.stream_id, headers, end_stream=True)

    def _send(self, peer: Endpoint) -> None:
        connection, _ = self._peers[peer]
        for data, _ in connection.datagrams_to_send(now=time.monotonic()):
            with suppress(OSError):
                self._socket.sendto(self._mangle(data), peer)
