"""One question to one name server: dnspython reads the reply, the sockets are ours."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from readycheck.failure import Failure, classify_icmp
from readycheck.net.interface import Datagrams, Endpoint, IcmpReport, NetError, Received, Stream
from readycheck.wire import dns_question

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import dns.exception
    import dns.message

    _Chain = dns.message.ChainingResult | dns.exception.DNSException

_ATTEMPTS = 2
_AGAIN_SECONDS = 1.0
_EDNS_PAYLOAD = 1232  # what passes without fragments (DNS flag day 2020)
_MAX_RECORDS = 64
_MAX_TEXT = 512
_MAX_PARSED = 256  # the codec takes longer for the thousands that 64 KiB can hold than other answers can wait
_MAX_STRAYS = 64
_MAX_ERRORS = 8
_LENGTH = struct.Struct("!H")
_COUNTS, _COUNTS_AT = struct.Struct("!HHH"), 6  # of records
_KINDS = {"A": 1, "AAAA": 28, "SRV": 33}  # known without the codec, which is slow to import
_FLAGS_AT, _TRUNCATED = 2, 0x02
_FAILURES = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN,
    "SERVFAIL": Failure.DNS_SERVFAIL,
    "REFUSED": Failure.DNS_REFUSED,
}
_NO_EDNS = {"FORMERR", "NOTIMP", "BADVERS"}


class Sockets(Protocol):
    """The verbs of `Network` that a query uses."""

    def open_datagram(self, *, family: int = 4) -> Awaitable[Datagrams]: ...
    def connect(self, to: Endpoint, *, timeout: float) -> Awaitable[Stream]: ...


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The records of the type that was asked, after aliases; `truncated` means that TCP was needed.

    `edns_fallback`: a question without EDNS was answered, and one with it was not, or was not understood.
    `said` is what `_said` finds in the reply, `other` a second reply to the same question that says otherwise.
    """

    rcode: str
    records: tuple[str, ...]
    truncated: bool
    rtt_ms: float
    edns_fallback: bool
    said: Mapping[str, Any] = field(default_factory=dict)
    other: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    rdtype: str
    edns: bool = True
    linger_s: float = 0.0

    def wire(self) -> bytes:
        """With an id of its own."""
        try:
            kind = _KINDS.get(self.rdtype) or _kind(self.rdtype)
            identifier = int.from_bytes(os.urandom(2), "big")
            return dns_question.question(identifier, self.name, kind, _EDNS_PAYLOAD if self.edns else 0)
        except ValueError as error:
            raise NetError(Failure.PROTOCOL_ERROR, "not a name or type that can be asked for") from error


class _Reply(NamedTuple):
    message: dns.message.Message
    rtt_ms: float
    truncated: bool = False
    other: dns.message.Message | None = None
    attempts: int = 1
    plain: bool = False


async def query(
    net: Sockets,
    server: Endpoint,
    name: str,
    rdtype: str,
    *,
    transport: str = "udp",
    timeout: float,
    linger_s: float = 0.0,
) -> DnsAnswer:
    """Ask; raises `NetError` with the facts of the reply when it holds no such record.

    With `linger_s` it waits as long for a second reply over UDP, and the answer or the error has it as `other`.
    """
    deadline = _now() + timeout
    ask = _ask_tcp if transport == "tcp" else _ask_udp
    # TCP is for what UDP cannot carry, and carries all: nothing is to be said of lengths.
    question = _Question(name, rdtype, edns=transport != "tcp", linger_s=linger_s)
    reply = await ask(net, server, question, deadline)
    if fallback := question.edns and not reply.plain and _rcode(reply.message) in _NO_EDNS:
        reply = await ask(net, server, replace(question, edns=False), deadline)
    return _answer(reply, server, fallback or reply.plain)


def _answer(reply: _Reply, server: Endpoint, fallback: bool) -> DnsAnswer:
    rcode = _rcode(reply.message)
    facts = {
        "server": server[0],
        "rcode": rcode,
        "rtt_ms": reply.rtt_ms,
        "truncated": reply.truncated,
        "edns_fallback": fallback,
        **(said := _said(reply)),
    }
    other = None if reply.other is None else _content(reply.other)
    if other is not None:
        facts["other"] = other
    chain = _chain(reply.message)
    if rcode != "NOERROR":
        told = {**facts, **_alias(reply.message, chain)}
        raise NetError(_FAILURES.get(rcode, Failure.PROTOCOL_ERROR), f"{server[0]} says {rcode}", told)
    records = _records(chain, facts)
    if not records:
        told = {**facts, **_alias(reply.message, chain)}
        raise NetError(Failure.DNS_NO_ANSWER, f"{server[0]} has no such record", told)
    return DnsAnswer(rcode, records, reply.truncated, reply.rtt_ms, fallback, said, other)


