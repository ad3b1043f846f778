"""The servers of connections, as the loopback world runs them."""

import socket
import ssl
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from readycheck.twin.certificates import ROOT_FILE
from readycheck.twin.envelope import SIZE, pack_endpoint
from readycheck.twin.remap import Remap
from readycheck.wire import sip

NODE = "23.89.1.2"


def connect(remap: Remap, port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", remap.tcp), timeout=10)
    stream.sendall(pack_endpoint((NODE, port)))
    return stream


def test_sip_over_tls(remap: Remap, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / ROOT_FILE)
    context.check_hostname = False
    request = sip.pack_options(
        uri=f"sips:{NODE}",
        via_transport="TLS",
        local=("192.0.2.1", 5060),
        branch="z9hG4bKa",
        call_id="a@b",
        tag="t",
    )
    with connect(remap, 8934) as plain, context.wrap_socket(plain) as stream:
        for _ in range(2):
            stream.sendall(request)
            assert sip.unpack_response(stream.recv(4096)).status == 200


def test_pages_in_clear_and_in_tls(remap: Remap, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / ROOT_FILE)
    request = b"GET / HTTP/1.1\r\nHost: web.vendor.example\r\n\r\n"
    with connect(remap, 80) as stream:
        stream.sendall(request[:9])
        stream.sendall(request[9:])
        assert stream.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
    with (
        connect(remap, 443) as plain,
        context.wrap_socket(plain, server_hostname="web.vendor.example") as stream,
    ):
        stream.sendall(request)
        assert stream.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_websocket_in_tls_stays_open(remap: Remap, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / ROOT_FILE)
    protocol = ClientProtocol(parse_uri("wss://web.vendor.example/"))
    protocol.send_request(protocol.connect())
    with (
        connect(remap, 443) as plain,
        context.wrap_socket(plain, server_hostname="web.vendor.example") as stream,
    ):
        for _ in range(3):
            stream.sendall(b"".join(protocol.data_to_send()))
            protocol.receive_data(stream.recv(4096))
            assert protocol.handshake_exc is None and len(protocol.events_received()) == 1
            protocol.send_ping(b"are you there?")


@pytest.mark.parametrize("opening", [b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x00\x01\x02"])
def test_a_sip_port_does_not_speak_in_clear(remap: Remap, opening: bytes) -> None:
    with connect(remap, 8934) as stream:
        stream.sendall(opening)
        assert stream.recv(100) == b""


def test_a_stream_without_an_envelope_ends(remap: Remap) -> None:
    with socket.create_connection(("127.0.0.1", remap.tcp), timeout=10) as stream:
        stream.sendall(b"no address"[:SIZE])
        assert stream.recv(100) == b""
