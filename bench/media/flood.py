"""`python -m bench.media.flood HOST PORT`: rubbish for a responder, as fast as this core can, until ended.

Of all kinds: noise, and what begins like a control message, a stream, STUN and SIP; of control messages also such as
are right but for the tag, and STUN is as long as it says: no filter that looks at shapes alone can tell.
"""

import os
import random
import signal
import socket
import sys
import time
from contextlib import suppress

from readycheck.wire.far_end import MAGIC, REQUEST_SIZE, Kind, pack_message
from readycheck.wire.stun import MAGIC_COOKIE

_SOCKETS, _KINDS = 64, 256
_FORGED = 7
_TRANSACTION = 12


def rubbish(chance: random.Random) -> bytes:
    """Some bytes that nobody should answer."""
    noise = chance.randbytes(chance.choice((20, 172, 400, 1200)))
    if not chance.randrange(_FORGED):
        return pack_message(Kind.HELLO, {}, key=noise, size=REQUEST_SIZE)
    head = chance.choice(
        (
            b"",
            MAGIC + b"\x01\x01",
            b"\x80\x00",
            b"\x80\xc8\x00\x06",
            b"\x00\x01" + (len(noise) - _TRANSACTION).to_bytes(2, "big") + MAGIC_COOKIE.to_bytes(4, "big"),
            b"OPTIONS sip:",
        )
    )
    return head + noise


def main(host: str, port: str) -> None:
    """Prints how many were sent in how long."""
    chance = random.Random(os.getpid())
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_SOCKETS)]
    packets = [rubbish(chance) for _ in range(_KINDS)]
    number, began = 0, time.monotonic()

    def end(*_: object) -> None:
        sys.stdout.write(f"{number} {time.monotonic() - began}\n")
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    to = host, int(port)
    while True:
        with suppress(OSError):
            sockets[number % _SOCKETS].sendto(packets[number % _KINDS], to)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
