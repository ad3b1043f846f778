"""STUN messages (RFC 8489) with the NAT behaviour attributes of RFC 5780."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from enum import StrEnum
from operator import xor
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC_COOKIE = 0x2112A442
BINDING = 0x001

_HEADER = struct.Struct("!HHI12s")
_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
_MAX_TEXT_CHARACTERS = 127
_MAX_TEXT_BYTES = 4 * _MAX_TEXT_CHARACTERS
_CHANGE_IP = 0x04
_CHANGE_PORT = 0x02
_ADDRESS_SIZES = {1: 4, 2: 16}
_INTEGRITY = {0x0008, 0x001C}
_CREDENTIALS = {0x0006, 0x0014, 0x0015, 0x001D, 0x001E} | _INTEGRITY
"""Whoever asks for none may pass them over (RFC 8489 section 9)."""
_MOST_UNKNOWN = 16

Address = tuple[str, int]


class MessageClass(StrEnum):
    """The four classes, in the order of their two bits (RFC 8489 section 5)."""

    REQUEST = "request"
    INDICATION = "indication"
    SUCCESS = "success"
    ERROR = "error"


_CLASSES = tuple(MessageClass)


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One STUN message; an absent attribute is None, empty or False (RFC 8489 section 5)."""

    message_class: MessageClass
    method: int
    transaction_id: bytes
    xor_mapped_address: Address | None = None
    mapped_address: Address | None = None
    other_address: Address | None = None
    response_origin: Address | None = None
    error_code: int | None = None
    error_reason: str = ""
    software: str = ""
    change_ip: bool = False
    change_port: bool = False
    response_port: int | None = None
    padding: int | None = None
    unknown_attributes: tuple[int, ...] = ()
    """What has to be understood and is not; of a request as found in it, of an error response as told by it."""


def pack_binding_request(
    transaction_id: bytes,
    *,
    software: str = "",
    change_ip: bool = False,
    change_port: bool = False,
    response_port: int | None = None,
    padding: int | None = None,
) -> bytes:
    """A Binding request, with CHANGE-REQUEST, RESPONSE-PORT and PADDING when asked (RFC 5780 section 7)."""
    message = StunMessage(
        MessageClass.REQUEST,
        BINDING,
        transaction_id,
        software=software,
        change_ip=change_ip,
        change_port=change_port,
        response_port=response_port,
        padding=padding,
    )
    return pack_message(message)


def pack_binding_success(
    transaction_id: bytes,
    mapped: Address,
    *,
    software: str = "",
    other_address: Address | None = None,
    response_origin: Address | None = None,
) -> bytes:
    """A Binding success with the mapped address in both forms (RFC 8489 sections 14.1 and 14.2)."""
    message = StunMessage(
        MessageClass.SUCCESS,
        BINDING,
        transaction_id,
        xor_mapped_address=mapped,
        mapped_address=mapped,
        other_address=other_address,
        response_origin=response_origin,
        software=software,
    )
    return pack_message(message)


def pack_binding_error(
    transaction_id: bytes, code: int, reason: str, *, unknown_attributes: tuple[int, ...] = ()
) -> bytes:
    """A Binding error response (RFC 8489 sections 14.8 and 14.13)."""
    message = StunMessage(
        MessageClass.ERROR,
        BINDING,
        transaction_id,
        error_code=code,
        error_reason=reason,
        unknown_attributes=unknown_attributes,
    )
    return pack_message(message)


def pack_message(message: StunMessage) -> bytes:
    """Any STUN message, its attributes in table order (RFC 8489 section 5)."""
    if len(message.transaction_id) != 12:
        raise ValueError(f"STUN transaction id of {len(message.transaction_id)} bytes is not 12")
    if not 0 <= message.method <= 0xFFF:
        raise ValueError(f"STUN method {message.method} is outside 0..4095")
    body = b"".join(_pack_attributes(message))
    kind = _pack_type(message.message_class, message.method)
    return _HEADER.pack(kind, len(body), MAGIC_COOKIE, message.transaction_id) + body