def _said(reply: _Reply) -> dict[str, Any]:
    """Who speaks for a denial: the zone of its SOA (RFC 2308 section 2); and why: the errors of RFC 8914.

    Also which attempt was answered, if not the first.
    """
    import dns.edns
    import dns.rdatatype

    message = reply.message
    zones = [_clean(rrset.name.to_text()) for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA]
    errors = [option for option in message.options if isinstance(option, dns.edns.EDEOption)][:_MAX_ERRORS]
    return {
        **({"zone": zones[0]} if zones else {}),
        **({"errors": [int(option.code) for option in errors]} if errors else {}),
        **({"attempts": reply.attempts} if reply.attempts > 1 else {}),
    }


def _chain(message: dns.message.Message) -> _Chain:
    """Where CNAME records lead, or why they cannot be followed."""
    import dns.exception
    import dns.message

    try:
        if not isinstance(message, dns.message.QueryMessage):
            raise dns.message.NotQueryResponse
        return message.resolve_chaining()
    except dns.exception.DNSException as error:
        return error


def _alias(message: dns.message.Message, chain: _Chain) -> dict[str, str]:
    """The name of which a denial speaks, where it is another; what cannot be followed leads nowhere."""
    if isinstance(chain, Exception) or chain.canonical_name == message.question[0].name:
        return {}
    return {"alias": _clean(chain.canonical_name.to_text())}


def _content(message: dns.message.Message) -> dict[str, Any]:
    """What of a reply counts when two are compared: their order and their lifetimes do not."""
    records = sorted(_text(record) for rrset in message.answer for record in rrset)
    return {"rcode": _rcode(message), "records": records[:_MAX_RECORDS]}


def _records(chain: _Chain, facts: dict[str, Any]) -> tuple[str, ...]:
    if isinstance(chain, Exception):
        detail = f"an answer that cannot be followed: {type(chain).__name__}"
        raise NetError(Failure.PROTOCOL_ERROR, detail, facts) from chain
    return tuple(_text(record) for record in list(chain.answer or ())[:_MAX_RECORDS])


async def _ask_udp(net: Sockets, server: Endpoint, question: _Question, deadline: float) -> _Reply:
    with closing(await net.open_datagram(family=6 if ":" in server[0] else 4)) as datagrams:
        exchange = _Exchange(datagrams, server, question)
        reply = await exchange.run(deadline)
        if question.linger_s and not reply.truncated:
            return reply._replace(other=await exchange.second(reply.message, question.linger_s, deadline))
    if not reply.truncated:
        return reply
    try:
        whole = await _ask_tcp(net, server, question, deadline)
    except NetError as error:
        error.facts.update(truncated=True, server=server[0])
        raise
    return _Reply(whole.message, whole.rtt_ms, truncated=True, plain=reply.plain)


class _Exchange:
    """A question over UDP; every attempt has its own id, so that the round trip is that of its answer.

    The last goes without EDNS, as most hosts ask: boxes on the way drop what they do not know (RFC 6891 section 6.2.2).
    """

    def __init__(self, datagrams: Datagrams, server: Endpoint, question: _Question) -> None:
        self._datagrams = datagrams
        self._server = server
        self._question = question
        self._asked: list[tuple[bytes, int]] = []
        self._strays = 0
        self._malformed = False

    async def run(self, deadline: float) -> _Reply:
        for left in reversed(range(_ATTEMPTS)):
            wire = replace(self._question, edns=self._question.edns and left > 0).wire()
            self._asked.append((wire, await self._datagrams.send(wire, self._server)))
            until = min(deadline, _now() + _AGAIN_SECONDS) if left else deadline
            if reply := await self._listen(until):
                return reply
        if self._malformed:
            raise NetError(Failure.PROTOCOL_ERROR, f"{self._server[0]} sends what is no DNS reply to this")
        raise NetError(Failure.TIMED_OUT, f"{self._server[0]} is silent", {"server": self._server[0]})

    async def second(
        self, first: dns.message.Message, linger_s: float, deadline: float
    ) -> dns.message.Message | None:
        """Another reply to the very question that `first` answers, if it says otherwise.

        A question that was put twice, or whose packet was doubled, gets equal answers; so that servers which
        rotate their addresses are not accused, only the same message id is compared.
        """
        until = min(deadline, _now() + linger_s)
        with suppress(NetError):  # what went wrong later takes nothing from the first reply
            for _ in range(_MAX_STRAYS):
                if (reply := await self._listen(until)) is None:
                    return None
                if reply.message.id == first.id and _content(reply.message) != _content(first):
                    return reply.message
        return None

    async def _listen(self, until: float) -> _Reply | None:
        while True:
            left = max(0.0, until - _now())
            try:
                item = await self._datagrams.receive(timeout=left)
            except NetError as error:
                if error.failure is not Failure.TIMED_OUT:
                    raise
                if left:
                    continue  # a busy loop may look late: what has arrived by now counts
                return None
            if reply := self._accept(item):
                return reply
            self._strays += 1
            if self._strays > _MAX_STRAYS:
                raise NetError(Failure.PROTOCOL_ERROR, "too many datagrams that answer nothing")

    def _accept(self, item: Received | IcmpReport) -> _Reply | None:
        if isinstance(item, IcmpReport):
            if _same(item.destination, self._server):
                facts = {"offender": item.offender, "meaning": item.meaning, "server": self._server[0]}
                detail = f"{item.offender or 'an unknown host'} says {item.meaning}"
                raise NetError(classify_icmp(item.meaning), detail, facts)
            return None
        if not _same(item.source, self._server):
            return None
        for attempt, (asked, sent_ns) in enumerate(self._asked, start=1):
            # A truncated reply may end within a record: only its question counts.
            if reply := _parse(item.payload, asked, question_only=_is_cut(item.payload)):
                rtt_ms = round(max(0.0, (item.at_ns - sent_ns) / 1e6), 3)
                plain = self._question.edns and attempt == _ATTEMPTS
                return _Reply(reply, rtt_ms, _is_cut(item.payload), attempts=attempt, plain=plain)
        self._malformed = True
        return None


