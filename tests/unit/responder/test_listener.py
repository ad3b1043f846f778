"""Who gets in by TCP, on loopback: bounded in number, of one source and of all, and all gone at the end."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from readycheck.net.interface import Endpoint
from readycheck.responder.binding import Bindings, Corner
from readycheck.responder.connection import Connection, Desk
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Doors, Sources
from readycheck.responder.identity import make_identity
from readycheck.responder.listener import Listener
from readycheck.responder.others import Others
from readycheck.responder.session import Limits, Sessions
from readycheck.wire.sip import pack_options


@pytest.fixture
def running() -> Iterator[tuple[Listener, Endpoint, Endpoint]]:
    sources = Sources(1000.0, 1000.0, 9999.0)
    control = Control(Sessions(Limits(idle_s=0.3, seconds=0.2)), Cookies(b"secret"), sources)
    desk = Desk(control, Others(Bindings(Corner(("127.0.0.1", 1)), sources)), make_identity())
    listener = Listener(lambda: "figures\n")
    listener.doors = Doors(overall=4, each=3)
    places = listener.listen(("127.0.0.1", 0), desk), listener.listen(("127.0.0.1", 0), None)
    thread = threading.Thread(target=listener.run)
    thread.start()
    yield listener, *places
    listener.stop()
    thread.join(5.0)
    assert not thread.is_alive()


def connected(place: Endpoint, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(place, timeout=3.0))


def is_shut(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_source_has_so_many_connections_and_no_more(
    running: tuple[Listener, Endpoint, Endpoint],
) -> None:
    listener, place, _ = running
    with ExitStack() as stack:
        inside = [connected(place, stack) for _ in range(3)]
        assert is_shut(connected(place, stack))
        assert listener.refused == 1
        assert all(is_shut(sock) for sock in inside)  # who says nothing in time goes
        with socket.create_connection(place, timeout=3.0) as again:
            again.sendall(b"\x00\x03abc")
            again.shutdown(socket.SHUT_WR)
            assert is_shut(again)
        assert listener.refused == 1


def test_a_slow_message_is_not_waited_for(running: tuple[Listener, Endpoint, Endpoint]) -> None:
    """Slow loris: each byte is news, the message is never whole."""
    _, place, _ = running
    with ExitStack() as stack:
        for begun in (b"\x04", b"\x16\x03\x01\x02", b"OPTIONS sip:a SIP/2.0\r\nVia: ", b"\x00\x01\x00\x08"):
            sock = connected(place, stack)
            sock.sendall(begun)
            sock.settimeout(0.1)
            for _ in range(20):
                try:
                    assert sock.recv(1) == b""
                    break
                except TimeoutError:
                    sock.sendall(b"x" if begun != b"\x16\x03\x01\x02" else b"\x00")
                except OSError:
                    break
            else:
                pytest.fail(f"{begun!r} was waited for")


def test_half_a_handshake_is_not_waited_for(running: tuple[Listener, Endpoint, Endpoint]) -> None:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="far.example")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(running[1], timeout=3.0) as sock:
        sock.sendall(outgoing.read())
        flight = b"".join(iter(lambda: sock.recv(1 << 14), b""))
    assert flight.startswith(b"\x16")


def test_who_is_always_busy_is_not_there_for_ever(running: tuple[Listener, Endpoint, Endpoint]) -> None:
    """A request of SIP in every tenth of a second."""
    sip = pack_options(
        uri="sip:a", via_transport="TCP", local=("a", 1), branch="z9hG4bKa", call_id="c", tag="t"
    )
    with socket.create_connection(running[1], timeout=3.0) as sock, suppress(ConnectionError):
        for _ in range(40):
            sock.sendall(sip)
            sock.settimeout(3.0)
            if not sock.recv(len(sip)):
                return
            sock.settimeout(0.1)
            with suppress(TimeoutError):
                if not sock.recv(1):
                    return
        pytest.fail("it is still there")


def test_a_fault_costs_who_met_it_alone(
    running: tuple[Listener, Endpoint, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Connection, channel: object) -> None:
        raise RuntimeError("a fault")

    listener, place, _ = running
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "talk", broken)
            assert is_shut(connected(place, stack))
        assert listener.failed == 1
        sock = connected(place, stack)
        sock.sendall(b"\x00\x03abc")
        sock.shutdown(socket.SHUT_WR)
        assert is_shut(sock)
    assert listener.failed == 1


def test_figures_are_served(running: tuple[Listener, Endpoint, Endpoint]) -> None:
    with ExitStack() as stack:
        sock = connected(running[2], stack)
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert sock.makefile("rb").read().endswith(b"figures\n")


def test_one_that_never_ran_is_closed() -> None:
    """An unclosed socket would be an error of the test run."""
    listener = Listener(lambda: "")
    listener.listen(("127.0.0.1", 0), None)
    listener.close()


def test_it_ends_while_somebody_talks(running: tuple[Listener, Endpoint, Endpoint]) -> None:
    listener, place, _ = running
    with ExitStack() as stack:
        sock = connected(place, stack)
        sock.sendall(b"\x04")
        listener.stop()
        assert is_shut(sock)
