"""RTCP reports (RFC 3550 section 6): a sender's with its name, and a receiver's about one source."""

import struct
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, _SOURCE_DESCRIPTION = 200, 201, 202
PLAIN_SENDER_REPORT = b"\x80\xc8\x00\x06"
"""How the reports of an agent begin: without blocks, for it says what it received elsewhere."""
UNITS_PER_SECOND = 65536
"""Of LSR and DLSR: the middle 32 bits of the time of NTP."""

_HEAD = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IB3sIIII")
_U32, _NTP_EPOCH_S = 0xFFFFFFFF, 2_208_988_800
_CNAME, _VERSION = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """Section 6.4.1; `ntp` has 64 bits."""

    ssrc: int
    ntp: int
    timestamp: int = 0
    packets: int = 0
    octets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What the reporter received of one source (section 6.4.1); times in units of 1/65536 s."""

    ssrc: int
    lost_share: float = 0.0
    lost: int = 0
    highest: int = 0
    jitter: int = 0
    last_report: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """A compound packet: who reports, of what it sent, and of what it received."""

    ssrc: int
    sender: SenderReport | None = None
    blocks: tuple[Block, ...] = ()


def pack_sender_report(report: SenderReport, name: str) -> bytes:
    body = _SENDER.pack(
        report.ssrc, report.ntp, report.timestamp & _U32, report.packets & _U32, report.octets & _U32
    )
    return _packet(0, SENDER_REPORT, body) + _description(report.ssrc, name)


def pack_receiver_report(ssrc: int, block: Block, name: str) -> bytes:
    lost = max(-(1 << 23), min(block.lost, (1 << 23) - 1)) & 0xFFFFFF
    body = _BLOCK.pack(
        block.ssrc,
        max(0, min(255, int(256 * block.lost_share))),
        lost.to_bytes(3, "big"),
        block.highest & _U32,
        min(block.jitter, _U32),
        block.last_report,
        min(block.delay, _U32),
    )
    return _packet(1, RECEIVER_REPORT, ssrc.to_bytes(4, "big") + body) + _description(ssrc, name)


def unpack_reports(data: bytes) -> Reports:
    """A compound packet by the rules of appendix A.2; raises `ValueError` for what is none."""
    first, kind, body = _next(data, 0)
    if kind not in (SENDER_REPORT, RECEIVER_REPORT) or first & 0x20:
        raise ValueError(f"RTCP begins with a report and without padding, not with type {kind}")
    ssrc, sender = _ssrc(body), _sender(body) if kind == SENDER_REPORT else None
    blocks_at = _SENDER.size if sender else 4
    count = first & 0x1F
    if len(body) < blocks_at + count * _BLOCK.size:
        raise ValueError(f"an RTCP report of {len(body)} bytes has no room for {count} blocks")
    at = _HEAD.size + len(body)
    while at < len(data):
        at += _HEAD.size + len(_next(data, at)[2])
    places = (blocks_at + i * _BLOCK.size for i in range(count))
    return Reports(ssrc=ssrc, sender=sender, blocks=tuple(_block(body, place) for place in places))


def ntp_time(at_ns: int) -> int:
    """The 64 bits of NTP of nanoseconds since the epoch (section 4)."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return ((seconds + _NTP_EPOCH_S) & _U32) << 32 | (rest << 32) // 1_000_000_000


def middle(ntp: int) -> int:
    """What LSR has of it."""
    return ntp >> 16 & _U32


def round_trip_ms(arrived_ns: int, block: Block) -> float | None:
    """By LSR and DLSR (section 6.4.1); None when the far end had no report yet, or tells what cannot be."""
    if not block.last_report:
        return None
    units = (middle(ntp_time(arrived_ns)) - block.last_report - block.delay) & _U32
    return units / UNITS_PER_SECOND * 1000 if units < 1 << 31 else None


def _packet(count: int, kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_VERSION << 6 | count, kind, len(body) // 4) + body


def _description(ssrc: int, name: str) -> bytes:
    """Section 6.5: a CNAME is part of every compound packet."""
    text = name.encode()[:255]
    chunk = ssrc.to_bytes(4, "big") + bytes((_CNAME, len(text))) + text + b"\0"
    return _packet(1, _SOURCE_DESCRIPTION, chunk.ljust(-(-len(chunk) // 4) * 4, b"\0"))


def _next(data: bytes, at: int) -> tuple[int, int, bytes]:
    """The packet at a place of the compound one: its first byte, its type, its body."""
    if len(data) < at + _HEAD.size:
        raise ValueError(f"{len(data) - at} bytes hold no RTCP header")
    first, kind, words = _HEAD.unpack_from(data, at)
    body = data[at + _HEAD.size : at + _HEAD.size + 4 * words]
    if first >> 6 != _VERSION:
        raise ValueError(f"RTCP version {first >> 6} is not 2")
    if len(body) < 4 * words:
        raise ValueError(f"RTCP of {words} words overruns the datagram")
    return first, kind, body


def _ssrc(body: bytes) -> int:
    if len(body) < 4:
        raise ValueError("an RTCP report without its source")
    return int.from_bytes(body[:4], "big")


def _sender(body: bytes) -> SenderReport:
    if len(body) < _SENDER.size:
        raise ValueError(f"a sender report of {len(body)} bytes")
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
    return SenderReport(ssrc=ssrc, ntp=ntp, timestamp=timestamp, packets=packets, octets=octets)


def _block(body: bytes, at: int) -> Block:
    ssrc, share, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
    return Block(
        ssrc=ssrc,
        lost_share=share / 256,
        lost=int.from_bytes(lost, "big", signed=True),
        highest=highest,
        jitter=jitter,
        last_report=last,
        delay=delay,
    )
