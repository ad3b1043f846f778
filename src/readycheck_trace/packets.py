"""Probes as scapy packets, and scapy packets as what was seen."""

from typing import Any

from readycheck_trace.attribution import TIME_EXCEEDED, UNREACHABLE, Flow, Seen, Sent
from readycheck_trace.request import Probe

_ICMP = {11: TIME_EXCEEDED, 3: UNREACHABLE}
_ICMP6 = {3: TIME_EXCEEDED, 1: UNREACHABLE}
_RTP_VERSION_2_PCMU = b"\x80\x00"
_MARK_BYTES = 4


def make_packet(probe: Probe, number: int, source_port: int) -> tuple[Any, Sent]:
    """The packet of a probe; `number`, 1 to 65535 and its own, is the mark that it carries."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    address = str(probe.address)
    network: Any
    transport: Any
    if probe.address.version == 4:
        network = IP(dst=address, ttl=probe.ttl, tos=probe.tos, id=number, flags="DF")
    else:
        network = IPv6(dst=address, hlim=probe.ttl, tc=probe.tos)
    marks: set[tuple[str, Any]] = {("id", number)} if probe.address.version == 4 else set()
    if probe.transport == "tcp":
        sequence = number << 16
        transport = TCP(sport=source_port, dport=probe.port, flags="S", seq=sequence, options=[("MSS", 1360)])
        marks.add(("sequence", sequence))
    else:
        payload = _RTP_VERSION_2_PCMU + number.to_bytes(2, "big") + bytes(8)
        transport = UDP(sport=source_port, dport=probe.port) / Raw(payload)
        marks.add(("payload", payload[:_MARK_BYTES]))
    flow = Flow(probe.transport, address, probe.port, source_port)
    return network / transport, Sent(probe=probe, flow=flow, marks=frozenset(marks))


def read_packet(packet: Any) -> Seen | None:
    """What a packet says; None when it cannot be an answer to a probe."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
    from scapy.layers.inet6 import IPerror6, IPv6, _ICMPv6

    network = packet.getlayer(IP) or packet.getlayer(IPv6)
    if network is None or isinstance(network, IPerror | IPerror6):
        return None
    upper = network.payload
    if isinstance(upper, ICMP):
        return _read_error(packet, network, _ICMP.get(upper.type), upper)
    if isinstance(upper, _ICMPv6):
        return _read_error(packet, network, _ICMP6.get(upper.type), upper)
    if isinstance(upper, TCP):
        flags = upper.flags
        if not (flags.R or (flags.S and flags.A)):
            return None
        marks = frozenset({("sequence", (upper.ack - 1) & 0xFFFF_FFFF)})
        return _seen(packet, network, "rst" if flags.R else "synack", upper, "tcp", marks)
    if isinstance(upper, UDP):
        return _seen(packet, network, "udp", upper, "udp", frozenset())
    return None


def _seen(
    packet: Any, network: Any, reply: str, upper: Any, transport: str, marks: frozenset[tuple[str, Any]]
) -> Seen:
    flow = Flow(transport, network.src, upper.sport, upper.dport)
    return Seen(
        reply=reply, source=network.src, ttl=_ttl(network), at=float(packet.time), flow=flow, marks=marks
    )


def _read_error(packet: Any, network: Any, reply: str | None, upper: Any) -> Seen | None:
    from scapy.layers.inet import IPerror, TCPerror, UDPerror
    from scapy.layers.inet6 import IPerror6

    quoted = packet.getlayer(IPerror) or packet.getlayer(IPerror6)
    inner = quoted and (quoted.getlayer(UDPerror) or quoted.getlayer(TCPerror))
    if reply is None or inner is None:
        return None
    transport = "tcp" if isinstance(inner, TCPerror) else "udp"
    marks: set[tuple[str, Any]] = {("id", quoted.id)} if isinstance(quoted, IPerror) else set()
    if transport == "tcp":
        marks.add(("sequence", inner.seq))
    else:
        marks.add(("payload", bytes(inner.payload)[:_MARK_BYTES]))
    return Seen(
        reply=reply,
        code=int(upper.code),
        source=network.src,
        ttl=_ttl(network),
        at=float(packet.time),
        flow=Flow(transport, quoted.dst, inner.dport, inner.sport),
        marks=frozenset(marks),
        quoted_tos=int(quoted.tos if isinstance(quoted, IPerror) else quoted.tc),
        quoted_source_port=int(inner.sport),
    )


def _ttl(network: Any) -> int:
    return int(network.hlim if network.version == 6 else network.ttl)
