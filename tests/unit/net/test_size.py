"""The largest datagram each way, against a real responder behind a way that loses what is long."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions
from readycheck.net.interface import Endpoint, Fathomed, NetError
from readycheck.net.size import LARGEST, fathom
from readycheck.responder.server import Responder, Settings

KEY = b"of this site"


@pytest.fixture
def responder() -> Iterator[Responder]:
    serving = Responder(Settings(listen=(("127.0.0.1", 0),), key=KEY))
    serving.start()
    yield serving
    serving.stop()


@contextmanager
def losing(to: Endpoint, up: int, down: int) -> Iterator[Endpoint]:
    """A relay that lets through packets of so many bytes, headers of IP and UDP among them."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.bind(("127.0.0.1", 0))
        far.connect(to)
        clients: list[Endpoint] = []
        ended = threading.Event()

        def there() -> None:
            while not ended.is_set():
                data, source = near.recvfrom(4096)
                clients[:] = [source]
                if len(data) + 28 <= up and not ended.is_set():
                    far.send(data)

        def back() -> None:
            while not ended.is_set():
                data = far.recv(4096)
                if len(data) + 28 <= down and clients:
                    near.sendto(data, clients[0])

        threads = [threading.Thread(target=way, daemon=True) for way in (there, back)]
        for thread in threads:
            thread.start()
        try:
            yield near.getsockname()
        finally:
            ended.set()
            near.sendto(b"", near.getsockname())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
                waking.sendto(b"", near.getsockname())
            far.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(3.0)


def fathomed(to: Endpoint, key: bytes = KEY) -> Fathomed:
    return fathom(to, SocketOptions(), key, threading.Event())


def test_a_way_that_takes_all(responder: Responder) -> None:
    assert fathomed(responder.places[0]) == Fathomed(up=LARGEST, down=LARGEST, tried=LARGEST)


@pytest.mark.parametrize(("up", "down"), [(1492, 1500), (1500, 1400), (1337, 1300), (1228, 1499)])
def test_each_way_to_the_byte(responder: Responder, up: int, down: int) -> None:
    """What is too long for the way up may come down no longer: its question is lost in one piece, too."""
    with losing(responder.places[0], up, down) as to:
        found = fathomed(to)
    assert (found.up, found.down) == (up, min(up, down))


def test_without_the_key(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.net.far_end._TRIES_S", (0.1,))
    with pytest.raises(NetError) as silent:
        fathomed(responder.places[0], b"another")
    assert silent.value.failure is Failure.TIMED_OUT


def test_a_place_that_cannot_be_reached_has_a_failure_of_its_own() -> None:
    """Here an address of another family; a route that is missing looks alike."""
    with pytest.raises(NetError, match="opening a stream"):
        fathom(("::1", 1), SocketOptions(family=4), KEY, threading.Event())
