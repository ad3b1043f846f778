"""The servers, as the loopback world runs them."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from readycheck.twin.blueprint import RESOLVER
from readycheck.twin.certificates import ROOT_FILE
from readycheck.twin.envelope import SIZE, pack_endpoint, unpack_endpoint
from readycheck.twin.loopback import serving
from readycheck.twin.offer import Offer
from readycheck.twin.remap import Remap
from readycheck.twin.scenarios import SCENARIOS, draw
from readycheck.wire import sip, stun

NODE = "23.89.1.2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="module")
def remap(offer: Offer, folder: Path) -> Iterator[Remap]:
    with serving(draw(offer, SCENARIOS["none"], seed=1, ratio=1.0), folder) as remap:
        yield remap


def connect(remap: Remap, port: int, host: str = NODE) -> socket.socket:
    listener = remap.names if port == 53 else remap.tcp
    stream = socket.create_connection(("127.0.0.1", listener), timeout=10)
    stream.sendall(pack_endpoint((host, port)))
    return stream


def ask(remap: Remap, payload: bytes, to: tuple[str, int]) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(10)
        datagrams.sendto(pack_endpoint(to) + payload, ("127.0.0.1", remap.udp))
        answer = datagrams.recv(2048)
    assert unpack_endpoint(answer) == to
    return answer[SIZE:]


def test_datagrams(remap: Remap) -> None:
    assert stun.unpack_message(
        ask(remap, stun.pack_binding_request(bytes(12)), (NODE, 5004))
    ).xor_mapped_address
    assert ask(remap, b"\x80\x00" + bytes(20), (NODE, 40000)) == b"\x80\x00" + bytes(20)
    query = dns.message.make_query("web.vendor.example", "A")
    assert dns.message.from_wire(ask(remap, query.to_wire(), (RESOLVER, 53))).answer


def test_names_over_tcp_in_pieces(remap: Remap) -> None:
    query = dns.message.make_query("web.vendor.example", "A").to_wire()
    framed = len(query).to_bytes(2, "big") + query
    with connect(remap, 53, RESOLVER) as stream:
        for piece in (framed[:1], framed[1:10], framed[10:] + framed):
            stream.sendall(piece)
        file = stream.makefile("rb")
        for _ in range(2):
            assert dns.message.from_wire(file.read(int.from_bytes(file.read(2), "big"))).answer


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


@pytest.mark.parametrize("opening", [b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x00\x01\x02"])
def test_a_sip_port_does_not_speak_in_clear(remap: Remap, opening: bytes) -> None:
    with connect(remap, 8934) as stream:
        stream.sendall(opening)
        assert stream.recv(100) == b""


def test_a_stream_without_an_envelope_ends(remap: Remap) -> None:
    with socket.create_connection(("127.0.0.1", remap.tcp), timeout=10) as stream:
        stream.sendall(b"no address"[:SIZE])
        assert stream.recv(100) == b""
