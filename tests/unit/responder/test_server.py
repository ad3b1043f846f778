"""The responder as a whole, on loopback."""

import errno
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from readycheck.errors import UsageError
from readycheck.net.datagram import SocketOptions
from readycheck.net.far_end import play
from readycheck.net.interface import Endpoint, Leg, Rtcp
from readycheck.responder import server
from readycheck.responder.connection import Desk
from readycheck.responder.listener import Listener
from readycheck.responder.server import Responder, Settings
from readycheck.wire.mirror import turned_over
from readycheck.wire.sip import pack_options
from readycheck.wire.stun import pack_binding_request, unpack_message
from tests.ports import free_port

AUDIO = Leg(payload_type=0, payload_bytes=160, packets_per_second=50, seconds=0.2)
SIP = pack_options(
    uri="sip:127.0.0.1",
    via_transport="UDP",
    local=("127.0.0.1", 5060),
    branch="z9hG4bKa",
    call_id="c",
    tag="t",
)


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


class _TakenAtFirst(Listener):
    """By TCP, somebody else has the first port that is free for UDP."""

    taken = 1

    def listen(self, place: Endpoint, desk: Desk | None) -> Endpoint:
        if _TakenAtFirst.taken:
            _TakenAtFirst.taken -= 1
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return super().listen(place, desk)


def test_any_port_is_one_that_is_free_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "Listener", _TakenAtFirst)
    serving = Responder(Settings(listen=(("127.0.0.1", 0),)))
    assert len(serving.places) == 1
    serving.close()
    _TakenAtFirst.taken = 1
    with pytest.raises(UsageError, match="TCP port"):
        Responder(Settings(listen=(serving.places[0],)))


def test_a_second_responder_does_not_share_the_port_of_the_first() -> None:
    first = Responder(Settings(listen=(("127.0.0.1", 0),)))
    with pytest.raises(UsageError, match="already in use"):
        Responder(Settings(listen=tuple(first.places)))
    first.close()


def exchanged(place: Endpoint, data: bytes) -> tuple[bytes, Endpoint]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2.0)
        sock.sendto(data, place)
        answer, origin = sock.recvfrom(2048)
        return answer, origin


def test_two_addresses_discover_a_nat() -> None:
    port = free_pair()
    serving = Responder(Settings(listen=(("127.0.0.1", port), ("127.0.0.2", port))))
    serving.start()
    try:
        for change_ip, change_port in ((False, False), (True, True), (True, False), (False, True)):
            request = pack_binding_request(bytes(12), change_ip=change_ip, change_port=change_port)
            answer, origin = exchanged(("127.0.0.1", port), request)
            assert origin == (f"127.0.0.{1 + change_ip}", port + change_port)
            assert unpack_message(answer).other_address == ("127.0.0.2", port + 1)
    finally:
        serving.stop()


@pytest.mark.skipif(
    shutil.which("turnutils_natdiscovery") is None, reason="turnutils_natdiscovery is not here"
)
def test_a_client_of_others_discovers_that_there_is_no_nat() -> None:
    port = free_pair()
    serving = Responder(Settings(listen=(("127.0.0.1", port), ("127.0.0.2", port))))
    serving.start()
    try:
        command = [
            "turnutils_natdiscovery",
            "-m",
            "-f",
            "-H",
            "-p",
            str(port),
            "-L",
            "127.0.0.1",
            "127.0.0.1",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    finally:
        serving.stop()
    said = done.stdout + done.stderr
    assert "NAT with Endpoint Independent Mapping" in said, said
    assert "NAT with Endpoint Independent Filtering" in said, said


def test_rtcp_goes_to_the_port_above_where_that_is_served() -> None:
    port = free_pair()
    serving = Responder(Settings(listen=(("127.0.0.1", port),), second_port=port + 1))
    serving.start()
    try:
        leg = replace(AUDIO, rtcp=Rtcp.ODD)
        (played,) = play(("127.0.0.1", port), [leg], SocketOptions(), b"", threading.Event())
    finally:
        serving.stop()
    told = played.reported
    assert told is not None and told.to == ("127.0.0.1", port + 1)
    assert (told.sent, told.answered, told.counted) == (1, 1, 1)


def test_a_request_of_sip_comes_back_on_every_port() -> None:
    port = free_pair()
    serving = Responder(Settings(listen=(("127.0.0.1", port),), second_port=port + 1))
    serving.start()
    try:
        for place in serving.places:
            answer, origin = exchanged(place, SIP)
            assert (turned_over(answer), origin) == (SIP, place)
    finally:
        serving.stop()


@pytest.mark.parametrize(
    ("listen", "second_port", "places"),
    [
        ([("192.0.2.1", 3478)], None, [("192.0.2.1", 3478)]),
        ([("0.0.0.0", 3478), ("::", 3478)], 5060, [("0.0.0.0", 3478), ("::", 3478), ("0.0.0.0", 5060), ("::", 5060)]),
        (
            [("192.0.2.1", 3478), ("192.0.2.2", 3478)],
            None,
            [("192.0.2.1", 3478), ("192.0.2.2", 3478), ("192.0.2.1", 3479), ("192.0.2.2", 3479)],
        ),
        ([("192.0.2.1", 3478), ("192.0.2.1", 5060)], None, [("192.0.2.1", 3478), ("192.0.2.1", 5060)]),
    ],
)  # fmt: skip
def test_where_it_listens(listen: list[Endpoint], second_port: int | None, places: list[Endpoint]) -> None:
    assert list(Settings(listen=tuple(listen), second_port=second_port).places) == places


def free_pair() -> int:
    """A port that is free, and the one above; kernels give out neither by themselves."""
    while True:
        port = free_port()
        with socket.socket() as above, suppress(OSError):
            above.bind(("127.0.0.1", port + 1))
            return port
