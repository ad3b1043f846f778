"""A STUN server, sound or not."""

from collections.abc import Iterator

from readycheck.wire import stun

from .udp import Endpoint, Reply

FAULTS = (
    "silent",
    "error",
    "truncated",
    "oversized",
    "garbage",
    "empty",
    "unmapped",
    "other-transaction",
    "mirror",
)


def stun_server(fault: str | None = None, *, software: str = "Coturn-4.6.1", mute_first: int = 0) -> Reply:
    """Answers bindings, after `mute_first` requests that it ignores."""
    ignored = iter(range(mute_first))

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        if fault == "silent" or next(ignored, None) is not None:
            return
        transaction_id = stun.unpack_message(data).transaction_id
        sound = stun.pack_binding_success(transaction_id, source, software=software)
        yield _damaged(fault, data, sound, transaction_id)

    return reply


def _damaged(fault: str | None, request: bytes, sound: bytes, transaction_id: bytes) -> bytes:
    unmapped = stun.StunMessage(stun.MessageClass.SUCCESS, stun.BINDING, transaction_id)
    return {
        None: sound,
        "error": stun.pack_binding_error(transaction_id, 401, "Unauthorized\x1b[31m"),
        "truncated": sound[:25],
        "oversized": sound + bytes(60000),
        "garbage": b"\xff" * 33,
        "empty": b"",
        "unmapped": stun.pack_message(unmapped),
        "other-transaction": stun.pack_binding_success(bytes(12), ("192.0.2.1", 1)),
        "mirror": request,
    }[fault]
