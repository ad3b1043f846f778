"""Makes the calls that were ordered, in a thread of its own: datagrams, or a connection that says nothing."""

import errno
import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress

from readycheck.net.interface import Endpoint
from readycheck.responder.callbacks import LASTS_S, CallBacks, Order
from readycheck.wire.far_end import pack_call

_TIMES, _SPACING_S = 3, 0.2
_CONNECT_S = 1.8
"""Time for one repetition of the first packet (RFC 6298 section 2.1)."""
_REFUSED = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}


class Caller:
    """Works off `calls`, an order after the other, until `stop`."""

    def __init__(self, calls: CallBacks) -> None:
        self._calls = calls
        self._woken = threading.Event()
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            self._woken.wait()
            self._woken.clear()
            while not self._stopping and (order := self._calls.take()) is not None:
                with suppress(RuntimeError):  # no thread is left: nobody is called
                    threading.Thread(target=make, args=(order,), name="call", daemon=True).start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stopping = True
        self._woken.set()


def make(order: Order) -> None:
    """From a port that the other end has never sent to: its answers make no hole for this."""
    call = _send if order.transport == "udp" else _connect
    with suppress(OSError):
        call(order)


def _send(order: Order) -> None:
    with socket.socket(_family(order.source), socket.SOCK_DGRAM) as sock:
        for turn in range(_TIMES):
            time.sleep(_SPACING_S if turn else 0.0)
            for port in order.ports:
                with suppress(OSError):
                    sock.sendto(pack_call(order.token), (order.source[0], port))
                    order.outcomes[port] = "sent"


def _connect(order: Order) -> None:
    with ExitStack() as sockets, selectors.DefaultSelector() as waiting:
        for port in order.ports:
            sock = sockets.enter_context(socket.socket(_family(order.source), socket.SOCK_STREAM))
            sock.setblocking(False)
            error = sock.connect_ex((order.source[0], port))
            if error in (0, errno.EINPROGRESS):
                waiting.register(sock, selectors.EVENT_WRITE, port)
            else:
                order.outcomes[port] = _REFUSED.get(error, "failed")
        until_s = time.monotonic() + min(_CONNECT_S, LASTS_S)
        while waiting.get_map() and (left_s := until_s - time.monotonic()) > 0:
            for key, _ in waiting.select(left_s):
                waiting.unregister(key.fileobj)
                error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # type: ignore[union-attr]
                order.outcomes[key.data] = _REFUSED.get(error, "failed") if error else "connected"
        order.outcomes.update({key.data: "silent" for key in waiting.get_map().values()})


def _family(to: Endpoint) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in to[0] else socket.AF_INET
