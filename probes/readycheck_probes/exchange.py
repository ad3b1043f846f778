"""One HTTP/1.1 request on a stream that is already open, and its answer within bounds."""

from collections.abc import Callable, Mapping

from readycheck.probe import Failure, NetError, Stream
from readycheck.wire.http import Exchange, NotHttp
from readycheck_probes.hostile import tame

USER_AGENT = "readycheck"
MAX_BODY_BYTES = 64 * 1024
_MAX_RECEIVED_BYTES = 256 * 1024
_MAX_READ_BYTES = 64 * 1024


class Request:
    """`left_s` stands over all of it, against slow drips; everything raises `NetError`."""

    def __init__(self, stream: Stream, left_s: Callable[[], float]) -> None:
        self._stream = stream
        self._left_s = left_s
        self._received = 0

    async def ask(
        self, method: str, target: str, host: str, *, sent: bool = False
    ) -> tuple[int, Mapping[str, str]]:
        """Status and headers, by their names in lower case, once they are there; `sent`: it was asked already."""
        headers = {"Host": host, "Accept": "*/*", "User-Agent": USER_AGENT}
        try:
            self._exchange = Exchange(method, target, headers)
        except NotHttp as error:
            raise NetError(Failure.PROTOCOL_ERROR, str(error)) from None
        if not sent:
            await self._stream.write(self._exchange.request, timeout=self._left_s())
        while self._exchange.status is None:
            await self._more()
        return self._exchange.status, self._exchange.headers

    async def body(self) -> bytes:
        """As it was sent, as far as one cares to read."""
        while not self._exchange.ended and len(self._exchange.body) < MAX_BODY_BYTES:
            await self._more()
        return bytes(self._exchange.body)

    async def _more(self) -> None:
        data = await self._stream.read(_MAX_READ_BYTES, timeout=self._left_s())
        if not data and not self._received:
            raise NetError(Failure.CONNECTION_CLOSED, "closed without an answer")
        self._received += len(data)
        if self._received > _MAX_RECEIVED_BYTES:
            raise NetError(Failure.PROTOCOL_ERROR, f"more than {_MAX_RECEIVED_BYTES} bytes of answer")
        try:
            self._exchange.feed(data)
        except NotHttp as error:
            raise NetError(Failure.PROTOCOL_ERROR, tame(str(error)) or "") from None