def unpack_message(data: bytes) -> StunMessage:
    """Read one whole datagram; of repeated attributes the first counts (RFC 8489 sections 6.3 and 14)."""
    if len(data) < _HEADER.size:
        raise ValueError(f"STUN message of {len(data)} bytes is shorter than its 20-byte header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    _check_header(kind, length, cookie, len(data) - _HEADER.size)
    fields: dict[str, Any] = {}
    unknown = _unknown_attributes(data)
    for attribute, value in _known_attributes(data):
        if attribute.fields[0] not in fields:
            fields.update(zip(attribute.fields, attribute.unpack(transaction_id, value), strict=True))
    message_class, method = _unpack_type(kind)
    if unknown and message_class is MessageClass.REQUEST:
        fields["unknown_attributes"] = unknown
    return StunMessage(message_class, method, transaction_id, **fields)


def _check_header(kind: int, length: int, cookie: int, present: int) -> None:
    if kind & 0xC000:
        raise ValueError("not STUN: the top two bits are set")
    if cookie != MAGIC_COOKIE:
        raise ValueError(f"not STUN: the magic cookie is 0x{cookie:08x}")
    if length % 4:
        raise ValueError(f"STUN length {length} is not a multiple of 4")
    if length != present:
        raise ValueError(f"STUN length {length} differs from the {present} bytes present")


def _pack_type(message_class: MessageClass, method: int) -> int:
    bits = _CLASSES.index(message_class)
    spread = (method & 0x00F) | (method & 0x070) << 1 | (method & 0xF80) << 2
    return spread | (bits & 1) << 4 | (bits & 2) << 7


def _unpack_type(kind: int) -> tuple[MessageClass, int]:
    bits = (kind >> 4 & 1) | (kind >> 7 & 2)
    return _CLASSES[bits], (kind & 0x00F) | (kind >> 1 & 0x070) | (kind >> 2 & 0xF80)


def _pack_attributes(message: StunMessage) -> Iterator[bytes]:
    for attribute in _ATTRIBUTES:
        values = [getattr(message, field) for field in attribute.fields]
        if any(value is not None and value is not False and value not in ("", ()) for value in values):
            value = attribute.pack(message.transaction_id, *values)
            yield struct.pack("!HH", attribute.kind, len(value)) + value + bytes(-len(value) % 4)


def _known_attributes(data: bytes) -> Iterator[tuple[_Attribute, bytes]]:
    for kind, value in _attributes(data):
        if kind in _BY_KIND:
            yield _BY_KIND[kind], value


def _unknown_attributes(data: bytes) -> tuple[int, ...]:
    """Those that a server has to understand to answer rightly (RFC 8489 sections 6.3.1 and 14)."""
    found = dict.fromkeys(kind for kind, _ in _attributes(data) if kind < 0x8000)
    return tuple(kind for kind in found if kind not in _BY_KIND and kind not in _CREDENTIALS)[:_MOST_UNKNOWN]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position, sealed = _HEADER.size, False
    while position < len(data):
        kind, length = struct.unpack_from("!HH", data, position)
        value = data[position + 4 : position + 4 + length]
        if len(value) < length:
            raise ValueError(f"STUN attribute 0x{kind:04x} of {length} bytes overruns the message")
        # What follows MESSAGE-INTEGRITY is not protected and does not count (RFC 8489 section 14.5).
        sealed = sealed or kind in _INTEGRITY
        if not sealed:
            yield kind, value
        position += 4 + length + (-length % 4)


def _pack_address(_: bytes, address: Address) -> bytes:
    host, port = address
    packed = ipaddress.ip_address(host).packed
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"port {port} is outside 0..65535")
    return struct.pack("!BBH", 0, 1 if len(packed) == 4 else 2, port) + packed


def _unpack_address(_: bytes, value: bytes) -> tuple[Address]:
    if len(value) < 4:
        raise ValueError(f"STUN address of {len(value)} bytes is shorter than 4")
    family, port = struct.unpack_from("!xBH", value)
    if family not in _ADDRESS_SIZES:
        raise ValueError(f"STUN address family {family} is neither 1 nor 2")
    packed = value[4:]
    if len(packed) != _ADDRESS_SIZES[family]:
        raise ValueError(f"STUN address of family {family} has {len(packed)} bytes")
    return ((str(ipaddress.ip_address(packed)), port),)


def _mask(transaction_id: bytes, value: bytes) -> bytes:
    pad = bytes(2) + _COOKIE[:2] + _COOKIE + transaction_id
    return bytes(map(xor, value, pad)) + value[len(pad) :]


