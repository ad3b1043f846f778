"""What the stand-in servers say on ports whose protocol their first bytes do not tell: bytes in, bytes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from readycheck.wire import ldap, xmpp

SIP = "sip"
"""SIP in clear: told by its first bytes, on the ports where it is wanted."""

_NAME = "twin.example"


def _nothing(_: bytes) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`greeting` is said unasked; `reply` is told what has come, and returns None until that is a request.

    `secure` ones take place in TLS.
    """

    greeting: bytes = b""
    reply: Callable[[bytes], bytes | None] = _nothing
    secure: bool = False


def _stream(heard: bytes) -> bytes | None:
    return None if xmpp.unpack_header(heard) is None else xmpp.pack_response(_NAME)


def _root(heard: bytes) -> bytes | None:
    message = ldap.unpack_message(heard)
    return None if message is None else ldap.pack_root_entry(message.message_id)


_IMAP = f"* OK {_NAME} IMAP4rev2\r\n".encode()

DIALOGUES: Mapping[str, Dialogue] = {
    "ssh": Dialogue(b"SSH-2.0-readycheck twin\r\n"),
    "smtp": Dialogue(f"220 {_NAME} ESMTP\r\n".encode()),
    "imap": Dialogue(_IMAP),
    "imaps": Dialogue(_IMAP, secure=True),
    "xmpp": Dialogue(reply=_stream),
    "xmpp-tls": Dialogue(reply=_stream, secure=True),
    "ldap": Dialogue(reply=_root),
    "ldaps": Dialogue(reply=_root, secure=True),
}
"""By the word that a profile has for them; others are answered by their first bytes."""
