"""What a port answers besides control messages and streams: STUN, and SIP requests, which it returns. Pure."""

from dataclasses import dataclass

from readycheck.net.interface import Endpoint
from readycheck.responder.binding import Bindings, Said
from readycheck.responder.guard import Known
from readycheck.wire.mirror import mirrored


@dataclass(frozen=True, slots=True)
class Others:
    """With `known` only those get an answer who have shown the key from their address before."""

    bindings: Bindings
    known: Known | None = None

    def answer(self, data: bytes, source: Endpoint, now_s: float) -> Said | None:
        """Never longer than what came, but for a short STUN request; None is silence."""
        if self.known is not None and not self.known.holds(source[0], now_s):
            return None
        if data[:1] <= b"\x03":
            return self.bindings.answer(data, source, now_s)
        request = mirrored(data)
        if request is None or not self.bindings.sources.allows(source[0], now_s):
            return None
        return Said(request, self.bindings.corner.here, source)
