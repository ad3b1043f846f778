"""LDAP as far as one question of a stranger goes: the search for the root DSE, in BER by hand."""

from dataclasses import dataclass
from enum import IntEnum

MAX_MESSAGE_BYTES = 64 * 1024

_SEQUENCE, _INTEGER, _OCTETS, _ENUMERATED, _BOOLEAN = 0x30, 0x02, 0x04, 0x0A, 0x01
_APPLICATION, _CONSTRUCTED = 0x40, 0x20
_PRESENT = 0x87  # a Filter's choice 7, primitive (RFC 4511 section 4.5.1.7)
_LONGEST_LENGTH = 4


class Operation(IntEnum):
    """The operations of this dialogue, by their application tag (RFC 4511 section 4.2 and later)."""

    BIND_RESPONSE = 1
    SEARCH = 3
    ENTRY = 4
    DONE = 5
    REFERENCE = 19
    EXTENDED_RESPONSE = 24


_WITH_RESULT = (Operation.BIND_RESPONSE, Operation.DONE, Operation.EXTENDED_RESPONSE)


@dataclass(frozen=True, slots=True)
class LdapMessage:
    """One message; `result_code` is None where its operation has no result (RFC 4511 section 4.1.9)."""

    message_id: int
    operation: Operation
    result_code: int | None = None
    diagnostic: str = ""


def pack_root_search(message_id: int = 1) -> bytes:
    """A search for the root DSE without a bind: anonymous (RFC 4512 section 5.1), no attributes wanted."""
    search = (
        _element(_OCTETS, b"")
        + _element(_ENUMERATED, b"\0")  # this object only
        + _element(_ENUMERATED, b"\0")  # aliases stay what they are
        + _element(_INTEGER, b"\1")
        + _element(_INTEGER, b"\0")
        + _element(_BOOLEAN, b"\0")
        + _element(_PRESENT, b"objectClass")
        + _element(_SEQUENCE, _element(_OCTETS, b"1.1"))  # RFC 4511 section 4.5.1.8
    )
    return _message(message_id, Operation.SEARCH, search)


def pack_root_entry(message_id: int) -> bytes:
    """A stand-in server's answer: the root DSE without attributes, and that this was all."""
    entry = _element(_OCTETS, b"") + _element(_SEQUENCE, b"")
    return _message(message_id, Operation.ENTRY, entry) + pack_result(message_id, 0)


def pack_result(
    message_id: int, code: int, diagnostic: str = "", operation: Operation = Operation.DONE
) -> bytes:
    """A stand-in server's result (RFC 4511 section 4.1.9)."""
    result = _element(_ENUMERATED, _number(code)) + _element(_OCTETS, b"")
    return _message(message_id, operation, result + _element(_OCTETS, diagnostic.encode()))


def unpack_message(data: bytes) -> LdapMessage | None:
    """Read the first message of a stream; None until all of it is there."""
    whole = _read(data, 0, len(data), _SEQUENCE)
    if whole is None:
        return None
    start, end = whole
    message_id = _integer(data, *_inside(data, start, end, _INTEGER))
    at = _inside(data, start, end, _INTEGER)[1]
    operation = _operation(data, at, end)
    body = _inside(data, at, end, data[at])
    if operation not in _WITH_RESULT:
        return LdapMessage(message_id, operation)
    code = _inside(data, *body, _ENUMERATED)
    matched = _inside(data, code[1], body[1], _OCTETS)
    diagnostic = _inside(data, matched[1], body[1], _OCTETS)
    text = data[slice(*diagnostic)].decode("utf-8", "replace").rstrip("\0")  # Active Directory's has one
    return LdapMessage(message_id, operation, _integer(data, *code), text)


def _message(message_id: int, operation: Operation, body: bytes) -> bytes:
    tag = _APPLICATION | _CONSTRUCTED | operation
    return _element(_SEQUENCE, _element(_INTEGER, _number(message_id)) + _element(tag, body))


def _number(value: int) -> bytes:
    if not 0 <= value < 1 << 31:
        raise ValueError(f"LDAP number {value} is outside 0..2147483647")
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def _operation(data: bytes, at: int, end: int) -> Operation:
    tag = data[at] if at < end else 0
    try:
        return Operation(tag ^ (_APPLICATION | _CONSTRUCTED))
    except ValueError:
        raise ValueError(f"LDAP operation with the tag {tag:#04x} is none that answers") from None


def _inside(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of an element that must be there starts and ends."""
    found = _read(data, at, end, tag)
    if found is None:
        raise ValueError("LDAP element does not fit into what it is in")
    return found


def _integer(data: bytes, start: int, end: int) -> int:
    if not 1 <= end - start <= 4:
        raise ValueError(f"LDAP number of {end - start} bytes")
    return int.from_bytes(data[start:end], "big", signed=True)


def _read(data: bytes, at: int, end: int, tag: int) -> tuple[int, int] | None:
    """Where the content of the element at `at` starts and ends; None when it goes beyond `end`.

    Lengths are definite (RFC 4511 section 5.1); some servers write all of them in four bytes.
    """
    if at < end and data[at] != tag:
        raise ValueError(f"LDAP element with the tag {data[at]:#04x} where {tag:#04x} belongs")
    if end - at < 2:
        return None
    first, start = data[at + 1], at + 2
    octets = first & 0x7F if first & 0x80 else 0
    if first == 0x80 or octets > _LONGEST_LENGTH:
        raise ValueError(f"LDAP length begins with {first:#04x}")
    if end - start < octets:
        return None
    size = int.from_bytes(data[start : start + octets], "big") if octets else first
    if size > MAX_MESSAGE_BYTES:
        raise ValueError(f"LDAP element of {size} bytes exceeds {MAX_MESSAGE_BYTES}")
    start += octets
    return (start, start + size) if start + size <= end else None
