"""What the kernel tells beside a payload."""

import socket
import sys
import time

import pytest

from readycheck.net.headers import receive, show_headers, shown_by_handshake


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
