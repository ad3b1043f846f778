"""A filter in the kernel for the responder's open port: rubbish costs no wake-up. Classic BPF, Linux only.

It looks at shapes: how a message begins, and whether it is as long as it says. What passes may be rubbish all the same.
"""

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

from readycheck.wire.far_end import HEAD_SIZE, MAGIC, TAG_SIZE, VERSION
from readycheck.wire.rtcp import PLAIN_SENDER_REPORT
from readycheck.wire.stun import MAGIC_COOKIE

_SO_ATTACH_FILTER = 26
_UDP = 8  # the filter of a UDP socket begins at the UDP header
_STUN_HEAD, _SENDER_REPORT = 20, 28
_WORD, _HALF, _BYTE, _LENGTH = 0x20, 0x28, 0x30, 0x80
_ADD, _TO_X, _RETURN = 0x04, 0x07, 0x06
_EQUAL, _EQUALS_X, _AT_LEAST_X, _ODD = 0x15, 0x1D, 0x3D, 0x45
_ACCEPT = 0xFFFF
_METHODS = (
    "OPTIONS REGISTER INVITE ACK BYE CANCEL INFO MESSAGE NOTIFY PRACK PUBLISH REFER SUBSCRIBE UPDATE".split()
)
"""All that are registered for SIP: over TCP, too, any request is returned."""

Instruction = tuple[int, int, int, int]
_Line = tuple[int, int, str, str] | str
"""An operation, its operand, and where to go if it holds and if not ("" is on); or a place to go to."""


def program(*, streams: bool) -> tuple[Instruction, ...]:
    """Lets through control messages, sender reports, STUN requests and SIP requests.

    With `streams` RTP, too, where streams have no sockets of their own.
    """
    lines: tuple[_Line, ...] = (
        (_WORD, _UDP, "", ""),
        *((_EQUAL, int.from_bytes(f"{each} "[:4].encode(), "big"), "take", "") for each in _METHODS),
        (_EQUAL, int.from_bytes(PLAIN_SENDER_REPORT, "big"), "report", ""),
        (_EQUAL, int.from_bytes(MAGIC, "big"), "control", ""),
        (_BYTE, _UDP, "", ""),
        (_EQUAL, 0x80, "take" if streams else "drop", ""),
        *_STUN,
        *_REPORT,
        *_CONTROL,
        "drop",
        (_RETURN, 0, "", ""),
        "take",
        (_RETURN, _ACCEPT, "", ""),
    )
    return tuple(_assembled(lines))


_STUN: tuple[_Line, ...] = (
    (_HALF, _UDP, "", ""),
    (_EQUAL, 0x0001, "", "drop"),
    (_WORD, _UDP + 4, "", ""),
    (_EQUAL, MAGIC_COOKIE, "", "drop"),
    (_HALF, _UDP + 2, "", ""),
    (_ADD, _UDP + _STUN_HEAD, "", ""),
    (_TO_X, 0, "", ""),
    (_LENGTH, 0, "", ""),
    (_EQUALS_X, 0, "take", "drop"),
)
"""A Binding request, as long as it says (RFC 8489 section 5)."""

_REPORT: tuple[_Line, ...] = (
    "report",
    (_HALF, _UDP + _SENDER_REPORT, "", ""),
    (_EQUAL, 0x81CA, "take", "drop"),
)
"""With the name of who sends it (RFC 3550 section 6.1): what is shorter than the answer gets none."""

_CONTROL: tuple[_Line, ...] = (
    "control",
    (_BYTE, _UDP + 4, "", ""),
    (_EQUAL, VERSION, "", "drop"),
    (_BYTE, _UDP + 5, "", ""),
    (_ODD, 1, "", "drop"),
    (_BYTE, _UDP + HEAD_SIZE, "", ""),
    (_EQUAL, ord("{"), "", "drop"),
    (_HALF, _UDP + 6, "", ""),
    (_ADD, _UDP + HEAD_SIZE + TAG_SIZE, "", ""),
    (_TO_X, 0, "", ""),
    (_LENGTH, 0, "", ""),
    (_AT_LEAST_X, 0, "take", "drop"),
)
"""A request of this version with an object in it, which fits in."""


def _assembled(lines: Iterable[_Line]) -> Iterator[Instruction]:
    """Places become distances."""
    code: list[tuple[int, int, str, str]] = []
    places: dict[str, int] = {}
    for line in lines:
        if isinstance(line, str):
            places[line] = len(code)
        else:
            code.append(line)
    for here, (operation, operand, then, otherwise) in enumerate(code, 1):
        yield operation, places.get(then, here) - here, places.get(otherwise, here) - here, operand


def attach(sock: socket.socket, instructions: tuple[Instruction, ...]) -> bool:
    """False where there is no such filter; the sockets then read and drop everything themselves."""
    if sys.platform != "linux":
        return False
    code = b"".join(struct.pack("=HBBI", *one) for one in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    argument = struct.pack("@HP", len(instructions), ctypes.addressof(buffer))
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, argument)
        return True
    return False
