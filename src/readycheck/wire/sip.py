"""SIP requests and responses (RFC 3261), whole or framed off a byte stream."""

import re
from dataclasses import dataclass

BRANCH_COOKIE = "z9hG4bK"
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 64 * 1024
MAX_BUFFERED_BYTES = 256 * 1024

_TRANSPORTS = ("TLS", "TCP", "UDP")
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
_NAME = re.compile(_TOKEN + "+")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.ASCII | re.IGNORECASE)
_REQUEST_LINE = re.compile(rf"({_TOKEN}{{1,32}}) (\S+) SIP/2\.0", re.ASCII | re.IGNORECASE)
_START_PREFIX = re.compile(rf"SIP/.*|{_TOKEN}{{1,32}}(?: .*)?", re.IGNORECASE)
_URI = re.compile(r"sips?:[^\s<>\"]+", re.IGNORECASE)
_FOLD = re.compile(r"\r\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BARE_RPORT = re.compile(r";\s*rport\s*(?=;|$)", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]{1,9}")
_STAND_IN_TAG = "readycheck"
# RFC 3261 section 7.3.3 and the IANA registry of compact forms.
_COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip

Headers = tuple[tuple[str, str], ...]


class NotSip(ValueError):
    """What was received is another protocol's."""


@dataclass(frozen=True, slots=True)
class SipResponse:
    """One response, its headers in order and named as received (RFC 3261 section 7.2)."""

    status: int
    reason: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header in its long or compact form (RFC 3261 section 7.3.3)."""
        return next(iter(_values(self.headers, name)), None)


@dataclass(frozen=True, slots=True)
class SipRequest:
    """One request, its headers in order and named as received (RFC 3261 section 7.1)."""

    method: str
    uri: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header in its long or compact form (RFC 3261 section 7.3.3)."""
        return next(iter(_values(self.headers, name)), None)


class MessageBuffer:
    """Frames messages off a stream by Content-Length; none given means no body (RFC 3261 section 18.3)."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._size: int | None = None

    def feed(self, data: bytes) -> None:
        """Add what the stream delivered."""
        if len(self._data) + len(data) > MAX_BUFFERED_BYTES:
            raise ValueError(f"more than {MAX_BUFFERED_BYTES} bytes of SIP wait to be taken")
        self._data += data

    def take(self) -> bytes | None:
        """The next whole message, or None until more is fed; CRLF keep-alives are dropped."""
        if self._size is None:
            self._size = self._measure()
        if self._size is None or len(self._data) < self._size:
            return None
        message = bytes(self._data[: self._size])
        del self._data[: self._size]
        self._size = None
        return message

    def _measure(self) -> int | None:
        del self._data[: len(self._data) - len(self._data.lstrip(b"\r\n"))]
        section = bytes(self._data[: MAX_HEADER_BYTES + 4])
        _check_start(section)
        end = _header_end(section)
        if end is None:
            return None
        _, headers = _unpack_section(section[:end])
        return end + 4 + (_content_length(headers) or 0)


def pack_options(
    *,
    uri: str,
    via_transport: str,
    local: tuple[str, int],
    branch: str,
    call_id: str,
    tag: str,
    cseq: int = 1,
    user_agent: str = "readycheck",
) -> bytes:
    """An OPTIONS request outside a dialog (RFC 3261 section 11.1), with rport (RFC 3581 section 3)."""
    _check_options(uri=uri, via_transport=via_transport, branch=branch, call_id=call_id, tag=tag)
    scheme = uri.partition(":")[0].lower()
    host, sent_by = _bracketed(local[0]), f"{_bracketed(local[0])}:{local[1]}"
    headers = (
        ("Via", f"SIP/2.0/{via_transport} {sent_by};rport;branch={branch}"),
        ("Max-Forwards", "70"),
        ("From", f"<{scheme}:readycheck@{host}>;tag={tag}"),
        ("To", f"<{uri}>"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} OPTIONS"),
        ("Contact", f"<{scheme}:readycheck@{sent_by};transport={via_transport.lower()}>"),
        ("Accept", "application/sdp"),
        ("User-Agent", user_agent),
    )
    return _pack(f"OPTIONS {uri} SIP/2.0", headers)


def pack_response(
    request: SipRequest,
    status: int,
    reason: str,
    *,
    headers: Headers = (),
    source: tuple[str, int] | None = None,
) -> bytes:
    """A stand-in server's answer; `source` fills received and rport (RFC 3261 section 8.2.6, RFC 3581)."""
    if not 100 <= status <= 699:
        raise ValueError(f"SIP status {status} is outside 100..699")
    vias = _values(request.headers, "Via")
    if source and vias:
        vias[0] = _with_source(vias[0], source)
    copied = [("Via", via) for via in vias]
    copied += [(name, _required(request, name)) for name in ("From", "To", "Call-ID", "CSeq")]
    if status > 100:
        copied = [(name, _tagged(value) if name == "To" else value) for name, value in copied]
    return _pack(f"SIP/2.0 {status} {reason}", (*copied, *headers))


def unpack_response(data: bytes) -> SipResponse:
    """Read one whole response, from a datagram or a MessageBuffer (RFC 3261 section 7.2)."""
    start, headers, body = _unpack(data)
    line = _STATUS_LINE.fullmatch(start)
    if not line:
        raise ValueError(f"not a SIP status line: {start[:40]!r}")
    return SipResponse(int(line[1]), line[2] or "", headers, body)


