"""`python -m readycheck.twin.uplink LOW HIGH RULE`: a wire between two TUN interfaces, and a box on it.

The box reads the greetings of TLS that come from LOW, the site's end, packet by packet, and ends those that RULE
(JSON) matches. It uses up no hop: what it does, it does to packets that the router before it let go.
"""

import asyncio
import json
import os
import socket
import struct
import sys
from contextlib import suppress

from readycheck.twin.rules import GreetingRule
from readycheck.wire.icmp import checksum

_PACKET = 65535
_IPV4, _TCP, _NO_FRAGMENT = 4, 6, 0x4000
_HOPS = 64
_RST_ACK = 0x14
_TCP_HEAD = struct.Struct("!HHIIBBHHH")
_IP_HEAD = struct.Struct("!BBHHHBBH4s4s")


def segment_of(packet: bytes) -> bytes | None:
    """What an IPv4 packet carries for TCP, its header included; None when it is another packet."""
    if len(packet) < _IP_HEAD.size or packet[0] >> 4 != _IPV4 or packet[9] != _TCP:
        return None
    segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big")]
    return segment if len(segment) >= _TCP_HEAD.size else None


def payload_of(segment: bytes) -> bytes:
    return segment[(segment[12] >> 4) * 4 :]


def reset_for(packet: bytes, segment: bytes) -> bytes:
    """The reset that ends a connection as its server would, to be sent to the sender of `packet`."""
    source, destination, sequence, acknowledged = struct.unpack("!HHII", segment[:12])
    size = len(payload_of(segment))
    following = (sequence + size) & 0xFFFFFFFF
    here, there = packet[16:20], packet[12:16]
    head = _TCP_HEAD.pack(destination, source, acknowledged, following, 5 << 4, _RST_ACK, 0, 0, 0)
    pseudo = here + there + struct.pack("!BBH", 0, _TCP, len(head))
    tcp = head[:16] + checksum(pseudo + head).to_bytes(2, "big") + head[18:]
    size = _IP_HEAD.size + len(tcp)
    ip = _IP_HEAD.pack(0x45, 0, size, 0, _NO_FRAGMENT, _HOPS, socket.IPPROTO_TCP, 0, here, there)
    return ip[:10] + checksum(ip).to_bytes(2, "big") + ip[12:] + tcp


def judge(rule: GreetingRule, packet: bytes) -> tuple[bytes | None, bytes | None]:
    """What goes on, and what goes back."""
    segment = segment_of(packet)
    if segment is None or not rule.matches(payload_of(segment)):
        return packet, None
    return None, reset_for(packet, segment) if rule.action == "reject" else None


async def carry(low: int, high: int, rule: GreetingRule) -> None:
    """Carry packets between two TUN descriptors, those from `low` by way of the box."""
    loop = asyncio.get_running_loop()
    loop.add_reader(low, _inspect, low, high, rule)
    loop.add_reader(high, _pass_on, high, low)
    await asyncio.Event().wait()


def _inspect(low: int, high: int, rule: GreetingRule) -> None:
    with suppress(BlockingIOError):
        while True:
            onward, back = judge(rule, os.read(low, _PACKET))
            _deliver(high, onward)
            _deliver(low, back)


def _pass_on(source: int, sink: int) -> None:
    with suppress(BlockingIOError):
        while True:
            _deliver(sink, os.read(source, _PACKET))


def _deliver(sink: int, packet: bytes | None) -> None:
    if packet is not None:
        with suppress(OSError):  # a full queue drops the packet, as a router would
            os.write(sink, packet)


if __name__ == "__main__":
    told = json.loads(sys.argv[3])
    asked = GreetingRule(**{**told, "zones": tuple(told["zones"])})
    asyncio.run(carry(int(sys.argv[1]), int(sys.argv[2]), asked))
