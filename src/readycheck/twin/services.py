"""What the stand-in servers answer: bytes in, bytes out, no sockets."""

import re
from dataclasses import dataclass

from readycheck.twin.blueprint import Blueprint
from readycheck.twin.topology import ECHO_PORT
from readycheck.twin.zone import Zone
from readycheck.wire import ntp, sip, stun, tftp

Endpoint = tuple[str, int]

_ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER"
_SERVER = "readycheck twin"
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Services:
    blueprint: Blueprint
    zone: Zone

    def datagram(self, payload: bytes, source: Endpoint, asked: Endpoint, now: float) -> bytes | None:
        """The answer to one UDP datagram, never larger than a resolver's or than what was sent."""
        host, port = asked
        if port == 53:
            return self.zone.answer(payload) if host in self.blueprint.name_servers else None
        if port == 69:
            return _block(payload)
        if port == 123:
            return self._time(payload, now)
        if _is_sip(payload):
            return self.message(payload, source)
        binding = _binding(payload, source)
        if binding is None and self._echoes(port):
            return payload
        return binding

    def delay_s(self, port: int) -> float:
        """How long the answer of a port is held back."""
        return self.blueprint.faults.dns_delay_ms / 1000 if port == 53 else 0.0

    def message(self, request: bytes, source: Endpoint | None = None) -> bytes | None:
        """The answer to one whole SIP request; over UDP it says where that came from."""
        try:
            asked = sip.unpack_request(request)
            if self.blueprint.faults.sip_silent or asked.method == "ACK":
                return None
            status, reason = (200, "OK") if asked.method == "OPTIONS" else (403, "Forbidden")
            headers = (("Allow", _ALLOW), ("Server", _SERVER))
            return sip.pack_response(asked, status, reason, headers=headers, source=source)
        except ValueError:
            return None

    def page(self, request: bytes, *, secure: bool, asked: Endpoint) -> bytes:
        """The answer to an HTTP request, of which the header section is enough."""
        portal = self.blueprint.faults.portal
        if portal and asked[1] == 80 and not secure:
            return (
                f"HTTP/1.1 302 Found\r\nLocation: http://{portal}/login\r\nContent-Length: 0\r\n\r\n".encode()
            )
        method = request.split(b" ", 1)[0]
        status = "400 Bad Request" if _is_wrong(secure, asked) else "200 OK"
        body = b"" if method == b"HEAD" else f"{_SERVER}\n{self.blueprint.page}\n".encode()
        head = f"HTTP/1.1 {status}\r\nServer: {_SERVER}\r\nContent-Type: text/plain\r\n"
        if secure and self.blueprint.quic:
            head += 'Alt-Svc: h3=":443"; ma=86400\r\n'
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    def switches(self, request: bytes, *, secure: bool, asked: Endpoint) -> bool:
        """Whether a request to switch to WebSocket is granted, as it is wherever pages are."""
        return bool(_UPGRADE.search(request)) and not _is_wrong(secure, asked)

    def _echoes(self, port: int) -> bool:
        return port == ECHO_PORT or any(low <= port <= high for low, high in self.blueprint.echo)

    def _time(self, payload: bytes, now: float) -> bytes | None:
        shown = now + self.blueprint.faults.clock_skew_s
        try:
            return ntp.pack_reply(payload, receive=shown, transmit=shown)
        except ValueError:
            return None


def _is_wrong(secure: bool, asked: Endpoint) -> bool:
    """Clear text where TLS is spoken."""
    return not secure and asked[1] in (443, 8443)


def _block(payload: bytes) -> bytes | None:
    """The first and only block of any file, from the port that was asked.

    The site's edge follows no TFTP: it would let no answer from another port back in.
    """
    try:
        tftp.unpack_read_request(payload)
    except ValueError:
        return None
    return tftp.pack_data(1, f"{_SERVER}\n".encode())


def _is_sip(payload: bytes) -> bool:
    return payload.partition(b"\r\n")[0].endswith(b" SIP/2.0")


def _binding(payload: bytes, source: Endpoint) -> bytes | None:
    try:
        request = stun.unpack_message(payload)
    except ValueError:
        return None
    if request.message_class is not stun.MessageClass.REQUEST or request.method != stun.BINDING:
        return None
    return stun.pack_binding_success(request.transaction_id, source, software=_SERVER)
