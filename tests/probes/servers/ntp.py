"""An NTP server, sound or not."""

import time
from collections.abc import Iterator

from readycheck.wire import ntp

from .udp import Endpoint, Reply

FAULTS = (
    "silent",
    "truncated",
    "garbage",
    "mode",
    "origin",
    "kiss-of-death",
    "leap",
    "stratum",
    "zero-transmit",
)


def ntp_server(
    fault: str | None = None, *, ahead_s: float = 0.0, ignore_first: int = 0, answers: int = 1000
) -> Reply:
    """Tells the time `ahead_s` of ours, to `answers` requests after those that it ignores."""
    turn = iter(range(ignore_first + answers))

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        if fault == "silent" or next(turn, -1) < ignore_first:
            return
        now = time.time() + ahead_s
        stratum = {"kiss-of-death": 0, "stratum": 16}.get(fault or "", 2)
        name = b"RATE" if fault == "kiss-of-death" else b"\x7f\0\0\1"
        sound = ntp.pack_reply(
            data,
            receive=now,
            transmit=now,
            stratum=stratum,
            leap=3 if fault == "leap" else 0,
            reference_id=name,
        )
        yield _damaged(fault, sound)

    return reply


def _damaged(fault: str | None, sound: bytes) -> bytes:
    if fault == "mode":
        return bytes([sound[0] & 0xF8 | 5]) + sound[1:]
    if fault == "origin":
        return sound[:24] + bytes(8) + sound[32:]
    if fault == "zero-transmit":
        return sound[:40] + bytes(8)
    return {"truncated": sound[:40], "garbage": b"\0" * 3}.get(fault or "", sound)
