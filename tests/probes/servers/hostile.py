"""Servers that mean harm: floods, drips, lying lengths, bombs, and strings that are attacks.

`STREAMS` and `DATAGRAMS` are tables by name. What is sent is made once and sent again and again, so that it is
the memory of the client that a test sees grow.
"""

import base64
import gzip
import hashlib
import random
import re
import select
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import repeat

import dns.message
import dns.rrset

from .tcp import Serve, hang_up, saying, silent
from .udp import Endpoint, Reply

ATTACK = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202egnp.exe\u2066<script>alert(1)</script>|=cmd`'\""
_ATTACK = ATTACK.encode()
_RUBBISH = random.Random(4).randbytes(1 << 16)
_CHUNK = b"x" * 65536
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONG_TEXT = b"y" * 60_000
_DRIP_SECONDS = 0.005


def never_reads(connection: socket.socket) -> None:
    """Waits for the client to go, and takes nothing of what it says."""
    watch = select.poll()
    watch.register(connection, getattr(select, "POLLRDHUP", 0))
    watch.poll(10_000)


def endless(piece: bytes, first: bytes = b"") -> Serve:
    """Says `first` once and `piece` for ever, without having read anything."""
    many = piece * max(1, len(_CHUNK) // len(piece))

    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        for data in repeat(many):
            connection.sendall(data)

    return serve


def asked_then_endless(first: bytes, piece: bytes) -> Serve:
    """Waits for a request, then as `endless`."""
    flood = endless(piece, first)

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        flood(connection)

    return serve


def dripping(data: bytes) -> Serve:
    """A byte now and then, so that no single read takes long."""

    def serve(connection: socket.socket) -> None:
        for number in repeat(data):
            for letter in number:
                connection.sendall(bytes([letter]))
                select.select([], [], [], _DRIP_SECONDS)

    return serve


def upgraded(*frames: bytes, again: bytes = b"") -> Serve:
    """Becomes a WebSocket and says `frames`, then `again` for ever."""

    def serve(connection: socket.socket) -> None:
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", connection.recv(65536))
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _WEBSOCKET_GUID).digest())
        head = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + b"".join(frames))
        if again:
            endless(again)(connection)
        silent(connection)

    return serve


def _http(headers: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body


def _bomb() -> bytes:
    packed = gzip.compress(bytes(50 << 20))
    return _http(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed), packed)


def sip_answering(headers: bytes, body: bytes = b"", status: bytes = b"200 OK", times: int = 1) -> Serve:
    """Answers OPTIONS with its own Via, Call-ID and so on, and with what is given besides."""

    def serve(connection: socket.socket) -> None:
        request = connection.recv(65536)
        for _ in range(times):
            connection.sendall(_sip(request, headers, body, status))
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        silent(connection)

    return serve


def _sip(request: bytes, headers: bytes, body: bytes, status: bytes) -> bytes:
    kept = re.findall(rb"^(?:Via|From|To|Call-ID|CSeq):.*?\r\n", request, re.MULTILINE)
    return b"SIP/2.0 " + status + b"\r\n" + b"".join(kept) + headers + b"\r\n" + body


_LAUGHS = (
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY a 'ha'>"
    + b"".join(b"<!ENTITY b%d '%s'>" % (n, b"&b%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><a>&b11;</a>"
)
_STREAM = b"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='%s'>"

STREAMS: Mapping[str, Serve] = {
    # of any protocol
    "silent": silent,
    "never reads": never_reads,
    "hangs up": hang_up,
    "rubbish": endless(_RUBBISH),
    "zeros": endless(bytes(4096)),
    "one endless line": endless(_CHUNK),
    "drip of rubbish": dripping(_RUBBISH),
    "drip of lines": dripping(b"220-wait\r\n"),
    "attack": saying(_ATTACK + b"\r\n"),
    # servers that speak first
    "endless greeting": endless(b"220-x\r\n"),
    "endless words before SSH": endless(b"hello\r\n"),
    "attack in SMTP": saying(b"220 " + _ATTACK.translate(None, b"\x1b\x07") + b"\r\n"),
    "attack in SSH": saying(b"SSH-2.0-" + _ATTACK.translate(None, b"\x1b\x07 ") + b"\r\n"),
    "attack in IMAP": saying(b"* OK " + _ATTACK.translate(None, b"\x1b\x07") + b"\r\n"),
    # HTTP
    "endless headers": asked_then_endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: " + b"z" * 1000 + b"\r\n"),
    "endless header": asked_then_endless(b"HTTP/1.1 200 OK\r\nX-Y: ", _CHUNK),
    "endless status line": asked_then_endless(b"HTTP/1.1 200 ", _CHUNK),
    "long bad status line": saying(b"HTTP/9.9 " + _LONG_TEXT + b"\r\n\r\n"),
    "long bad header": saying(b"HTTP/1.1 200 OK\r\n" + _LONG_TEXT + b"\r\n\r\n"),
    "endless chunks": asked_then_endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"c" * 4096 + b"\r\n"
    ),
    "endless tiny chunks": asked_then_endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nc\r\n"
    ),
    "chunk of any size": saying(_http(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\nx")),
    "endless 1xx": asked_then_endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "lying length": saying(_http(b"Content-Length: 999999999999999999\r\n", b"short")),
    "negative length": saying(_http(b"Content-Length: -1\r\n")),
    "compressed bomb": saying(_bomb()),
    "redirect to itself": saying(_http(b"Location: /\r\nContent-Length: 0\r\n", status=b"302 Found")),
    "attack in HTTP": saying(
        _http(
            b"Server: \x9b31m<b>|=x\r\nLocation: http://x/\xe2\x80\xae" + _LONG_TEXT + b"\r\n",
            b"",
            b"302 \x9b",
        )
    ),
    # WebSocket
    "frame of 2^63": upgraded(b"\x82\x7f" + b"\x7f" + b"\xff" * 7 + b"x"),
    "frame of 2^64": upgraded(b"\x82\x7f" + b"\xff" * 8 + b"x"),
    "endless pings": upgraded(again=b"\x89\x7d" + b"p" * 125),
    "endless empty pings": upgraded(again=b"\x89\0"),
    "endless empty fragments": upgraded(b"\x01\x01x", again=b"\0\0"),
    "endless fragments": upgraded(b"\x01\x01x", again=b"\x00\x7d" + b"f" * 125),
    "masked frame": upgraded(b"\x82\x81\0\0\0\0x"),
    "attack in farewell": upgraded(b"\x88" + bytes([2 + len(_ATTACK[:100])]) + b"\x03\xe8" + _ATTACK[:100]),
    # SIP
    "endless SIP requests": endless(b"A b SIP/2.0\r\n\r\n"),
    "SIP of megabytes": sip_answering(b"Content-Length: 4000000\r\n", _CHUNK * 60),
    "SIP without an end": asked_then_endless(b"SIP/2.0 200 OK\r\n", b"X-Y: z\r\n"),
    "SIP with a lying length": sip_answering(b"Content-Length: 60000\r\n", b"short"),
    "SIP trying for ever": sip_answering(b"Content-Length: 0\r\n", status=b"100 Trying", times=2000),
    "attack in SIP": sip_answering(
        b"Server: " + _ATTACK.translate(None, b"\x1b\x07") + _LONG_TEXT + b"\r\nContent-Length: 0\r\n"
    ),
    # LDAP and XMPP
    "LDAP of two gigabytes": asked_then_endless(b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01", _CHUNK),
    "LDAP without a length": asked_then_endless(b"\x30\x80", b"\x30\x80"),
    "attack in LDAP": saying(
        b"\x30\x50\x02\x01\x01\x65\x4b\x0a\x01\x01\x04\x00\x04\x44" + (_ATTACK + b" " * 68)[:68]
    ),
    "laughs": saying(_LAUGHS),
    "attack in XMPP": saying(_STREAM % ("\u202e\u009b31m" + "&lt;script&gt;" * 400).encode()),
    "endless XML attributes of other names": asked_then_endless(
        b"<stream:stream ", b" ".join(b"a%d=''" % n for n in range(10_000))
    ),
    "endless XML attributes": asked_then_endless(b"<stream:stream ", b"a='b' "),
    # TLS
    "record flood": endless(b"\x16\x03\x03\x40\x00" + bytes(16384)),
    "hello of 16 MB": endless(_CHUNK, b"\x16\x03\x03\x40\x00\x02\xff\xff\xff\x03\x03"),
    "empty records": endless(b"\x16\x03\x03\x00\x00"),
    "alerts for ever": endless(b"\x15\x03\x03\x00\x02\x01\x5a"),
    "renegotiations": endless(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"),
    "cipher changes": endless(b"\x14\x03\x03\x00\x01\x01"),
    "drip of a hello": dripping(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(16373)),
    # proxies and name servers
    "login wanted for ever": asked_then_endless(
        b"HTTP/1.1 407 L\r\n", b'Proxy-Authenticate: Basic realm="' + b"\\" * 900 + b"\r\n"
    ),
    "attack in a proxy's words": saying(
        _http(b"Proxy-Authenticate: \x1b[2J\x9b\r\n" * 50, status=b"403 " + _ATTACK[:300])
    ),
    "proxy that goes on": asked_then_endless(b"HTTP/1.1 200 OK\r\n\r\n", _CHUNK),
    "DNS of 64 KB": saying(b"\xff\xff" + _RUBBISH),
}


# --- datagrams ----------------------------------------------------------------------------------------


def says(*answers: bytes) -> Reply:
    """The same to everybody."""
    return lambda data, source: answers


def made(make: Callable[[bytes], bytes]) -> Reply:
    """An answer made of the question; what is no question of the kind gets none."""

    def reply(data: bytes, source: Endpoint) -> Iterator[bytes]:
        with suppress(Exception):
            yield make(data)

    return reply


def flood(data: bytes, source: Endpoint) -> Iterator[bytes]:
    """A burst of the largest datagrams there are."""
    return repeat(_RUBBISH[:65507], 300)


def _from_elsewhere(data: bytes, source: Endpoint) -> Iterator[bytes]:
    """The right answer of a name server, from a port that was not asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        with suppress(Exception):
            other.sendto(_records(data, 1, "A", "192.0.2.1"), source)
    return iter(())


def _records(data: bytes, count: int, kind: str, *texts: str) -> bytes:
    query = dns.message.from_wire(data)
    answer = dns.message.make_response(query)
    answer.use_edns(False)
    rrset = dns.rrset.from_text(query.question[0].name, 60, "IN", kind, *texts)
    answer.answer = [rrset]
    wire = answer.to_wire(max_size=65535)
    head, record = wire[: len(data) - _extra(query)], wire[len(data) - _extra(query) :]
    return head[:6] + struct.pack("!H", count) + head[8:10] + b"\0\0" + head[12:] + record * count


def _extra(query: dns.message.Message) -> int:
    """The bytes of the OPT record at the end of a question."""
    return 11 if query.edns >= 0 else 0


def _many(kind: str, size: int) -> Callable[[bytes], bytes]:
    texts = {"A": "192.0.2.1", "SRV": "1 1 5061 .", "TXT": '"' + "\\027[2J" * 40 + '"'}

    def make(data: bytes) -> bytes:
        one = _records(data, 1, kind, texts[kind])
        two = _records(data, 2, kind, texts[kind])
        return _records(data, (size - len(one)) // (len(two) - len(one)), kind, texts[kind])

    return make


def _question_and(records: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The header and the question of a query, and hand-made records."""

    def make(data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        question = data[12 : len(data) - _extra(query)]
        made = records(question)
        return (
            data[:2]
            + b"\x81\x80\0\1"
            + struct.pack("!H", made.count(b"\0\0\x0e\x10"))
            + b"\0\0\0\0"
            + question
            + made
        )

    return make


def _alias_loop(question: bytes) -> bytes:
    return b"\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x02\xc0\x0c"


def _pointer_loop(question: bytes) -> bytes:
    at = 12 + len(question)
    return struct.pack("!H", 0xC000 | at) + b"\0\x01\0\x01\0\0\x0e\x10\0\x04\1\2\3\4"


def _alias_chain(question: bytes) -> bytes:
    """Each alias one label longer than the last, all by pointers."""
    made, at = b"", 0x0C
    for _ in range(120):
        record = (
            struct.pack("!H", 0xC000 | at)
            + b"\0\x05\0\x01\0\0\x0e\x10\0\x04\1a"
            + struct.pack("!H", 0xC000 | at)
        )
        at = 12 + len(question) + len(made) + 12
        made += record
    return made


_ATTR = struct.Struct("!HH")


def _stun(attributes: Callable[[bytes], bytes], kind: int = 0x0101) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        body = attributes(data[8:20])
        return struct.pack("!HH", kind, len(body)) + data[4:20] + body

    return make


def _software(identifier: bytes) -> bytes:
    mapped = _ATTR.pack(1, 8) + b"\0\1\x13\x88\x7f\0\0\1"
    text = (_ATTACK * 20)[:1024]
    return mapped + _ATTR.pack(0x8022, len(text)) + text


def _ntp(kiss: bytes) -> Callable[[bytes], bytes]:
    def make(data: bytes) -> bytes:
        return b"\x24\0\0\xec" + bytes(8) + kiss + bytes(8) + data[40:48] + data[40:48] + data[40:48]

    return make


def _quic(first: bytes, rest: bytes) -> Callable[[bytes], bytes]:
    """A long header that leads back to the sender of one (RFC 8999 section 5.1)."""

    def make(data: bytes) -> bytes:
        theirs = data[6 : 6 + data[5]]
        at = 6 + len(theirs)
        ours = data[at + 1 : at + 1 + data[at]]
        return first + bytes([len(ours)]) + ours + bytes([len(theirs)]) + theirs + rest

    return make


DATAGRAMS: Mapping[str, Reply] = {
    "silent": says(),
    "empty": says(b""),
    "rubbish": says(_RUBBISH[:1200]),
    "64 KB": says(_RUBBISH[:65507]),
    "echo": made(lambda data: data),
    "flood": flood,
    "zeros": says(bytes(1500)),
    "every length": lambda data, source: (_RUBBISH[:size] for size in range(100)),
    # STUN
    "STUN with a lying length": made(lambda d: b"\x01\x01\xff\xfc" + d[4:20] + bytes(8)),
    "STUN attribute that overruns": made(_stun(lambda _: _ATTR.pack(0x0020, 0xFFFC) + bytes(8))),
    "STUN with nothing in it": made(_stun(lambda _: b"")),
    "STUN of many attributes": made(_stun(lambda _: _ATTR.pack(0x8022, 0) * 16000)),
    "STUN with a family of its own": made(_stun(lambda _: _ATTR.pack(0x0020, 8) + b"\0\x09" + bytes(6))),
    "attack in STUN": made(_stun(_software)),
    "STUN error of no class": made(_stun(lambda _: _ATTR.pack(9, 4) + b"\0\0\7\xff", 0x0111)),
    # NTP
    "attack in NTP": made(_ntp(b"\x1b[2J")),
    "NTP denies": made(_ntp(b"DENY")),
    "NTP of the far future": made(lambda d: b"\x24\1\0\xec" + bytes(12) + bytes(8) + d[40:48] + b"\xff" * 16),
    # SIP
    "SIP of 60 KB": made(lambda d: _sip(d, b"X-Y: " + b"z" * 60000 + b"\r\n", b"", b"200 OK")),
    "SIP of 3000 headers": made(lambda d: _sip(d, b"X: y\r\n" * 3000, b"", b"200 OK")),
    "SIP with a lying length": made(lambda d: _sip(d, b"Content-Length: 99999\r\n", b"x", b"200 OK")),
    "attack in SIP": made(
        lambda d: _sip(
            d, b"Server: " + _ATTACK.translate(None, b"\x1b\x07") * 50 + b"\r\n", b"", b"200 \xe2\x80\xae"
        )
    ),
    # TFTP and RTP
    "attack in TFTP": says(b"\0\5\0\1" + _ATTACK * 300 + b"\0"),
    "TFTP block of 60 KB": says(b"\0\3\0\1" + bytes(60000)),
    "TFTP of another opcode": says(b"\0\x63\0\1"),
    "TFTP options of 60 KB": says(b"\0\6" + b"a\0" * 30000),
    "RTP that overruns": says(b"\x9f\0\0\1" + bytes(8)),
    "RTP of padding": says(b"\xa0\0\0\1" + bytes(8) + b"\xff"),
    # QUIC
    "QUIC of other versions": made(_quic(b"\xc0\0\0\0\0", b"\x1a\x2a\x3a\x4a" * 300)),
    "QUIC of no version": made(_quic(b"\xc0\0\0\0\0", b"")),
    "QUIC initial of rubbish": made(_quic(b"\xc3\0\0\0\1", b"\0\x44\xb0" + _RUBBISH[:1200])),
    "QUIC token of any length": made(_quic(b"\xc3\0\0\0\1", b"\xff" * 8 + _RUBBISH[:100])),
    "QUIC retry without an end": made(_quic(b"\xf0\0\0\0\1", _RUBBISH[:1100])),
    # DNS
    "DNS of 64 KB": made(_many("A", 65000)),
    "DNS of many services": made(_many("SRV", 65000)),
    "DNS of what is just not too much": made(_many("A", 4000)),
    "attack in DNS": made(_many("TXT", 4000)),
    "DNS aliases in a loop": made(_question_and(_alias_loop)),
    "DNS pointers in a loop": made(_question_and(_pointer_loop)),
    "DNS aliases without end": made(_question_and(_alias_chain)),
    "DNS of 65535 records that are not there": made(
        lambda d: d[:2] + b"\x81\x80\0\1\xff\xff\xff\xff\xff\xff" + d[12:]
    ),
    "DNS of another id": made(lambda d: bytes([d[0] ^ 0xFF]) + _records(d, 1, "A", "192.0.2.1")[1:]),
    "DNS from another port": _from_elsewhere,
    "DNS that is cut": made(lambda d: d[:2] + b"\x83\x80" + d[4:]),
}
