"""The largest datagram that passes to a responder, and from it: each size in one piece, exact to the byte.

On the way up no router may cut the datagram (RFC 8899); on the way down the responder's answer is as long as the
question, which may be cut itself: an answer is never longer than what it answers.
"""

import select
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from readycheck.net import guard
from readycheck.net.datagram import SocketOptions, allow_fragments, forbid_fragments, open_socket
from readycheck.net.far_end import prove
from readycheck.net.interface import Endpoint, Fathomed
from readycheck.wire.far_end import Kind, pack_message, unpack_message

LEAST, LARGEST = 576, 1500
"""What every IPv4 host takes, and what Ethernet does; of IP, as all sizes here."""

_HEADERS = {4: 28, 6: 48}
_STRIDE = 16
_TRIES, _PATIENCE_S, _SPACING_S = 3, 0.4, 0.002
_GLANCE_S = 0.05


def fathom(to: Endpoint, way_out: SocketOptions, key: bytes, stop: threading.Event) -> Fathomed:
    """For a thread of its own. Raises `NetError` when the responder does not answer small questions either."""
    guard.allow(to[0])
    found = {down: _largest(to, down, way_out, key, stop) for down in (False, True)}
    return Fathomed(up=found[False], down=found[True], tried=LARGEST)


def _largest(
    to: Endpoint, down: bool, way_out: SocketOptions, key: bytes, stop: threading.Event
) -> int | None:
    """A coarse ladder, and then a fine one above its largest that passed; None when not even the least did."""
    headers = _HEADERS[way_out.family]
    with open_socket(socket.SOCK_DGRAM, way_out) as sock:
        cookie = prove(sock, to, key, stop)
        (allow_fragments if down else forbid_fragments)(sock)
        body = {"cookie": cookie, "down": down}
        coarse = _passing(sock, (*range(LEAST, LARGEST, _STRIDE), LARGEST), headers, body, key, stop)
        if not coarse or LARGEST in coarse:
            return max(coarse, default=None)
        best = max(coarse)
        fine = range(best + 1, min(best + _STRIDE, LARGEST))
        return max(_passing(sock, fine, headers, body, key, stop), default=best)


def _passing(
    sock: socket.socket,
    sizes: Sequence[int],
    headers: int,
    body: dict[str, object],
    key: bytes,
    stop: threading.Event,
) -> set[int]:
    """Each is asked again until it is answered, a few times at most: single losses say nothing of a size."""
    passed: set[int] = set()
    for _ in range(_TRIES):
        missing = [size for size in sizes if size not in passed]
        if not missing or stop.is_set():
            break
        for size in missing:
            with suppress(OSError):  # longer than this host's own link takes, or an ICMP error of one before
                sock.send(pack_message(Kind.SIZE, {**body, "number": size}, key, size=size - headers))
            time.sleep(_SPACING_S)
        passed |= set(_answered(sock, set(missing), headers, body["down"] is True, key, stop))
    return passed


def _answered(
    sock: socket.socket, missing: set[int], headers: int, whole: bool, key: bytes, stop: threading.Event
) -> Iterable[int]:
    until_s = time.monotonic() + _PATIENCE_S
    while missing and (left_s := until_s - time.monotonic()) > 0 and not stop.is_set():
        if not select.select([sock], [], [], min(left_s, _GLANCE_S))[0]:
            continue
        with suppress(OSError, ValueError):
            data = sock.recv(2048)
            message = unpack_message(data, key)
            size = message.body.get("number")
            if message.kind is Kind.SIZED and size in missing and (not whole or len(data) == size - headers):
                missing.discard(size)
                yield size
