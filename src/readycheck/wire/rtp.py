"""RTP packets (RFC 3550) and how to tell RTCP from them on one port (RFC 5761)."""

import struct
from dataclasses import dataclass

HEADER_SIZE = 12

_HEADER = struct.Struct("!BBHII")
_VERSION = 2
_PADDING = 0x20
_EXTENSION = 0x10
_MARKER = 0x80


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet without its CSRC list, extension and padding (RFC 3550 section 5.1)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


def pack_packet(packet: RtpPacket) -> bytes:
    """A packet with the fixed header only (RFC 3550 section 5.1)."""
    for name, bits in (("payload_type", 7), ("sequence", 16), ("timestamp", 32), ("ssrc", 32)):
        value = getattr(packet, name)
        if not 0 <= value < 1 << bits:
            raise ValueError(f"RTP {name} {value} does not fit {bits} bits")
    second = packet.payload_type | packet.marker * _MARKER
    header = _HEADER.pack(_VERSION << 6, second, packet.sequence, packet.timestamp, packet.ssrc)
    return header + packet.payload


def unpack_packet(data: bytes) -> RtpPacket:
    """Read one datagram (RFC 3550 sections 5.1 and 5.3.1)."""
    if len(data) < HEADER_SIZE:
        raise ValueError(f"RTP packet of {len(data)} bytes is shorter than its {HEADER_SIZE}-byte header")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != _VERSION:
        raise ValueError(f"RTP version {first >> 6} is not 2")
    payload = data[_payload_start(data) : _payload_end(data)]
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, payload, bool(second & _MARKER))


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram on a shared port is RTCP, types 192 to 223 (RFC 5761 section 4)."""
    return len(data) >= 4 and data[0] >> 6 == _VERSION and 192 <= data[1] <= 223


def _payload_start(data: bytes) -> int:
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if data[0] & _EXTENSION:
        if len(data) < start + 4:
            raise ValueError("RTP header extension overruns the packet")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if start > len(data):
        raise ValueError(f"RTP header of {start} bytes overruns the {len(data)}-byte packet")
    return start


def _payload_end(data: bytes) -> int:
    if not data[0] & _PADDING:
        return len(data)
    end = len(data) - data[-1]
    if not _payload_start(data) <= end < len(data):
        raise ValueError(f"RTP padding of {data[-1]} bytes does not fit the packet")
    return end


def even_ports(ports: str) -> range:
    """Of a range such as `8500-8599`: RTP has the even ports, RTCP the odd ones (RFC 3550 section 11)."""
    low, _, high = ports.partition("-")
    first = int(low or 0)
    return range(first + first % 2, int(high or low) + 1, 2) if low else range(0)
