"""A name server for UDP and TCP, sound or not."""

import socket
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from .tcp import Serve, silent
from .udp import Endpoint, Reply

FAULTS = (
    "silent",
    "truncated-bytes",
    "garbage",
    "empty",
    "other-id",
    "servfail",
    "refused",
    "nxdomain",
    "no-data",
)
RECORDS = {
    ("voice.example.", "A"): ("192.0.2.10", "192.0.2.11"),
    ("voice.example.", "AAAA"): ("2001:db8::10",),
    ("_sips._tcp.voice.example.", "SRV"): ("10 5 5061 node1.voice.example.",),
}
_RCODES = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED, "nxdomain": dns.rcode.NXDOMAIN}


def dns_server(fault: str | None = None) -> Reply:
    """Answers by UDP; the fault `truncation` sends clients to TCP."""

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        if fault != "silent":
            yield _answer(data, fault)

    return reply


def dns_stream_server(fault: str | None = None) -> Serve:
    """Answers by TCP."""

    def serve(connection: socket.socket) -> None:
        size = int.from_bytes(connection.recv(2), "big")
        data = connection.recv(size)
        if fault != "silent":
            said = _answer(data, fault)
            connection.sendall(len(said).to_bytes(2, "big") + said)
        silent(connection)

    return serve


def _answer(data: bytes, fault: str | None) -> bytes:
    query = dns.message.from_wire(data)
    answer = dns.message.make_response(query)
    question = query.question[0]
    kind = question.rdtype.name
    known = RECORDS.get((question.name.to_text().lower(), kind))
    if known is None and not any(name == question.name.to_text().lower() for name, _ in RECORDS):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif known is not None and fault != "no-data":
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known))
    if fault in _RCODES:
        answer.answer.clear()
        answer.set_rcode(_RCODES[fault])
    if fault == "truncation":
        answer.answer.clear()
        answer.flags |= dns.flags.TC
    return _damaged(fault, answer.to_wire())


def _damaged(fault: str | None, sound: bytes) -> bytes:
    if fault == "other-id":
        return bytes([sound[0] ^ 0xFF]) + sound[1:]
    return {"truncated-bytes": sound[: len(sound) - 9], "garbage": b"\xff" * 40, "empty": b""}.get(
        fault or "", sound
    )
