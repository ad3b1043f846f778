"""The responder as a whole, on loopback."""

import socket
import threading

import pytest

from readycheck.errors import UsageError
from readycheck.net.datagram import SocketOptions
from readycheck.net.far_end import play
from readycheck.net.interface import Leg
from readycheck.responder.server import Responder, Settings

AUDIO = Leg(payload_type=0, payload_bytes=160, packets_per_second=50, seconds=0.2)


def test_every_address_serves_streams_of_its_own() -> None:
    serving = Responder(Settings(listen=(("127.0.0.1", 0), ("::1", 0))))
    serving.start()
    try:
        for place, family in zip(serving.places, (4, 6), strict=True):
            (played,) = play(place, [AUDIO], SocketOptions(family=family), b"", threading.Event())
            assert played.counted == 10
        assert serving.streams == 0
    finally:
        serving.stop()


def test_a_port_that_is_taken_is_refused_and_nothing_is_left_open() -> None:
    """An unclosed socket would be an error of the test run."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(
            UsageError, match=rf"^--listen 127.0.0.1: UDP port {port}: Address already in use$"
        ):
            Responder(Settings(listen=(("127.0.0.1", 0), ("127.0.0.1", port))))


def test_a_second_responder_does_not_share_the_port_of_the_first() -> None:
    first = Responder(Settings(listen=(("127.0.0.1", 0),)))
    with pytest.raises(UsageError, match="already in use"):
        Responder(Settings(listen=tuple(first.places)))
    first.close()