def _pack_xor_address(transaction_id: bytes, address: Address) -> bytes:
    return _mask(transaction_id, _pack_address(transaction_id, address))


def _unpack_xor_address(transaction_id: bytes, value: bytes) -> tuple[Address]:
    return _unpack_address(transaction_id, _mask(transaction_id, value))


def _pack_error(transaction_id: bytes, code: int | None, reason: str) -> bytes:
    if code is None or not 300 <= code <= 699:
        raise ValueError(f"STUN error code {code} is outside 300..699")
    return struct.pack("!HBB", 0, *divmod(code, 100)) + _pack_text(transaction_id, reason)


def _unpack_error(transaction_id: bytes, value: bytes) -> tuple[int, str]:
    if len(value) < 4:
        raise ValueError(f"STUN error code of {len(value)} bytes is shorter than 4")
    hundreds, number = value[2] & 7, value[3]
    if not 3 <= hundreds <= 6 or number > 99:
        raise ValueError(f"STUN error class {hundreds} and number {number} are outside 300..699")
    return hundreds * 100 + number, *_unpack_text(transaction_id, value[4:])


def _pack_text(_: bytes, text: str) -> bytes:
    if len(text) > _MAX_TEXT_CHARACTERS:
        raise ValueError(f"STUN text of {len(text)} characters is longer than {_MAX_TEXT_CHARACTERS}")
    return text.encode()


def _unpack_text(_: bytes, value: bytes) -> tuple[str]:
    text = value[:_MAX_TEXT_BYTES].decode("utf-8", "replace")
    return (text[:_MAX_TEXT_CHARACTERS].rstrip("\0"),)


def _pack_change(_: bytes, change_ip: bool, change_port: bool) -> bytes:
    return struct.pack("!I", change_ip * _CHANGE_IP | change_port * _CHANGE_PORT)


def _unpack_change(_: bytes, value: bytes) -> tuple[bool, bool]:
    if len(value) != 4:
        raise ValueError(f"STUN change request of {len(value)} bytes is not 4")
    return bool(value[3] & _CHANGE_IP), bool(value[3] & _CHANGE_PORT)


def _pack_port(_: bytes, port: int) -> bytes:
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"port {port} is outside 0..65535")
    return struct.pack("!HH", port, 0)


def _unpack_port(_: bytes, value: bytes) -> tuple[int]:
    if len(value) not in (2, 4):
        raise ValueError(f"STUN response port of {len(value)} bytes is neither 2 nor 4")
    return (int.from_bytes(value[:2], "big"),)


def _pack_padding(_: bytes, size: int) -> bytes:
    return bytes(size)


def _unpack_padding(_: bytes, value: bytes) -> tuple[int]:
    return (len(value),)


def _pack_kinds(_: bytes, kinds: tuple[int, ...]) -> bytes:
    return struct.pack(f"!{len(kinds)}H", *kinds)


def _unpack_kinds(_: bytes, value: bytes) -> tuple[tuple[int, ...]]:
    return (struct.unpack_from(f"!{len(value) // 2}H", value)[:_MOST_UNKNOWN],)


class _Attribute(NamedTuple):
    kind: int
    fields: tuple[str, ...]
    pack: Callable[..., bytes]
    unpack: Callable[[bytes, bytes], tuple[Any, ...]]


_ATTRIBUTES = (
    _Attribute(0x0001, ("mapped_address",), _pack_address, _unpack_address),
    _Attribute(0x0003, ("change_ip", "change_port"), _pack_change, _unpack_change),
    _Attribute(0x0009, ("error_code", "error_reason"), _pack_error, _unpack_error),
    _Attribute(0x000A, ("unknown_attributes",), _pack_kinds, _unpack_kinds),
    _Attribute(0x0020, ("xor_mapped_address",), _pack_xor_address, _unpack_xor_address),
    _Attribute(0x0026, ("padding",), _pack_padding, _unpack_padding),
    _Attribute(0x0027, ("response_port",), _pack_port, _unpack_port),
    _Attribute(0x8022, ("software",), _pack_text, _unpack_text),
    _Attribute(0x802B, ("response_origin",), _pack_address, _unpack_address),
    _Attribute(0x802C, ("other_address",), _pack_address, _unpack_address),
)
_BY_KIND = {attribute.kind: attribute for attribute in _ATTRIBUTES}
