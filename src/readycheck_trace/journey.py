"""Send the probes of a request and listen for what comes back."""

import logging
import random
import time
from collections import defaultdict
from typing import Any

from readycheck_trace.attribution import Ledger, Sent
from readycheck_trace.packets import make_packet, read_packet
from readycheck_trace.request import Request, TraceError

_OWN_PORTS = (33434, 60000)
_STAMPS = 35  # SO_TIMESTAMPNS
_ETHERTYPE_IPV6 = 0x86DD
_LISTENING_S = 2.0


def travel(request: Request) -> dict[str, dict[str, Any]]:
    """The reply to each probe, by its id. Raises `TraceError`."""
    logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)
    try:
        from scapy.error import Scapy_Exception
    except ImportError as error:
        raise TraceError("not-installed", f"scapy is not installed ({error})") from None
    try:
        return _travel(request)
    except PermissionError as error:
        raise TraceError("permission", f"raw sockets need CAP_NET_RAW ({error.strerror})") from None
    except (OSError, Scapy_Exception) as error:
        raise TraceError("network", str(error)) from None


def _travel(request: Request) -> dict[str, dict[str, Any]]:
    first = random.randrange(*_OWN_PORTS) - len(request.probes)
    made = [
        make_packet(probe, number, probe.source_port or first + number)
        for number, probe in enumerate(request.probes, 1)
    ]
    batches: dict[tuple[str, int], list[tuple[Any, Sent]]] = defaultdict(list)
    for packet, sent in made:
        batches[_interface(packet), sent.probe.address.version].append((packet, sent))
    replies: dict[str, dict[str, Any]] = {}
    for (interface, version), batch in batches.items():
        replies |= _exchange(batch, interface, version, request).replies()
    return {probe.id: replies[probe.id] for probe in request.probes}


def _interface(packet: Any) -> str:
    name, source, _ = packet.route()
    if name is None or source in ("0.0.0.0", "::", None):
        raise TraceError("network", f"no route to {packet.dst}")
    return str(name)


def _exchange(batch: list[tuple[Any, Sent]], interface: str, version: int, request: Request) -> Ledger:
    """One batch through one interface: the listener is up before the first packet leaves."""
    from scapy.sendrecv import AsyncSniffer

    ledger = Ledger([sent for _, sent in batch])

    def take(packet: Any) -> None:
        seen = read_packet(packet)
        if seen is not None:
            ledger.enter(seen)

    socket = _open(interface, version)
    try:
        listener = AsyncSniffer(
            opened_socket=socket, prn=take, store=False, stop_filter=lambda _: ledger.complete
        )
        listener.start()
        _await_start(listener)
        for packet, sent in batch:
            socket.send(packet)
            sent.at = packet.sent_time
            time.sleep(request.interval_ms / 1000)
        listener.join(timeout=request.timeout_ms / 1000)
        if listener.running:
            listener.stop()
    finally:
        socket.close()
    return ledger


def _open(interface: str, version: int) -> Any:
    """The kernel routes and resolves neighbours; scapy sees all that comes in."""
    import socket

    from scapy.supersocket import L3RawSocket, L3RawSocket6

    if version == 4:
        return L3RawSocket(iface=interface)
    opened = L3RawSocket6(iface=interface)
    # scapy leaves its IPv6 listener on all interfaces and without the kernel's stamps.
    opened.ins.bind((interface, _ETHERTYPE_IPV6))
    opened.ins.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
    opened.auxdata_available = True
    return opened


def _await_start(listener: Any) -> None:
    limit = time.monotonic() + _LISTENING_S
    while not listener.running and time.monotonic() < limit:
        time.sleep(0.001)
