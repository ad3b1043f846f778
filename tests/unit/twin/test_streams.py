"""The servers of connections, as the loopback world runs them."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from readycheck.twin.certificates import ROOT_FILE
from readycheck.twin.dialogue import DIALOGUES
from readycheck.twin.envelope import SIZE, pack_endpoint
from readycheck.twin.loopback import serving
from readycheck.twin.offer import Offer
from readycheck.twin.remap import Remap
from readycheck.twin.scenarios import SCENARIOS, draw
from readycheck.wire import ldap, sip, xmpp

NODE = "23.89.1.2"
PORTS = {protocol: 7000 + index for index, protocol in enumerate(DIALOGUES)}
MUTUAL = 7100
REQUESTS = {"xmpp": xmpp.pack_header("im.example"), "ldap": ldap.pack_root_search()}


def connect(remap: Remap, port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", remap.tcp), timeout=10)
    stream.sendall(pack_endpoint((NODE, port)))
    return stream


@pytest.fixture(scope="module")
def talking(offer: Offer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Remap, Path]]:
    """A world in which ports have protocols of their own."""
    folder = tmp_path_factory.mktemp("talking")
    spoken = {**{port: protocol for protocol, port in PORTS.items()}, 8934: "sip"}
    blueprint = draw(replace(offer, spoken=spoken, mutual=(MUTUAL,)), SCENARIOS["none"], seed=1, ratio=1.0)
    with serving(blueprint, folder) as remap:
        yield remap, folder


def trusting(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / ROOT_FILE)
    context.check_hostname = False
    return context


@pytest.mark.parametrize("protocol", DIALOGUES)
def test_a_port_speaks_its_protocol(talking: tuple[Remap, Path], protocol: str) -> None:
    remap, folder = talking
    dialogue = DIALOGUES[protocol]
    request = REQUESTS.get(protocol.removesuffix("-tls").removesuffix("s"), b"")
    with ExitStack() as opened:
        stream = opened.enter_context(connect(remap, PORTS[protocol]))
        if dialogue.secure:
            stream = opened.enter_context(trusting(folder).wrap_socket(stream))
        stream.sendall(request[:30])
        stream.sendall(request[30:])
        assert stream.recv(4096) == (dialogue.greeting or dialogue.reply(request))


def test_a_port_in_tls_has_nothing_to_say_in_clear(talking: tuple[Remap, Path]) -> None:
    with connect(talking[0], PORTS["ldaps"]) as stream:
        stream.sendall(ldap.pack_root_search())
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(100) == b""


def test_rubbish_ends_a_dialogue(talking: tuple[Remap, Path]) -> None:
    with connect(talking[0], PORTS["ldap"]) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.recv(100) == b""


def test_sip_in_clear_where_it_is_wanted(talking: tuple[Remap, Path]) -> None:
    request = sip.pack_options(
        uri=f"sip:{NODE}", via_transport="TCP", local=("192.0.2.1", 5060), branch="z9hG4bKa", call_id="a", tag="t"
    )  # fmt: skip
    with connect(talking[0], 8934) as stream:
        stream.sendall(request)
        assert sip.unpack_response(stream.recv(4096)).status == 200


def test_a_mutual_port_asks_for_a_certificate(talking: tuple[Remap, Path]) -> None:
    remap, folder = talking
    with connect(remap, MUTUAL) as plain, trusting(folder).wrap_socket(plain) as stream:
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            stream.recv(1)


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
