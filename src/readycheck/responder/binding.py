"""STUN binding requests (RFC 8489), and behaviour discovery for two addresses (RFC 5780). Pure; time is an argument.

An answer is longer than a bare request has to be: even the least that RFC 8489 section 6.3.1.1 asks for has 32 bytes,
and all of RFC 5780 has 68, or 116 over IPv6, to 20 of the request. PADDING (RFC 5780 section 7.6) is not demanded,
because no client of others pads its requests, and servers of others refuse it. Instead short requests are answered at a
rate of their own, which makes a reflector of no use: whoever is made to seem the asker gets 20 answers a second, and
all such people together 116 kB a second. A padded request pays in full.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from readycheck.net.interface import Endpoint
from readycheck.responder.guard import Sources
from readycheck.wire.stun import (
    BINDING,
    MessageClass,
    StunMessage,
    pack_binding_error,
    pack_binding_success,
    unpack_message,
)

SHORT_PER_SOURCE, SHORT_BURST, SHORT_OVERALL = 20.0, 120.0, 1000.0
"""What a ladder of sockets asks of one address; and an end to what goes to all that may have been spoofed."""

_CHANGE_REQUEST = 0x0003
_UNKNOWN_ATTRIBUTE = 420


@dataclass(frozen=True, slots=True)
class Corner:
    """A place that is listened on, and those from which it can be answered instead, each None if there is none."""

    here: Endpoint
    other_port: Endpoint | None = None
    other_address: Endpoint | None = None
    both: Endpoint | None = None

    def origin(self, asked: StunMessage) -> Endpoint | None:
        """From where the answer has to leave."""
        if asked.change_ip:
            return self.both if asked.change_port else self.other_address
        return self.other_port if asked.change_port else self.here


@dataclass(frozen=True, slots=True)
class Said:
    data: bytes
    origin: Endpoint
    to: Endpoint


@dataclass(slots=True)
class Bindings:
    """Answers what comes to one corner; `sources` is for all requests, `short` for those shorter than the answer."""

    corner: Corner
    sources: Sources
    short: Sources = field(default_factory=lambda: Sources(SHORT_PER_SOURCE, SHORT_BURST, SHORT_OVERALL))

    def answer(self, data: bytes, source: Endpoint, now_s: float) -> Said | None:
        """The answer to a datagram; None is silence."""
        try:
            asked = unpack_message(data)
        except ValueError:
            return None
        if asked.message_class is not MessageClass.REQUEST or asked.method != BINDING:
            return None
        said = self._said(asked, source)
        sources = self.sources if len(said.data) <= len(data) else self.short
        return said if sources.allows(source[0], now_s) else None

    def _said(self, asked: StunMessage, source: Endpoint) -> Said:
        origin = self.corner.origin(asked)
        unknown = asked.unknown_attributes or (() if origin else (_CHANGE_REQUEST,))
        if unknown or origin is None:
            error = pack_binding_error(
                asked.transaction_id, _UNKNOWN_ATTRIBUTE, "Unknown Attribute", unknown_attributes=unknown
            )
            return Said(error, self.corner.here, source)
        success = pack_binding_success(
            asked.transaction_id,
            _unscoped(source),
            other_address=self.corner.both,
            response_origin=None if is_wildcard(origin[0]) else origin,
        )
        return Said(success, origin, (source[0], asked.response_port or source[1]))


def corners(places: Iterable[Endpoint]) -> tuple[Corner, ...]:
    """Pairs each place with one of the other address of its family, and with the other port of its own."""
    known = tuple(places)
    return tuple(_corner(place, known) for place in known)


def _corner(here: Endpoint, known: tuple[Endpoint, ...]) -> Corner:
    family = [place for place in known if (":" in place[0]) == (":" in here[0])]
    port = next((p for host, p in family if host == here[0] and p != here[1]), None)
    host = next((h for h, _ in family if h != here[0] and not is_wildcard(h)), None)

    def bound(place: tuple[str | None, int | None]) -> Endpoint | None:
        return next((one for one in family if one == place), None)

    return Corner(here, bound((here[0], port)), bound((host, here[1])), bound((host, port)))


def is_wildcard(host: str) -> bool:
    return ip_address(host.partition("%")[0]).is_unspecified


def _unscoped(place: Endpoint) -> Endpoint:
    return place[0].partition("%")[0], place[1]
