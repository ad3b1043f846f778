"""Makes this host known to a responder, which with a key of its own answers strangers neither STUN nor SIP."""

from contextlib import suppress

from readycheck.probe import Net, NetError, Target
from readycheck.wire.far_end import Kind


async def introduce(net: Net, target: Target) -> None:
    """Whether it answers is for what follows to find out."""
    with suppress(NetError):
        await net.towards(target).converse((target.address or "", target.port or 0), Kind.HELLO, {})
