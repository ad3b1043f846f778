"""The servers that answer at once, as the loopback world runs them."""

import socket

import dns.message
import pytest

from readycheck.twin.blueprint import RESOLVER
from readycheck.twin.envelope import SIZE, pack_endpoint, unpack_endpoint
from readycheck.twin.remap import Remap
from readycheck.wire import stun, tftp

NODE = "23.89.1.2"


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
    read = tftp.pack_read_request("SEP01.cnf.xml")
    assert isinstance(tftp.unpack_answer(ask(remap, read, (NODE, 69))), tftp.Data)
    query = dns.message.make_query("web.vendor.example", "A")
    assert dns.message.from_wire(ask(remap, query.to_wire(), (RESOLVER, 53))).answer


def connect(remap: Remap, host: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", remap.names), timeout=10)
    stream.sendall(pack_endpoint((host, 53)))
    return stream


def test_names_over_tcp_in_pieces(remap: Remap) -> None:
    query = dns.message.make_query("web.vendor.example", "A").to_wire()
    framed = len(query).to_bytes(2, "big") + query
    with connect(remap, RESOLVER) as stream:
        for piece in (framed[:1], framed[1:10], framed[10:] + framed):
            stream.sendall(piece)
        file = stream.makefile("rb")
        for _ in range(2):
            assert dns.message.from_wire(file.read(int.from_bytes(file.read(2), "big"))).answer


def test_only_the_resolver_talks_of_names(remap: Remap) -> None:
    with connect(remap, NODE) as stream:
        assert stream.recv(100) == b""


@pytest.mark.parametrize("opening", [b"no address"[:SIZE], pack_endpoint((RESOLVER, 53)) + b"\0\4rubb"])
def test_nonsense_ends_the_connection(remap: Remap, opening: bytes) -> None:
    with socket.create_connection(("127.0.0.1", remap.names), timeout=10) as stream:
        stream.sendall(opening)
        assert stream.recv(100) == b""


def test_a_datagram_without_an_envelope_is_no_crash(remap: Remap) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"nonsense", ("127.0.0.1", remap.udp))
    assert ask(remap, b"\x80\x00" + bytes(20), (NODE, 40000))
