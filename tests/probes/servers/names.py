"""What stands before a TLS server, or is one, and minds the names that it is asked for."""

import socket
import ssl
from collections.abc import Callable

from readycheck.wire.client_hello import unpack_server_name

from .tcp import Serve, silent

Mind = Callable[[str | None], bool]


def seen_name(connection: socket.socket) -> str | None:
    """The name in the next packet, as a box reads it; empty when it cannot."""
    try:
        return unpack_server_name(connection.recv(65536, socket.MSG_PEEK))
    except ValueError:
        return ""


def minding(mind: Mind, kill: Serve, context: ssl.SSLContext) -> Serve:
    """Greetings with a name that `mind` does not like end by `kill`, the others at a TLS server."""

    def serve(connection: socket.socket) -> None:
        if mind(seen_name(connection)):
            kill(connection)
            return
        with context.wrap_socket(connection, server_side=True) as secured:
            silent(secured)

    return serve


def alerting(name: str, context: ssl.SSLContext) -> ssl.SSLContext:
    """A server that does not know the name, and says so (alert 112)."""

    def refuse(_: ssl.SSLObject, asked: str | None, __: ssl.SSLContext) -> int | None:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if (asked or "").lower() == name else None

    context.sni_callback = refuse
    return context
