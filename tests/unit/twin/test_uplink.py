"""The box on the uplink: which packets it ends, and the reset that it sends."""

import asyncio
import os
import socket
import struct
import sys
from contextlib import ExitStack

import pytest

from readycheck.twin.rules import GreetingRule
from readycheck.twin.uplink import carry, judge, payload_of, segment_of
from readycheck.wire.client_hello import as_segments
from readycheck.wire.icmp import checksum
from tests.unit.wire.test_client_hello import hello

CLIENT, SERVER = "198.51.100.10", "203.0.113.80"
RULE = GreetingRule(zones=("vendor.example",))
GREETING = hello("calls.vendor.example")


def packet(payload: bytes, *, protocol: int = socket.IPPROTO_TCP) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 40000, 443, 0xFFFFFFF0, 77, 5 << 4, 0x18, 1024, 0, 0) + payload
    here, there = socket.inet_aton(CLIENT), socket.inet_aton(SERVER)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 3, protocol, 0, here, there)
    return ip + tcp


@pytest.mark.parametrize(
    "passing",
    [
        packet(hello("other.example")),
        packet(hello("notvendor.example")),
        packet(hello(None)),
        packet(b""),
        packet(b"GET / HTTP/1.1\r\nHost: calls.vendor.example\r\n\r\n"),
        packet(GREETING, protocol=socket.IPPROTO_UDP),
        packet(as_segments(GREETING)[0]),
        packet(GREETING)[:39],
        b"\x60" + bytes(60),
        b"",
    ],
)
def test_other_packets_go_on_unchanged(passing: bytes) -> None:
    assert judge(RULE, passing) == (passing, None)


def test_a_silent_box_drops() -> None:
    assert judge(GreetingRule(zones=("vendor.example",), action="drop"), packet(GREETING)) == (None, None)


def test_the_reset_is_the_servers_and_in_sequence() -> None:
    onward, back = judge(RULE, packet(GREETING))
    assert onward is None
    assert back is not None
    assert (socket.inet_ntoa(back[12:16]), socket.inet_ntoa(back[16:20])) == (SERVER, CLIENT)
    segment = segment_of(back)
    assert segment is not None
    source, destination, sequence, acknowledged = struct.unpack("!HHII", segment[:12])
    assert (source, destination, sequence) == (443, 40000, 77)
    assert acknowledged == (0xFFFFFFF0 + len(GREETING)) % 2**32
    assert segment[13] == 0x14  # RST and ACK
    assert payload_of(segment) == b""
    pseudo = back[12:20] + struct.pack("!BBH", 0, 6, len(segment))
    assert checksum(back[:20]) == checksum(pseudo + segment) == 0


def test_greetings_without_a_name() -> None:
    rule = GreetingRule(nameless=True, action="drop")
    assert judge(rule, packet(hello(None))) == (None, None)
    assert judge(rule, packet(GREETING)) == (packet(GREETING), None)


@pytest.mark.skipif(sys.platform == "win32", reason="TUN interfaces are Linux's")
async def test_the_wire_carries_both_ways_and_answers_for_the_far_end() -> None:
    with ExitStack() as stack:
        near, low = map(stack.enter_context, socket.socketpair(type=socket.SOCK_DGRAM))
        far, high = map(stack.enter_context, socket.socketpair(type=socket.SOCK_DGRAM))
        for end in (near, low, far, high):
            end.setblocking(False)
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(carry(low.fileno(), high.fileno(), RULE))  # noqa: TID251
        near.send(packet(GREETING))
        assert await loop.sock_recv(near, 100) == judge(RULE, packet(GREETING))[1]
        near.send(packet(b"more"))
        assert await loop.sock_recv(far, 100) == packet(b"more")
        os.write(far.fileno(), packet(GREETING))
        assert await loop.sock_recv(near, 1000) == packet(GREETING)
        task.cancel()
        await asyncio.wait([task])
        for end in (low, high):
            loop.remove_reader(end)
