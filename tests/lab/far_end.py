"""Runs against the lab's responder, and what the kernels at both ends count of the streams to it and back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .agent import run_agent
from .cloud import NODES, RESPONDER, CloudMode
from .machine import Machine
from .responder import PORT
from .row import CLOUD, RowMode
from .world import World

STREAMS = "{ 200, 1040 }"
"""The lengths of packets of audio and video, with their headers: no control message is so long."""


def _counting(leaves: str, comes: str) -> str:
    """At one end: what leaves it and comes to it, by the hooks at which that is seen."""
    counted = f"meta length {STREAMS} counter name"
    return f"""
table ip counting {{
  counter there {{ }}
  counter back {{ }}
  chain asked {{ type filter hook {leaves} priority -340; policy accept;
    ip daddr {RESPONDER} udp dport {PORT} {counted} there; }}
  chain answered {{ type filter hook {comes} priority -340; policy accept;
    ip saddr {RESPONDER} udp sport {PORT} {counted} back; }}
}}
"""


@dataclass(frozen=True)
class Lost:
    """Packets of streams that left one end and did not come to the other, by the kernels' own count."""

    there: int
    back: int


def arrange(world: World, row: RowMode) -> None:
    """A fresh row whose cloud has the responder, and counters at both ends."""
    world.arrange(row, CloudMode(media_answers=True, responder=True))
    machine = world.machine
    machine.run(CLOUD, "nft", "delete", "table", "ip", "counting", check=False)
    machine.run(CLOUD, "nft", "-f", "-", text=_counting("prerouting", "output"))
    machine.run("client", "nft", "-f", "-", text=_counting("output", "prerouting"))


def lost(machine: Machine) -> Lost:
    here, far = _counted(machine, "client"), _counted(machine, CLOUD)
    return Lost(here["there"] - far["there"], far["back"] - here["back"])


def _counted(machine: Machine, network: str) -> dict[str, int]:
    told = json.loads(machine.run(network, "nft", "-j", "list", "counters", "table", "ip", "counting").stdout)
    found = [entry["counter"] for entry in told["nftables"] if "counter" in entry]
    return {one["name"]: one["packets"] for one in found}


def measured(
    world: World,
    *arguments: str,
    profile: str = "webex-calling",
    bytecode: Path | None = None,
    raw: bool = False,
) -> dict[str, Any]:
    """What an ordinary user's run against the responder reports."""
    roots = str(world.certificates.roots)
    known = [
        "run",
        profile,
        "-f",
        "json",
        "--trust-roots",
        roots,
        "--target",
        NODES[0],
        "--responder",
        RESPONDER,
    ]
    run = run_agent(world.machine, "client", [*known, *arguments], bytecode, raw=raw)
    assert run.report is not None, run.stderr
    return run.report
