"""What an agent and the responder say to each other: control messages, and packets shaped like a call's. Pure.

Control messages go over UDP, or over TCP and TLS behind a length of two bytes:

    "RYFE" | version 1 | kind 1 | length of the body 2 | body (JSON, UTF-8) | zeros | tag 16

The tag is HMAC-SHA-256 over all before it, cut to 128 bits; without a key it only shows damage. Zeros make a request as
long as its answer may become. A conversation, in the manner of STAMP and irtt: HELLO, COOKIE (proof of the source
address; sent back in another HELLO it makes known who wants nothing else), OPEN with what is wanted, OPENED with what
is granted or REFUSED with the reason, streams, REPORT, COUNTED, CLOSE.

A call (`readycheck call`) is agreed on over TCP or TLS by OFFER and ACCEPTED, in the manner of SDP's offer and answer:
who each end is in ICE and in DTLS. REPORT and CLOSE are for calls, too.

OPEN has a `name` of the agent's own, so that asking again, even when the stream has overtaken the question, opens no
second one.

Packets of a stream are RTP (RFC 3550) with a payload that begins, from the agent, with

    number 4 | sent 8

and back from the responder, in a packet of the same length whose RTP sequence is the responder's own count, with

    number 4 | received 8 | held 4 | hop limit 1 | traffic class 1

Its CLOSED tells what no lost answer can hide: how many packets came twice, how many were overtaken, and, from the
`offset` in CLOSE on, which arrived at all: a bit for each number, in base64. `size` bytes are told in as many parts as
it takes.

Sender reports of the stream (RFC 3550) are answered, from whichever port of its address they come, with a receiver
report that is no longer: at the port that lies as far above this one as OPENED says in `rtcp_above`.

How large datagrams may be is asked with SIZE, as long as the datagram that is tried: SIZED is short, or of the same
length where it is the way down that is tried; it is never cut into fragments by its sender.

Throughput is measured over TCP: LOAD instead of OPEN, LOADING, and then plain bytes in the direction that was asked for
until the time that was granted is over. Of bytes that came up the responder tells with LOADED, in the same frame as
other messages, how many it took in each window of time. Connections of one measurement have a name in common; LOAD
with that and no direction is answered with LOADED, which tells whether others had a share of what is let through.

How long an idle connection lives is asked with HOLD: HELD at once, and once more after the silence that was asked for,
for it is the far end that speaks first when a telephone is to ring.

Times are nanoseconds, each of its own end's clock. As in STAMP (RFC 8762 section 4.3), the two counts tell on which
way a packet was lost.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from readycheck.wire.rtp import HEADER_SIZE, RtpPacket, pack_packet, unpack_packet

VERSION = 1
PORT = 3478
"""That of STUN (RFC 8489), which the responder answers there, too."""
MAGIC = b"RYFE"
TAG_SIZE = 16
REQUEST_SIZE = 1200
"""Control requests are padded to it; within every path MTU that a profile accepts."""

NONSENSE = (KeyError, TypeError, ValueError, OverflowError)
"""What reading a body raises that no honest end sends: JSON has numbers without bounds."""

_HEAD = struct.Struct("!4sBBH")
HEAD_SIZE = _HEAD.size
_ASK = struct.Struct("!IQ")
_ANSWER = struct.Struct("!IQIBB")
_SSRC_AND_NUMBER, _NUMBER, _COUNT = struct.Struct("!II"), struct.Struct("!I"), struct.Struct("!H")
_SENT = struct.Struct("!Q")
_PLAIN_RTP = 0x80
"""Version 2 without padding, extension and contributing sources: what agents send."""
_MOST = 1472
_FILL = b"\xff" * 65536
_U32 = 0xFFFFFFFF

WINDOW_S = 0.25
"""Throughput is counted in windows of that length, from when it was granted."""
LEAST_PAYLOAD = _ANSWER.size
"""A packet carries at least its answer's fields: 18 bytes, less than 20 ms of G.729."""


