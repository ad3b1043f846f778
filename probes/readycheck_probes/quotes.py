"""At which hop a mark changes: routers quote the header of a hop-limited packet as it was when it reached them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from readycheck.net.raw import send_raw
from readycheck.probe import Capability, Net, NetError, Observation, Step, Target

_TIMES = 2
"""Routers say time exceeded at a rate of their own, so that one of two packets may stay unanswered."""
_MOST_HOPS = 30
_WAIT_MS = 2000.0
_BEGINNINGS = (64, 128, 255)
"""Hop limits that systems begin with."""


async def read_quotes(net: Net, target: Target, legs: Sequence[Mapping[str, Any]]) -> None:
    """For the first leg whose mark arrives changed, where raw sockets can be had; nothing else is sent."""
    changed = next((leg for leg in legs if is_changed(leg)), None)
    if changed is None or Capability.RAW_SOCKETS not in net.capabilities():
        return
    with suppress(NetError):  # without scapy the place stays open
        await _read(net, target, changed)


def is_changed(leg: Mapping[str, Any]) -> bool:
    return bool(leg["dscp_sent"]) and bool(set(leg.get("dscp_seen", ())) - {str(leg["dscp_sent"])})


async def _read(net: Net, target: Target, leg: Mapping[str, Any]) -> None:
    """From the port of the stream, for rules may look at it."""
    code_point, upto = int(leg["dscp_sent"]), hops_to(leg)
    rungs = [(target, ttl) for ttl in range(1, upto + 1) for _ in range(_TIMES)]
    began_ms, port = net.now_ms(), int(leg["local"][1])
    replies = await send_raw(rungs, timeout_ms=_WAIT_MS, tos=code_point << 2, source_port=port)
    for (_, ttl), reply in zip(rungs, replies, strict=True):
        if "offender" in reply.facts and "quoted_tos" in reply.facts:
            facts = {
                "purpose": "marks",
                "ttl": ttl,
                "dscp_sent": code_point,
                "dscp_quoted": int(reply.facts["quoted_tos"]) >> 2,
                "offender": reply.facts["offender"],
            }
            elapsed_ms = round(net.now_ms() - began_ms, 3)
            net.record(
                Observation(
                    step=Step.HOP,
                    target=target,
                    started_ms=round(began_ms, 3),
                    elapsed_ms=elapsed_ms,
                    facts=facts,
                )
            )


def hops_to(leg: Mapping[str, Any]) -> int:
    """How many routers are on the way, by what is left of the hop limit at the far end."""
    return min(_MOST_HOPS, max(_used(leg), default=_MOST_HOPS))


def _used(leg: Mapping[str, Any]) -> Iterator[int]:
    for text in leg.get("hop_limit_seen", ()):
        left = int(text)
        yield next(begin for begin in _BEGINNINGS if left <= begin) - left
