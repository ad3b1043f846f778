"""How long a UDP binding lives: a ladder of sockets, each looked for from outside after a pause of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from typing import Any

from readycheck.probe import Net, NetError, Observation, Target
from readycheck_probes.errand import Errand, endpoint

_STEP_S = 1.0


async def climb(net: Net, server: Target, pauses_s: Sequence[float], keep_s: float) -> None:
    """All rungs at once. The one without a pause is the control: what fails there, the server does not do."""
    top_s = max(pauses_s)
    async with asyncio.TaskGroup() as group:
        for pause_s in dict.fromkeys((0.0, *sorted(pauses_s))):
            group.create_task(_rung(net, server, pause_s, top_s, keep_s))


async def _rung(net: Net, server: Target, pause_s: float, top_s: float, keep_s: float) -> None:
    """A NAT that keeps ports gives a lost binding back unchanged to whoever sends again.

    So the server is asked, by another socket, to answer to the first one's mapped port (RFC 5780 section 4.6).
    """
    with suppress(NetError), ExitStack() as sockets:
        held = sockets.enter_context(closing(await net.plain.open_datagram(family=4)))
        other = sockets.enter_context(closing(await net.plain.open_datagram(family=4)))
        own, from_outside, control = (
            Errand(net, held, held),
            Errand(net, other, held),
            Errand(net, other, other),
        )
        began_ms = net.now_ms()
        before = await _exercise(own, server, keep_s)
        if before is None:
            return
        await net.sleep(pause_s)
        port = int(before.rpartition(":")[2])
        inside = await from_outside.ask(endpoint(server), response_port=port)
        answered = bool(inside) or bool(await control.ask(endpoint(server)))
        after = (await own.ask(endpoint(server)) or {}).get("mapped_address") if answered else None
        facts = {
            "purpose": "lifetime",
            "pause_s": pause_s,
            "top_s": top_s,
            "reached": bool(inside) and "error_code" not in (inside or {}),
            "answered": answered,
            "mapped_before": before,
            "mapped_after": after,
        }
        own.record(server, began_ms, facts)


async def _exercise(own: Errand, server: Target, keep_s: float) -> str | None:
    """Exchange packets for a while; the mapped address, if it stays the same."""
    seen: set[str] = set()
    until_ms = own.net.now_ms() + keep_s * 1000
    while True:
        answer = await own.ask(endpoint(server))
        seen.add(str((answer or {}).get("mapped_address", "")))
        if own.net.now_ms() >= until_ms:
            break
        await own.net.sleep(min(_STEP_S, max(0.0, until_ms - own.net.now_ms()) / 1000))
    return seen.pop() if len(seen) == 1 and "" not in seen else None


def longest_alive(observations: Sequence[Observation]) -> float | None:
    """The longest pause that a binding was seen to outlive; None when nothing could be seen.

    Of a ladder that was cut, and met no dead binding, nobody knows how much longer they live.
    """
    rungs = [o.facts for o in observations if o.facts.get("purpose") == "lifetime"]
    alive = [float(facts["pause_s"]) for facts in rungs if facts["reached"] and not is_moved(facts)]
    longest = max(alive, default=None)
    if longest is None or any(_is_lost(facts) and facts["pause_s"] > longest for facts in rungs):
        return longest
    return longest if longest >= max(float(facts["top_s"]) for facts in rungs) else None


def _is_lost(facts: Mapping[str, Any]) -> bool:
    """The server answers, and no longer to the first address."""
    return is_moved(facts) or (bool(facts["answered"]) and not facts["reached"])


def is_moved(facts: Mapping[str, Any]) -> bool:
    """The same socket has another mapped address now: the first one is forgotten."""
    return bool(facts["mapped_after"]) and facts["mapped_after"] != facts["mapped_before"]
