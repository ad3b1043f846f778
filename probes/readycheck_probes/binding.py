"""STUN binding requests, told apart by attempt so that each answer has one round trip."""

import secrets
from collections.abc import Mapping
from typing import Any

from readycheck.wire import stun
from readycheck_probes.hostile import tame


class Binding:
    """One binding request and its repetitions (RFC 8489 section 6.2.1, but with an id for each attempt)."""

    def __init__(self, **asked: Any) -> None:
        """`asked` is what a request may ask besides (RFC 5780 section 7)."""
        self._token = secrets.token_bytes(11)
        self._asked = asked

    def payload(self, attempt: int) -> bytes:
        return stun.pack_binding_request(self._token + bytes([attempt & 0xFF]), **self._asked)

    def came_back(self, data: bytes) -> bool:
        """Whether this is the request itself, however it got here."""
        return data[8:19] == self._token and data[:1] == b"\0"

    def recognise(self, data: bytes) -> Mapping[str, Any] | None:
        """The facts of an answer to this request; an error response is an answer."""
        message = stun.unpack_message(data)
        if message.transaction_id[:11] != self._token:
            return None
        if message.message_class is stun.MessageClass.REQUEST:
            raise ValueError("STUN request came back as it was sent")
        return {"attempt": message.transaction_id[11], **_facts(message)}


def _facts(message: stun.StunMessage) -> dict[str, Any]:
    mapped = message.xor_mapped_address or message.mapped_address
    if mapped is None and message.error_code is None:
        raise ValueError("STUN answer has neither a mapped address nor an error code")
    facts = {
        "mapped_address": _text(mapped),
        "error_code": message.error_code,
        "software": tame(message.software) or None,
        # A gateway that rewrites addresses in payloads finds the plain one only.
        "rewritten_address": _text(message.mapped_address) if message.mapped_address != mapped else None,
        "other_address": _text(message.other_address),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _text(address: stun.Address | None) -> str | None:
    if address is None:
        return None
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