class Kind(IntEnum):
    """What a control message is for; answers have even numbers."""

    HELLO = 1
    COOKIE = 2
    OPEN = 3
    OPENED = 4
    REFUSED = 6
    REPORT = 7
    COUNTED = 8
    CLOSE = 9
    CLOSED = 10
    MIRROR = 11
    MIRRORED = 12
    CALL_BACK = 13
    CALLED = 14
    OFFER = 21
    ACCEPTED = 22
    LOAD = 25
    LOADING = 26
    LOADED = 28
    SIZE = 29
    SIZED = 30
    HOLD = 31
    HELD = 32


ANSWERS = {
    Kind.HELLO: (Kind.COOKIE,),
    Kind.OPEN: (Kind.OPENED, Kind.REFUSED),
    Kind.REPORT: (Kind.COUNTED,),
    Kind.CLOSE: (Kind.CLOSED,),
    Kind.MIRROR: (Kind.MIRRORED, Kind.REFUSED),
    Kind.CALL_BACK: (Kind.CALLED, Kind.REFUSED),
    Kind.OFFER: (Kind.ACCEPTED, Kind.REFUSED),
    Kind.LOAD: (Kind.LOADING, Kind.LOADED, Kind.REFUSED),
    Kind.SIZE: (Kind.SIZED,),
    Kind.HOLD: (Kind.HELD, Kind.REFUSED),
}
"""What each request may be answered with."""


@dataclass(frozen=True, slots=True)
class Message:
    """A control message whose tag was right."""

    kind: Kind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A packet of a stream on its way to the responder."""

    ssrc: int
    payload_type: int
    number: int
    sent_ns: int
    timestamp: int = 0
    size: int = LEAST_PAYLOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The same packet on its way back. `count` numbers the packets that the responder received."""

    ssrc: int
    payload_type: int
    count: int
    number: int
    received_ns: int
    held_ns: int
    hop_limit: int
    traffic_class: int
    timestamp: int = 0
    size: int = LEAST_PAYLOAD


def is_control(data: bytes | bytearray) -> bool:
    return data[:4] == MAGIC


def pack_message(kind: Kind, body: Mapping[str, Any], key: bytes = b"", *, size: int = 0) -> bytes:
    """Raises `ValueError` for a body that does not fit a datagram."""
    text = json.dumps(body, separators=(",", ":")).encode()
    bare = _HEAD.pack(MAGIC, VERSION, kind, len(text)) + text
    padded = bare.ljust(size - TAG_SIZE, b"\0")
    if len(padded) + TAG_SIZE > _MOST:
        raise ValueError(f"a control message of {len(padded) + TAG_SIZE} bytes does not fit {_MOST}")
    return padded + _tag(padded, key)


def unpack_message(data: bytes, key: bytes = b"") -> Message:
    """Raises `ValueError` for anything but a message with the right tag."""
    if len(data) < HEAD_SIZE + TAG_SIZE or len(data) > _MOST or not is_control(data):
        raise ValueError("not a control message")
    if not hmac.compare_digest(_tag(data[:-TAG_SIZE], key), data[-TAG_SIZE:]):
        raise ValueError("the tag of the control message is wrong")
    _, version, kind, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"control message of version {version}, not {VERSION}")
    if HEAD_SIZE + length + TAG_SIZE > len(data):
        raise ValueError("the body overruns the control message")
    return Message(Kind(kind), _body(data[HEAD_SIZE : HEAD_SIZE + length]))


