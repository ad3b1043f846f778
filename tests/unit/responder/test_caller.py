"""Calls on loopback: datagrams that are known, and connections that are taken, refused or left waiting."""

import socket
from collections.abc import Iterator

import pytest

from readycheck.responder.callbacks import Order
from readycheck.responder.caller import make
from readycheck.wire.far_end import is_call

TOKEN = "0123456789abcdef" * 2


def order(transport: str, *ports: int) -> Order:
    return Order(TOKEN, ("127.0.0.1", 1), transport, ports, 0.0)


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def test_a_datagram_shows_the_token(ear: socket.socket) -> None:
    made = order("udp", ear.getsockname()[1])
    make(made)
    assert is_call(ear.recv(2048), TOKEN)
    assert list(made.outcomes.values()) == ["sent"]


def test_a_connection_is_taken_or_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        there, nowhere = open_port.getsockname()[1], closed.getsockname()[1]
        made = order("tcp", there, nowhere)
        make(made)
        assert made.outcomes == {there: "connected", nowhere: "refused"}
        connection, _ = open_port.accept()
        with connection:
            assert connection.recv(1) == b"", "nothing is said to whatever serves there"
