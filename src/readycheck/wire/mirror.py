"""What a far end returns of a SIP request: every byte of it, turned over so that no gateway reads it. Pure.

A gateway that rewrites requests also rewrites answers, often back to what was sent; one that is no SIP it leaves alone.
The answer is as long as the request.
"""

from readycheck.wire import sip

_INVERT = bytes(0xFF - value for value in range(256))


def mirrored(request: bytes) -> bytes | None:
    """The answer to a request; None for what is no SIP."""
    start = request[:64].partition(b"\r\n")[0]
    return turned_over(request) if b" sip" in start.lower() and _is_request(request) else None


def turned_over(data: bytes) -> bytes:
    """Twice is the same as not at all."""
    return data.translate(_INVERT)


def _is_request(data: bytes) -> bool:
    try:
        sip.unpack_request(data)
    except ValueError:
        return False
    return True
