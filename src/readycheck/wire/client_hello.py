"""The ClientHello of TLS: the server name in it, and ways to send it that mean the same (RFC 8446, RFC 6066)."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_RECORD_HEAD, _MESSAGE_HEAD = 5, 4
_VERSION_AND_RANDOM = 34
_SERVER_NAME, _HOST_NAME = 0, 0


def is_greeting(data: bytes) -> bool:
    """Whether these bytes begin a connection of TLS as a client does."""
    return len(data) > _RECORD_HEAD and data[0] == _HANDSHAKE and data[_RECORD_HEAD] == _CLIENT_HELLO


def greeting_size(data: bytes) -> int | None:
    """How many bytes of records hold the whole ClientHello, None while some are missing; ValueError for none."""
    at, message = 0, b""
    while len(data) >= at + _RECORD_HEAD:
        size = _number(data, at + 3, 2)
        if data[at] != _HANDSHAKE or not size:
            raise ValueError("this is no ClientHello")
        message += data[at + _RECORD_HEAD : at + _RECORD_HEAD + size]
        at += _RECORD_HEAD + size
        if message[:1] != bytes([_CLIENT_HELLO]) and message:
            raise ValueError("this is no ClientHello")
        if len(message) >= _MESSAGE_HEAD and len(message) >= _MESSAGE_HEAD + _number(message, 1, 3):
            return at if at <= len(data) else None
    return None


def unpack_server_name(data: bytes) -> str | None:
    """The server name of a ClientHello, None without one; ValueError unless its first record holds it whole."""
    span = name_span(data)
    return data[span[0] : span[1]].decode("ascii", "replace") if span else None


def name_span(data: bytes) -> tuple[int, int] | None:
    """Where in the bytes the server name stands (RFC 6066 section 3); ValueError as above."""
    if not is_greeting(data):
        raise ValueError("this is no ClientHello")
    record_end = _RECORD_HEAD + _number(data, 3, 2)
    end = _RECORD_HEAD + _MESSAGE_HEAD + _number(data, _RECORD_HEAD + 1, 3)
    if not end <= record_end <= len(data):
        raise ValueError("the ClientHello is cut off")
    at = _RECORD_HEAD + _MESSAGE_HEAD + _VERSION_AND_RANDOM
    for size_bytes in (1, 2, 1):  # session, cipher suites, compression methods
        at += size_bytes + _number(data, at, size_bytes)
    return _find_name(data, at + 2, end)


def _find_name(data: bytes, at: int, end: int) -> tuple[int, int] | None:
    while at + 4 <= end:
        kind, size = _number(data, at, 2), _number(data, at + 2, 2)
        at += 4
        if kind == _SERVER_NAME and size >= 5 and data[at + 2] == _HOST_NAME:
            start = at + 5
            stop = start + _number(data, at + 3, 2)
            if stop > end:
                raise ValueError("the server name is cut off")
            return start, stop
        at += size
    return None


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError("the ClientHello is cut off")
    return int.from_bytes(data[at : at + size], "big")


def cut_point(data: bytes) -> int:
    """Where to cut so that neither part shows the whole name; without a name in the middle."""
    span = name_span(data)
    return (span[0] + span[1]) // 2 if span else len(data) // 2


def as_segments(data: bytes) -> tuple[bytes, bytes]:
    """The same bytes in two writes."""
    at = cut_point(data)
    return data[:at], data[at:]


def as_records(data: bytes) -> bytes:
    """The same message in two records (RFC 8446 section 5.1), to be sent in one write."""
    at = cut_point(data)
    size = _number(data, 3, 2)
    first, rest = data[_RECORD_HEAD:at], data[at : _RECORD_HEAD + size]
    after = data[_RECORD_HEAD + size :]
    return _record(data, first) + _record(data, rest) + after


def _record(data: bytes, body: bytes) -> bytes:
    return data[:3] + len(body).to_bytes(2, "big") + body
