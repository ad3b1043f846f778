"""From a target to an open connection."""

from contextlib import suppress

from readycheck.probe import Effort, Endpoint, Failure, Net, NetError, Stream, Target

ADDRESSES_PER_NAME = 2

# A lost SYN is sent again after one second and after three (RFC 6298 section 2.1).
_PATIENCE_S = {Effort.QUICK: 2.5, Effort.NORMAL: 3.2, Effort.THOROUGH: 5.0}
# The addresses of a sample stand for each other, and most are silent by nature.
_SAMPLED_S = {Effort.QUICK: 0.8, Effort.NORMAL: 2.2, Effort.THOROUGH: 4.0}


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
    return [(address, target.port) for address in await _addresses(net, target)]


async def dial(net: Net, target: Target) -> Stream:
    """Connect to the first address that accepts."""
    *others, last = await endpoints(net, target)
    for endpoint in others:
        with suppress(NetError):
            return await net.connect(endpoint, timeout=patience(net, target))
    return await net.connect(last, timeout=patience(net, target))


async def _addresses(net: Net, target: Target) -> tuple[str, ...]:
    if target.address is not None:
        return (target.address,)
    if target.host is None:
        raise ValueError(f"target {target} has neither host nor address")
    found = await net.resolve(target.host, timeout=patience(net))
    if not found.addresses:
        raise NetError(Failure.DNS_NO_ANSWER, f"{target.host} has no address")
    return found.addresses[:ADDRESSES_PER_NAME]
