"""A filter in the kernel for the responder's open port: rubbish costs no wake-up. Classic BPF, Linux only."""

import ctypes
import socket
import struct
import sys
from contextlib import suppress

from readycheck.wire.far_end import MAGIC
from readycheck.wire.rtcp import PLAIN_SENDER_REPORT
from readycheck.wire.stun import MAGIC_COOKIE

_SO_ATTACH_FILTER = 26
_PAYLOAD = 8  # the filter of a UDP socket begins at the UDP header
_LOAD_WORD, _LOAD_BYTE = 0x20, 0x30
_EQUAL, _ABOVE, _RETURN = 0x15, 0x25, 0x06
_ACCEPT = 0xFFFF
_SIP = (b"OPTI", b"REGI", b"INVI")
"""How the requests begin that a gateway of the site may look at."""

Instruction = tuple[int, int, int, int]


def program(*, streams: bool) -> tuple[Instruction, ...]:
    """Lets through control messages, sender reports, STUN and some SIP, and with `streams` RTP without sockets."""
    words = (MAGIC, PLAIN_SENDER_REPORT, *_SIP)
    return (
        (_LOAD_WORD, 0, 0, _PAYLOAD),
        *((_EQUAL, 5 + len(words) - i, 0, int.from_bytes(word, "big")) for i, word in enumerate(words)),
        (_LOAD_BYTE, 0, 0, _PAYLOAD),
        (_EQUAL, 4 if streams else 0, 0, 0x80),
        (_ABOVE, 2, 0, 0x03),
        (_LOAD_WORD, 0, 0, _PAYLOAD + 4),
        (_EQUAL, 1, 0, MAGIC_COOKIE),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, _ACCEPT),
    )


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
