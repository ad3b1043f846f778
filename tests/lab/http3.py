"""A web server that speaks HTTP/3 and says a word to every request: `python http3.py PORT CHAIN KEY`."""

import asyncio
import sys

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

_PAGE = b"lab\n"


class Host(QuicConnectionProtocol):
    """Answers 200 to whatever is asked."""

    _http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is not None:
            for said in self._http.handle_event(event):
                if isinstance(said, HeadersReceived):
                    self._answer(self._http, said.stream_id)

    def _answer(self, http: H3Connection, stream: int) -> None:
        http.send_headers(stream, [(b":status", b"200"), (b"content-length", b"%d" % len(_PAGE))])
        http.send_data(stream, _PAGE, end_stream=True)
        self.transmit()


async def main() -> None:
    port, chain, key = sys.argv[1:]
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(chain, key)
    await serve("0.0.0.0", int(port), configuration=configuration, create_protocol=Host)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
