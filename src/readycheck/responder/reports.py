"""Answers to the sender reports of streams: a receiver report, no longer than what it answers. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from readycheck.net.interface import Endpoint
from readycheck.responder.session import Sessions
from readycheck.wire.rtcp import (
    PLAIN_SENDER_REPORT,
    UNITS_PER_SECOND,
    middle,
    pack_receiver_report,
    unpack_reports,
)

_NAME = "readycheck"


def is_report(data: bytes | bytearray) -> bool:
    return data[:4] == PLAIN_SENDER_REPORT


def answer_report(
    data: bytes, source: Endpoint, streams: Sequence[Sessions], received_ns: int, now_ns: int, now_s: float
) -> bytes | None:
    """Of a stream that is open; None is silence. The responder's own SSRC is the complement of the stream's."""
    try:
        sender = unpack_reports(data).sender
    except ValueError:
        return None
    found = (sessions.reporting(sender.ssrc, source) for sessions in streams) if sender else ()
    session = next(filter(None, found), None)
    if sender is None or session is None or not session.reports_bucket.takes(now_s):
        return None
    session.reports += 1
    session.heard_s = now_s
    block = replace(
        session.reception(),
        last_report=middle(sender.ntp),
        delay=max(0, now_ns - received_ns) * UNITS_PER_SECOND // 1_000_000_000,
    )
    answer = pack_receiver_report(session.ssrc ^ 0xFFFFFFFF, block, _NAME)
    return answer if len(answer) <= len(data) else None
