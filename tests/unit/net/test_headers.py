"""What the kernel tells beside a payload."""

import socket
import sys
import time
from typing import Any

import pytest

from readycheck.net.headers import Headers, receive, receive_from, show_headers, shown_by_handshake


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_time_hop_limit_and_class_of_a_datagram(family: int, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as there, socket.socket(family, socket.SOCK_DGRAM) as here:
        there.bind((address, 0))
        show_headers(there)
        if family == socket.AF_INET:
            here.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x88)
            here.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
        else:
            here.setsockopt(socket.IPPROTO_IPV6, 67, 0x88)
            here.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7)
        before_ns = time.time_ns()
        here.sendto(b"hello", there.getsockname())
        buffer = bytearray(100)
        found = receive(there, buffer)
        assert found is not None
        size, headers = found
        assert bytes(buffer[:size]) == b"hello"
        assert (headers.hop_limit, headers.traffic_class) == (7, 0x88)
        assert before_ns <= headers.received_ns <= time.time_ns()
        there.setblocking(False)
        assert receive(there, buffer) is None


class OfWindows:
    """A socket that tells nothing beside the payload."""

    def __init__(self, sock: socket.socket) -> None:
        self.recvfrom_into = sock.recvfrom_into


def test_where_the_system_tells_nothing_it_is_received_nevertheless() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))
        here.bind(("127.0.0.1", 0))
        plain: Any = OfWindows(there)
        buffer = bytearray(100)
        for _ in range(2):
            here.sendto(b"hello", there.getsockname())
        assert receive_from(plain, buffer) == (5, [], here.getsockname())
        before_ns = time.time_ns()
        size, headers = receive(plain, buffer) or (0, Headers(0, 0, 0))
        assert size == 5 and before_ns <= headers.received_ns


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps what a handshake showed")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_hop_limit_and_class_of_a_connection(family: int, address: str) -> None:
    with socket.socket(family) as there, socket.socket(family) as here:
        there.bind((address, 0))
        show_headers(there)
        there.listen()
        if family == socket.AF_INET:
            here.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x88)
            here.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
        else:
            here.setsockopt(socket.IPPROTO_IPV6, 67, 0x88)
            here.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7)
        here.connect(there.getsockname())
        accepted, _ = there.accept()
        with accepted:
            found = shown_by_handshake(accepted)
        assert (found.hop_limit, found.traffic_class) == (7, 0x88)
