"""TFTP packets (RFC 1350), and the acknowledgement of options (RFC 2347)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

BLOCK_SIZE = 512

_HEADER = struct.Struct("!HH")
_MODE = b"octet"
_LONGEST_NAME = 255


class Opcode(IntEnum):
    READ = 1
    WRITE = 2
    DATA = 3
    ACKNOWLEDGEMENT = 4
    ERROR = 5
    OPTIONS = 6


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What a client asks for first; `mode` in lower case."""

    file: str
    mode: str = "octet"


@dataclass(frozen=True, slots=True)
class Data:
    """One block of a file; one of fewer than 512 bytes is the last."""

    block: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Error:
    """The end of a transfer; the codes are those of RFC 1350 section 5 and RFC 2347."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class OptionAcknowledgement:
    """What a server answers, in place of the first block, when it takes up options."""

    options: tuple[str, ...]


Answer = Data | Error | OptionAcknowledgement


def pack_read_request(file: str) -> bytes:
    """A request to read a file as it is (RFC 1350 section 5); a name is short and printable ASCII."""
    if not (file.isascii() and file.isprintable() and 0 < len(file) <= _LONGEST_NAME):
        raise ValueError(f"not a file name for TFTP: {file[:40]!r}")
    return Opcode.READ.to_bytes(2, "big") + file.encode() + b"\0" + _MODE + b"\0"


def unpack_read_request(data: bytes) -> ReadRequest:
    """What a server reads; options after the mode are left out."""
    if _opcode(data) != Opcode.READ:
        raise ValueError(f"TFTP opcode {_opcode(data)} is no read request")
    file, mode, *_ = _strings(data[2:], at_least=2)
    return ReadRequest(file, mode.lower())


def pack_data(block: int, payload: bytes) -> bytes:
    if len(payload) > BLOCK_SIZE:
        raise ValueError(f"TFTP block of {len(payload)} bytes is longer than {BLOCK_SIZE}")
    return _HEADER.pack(Opcode.DATA, block) + payload


def pack_error(code: int, message: str) -> bytes:
    return _HEADER.pack(Opcode.ERROR, code) + message.encode("ascii", "replace") + b"\0"


def unpack_answer(data: bytes) -> Answer:
    """Read what a server may answer to a read request (RFC 1350 section 5, RFC 2347)."""
    opcode = _opcode(data)
    if opcode == Opcode.OPTIONS:
        return OptionAcknowledgement(_strings(data[2:]))
    if len(data) < _HEADER.size:
        raise ValueError(f"TFTP packet of {len(data)} bytes is shorter than its {_HEADER.size}-byte header")
    _, number = _HEADER.unpack_from(data)
    rest = data[_HEADER.size :]
    if opcode == Opcode.ERROR:
        # Some servers leave out the closing NUL; what they mean is clear all the same.
        return Error(number, _text(rest.partition(b"\0")[0]))
    if opcode != Opcode.DATA:
        raise ValueError(f"TFTP opcode {opcode} is no answer to a read request")
    if len(rest) > BLOCK_SIZE:
        raise ValueError(f"TFTP block of {len(rest)} bytes is longer than {BLOCK_SIZE}")
    return Data(number, rest)


def is_error(data: bytes) -> bool:
    """Whether a packet ends a transfer: nobody answers it (RFC 1350 section 7)."""
    return data[:2] == Opcode.ERROR.to_bytes(2, "big")


def _opcode(data: bytes) -> int:
    if len(data) < 2:
        raise ValueError(f"TFTP packet of {len(data)} bytes has no opcode")
    return int.from_bytes(data[:2], "big")


def _strings(data: bytes, at_least: int = 0) -> tuple[str, ...]:
    """Strings that each end with a NUL."""
    if data and not data.endswith(b"\0"):
        raise ValueError("TFTP string without its end")
    found = tuple(map(_text, data.split(b"\0")[:-1]))
    if len(found) < at_least:
        raise ValueError(f"TFTP packet has {len(found)} strings, not {at_least}")
    return found


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
