"""Being called by a real responder on loopback."""

import socket
import threading
from collections.abc import Iterator

import pytest

from readycheck.failure import Failure
from readycheck.net.called import be_called
from readycheck.net.datagram import SocketOptions
from readycheck.net.interface import Call, Endpoint, NetError
from readycheck.responder.server import Responder, Settings
from tests.ports import free_port

KEY = b"of this site"


@pytest.fixture(params=[b"", KEY], ids=["open", "keyed"])
def far(request: pytest.FixtureRequest) -> Iterator[tuple[Endpoint, bytes]]:
    responder = Responder(Settings(listen=(("127.0.0.1", 0),), key=request.param))
    responder.start()
    yield responder.places[0], request.param
    responder.stop()


def called(
    far: tuple[Endpoint, bytes], transport: str, *ports: int, key: bytes | None = None
) -> tuple[Call, ...]:
    to, own = far
    return be_called(to, transport, ports, SocketOptions(), own if key is None else key, threading.Event())


def test_datagrams_come_in(far: tuple[Endpoint, bytes]) -> None:
    ports = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    assert called(far, "udp", *ports) == tuple(Call(port=port, came=True, outcome="sent") for port in ports)


def test_connections_come_in(far: tuple[Endpoint, bytes]) -> None:
    (call,) = called(far, "tcp", port := free_port())
    assert call == Call(port=port, came=True, outcome="connected")


class Slow:
    """A responder that learns only later how its calls ended."""

    def __init__(self, *answers: dict[str, object]) -> None:
        self.answers = list(answers)

    def __call__(self, *_: object) -> dict[str, object]:
        return self.answers.pop(0)


def test_a_responder_that_sees_the_end_of_a_call_later_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, to = free_port(socket.SOCK_DGRAM), ("127.0.0.1", 9)
    slow = Slow({"token": "00ff", "seconds": 0.0}, {"outcomes": {}}, {"outcomes": {str(port): "silent"}})
    monkeypatch.setattr("readycheck.net.called.ask", slow)
    (call,) = be_called(to, "udp", [port], SocketOptions(), b"", threading.Event())
    assert (call.came, call.outcome, slow.answers) == (False, "silent", [])


def test_a_port_that_a_service_has_is_called_all_the_same(far: tuple[Endpoint, bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        (call,) = called(far, "tcp", service.getsockname()[1])
    assert (call.came, call.outcome, call.failure) == (False, "connected", Failure.ADDRESS_NOT_AVAILABLE)


def test_what_the_far_end_refuses_is_told(far: tuple[Endpoint, bytes]) -> None:
    with pytest.raises(NetError, match="ports is to be") as refused:
        called(far, "udp", *(free_port() for _ in range(5)))
    assert refused.value.failure is Failure.RESPONDER_REFUSED


def test_without_the_key_nobody_is_called() -> None:
    responder = Responder(Settings(listen=(("127.0.0.1", 0),), key=KEY))
    responder.start()
    try:
        with pytest.raises(NetError) as silent:
            called((responder.places[0], b""), "udp", free_port())
        assert silent.value.failure is Failure.TIMED_OUT
    finally:
        responder.stop()
