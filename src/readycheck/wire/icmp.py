"""ICMP echo messages (RFC 792, RFC 4443 section 4)."""

import struct
from dataclasses import dataclass

HEADER_SIZE = 8

_HEADER = struct.Struct("!BBHHH")
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_LEAST_IPV4_HEADER = 20


@dataclass(frozen=True, slots=True)
class Echo:
    """What a request carries and its reply brings back."""

    identifier: int
    sequence: int
    payload: bytes


def pack_echo_request(echo: Echo, *, family: int) -> bytes:
    """A request; the checksum of ICMPv6 is left out, for it covers addresses and kernels fill it in."""
    return _pack(_REQUEST[family], echo, family)


def pack_echo_reply(echo: Echo, *, family: int) -> bytes:
    return _pack(_REPLY[family], echo, family)


def unpack_echo_reply(data: bytes, *, family: int) -> Echo:
    """Read a reply; an IPv4 header before it, which some sockets leave there, is skipped."""
    return _unpack(_REPLY[family], data, family)


def unpack_echo_request(data: bytes, *, family: int) -> Echo:
    """Read a request, such as an ICMP error quotes; what was cut off its end is missing."""
    return _unpack(_REQUEST[family], data, family)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pack(kind: int, echo: Echo, family: int) -> bytes:
    numbers = echo.identifier, echo.sequence
    if not all(0 <= number <= 0xFFFF for number in numbers):
        raise ValueError(f"identifier and sequence {numbers} do not fit 16 bits each")
    plain = _HEADER.pack(kind, 0, 0, *numbers) + echo.payload
    return plain if family == 6 else plain[:2] + checksum(plain).to_bytes(2, "big") + plain[4:]


def _unpack(wanted: int, data: bytes, family: int) -> Echo:
    message = _without_header(data) if family == 4 else data
    if len(message) < HEADER_SIZE:
        raise ValueError(
            f"ICMP message of {len(message)} bytes is shorter than its {HEADER_SIZE}-byte header"
        )
    kind, code, _, identifier, sequence = _HEADER.unpack_from(message)
    if (kind, code) != (wanted, 0):
        raise ValueError(f"ICMP type {kind} code {code} is not type {wanted} code 0")
    return Echo(identifier, sequence, message[HEADER_SIZE:])


def _without_header(data: bytes) -> bytes:
    # No type of ICMP that is in use begins with the 4 of an IPv4 header's version.
    if not data or data[0] >> 4 != 4:
        return data
    size = (data[0] & 0x0F) * 4
    if not _LEAST_IPV4_HEADER <= size <= len(data):
        raise ValueError(f"IPv4 header of {size} bytes in a packet of {len(data)}")
    return data[size:]
