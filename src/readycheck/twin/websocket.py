"""The server's side of a WebSocket: it agrees, answers pings and says nothing of its own."""

from websockets.http11 import Request
from websockets.server import ServerProtocol

from readycheck.responder.channel import Channel

MAX_MESSAGE_BYTES = 64 * 1024


async def converse(channel: Channel, head: bytes) -> None:
    """Answer the request to switch, and then whatever comes until the client goes."""
    protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
    data = head
    while data:
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
        answer = b"".join(protocol.data_to_send())
        if answer:
            await channel.write(answer)
        if protocol.close_expected():
            return
        data = await channel.read()