async def _ask_tcp(net: Sockets, server: Endpoint, question: _Question, deadline: float) -> _Reply:
    wire = replace(question, edns=False).wire()
    with closing(await net.connect(server, timeout=_left(deadline))) as stream:
        began = _now()
        await stream.write(_LENGTH.pack(len(wire)) + wire, timeout=_left(deadline))
        (length,) = _LENGTH.unpack(await _read_exactly(stream, _LENGTH.size, deadline))
        payload = await _read_exactly(stream, length, deadline)
        took_ms = max(0.0, (_now() - began) * 1000 - _held_ms(stream))
    reply = _parse(payload, wire)
    if reply is None:
        raise NetError(Failure.PROTOCOL_ERROR, f"{server[0]} sends what is no DNS reply to this")
    return _Reply(reply, round(took_ms, 3))


def _held_ms(stream: Stream) -> float:
    """How long a busy host left unread what had come: that is not the server's slowness."""
    heard: Callable[[], float] = getattr(stream, "heard_ms_ago", lambda: 0.0)
    return heard()


async def _read_exactly(stream: Stream, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        more = await stream.read(size - len(data), timeout=_left(deadline))
        if not more:
            raise NetError(Failure.CONNECTION_CLOSED, "the name server closed the connection")
        data += more
    return data


def _parse(wire: bytes, asked: bytes, *, question_only: bool = False) -> dns.message.Message | None:
    import dns.message

    if not (dns_question.is_reply(wire, asked) and _is_worth_parsing(wire)):
        return None
    try:
        return dns.message.from_wire(wire, ignore_trailing=True, question_only=question_only)
    except Exception:  # hostile bytes: the codec raises more kinds than its own
        return None


def _is_worth_parsing(wire: bytes) -> bool:
    return bool(sum(_COUNTS.unpack_from(wire, _COUNTS_AT)) <= _MAX_PARSED)


def _kind(rdtype: str) -> int:
    """The number of a rarer type. Raises `ValueError`."""
    import dns.exception
    import dns.rdatatype

    try:
        return int(dns.rdatatype.from_text(rdtype))
    except dns.exception.DNSException as error:
        raise ValueError(f"no type: {rdtype}") from error


def _rcode(message: dns.message.Message) -> str:
    import dns.rcode

    return str(dns.rcode.to_text(message.rcode()))


def _is_cut(wire: bytes) -> bool:
    return len(wire) > _FLAGS_AT and bool(wire[_FLAGS_AT] & _TRUNCATED)


def _text(record: Any) -> str:
    return _clean(record.to_text())


def _clean(text: str) -> str:
    text = text[:_MAX_TEXT]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _same(one: Endpoint, other: Endpoint) -> bool:
    return one[1] == other[1] and _bare(one[0]) == _bare(other[0])


def _bare(address: str) -> object:
    try:
        return ip_address(address.partition("%")[0])
    except ValueError:
        return address


def _now() -> float:
    return asyncio.get_running_loop().time()


def _left(deadline: float) -> float:
    left = deadline - _now()
    if left <= 0:
        raise NetError(Failure.TIMED_OUT, "the name server is too slow")
    return left
