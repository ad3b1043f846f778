"""From a target to an open connection."""

from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from functools import partial
from itertools import zip_longest
from typing import Any

from readycheck.probe import Effort, Endpoint, Failure, Net, NetError, Stream, Target

ADDRESSES_PER_NAME = 2
_OWN_S = 1.0

Way = Callable[[], Awaitable[Stream]]

# A lost SYN is sent again after one second and after three (RFC 6298 section 2.1).
_PATIENCE_S = {Effort.QUICK: 2.5, Effort.NORMAL: 3.2, Effort.THOROUGH: 5.0}
# The addresses of a sample stand for each other, and most are silent by nature.
_SAMPLED_S = {Effort.QUICK: 0.35, Effort.NORMAL: 2.2, Effort.THOROUGH: 4.0}


def patience(net: Net, target: Target | None = None) -> float:
    """Seconds that one step may take."""
    sampled = target is not None and target.network is not None
    return (_SAMPLED_S if sampled else _PATIENCE_S)[net.effort]


def family_of(address: str) -> int:
    return 6 if ":" in address else 4


async def endpoints(net: Net, target: Target) -> list[Endpoint]:
    """Where a target is to be tried, at least one; a name is resolved."""
    if target.port is None:
        raise ValueError(f"target {target} has no port")
    return [(address, target.port) for address in await addresses(net, target)]


async def ways(net: Net, target: Target) -> list[Way]:
    """How a target can be reached, at least one: each address, or the proxy, which resolves the name."""
    if target.via is None:
        return [
            partial(net.connect, endpoint, timeout=patience(net, target))
            for endpoint in await endpoints(net, target)
        ]
    place = target.host or target.address
    if place is None or target.port is None:
        raise ValueError(f"target {target} has no place that a proxy could be asked for")
    return [partial(net.tunnel, place, target.port, timeout=patience(net, target))]


async def dial(net: Net, target: Target) -> Stream:
    """Connect to the first address that accepts, or through the proxy."""
    *others, last = await ways(net, target)
    for connect in others:
        with suppress(NetError):
            return await connect()
    return await last()


async def own_address(net: Net, to: Endpoint) -> str | None:
    """The address that packets to a place leave from, as a connection shows it."""
    try:
        with closing(await net.plain.connect(to, timeout=_OWN_S)) as stream:
            return stream.local[0]
    except NetError:
        return None


def reached(target: Target, stream: Stream) -> dict[str, Any]:
    """What a connection tells of where it leads to; through a proxy its peer is the proxy."""
    if target.via is not None:
        return {}
    address, port = stream.peer
    return {"address": address, "port": port}


async def addresses(net: Net, target: Target) -> tuple[str, ...]:
    """Where a host is to be tried, at least one; a name is resolved."""
    if target.address is not None:
        return (target.address,)
    if target.host is None:
        raise ValueError(f"target {target} has neither host nor address")
    found = await net.resolve(target.host, timeout=patience(net))
    if not found.addresses:
        raise NetError(Failure.DNS_NO_ANSWER, f"{target.host} has no address")
    return _in_turn(found.addresses)[:ADDRESSES_PER_NAME]


def _in_turn(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """One of each family by turns, so that a few of them do not stand for one family only (RFC 8305 section 4)."""
    families = [[a for a in addresses if family_of(a) == family] for family in (4, 6)]
    pairs = zip_longest(*families)
    return tuple(address for pair in pairs for address in pair if address is not None)
