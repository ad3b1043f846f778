"""Packets as routers and servers send them, made and read without a socket."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from readycheck_trace.attribution import Seen, attribute
from readycheck_trace.packets import make_packet, read_packet
from readycheck_trace.request import Probe


@pytest.fixture(autouse=True)
def no_cache_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    pytest.importorskip("scapy", reason="scapy is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield


def probe(address: str = "192.0.2.1", transport: str = "udp", **said: Any) -> Probe:
    given = {"id": "a", "port": 5004, "ttl": 3, "tos": 184, **said}
    return Probe(transport=transport, address=ip_address(address), **given)


def arrived(packet: Any) -> Seen | None:
    """The packet after a journey as bytes."""
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    read = (IPv6 if packet.version == 6 else IP)(bytes(packet))
    read.time = 12.5
    return read_packet(read)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("quoted_bytes", [28, None])
def test_a_router_answers(transport: str, quoted_bytes: int | None) -> None:
    from scapy.layers.inet import ICMP, IP

    packet, sent = make_packet(probe(transport=transport), 7, 40000)
    _, other = make_packet(probe(transport=transport, id="b"), 8, 40000)
    quoted = bytes(packet)[:quoted_bytes]
    seen = arrived(IP(src="198.51.100.1", dst="198.51.100.200", ttl=62) / ICMP(type=11, code=0) / quoted)
    assert seen is not None
    assert (seen.reply, seen.code, seen.source, seen.ttl, seen.at) == (
        "time_exceeded",
        0,
        "198.51.100.1",
        62,
        12.5,
    )
    assert (seen.quoted_tos, seen.quoted_source_port) == (184, 40000)
    assert attribute([other, sent], seen) is sent


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_router_answers_ipv6(transport: str) -> None:
    from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

    packet, sent = make_packet(probe("2001:db8::1", transport), 7, 40000)
    _, other = make_packet(probe("2001:db8::1", transport, id="b"), 8, 40000)
    answer = IPv6(src="2001:db8:f::1", dst="2001:db8::2", hlim=60) / ICMPv6DestUnreach(code=1) / bytes(packet)
    seen = arrived(answer)
    assert seen is not None
    assert (seen.reply, seen.code, seen.ttl, seen.quoted_tos) == ("unreachable", 1, 60, 184)
    assert attribute([other, sent], seen) is sent


@pytest.mark.parametrize(("flags", "reply"), [("SA", "synack"), ("RA", "rst"), ("A", None)])
def test_a_server_answers_a_syn(flags: str, reply: str | None) -> None:
    from scapy.layers.inet import IP, TCP

    _, sent = make_packet(probe(transport="tcp"), 7, 40000)
    _, other = make_packet(probe(transport="tcp", id="b"), 8, 40000)
    header = TCP(sport=5004, dport=40000, flags=flags, ack=(7 << 16) + 1)
    seen = arrived(IP(src="192.0.2.1", dst="198.51.100.200", ttl=51) / header)
    assert (seen and seen.reply) == reply
    if seen is not None:
        assert seen.ttl == 51
        assert attribute([other, sent], seen) is sent


def test_a_server_answers_a_datagram() -> None:
    from scapy.layers.inet import IP, UDP

    _, sent = make_packet(probe(), 7, 40000)
    seen = arrived(IP(src="192.0.2.1", dst="198.51.100.200") / UDP(sport=5004, dport=40000) / b"hello")
    assert seen is not None
    assert seen.reply == "udp"
    assert attribute([sent], seen) is sent


def test_other_packets_are_nothing() -> None:
    from scapy.layers.inet import ICMP, IP
    from scapy.layers.l2 import ARP
    from scapy.packet import Raw

    for packet in (IP() / ICMP(type=8), IP() / ICMP(type=11) / b"\x45", IP(proto=47) / Raw(b"x" * 40)):
        assert arrived(packet) is None
    assert read_packet(ARP()) is None
    assert read_packet(Raw(b"\xff" * 9)) is None
