"""A question to a name server (RFC 1035 section 4.1), and whether a reply repeats it."""

import struct

_HEADER = struct.Struct("!HHHHHH")
_TYPE_AND_CLASS = struct.Struct("!HH")
_EDNS = struct.Struct("!xHHIH")  # RFC 6891 section 6.1.2: at the root, of the class that is a length
_RESPONSE, _OPCODE, _RECURSION_DESIRED, _RCODE = 0x8000, 0x7800, 0x0100, 0x000F
_INTERNET, _OPT = 1, 41
_WITHOUT_QUESTION = frozenset({1, 2, 4, 5})  # FORMERR, SERVFAIL, NOTIMP and REFUSED
_LONGEST_LABEL, _LONGEST_NAME = 63, 255


def question(identifier: int, name: str, kind: int, payload: int = 0) -> bytes:
    """For records of a kind; with `payload` it says how long a reply may be. Raises `ValueError` for no name."""
    header = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, bool(payload))
    extension = _EDNS.pack(_OPT, payload, 0, 0) if payload else b""
    return header + _name(name) + _TYPE_AND_CLASS.pack(kind, _INTERNET) + extension


def is_reply(wire: bytes, asked: bytes) -> bool:
    """A reply has the id of what was asked, and repeats the question unless it is an error."""
    if len(wire) < _HEADER.size:
        return False
    identifier, flags, questions = _HEADER.unpack_from(wire)[:3]
    if identifier != int.from_bytes(asked[:2], "big") or not flags & _RESPONSE or flags & _OPCODE:
        return False
    if not questions:
        return flags & _RCODE in _WITHOUT_QUESTION
    own = _asked(asked)
    repeated = wire[_HEADER.size : _HEADER.size + len(own)]
    end = len(own) - _TYPE_AND_CLASS.size
    return questions == 1 and repeated[:end].lower() == own[:end].lower() and repeated[end:] == own[end:]


def _asked(wire: bytes) -> bytes:
    extended = _HEADER.unpack_from(wire)[-1]
    return wire[_HEADER.size : len(wire) - (_EDNS.size if extended else 0)]


def _name(text: str) -> bytes:
    plain = text.removesuffix(".").encode("ascii" if text.isascii() else "idna")
    labels = plain.split(b".") if plain else []
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"a label of {text[:_LONGEST_NAME]!r} is empty or too long")
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(wire) > _LONGEST_NAME:
        raise ValueError(f"a name of {len(wire)} bytes")
    return wire