def _body(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError("the body of the control message is no JSON") from error
    if not isinstance(body, dict):
        raise ValueError("the body of the control message is no object")
    return body


def _tag(data: bytes, key: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)[:TAG_SIZE]


def pack_ask(ask: Ask) -> bytes:
    """A packet with `size` bytes of payload, filled with what a codec sends for silence."""
    head = _ASK.pack(ask.number & _U32, ask.sent_ns)
    return _packet(ask.payload_type, ask.number, ask.timestamp, ask.ssrc, head, ask.size)


def unpack_ask(data: bytes) -> Ask:
    """Raises `ValueError` for what is none."""
    packet = unpack_packet(data)
    if len(packet.payload) < LEAST_PAYLOAD:
        raise ValueError(f"a payload of {len(packet.payload)} bytes has no room for the answer")
    number, sent_ns = _ASK.unpack_from(packet.payload)
    return Ask(
        ssrc=packet.ssrc,
        payload_type=packet.payload_type,
        number=number,
        sent_ns=sent_ns,
        timestamp=packet.timestamp,
        size=len(packet.payload),
    )


def pack_answer(answer: Answer) -> bytes:
    """As long as the packet that it answers."""
    held_ns = min(max(0, answer.held_ns), _U32)
    head = _ANSWER.pack(
        answer.number & _U32,
        answer.received_ns,
        held_ns,
        answer.hop_limit & 0xFF,
        answer.traffic_class & 0xFF,
    )
    return _packet(answer.payload_type, answer.count, answer.timestamp, answer.ssrc, head, answer.size)


def peek(data: bytes | bytearray) -> tuple[int, int]:
    """The stream and the number of a packet from an agent, quickly; -1 twice for what is none."""
    if len(data) < HEADER_SIZE + LEAST_PAYLOAD or data[0] != _PLAIN_RTP:
        return -1, -1
    return _SSRC_AND_NUMBER.unpack_from(data, 8)


def sent_at(data: bytes | bytearray) -> int:
    """When the agent says that a packet left, of one in which `peek` found a stream."""
    return int(_SENT.unpack_from(data, HEADER_SIZE + _NUMBER.size)[0])


def answer_in_place(
    data: bytearray, count: int, received_ns: int, held_ns: int, hop_limit: int, traffic_class: int
) -> None:
    """Turn a packet of a stream into its answer: a responder has some ten microseconds for each."""
    _COUNT.pack_into(data, 2, count & 0xFFFF)
    number = _NUMBER.unpack_from(data, HEADER_SIZE)[0]
    held_ns = min(max(0, held_ns), _U32)
    _ANSWER.pack_into(data, HEADER_SIZE, number, received_ns, held_ns, hop_limit & 0xFF, traffic_class & 0xFF)
    rest = len(data) - HEADER_SIZE - LEAST_PAYLOAD
    data[HEADER_SIZE + LEAST_PAYLOAD :] = _FILL[:rest]


def pack_call(token: str) -> bytes:
    """What a responder sends to the ports at which it was asked to call: RTP, as what inspects the way expects."""
    return _packet(0, 0, 0, 0, MAGIC + bytes.fromhex(token), 0)


def is_call(data: bytes, token: str) -> bool:
    return data == pack_call(token)


def unpack_answer(data: bytes) -> Answer:
    """Raises `ValueError` for what is none; `count` is the 16 bits that the packet shows of it."""
    packet = unpack_packet(data)
    if len(packet.payload) < LEAST_PAYLOAD:
        raise ValueError(f"a payload of {len(packet.payload)} bytes holds no answer")
    number, received_ns, held_ns, hop_limit, traffic_class = _ANSWER.unpack_from(packet.payload)
    return Answer(
        ssrc=packet.ssrc,
        payload_type=packet.payload_type,
        count=packet.sequence,
        number=number,
        received_ns=received_ns,
        held_ns=held_ns,
        hop_limit=hop_limit,
        traffic_class=traffic_class,
        timestamp=packet.timestamp,
        size=len(packet.payload),
    )


def _packet(payload_type: int, count: int, timestamp: int, ssrc: int, head: bytes, size: int) -> bytes:
    payload = head.ljust(max(size, LEAST_PAYLOAD), b"\xff")
    return pack_packet(RtpPacket(payload_type, count & 0xFFFF, timestamp & _U32, ssrc, payload))
