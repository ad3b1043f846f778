"""XMPP stream headers (RFC 6120 section 4.2), read by expat on a short leash.

expat knows namespaces, quoting and encodings, which a scanner of our own would get wrong. What makes XML
dangerous begins with a document type declaration, which XMPP forbids (RFC 6120 section 11.1): it is refused
where it starts, so that no entity is ever declared. The encoding is always UTF-8, and the text is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

MAX_HEADER_BYTES = 16 * 1024

_STREAMS = "http://etherx.jabber.org/streams"
_CONDITIONS = "urn:ietf:params:xml:ns:xmpp-streams"


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What a server said first; `error` is the condition of a stream error (RFC 6120 section 4.9.3)."""

    sender: str
    version: str
    error: str


def pack_header(to: str) -> bytes:
    """A client's stream header (RFC 6120 section 4.2)."""
    return _header("to", to).encode()


def pack_response(sender: str, *, error: str = "") -> bytes:
    """A stand-in server's header with its features, or with the error that ends the stream."""
    header = _header("from", sender, " id='readycheck'")
    if not error:
        return f"{header}<stream:features/>".encode()
    condition = f"<{error} xmlns='{_CONDITIONS}'/>"
    return f"{header}<stream:error>{condition}</stream:error></stream:stream>".encode()


def unpack_header(data: bytes) -> StreamHeader | None:
    """Read a stream header or a stream error, and an error behind the header as far as it has come.

    None until there is one.
    """
    heard = _Heard()
    try:
        heard.parse(data[:MAX_HEADER_BYTES])
    except expat.ExpatError as error:
        # Whatever follows the header, it has shown what it had to.
        if heard.root is None:
            why = expat.ErrorString(error.code)
            raise ValueError(f"not an XMPP stream, {why}: it begins with {data[:20]!r}") from None
    if heard.root is None and len(data) >= MAX_HEADER_BYTES:
        raise ValueError(f"no XMPP stream header within {MAX_HEADER_BYTES} bytes")
    if heard.root is None:
        return None
    return StreamHeader(heard.root.get("from", ""), heard.root.get("version", ""), heard.error)


def _header(attribute: str, name: str, more: str = "") -> str:
    from xml.sax.saxutils import quoteattr  # brings all of urllib.request, and few ask for XMPP

    spaces = f"xmlns='jabber:client' xmlns:stream='{_STREAMS}'"
    named = f"{attribute}={quoteattr(name)}{more}"
    return f"<?xml version='1.0'?><stream:stream {named} version='1.0' xml:lang='en' {spaces}>"


class _Heard:
    """The attributes of the first element, and the condition of an error."""

    def __init__(self) -> None:
        self.root: Mapping[str, str] | None = None
        self.error = ""

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate("utf-8", " ")
        parser.StartElementHandler = self._element
        parser.StartDoctypeDeclHandler = _refuse
        parser.Parse(data, False)

    def _element(self, name: str, attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if self.root is None:
            if space != _STREAMS or local not in ("stream", "error"):
                raise ValueError(f"not an XMPP stream: it begins with the element {local[:40]!r}")
            self.root = dict(attributes)
        elif space == _CONDITIONS and local != "text":
            self.error = self.error or local


def _refuse(*_: object) -> None:
    raise ValueError("an XMPP stream with a document type declaration")
