"""ICMP echo: the datagrams in it over a fake socket, and real sockets in networks of our own."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections import deque
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net import echo
from readycheck.net.datagram import SocketOptions
from readycheck.net.echo import Echoes, open_echo
from readycheck.net.interface import Endpoint, IcmpReport, NetError, Received
from readycheck.wire import icmp

IDENTIFIER = 4711
HOST = ("192.0.2.1", 0)


class Below:
    """The socket underneath: keeps what is sent, and delivers what it was given."""

    local = ("0.0.0.0", IDENTIFIER)

    def __init__(self, *coming: Received | IcmpReport) -> None:
        self.sent: list[tuple[bytes, Endpoint]] = []
        self.coming = deque(coming)
        self.closed = False

    async def send(self, payload: bytes, to: Endpoint) -> int:
        self.sent.append((payload, to))
        return 99

    async def receive(self, *, timeout: float) -> Received | IcmpReport:
        if not self.coming:
            raise NetError(Failure.TIMED_OUT)
        return self.coming.popleft()

    def close(self) -> None:
        self.closed = True


def reply(payload: bytes = b"hello", *, identifier: int = IDENTIFIER, family: int = 4) -> bytes:
    return icmp.pack_echo_reply(icmp.Echo(identifier, 1, payload), family=family)


def request(payload: bytes = b"hello", *, identifier: int = IDENTIFIER, family: int = 4) -> bytes:
    return icmp.pack_echo_request(icmp.Echo(identifier, 1, payload), family=family)


@pytest.mark.parametrize("family", [4, 6])
async def test_a_datagram_travels_in_a_request_with_the_next_number(family: int) -> None:
    below = Below()
    echoes = Echoes(below, family, IDENTIFIER)
    assert [await echoes.send(b"hello", ("192.0.2.1", 7)) for _ in range(2)] == [99, 99]
    sent = [icmp.unpack_echo_request(payload, family=family) for payload, _ in below.sent]
    assert sent == [icmp.Echo(IDENTIFIER, 1, b"hello"), icmp.Echo(IDENTIFIER, 2, b"hello")]
    assert {to for _, to in below.sent} == {HOST}
    assert echoes.local == below.local
    echoes.close()
    assert below.closed


async def test_the_numbers_begin_again_after_the_last() -> None:
    echoes = Echoes(Below(), 4, IDENTIFIER)
    for _ in range(1 << 16):
        await echoes.send(b"", HOST)
    assert icmp.unpack_echo_request(echoes._below.sent[-1][0], family=4).sequence == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("header", [b"", b"\x45" + bytes(19)], ids=["plain", "after an IPv4 header"])
async def test_a_reply_brings_the_datagram_back(header: bytes) -> None:
    below = Below(Received(header + reply(), ("192.0.2.1", 1), 5, 60))
    received = await Echoes(below, 4, IDENTIFIER).receive(timeout=1)
    assert received == Received(b"hello", HOST, 5, 60)


async def test_what_a_raw_socket_hears_besides_is_dropped() -> None:
    strangers = (
        Received(request(), HOST, 1),
        Received(reply(identifier=1), HOST, 1),
        Received(b"\3\1" + bytes(30), HOST, 1),
        Received(b"", HOST, 1),
        IcmpReport(HOST, "192.0.2.254", "time_exceeded", 1, request(identifier=1)),
        IcmpReport(HOST, "192.0.2.254", "time_exceeded", 1, b"\x11 of somebody's UDP"),
    )
    echoes = Echoes(Below(*strangers, Received(reply(b"ours"), HOST, 1)), 4, IDENTIFIER)
    assert await echoes.receive(timeout=1) == Received(b"ours", HOST, 1)
    with pytest.raises(NetError):
        await echoes.receive(timeout=1)


async def test_a_flood_of_strangers_ends() -> None:
    strangers = [Received(reply(identifier=1), HOST, 1)] * 5000
    with pytest.raises(NetError) as caught:
        await Echoes(Below(*strangers, Received(reply(), HOST, 1)), 4, IDENTIFIER).receive(timeout=0)
    assert (caught.value.failure, caught.value.detail) == (Failure.TIMED_OUT, "nothing of ours within 0 s")


async def test_an_error_quotes_the_datagram() -> None:
    report = IcmpReport(("192.0.2.1", 3), "192.0.2.254", "admin_prohibited", 1, request())
    found = await Echoes(Below(report), 4, IDENTIFIER).receive(timeout=1)
    assert found == IcmpReport(HOST, "192.0.2.254", "admin_prohibited", 1, b"hello")


@pytest.mark.parametrize(
    ("refusals", "failure"),
    [
        ((Failure.PERMISSION_DENIED, Failure.PERMISSION_DENIED), Failure.PERMISSION_DENIED),
        ((Failure.UNKNOWN, Failure.PERMISSION_DENIED), Failure.PERMISSION_DENIED),
        ((Failure.PERMISSION_DENIED, Failure.UNKNOWN), Failure.PERMISSION_DENIED),
        ((Failure.UNKNOWN, Failure.UNKNOWN), Failure.PLATFORM),
        ((Failure.NETWORK_UNREACHABLE,), Failure.NETWORK_UNREACHABLE),
        ((Failure.PERMISSION_DENIED, Failure.ADDRESS_NOT_AVAILABLE), Failure.ADDRESS_NOT_AVAILABLE),
    ],
)
async def test_why_there_is_no_socket(
    monkeypatch: pytest.MonkeyPatch, refusals: tuple[Failure, ...], failure: Failure
) -> None:
    coming = iter(refusals)

    def refuse(kind: socket.SocketKind, options: SocketOptions, protocol: int) -> socket.socket:
        raise NetError(next(coming), "opening a socket")

    monkeypatch.setattr(echo, "open_socket", refuse)
    with pytest.raises(NetError) as caught:
        open_echo(SocketOptions())
    assert caught.value.failure is failure
    assert next(coming, None) is None
    assert bool(caught.value.facts.get("privilege")) == (failure is Failure.PERMISSION_DENIED)


_SCRIPT = """
import asyncio, json
from readycheck.net.datagram import SocketOptions
from readycheck.net.echo import open_echo
from readycheck.net.interface import NetError
from readycheck.twin import kernel

