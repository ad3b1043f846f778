"""SIP OPTIONS requests, told apart by attempt so that each answer has one round trip."""

import secrets
from collections.abc import Mapping
from typing import Any

from readycheck.probe import Endpoint, Target
from readycheck.wire import sip
from readycheck_probes.hostile import tame

NOWHERE = "readycheck.invalid"
"""Our address where none is known: a server looks at where the request came from (RFC 3581 section 4)."""

_ANYWHERE = ("", "0.0.0.0", "::")


class Options:
    """One OPTIONS request and its repetitions, each a transaction of its own.

    The CSeq counts along: the same one in another transaction would be a loop (RFC 3261 section 8.2.2.2).
    """

    def __init__(self, target: Target, transport: str, local: Endpoint) -> None:
        self._transport = transport.upper()
        self._uri = f"sip:{_place(target)}"
        self._local = (NOWHERE if local[0] in _ANYWHERE else local[0], local[1])
        self._branch = sip.BRANCH_COOKIE + secrets.token_hex(8)
        self._call_id = secrets.token_hex(16)
        self._tag = secrets.token_hex(8)

    def payload(self, attempt: int) -> bytes:
        return sip.pack_options(
            uri=self._uri,
            via_transport=self._transport,
            local=self._local,
            branch=f"{self._branch}.{attempt}",
            call_id=self._call_id,
            tag=self._tag,
            cseq=attempt + 1,
        )

    def recognise(self, data: bytes) -> Mapping[str, Any] | None:
        """The facts of a final response to this request; keep-alives and requests of theirs are passed over."""
        if not data.strip(b"\r\n\0"):
            return None
        if data[:4].upper() != b"SIP/":
            if sip.unpack_request(data).header("Call-ID") == self._call_id:
                raise ValueError("the SIP request came back as it was sent")
            return None
        response = sip.unpack_response(data)
        via = (response.header("Via") or "").partition(",")[0]
        branch = sip.parameter(via, "branch") or ""
        attempt = self._attempt(branch)
        ours = attempt is not None and sip.answers(response, call_id=self._call_id, branch=branch)
        return {"attempt": attempt, **_facts(response, via)} if ours and response.status >= 200 else None

    def _attempt(self, branch: str) -> int | None:
        ours, _, attempt = branch.rpartition(".")
        known = ours == self._branch and attempt.isascii() and attempt.isdigit() and len(attempt) < 4
        return int(attempt) if known else None


def _facts(response: sip.SipResponse, via: str) -> dict[str, Any]:
    """`received` and `rport` are where the server saw the request come from (RFC 3581 section 4)."""
    port = sip.parameter(via, "rport") or ""
    facts = {
        "status": response.status,
        "reason": tame(response.reason),
        "server": tame(response.header("Server") or response.header("User-Agent")),
        "received": tame(sip.parameter(via, "received")) or None,
        "rport": int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _place(target: Target) -> str:
    host = target.host or target.address or ""
    return f"{f'[{host}]' if ':' in host else host}:{target.port}"
