"""NTP client requests and server replies (RFC 5905), and what makes a reply unusable."""

import math
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

PACKET_SIZE = 48

_PACKET = struct.Struct("!BBbbII4sQQQQ")
_VERSION = 4
_CLIENT = 3
_SERVER = 4
_TICKS = 1 << 32
_UNIX_EPOCH = 2_208_988_800
_FIRST_SECOND = (1 << 31) - _UNIX_EPOCH
_LAST_SECOND = _FIRST_SECOND + (1 << 32)
# RFC 5905 section 7.4 less INIT and STEP, which only say that the server has no time yet; NTSN is RFC 8915.
_KISS_CODES = frozenset("ACST AUTH AUTO BCST CRYP DENY DROP RSTR MCST NKEY NTSN RATE RMOT".split())


@dataclass(frozen=True, slots=True)
class NtpReply:
    """One server reply; times are Unix seconds, 0.0 where the field was zero (RFC 5905 section 7.3)."""

    leap: int
    version: int
    mode: int
    stratum: int
    reference_id: str
    root_delay_ms: float
    root_dispersion_ms: float
    origin: float
    receive: float
    transmit: float
    origin_raw: int


def pack_request(transmit: float) -> bytes:
    """A client request stamped with a Unix time (RFC 5905 section 7.3)."""
    first = _VERSION << 3 | _CLIENT
    return _PACKET.pack(first, 0, 0, 0, 0, 0, b"", 0, 0, 0, _pack_time(transmit))


def pack_reply(
    request: bytes,
    *,
    receive: float,
    transmit: float,
    stratum: int = 2,
    leap: int = 0,
    reference_id: bytes = b"LOCL",
) -> bytes:
    """A server's answer to `request` (RFC 5905 section 9.2)."""
    first, _, poll, *_ = _unpack(request)
    if not 0 <= stratum <= 255 or not 0 <= leap <= 3 or len(reference_id) > 4:
        raise ValueError(f"NTP stratum {stratum}, leap {leap} or reference id {reference_id!r} does not fit")
    origin = int.from_bytes(request[40:48], "big")
    arrived, left = _pack_time(receive), _pack_time(transmit)
    first = leap << 6 | first & 0x38 | _SERVER
    return _PACKET.pack(first, stratum, poll, -20, 0, 0, reference_id, arrived, origin, arrived, left)


def unpack_reply(data: bytes) -> NtpReply:
    """Read the 48-byte header; extension fields and a MAC may follow it (RFC 5905 section 7.3)."""
    first, stratum, _, _, delay, dispersion, identifier, _, origin, receive, transmit = _unpack(data)
    return NtpReply(
        leap=first >> 6,
        version=first >> 3 & 7,
        mode=first & 7,
        stratum=stratum,
        reference_id=_unpack_reference_id(stratum, identifier),
        root_delay_ms=delay * 1000 / (1 << 16),
        root_dispersion_ms=dispersion * 1000 / (1 << 16),
        origin=_unpack_time(origin),
        receive=_unpack_time(receive),
        transmit=_unpack_time(transmit),
        origin_raw=origin,
    )


def check_reply(request: bytes, reply: NtpReply) -> str | None:
    """The first reason not to use `reply`, as one word, or None (RFC 5905 section 8, RFC 4330 section 5)."""
    *_, sent = _unpack(request)
    checks = (
        ("mode", reply.mode != _SERVER),
        ("origin", reply.origin_raw != sent),
        ("kiss-of-death", reply.stratum == 0 and reply.reference_id in _KISS_CODES),
        ("unsynchronised", reply.leap == 3 or not 1 <= reply.stratum <= 15),
        ("zero-transmit", reply.transmit == 0.0),
        ("unsynchronised", reply.receive == 0.0),
    )
    return next((reason for reason, failed in checks if failed), None)


def offset_and_delay_ms(reply: NtpReply, sent: float, received: float) -> tuple[float, float]:
    """Clock offset and round-trip delay of one exchange (RFC 5905 section 8)."""
    outward = reply.receive - sent
    homeward = reply.transmit - received
    return (outward + homeward) / 2 * 1000, (outward - homeward) * 1000


def _unpack(data: bytes) -> tuple[Any, ...]:
    if len(data) < PACKET_SIZE:
        raise ValueError(f"NTP packet of {len(data)} bytes is shorter than {PACKET_SIZE}")
    return _PACKET.unpack_from(data)


def _pack_time(unix: float) -> int:
    if not _FIRST_SECOND <= unix < _LAST_SECOND:
        raise ValueError(f"time {unix} is outside the years 1968 to 2104 that NTP can tell apart")
    # Zero would mean "unknown", so the first tick of era 1 borrows the next.
    return (math.floor(unix * _TICKS) + _UNIX_EPOCH * _TICKS) % (1 << 64) or 1


def _unpack_time(stamp: int) -> float:
    if not stamp:
        return 0.0
    # The top bit tells era 0 from era 1 (RFC 4330 section 3).
    era = 0 if stamp >> 63 else 1 << 64
    return (stamp + era - _UNIX_EPOCH * _TICKS) / _TICKS


def _unpack_reference_id(stratum: int, identifier: bytes) -> str:
    if stratum >= 2:
        return str(IPv4Address(identifier))
    text = identifier.rstrip(b"\0 ").decode("ascii", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
