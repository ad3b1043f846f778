"""Where the public address lives: which routers packets to it come to, beside those on the way to a server."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from readycheck.net.address import is_carrier_address, is_site_address
from readycheck.net.interface import IcmpReport
from readycheck.probe import Capability, Endpoint, Failure, Net, NetError, Target
from readycheck_probes.binding import Binding
from readycheck_probes.errand import Errand, endpoint

_HOPS, _MOST = range(1, 6), 4
_WAIT_S = 0.4
_PORT = 33434
"""Nobody serves it: what arrives is refused at most."""


async def find_own_address(net: Net, server: Target) -> None:
    """Packets with small hop limits to the mapped address; those that its owner keeps, no router speaks of."""
    if not {Capability.HOP_LIMIT, Capability.ICMP_ERRORS} <= net.capabilities():
        return
    with closing(await net.plain.open_datagram(family=4)) as sock:
        errand = Errand(net, sock, sock)
        began_ms = net.now_ms()
        known = await errand.ask(endpoint(server))
    host = str((known or {}).get("mapped_address", "")).rpartition(":")[0]
    if not host or ":" in host or is_site_address(host) or is_carrier_address(host):
        return
    way = await _climb(net, endpoint(server), _HOPS)
    # Where the address lives packets are refused, and what a router may send of ICMP is soon spent.
    own = await _climb(net, (host, _PORT), [ttl for ttl, _ in way][:_MOST])
    facts = {"purpose": "own-address", "way": way, "hops": own}
    errand.record(replace(server, address=host, port=None), began_ms, facts)


async def _climb(net: Net, to: Endpoint, hops: Sequence[int]) -> list[tuple[int, str]]:
    """The routers that spoke, each with its hop limit."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_come_to(net, to, ttl)) for ttl in hops]
    return [(ttl, router) for ttl, task in zip(hops, tasks, strict=True) if (router := task.result())]


async def _come_to(net: Net, to: Endpoint, ttl: int) -> str | None:
    """The router at which the hop limit was used up."""
    try:
        with closing(await net.plain.open_datagram(family=4, ttl=ttl)) as sock:
            await sock.send(Binding().payload(0), to)
            reply = await sock.receive(timeout=_WAIT_S)
    except NetError as error:
        if error.failure in (Failure.TIMED_OUT, Failure.NETWORK_UNREACHABLE, Failure.HOST_UNREACHABLE):
            return None
        raise
    exceeded = isinstance(reply, IcmpReport) and reply.meaning == "time_exceeded"
    return reply.offender if exceeded and isinstance(reply, IcmpReport) else None
