"""HTTP/1.1 (RFC 9112) of one request, with h11: what is to be sent, and what the answer is, as far as it came."""

from collections.abc import Iterable, Mapping

import h11

_MAX_HEAD_BYTES = 100 * 1024
_MAX_PARTS = 4096  # chunks of one byte each cost more time than they are worth


class NotHttp(ValueError):
    """What came is no answer, or what is to be asked is no request; the text says why."""


class Exchange:
    """Feed it what the server sends, `b""` for its end: `status` and `headers` are there first, then the body.

    Names of headers are in lower case; one that comes more than once is one value with commas (RFC 9110
    section 5.2).
    """

    def __init__(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """`headers` with `Host` among them. Raises `NotHttp` for what cannot be asked."""
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = bytearray()
        self.ended = False
        self._parts = 0
        try:
            asked = h11.Request(method=method, target=target, headers=list(headers.items()))
            self.request = (self._connection.send(asked) or b"") + (
                self._connection.send(h11.EndOfMessage()) or b""
            )
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise NotHttp("cannot be asked for") from None

    def feed(self, data: bytes) -> None:
        """Raises `NotHttp`."""
        try:
            self._connection.receive_data(data)
            while not self.ended and self._take(self._connection.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            raise NotHttp(str(error)) from None

    def _take(self, event: object) -> bool:
        """Whether there may be another event in what came so far."""
        match event:
            case h11.Response():
                self.status = event.status_code
                self.headers = _joined(event.headers)
            case h11.Data():
                self.body += event.data
                self._parts += 1
                self.ended = self._parts == _MAX_PARTS
            case h11.EndOfMessage() | h11.ConnectionClosed() | h11.PAUSED:
                self.ended = True
        return event is not h11.NEED_DATA


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), _text(value)
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