def unpack_request(data: bytes) -> SipRequest:
    """Read one whole request, from a datagram or a MessageBuffer (RFC 3261 section 7.1)."""
    start, headers, body = _unpack(data)
    line = _REQUEST_LINE.fullmatch(start)
    if not line:
        raise ValueError(f"not a SIP request line: {start[:40]!r}")
    return SipRequest(line[1], line[2], headers, body)


def answers(response: SipResponse, *, call_id: str, branch: str) -> bool:
    """Whether a response belongs to the request with this topmost branch (RFC 3261 section 17.1.3)."""
    via = (response.header("Via") or "").partition(",")[0]
    return response.header("Call-ID") == call_id and parameter(via, "branch") == branch


def parameter(value: str, name: str) -> str | None:
    """A `;name=value` parameter of a header value, "" for a bare one (RFC 3261 section 7.3.1)."""
    for part in value.rpartition(">")[2].split(";")[1:]:
        key, _, text = part.partition("=")
        if key.strip().lower() == name.lower():
            return text.strip().strip('"')
    return None


def _check_options(*, uri: str, via_transport: str, branch: str, call_id: str, tag: str) -> None:
    if via_transport not in _TRANSPORTS:
        raise ValueError(f"SIP transport {via_transport!r} is none of {', '.join(_TRANSPORTS)}")
    if not _URI.fullmatch(uri):
        raise ValueError(f"{uri!r} is not a SIP URI")
    if not branch.startswith(BRANCH_COOKIE):
        raise ValueError(f"SIP branch {branch!r} does not start with {BRANCH_COOKIE}")
    for text in (branch, tag, *call_id.split("@", 1)):
        if not _NAME.fullmatch(text):
            raise ValueError(f"{text!r} is not a SIP token")


def _bracketed(host: str) -> str:
    return f"[{host.partition('%')[0]}]" if ":" in host else host


def _pack(start: str, headers: Headers, body: bytes = b"") -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    for line in lines:
        _check_line(line)
    return "\r\n".join([*lines, "", ""]).encode() + body


def _required(request: SipRequest, name: str) -> str:
    value = request.header(name)
    if value is None:
        raise ValueError(f"SIP request has no {name}")
    return value


def _tagged(to: str) -> str:
    return to if parameter(to, "tag") else f"{to};tag={_STAND_IN_TAG}"


def _with_source(via: str, source: tuple[str, int]) -> str:
    first, comma, rest = via.partition(",")
    first = _BARE_RPORT.sub(f";rport={source[1]}", first.rstrip())
    return f"{first};received={source[0]}{comma}{rest}"


def _values(headers: Headers, name: str) -> list[str]:
    wanted = _canonical(name)
    return [value for key, value in headers if _canonical(key) == wanted]


def _canonical(name: str) -> str:
    return _COMPACT.get(name.lower(), name.lower())


def _unpack(data: bytes) -> tuple[str, Headers, bytes]:
    end = _header_end(data)
    if end is None:
        raise ValueError("SIP message has no blank line after its headers")
    start, headers = _unpack_section(data[:end])
    return start, headers, _unpack_body(headers, data[end + 4 :])


def _check_start(section: bytes) -> None:
    line, complete, _ = section.decode("latin-1").partition("\r\n")
    shapes = (_STATUS_LINE, _REQUEST_LINE) if complete else (_START_PREFIX,)
    if line and not any(shape.fullmatch(line) for shape in shapes):
        raise NotSip(f"not SIP: the stream starts with {line[:40]!r}")


def _header_end(data: bytes) -> int | None:
    end = data.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES + 4)
    if end < 0 and len(data) >= MAX_HEADER_BYTES + 4:
        raise ValueError(f"SIP header section exceeds {MAX_HEADER_BYTES} bytes")
    return end if end >= 0 else None


def _unpack_section(section: bytes) -> tuple[str, Headers]:
    start, *lines = _FOLD.sub(" ", section.decode("utf-8", "replace")).split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise ValueError(f"SIP message has {len(lines)} headers, more than {MAX_HEADERS}")
    _check_line(start)
    return start, tuple(map(_unpack_header, lines))


def _unpack_header(line: str) -> tuple[str, str]:
    _check_line(line)
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or not _NAME.fullmatch(name):
        raise ValueError(f"SIP header line {line[:40]!r} has no name")
    return name, value.strip(" \t")


def _check_line(line: str) -> None:
    if _CONTROL.search(line):
        raise ValueError(f"SIP line {line[:40]!r} holds a control character")


def _content_length(headers: Headers) -> int | None:
    lengths = set(_values(headers, "Content-Length"))
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _DECIMAL.fullmatch(length):
        raise ValueError("SIP Content-Length is not one decimal number")
    if int(length) > MAX_BODY_BYTES:
        raise ValueError(f"SIP body of {length} bytes exceeds {MAX_BODY_BYTES}")
    return int(length)


def _unpack_body(headers: Headers, rest: bytes) -> bytes:
    length = _content_length(headers)
    if length is None:
        length = len(rest)
    if length > MAX_BODY_BYTES:
        raise ValueError(f"SIP body of {length} bytes exceeds {MAX_BODY_BYTES}")
    if len(rest) < length:
        raise ValueError(f"SIP body of {len(rest)} bytes is shorter than its Content-Length {length}")
    return rest[:length]