async def ping(family, host):
    try:
        echoes = open_echo(SocketOptions(family=family))
    except NetError as error:
        return error.failure
    others = open_echo(SocketOptions(family=family))
    left_ns = await echoes.send(b"hello", (host, 0))
    await others.send(b"others", (host, 0))
    received = await echoes.receive(timeout=5)
    try:
        await echoes.receive(timeout=0.05)
    except NetError as error:
        silence = error.failure
    kind = echoes._below._socket.type.name
    in_order = left_ns <= received.at_ns
    return [kind, received.payload.decode(), received.source, received.ttl, in_order, silence]

async def main():
    return [await ping(4, "127.0.0.1"), await ping(6, "::1")]

if not RAW:
    kernel.drop_privileges(keep_raw=False)
    import os, sys
    os.execv(sys.executable, [sys.executable, "-c", "RAW = True\\n" + SCRIPT])
print(json.dumps(asyncio.run(main())))
"""


def in_a_network_of_its_own(*, granted: bool, raw: bool) -> Any:
    """A new network grants unprivileged sockets to nobody."""
    script = f"SCRIPT = {_SCRIPT!r}\nRAW = {raw}\n{_SCRIPT}"
    grant = 'echo "0 0" > /proc/sys/net/ipv4/ping_group_range; ' if granted else ""
    setup = f'ip link set lo up; {grant}exec "$PYTHON" -c "$SCRIPT"'
    environment = {k: v for k, v in os.environ.items() if not k.startswith("READYCHECK_")}
    environment |= {
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "SCRIPT": textwrap.dedent(script),
    }
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-e", "-c", setup]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.twin
@pytest.mark.parametrize(
    ("granted", "raw", "kind"),
    [(True, False, "SOCK_DGRAM"), (True, True, "SOCK_DGRAM"), (False, True, "SOCK_RAW")],
)
def test_a_real_host_answers(granted: bool, raw: bool, kind: str) -> None:
    assert in_a_network_of_its_own(granted=granted, raw=raw) == [
        [kind, "hello", ["127.0.0.1", 0], 64, True, "timed_out"],
        [kind, "hello", ["::1", 0], 64, True, "timed_out"],
    ]


@pytest.mark.twin
def test_without_any_right_it_is_this_host_that_refuses() -> None:
    assert in_a_network_of_its_own(granted=False, raw=False) == ["permission_denied"] * 2
