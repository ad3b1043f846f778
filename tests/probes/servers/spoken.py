"""Servers of the protocols that a connection can be asked for: sound, wrong, broken off, silent."""

import socket
from collections.abc import Mapping

from readycheck.wire import ldap, xmpp

from .tcp import Serve, silent

GREETINGS: Mapping[str, bytes] = {
    "ssh": b"Authorised use only\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "smtp": b"220-mail.example ESMTP\r\n220 ready\r\n",
    "imap": b"* OK [CAPABILITY IMAP4rev2] ready\r\n",
}
ANSWERS: Mapping[str, bytes] = {
    "xmpp": xmpp.pack_response("im.example", error="host-unknown"),
    "ldap": ldap.pack_root_entry(1),
}


def greeting(data: bytes, *, in_pieces: bool = False, hang_up: bool = False) -> Serve:
    """Says `data` unasked, then waits for the client to go, or goes first."""

    def serve(connection: socket.socket) -> None:
        _send(connection, data, in_pieces)
        if not hang_up:
            silent(connection)

    return serve


def answering(data: bytes, *, in_pieces: bool = False, heard: list[bytes] | None = None) -> Serve:
    """Says `data` once something was said, then waits for the client to go."""

    def serve(connection: socket.socket) -> None:
        (heard if heard is not None else []).append(connection.recv(65536))
        _send(connection, data, in_pieces)
        silent(connection)

    return serve


def server_of(protocol: str, *, in_pieces: bool = False) -> Serve:
    """A sound server; those of `imaps` and the like need a context besides."""
    plain = protocol.removesuffix("-tls")
    plain = plain if plain in GREETINGS | ANSWERS else plain.removesuffix("s")
    if plain in GREETINGS:
        return greeting(GREETINGS[plain], in_pieces=in_pieces)
    return answering(ANSWERS[plain], in_pieces=in_pieces)


def _send(connection: socket.socket, data: bytes, in_pieces: bool) -> None:
    if not in_pieces:
        connection.sendall(data)
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in data:
        connection.sendall(bytes([byte]))
