"""A real responder in the lab's cloud, and what the kernels at both ends count of the streams to it and back."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .agent import run_agent
from .cloud import NODES, CloudMode
from .machine import Machine
from .row import CLOUD, RowMode
from .waiting import await_bound
from .world import World

ADDRESS = "192.88.99.200"
PORT, SIP_PORT = 3478, 5060
STREAMS = "{ 200, 1040 }"
"""The lengths of packets of audio and video, with their headers: no control message is so long."""

# Beside the cloud's own rules, which answer for every address of the product.
_CLOUD = f"""
table ip far {{
  chain enter {{ type filter hook prerouting priority -350; policy accept; ip daddr {ADDRESS} notrack; }}
  chain leave {{ type filter hook output priority -350; policy accept; ip saddr {ADDRESS} notrack; }}
}}
"""


def _counting(leaves: str, comes: str) -> str:
    """At one end: what leaves it and comes to it, by the hooks at which that is seen."""
    counted = f"meta length {STREAMS} counter name"
    return f"""
table ip counting {{
  counter there {{ }}
  counter back {{ }}
  chain asked {{ type filter hook {leaves} priority -340; policy accept;
    ip daddr {ADDRESS} udp dport {PORT} {counted} there; }}
  chain answered {{ type filter hook {comes} priority -340; policy accept;
    ip saddr {ADDRESS} udp sport {PORT} {counted} back; }}
}}
"""


@dataclass(frozen=True)
class Lost:
    """Packets of streams that left one end and did not come to the other, by the kernels' own count."""

    there: int
    back: int


@contextmanager
def responder(world: World, *options: str) -> Iterator[None]:
    """On the port of STUN and on that of SIP, as long as it is needed; the cloud outlives each scenario."""
    machine = world.machine
    places = [word for port in (PORT, SIP_PORT) for word in ("--listen", f"{ADDRESS}:{port}")]
    command = [sys.executable, "-m", "readycheck", "responder", *places, *options]
    serving = machine.start(CLOUD, "responder", *command)
    try:
        await_bound(machine, CLOUD, serving, "u", f"{ADDRESS}:{PORT}")
        yield
        serving.require_running()
    finally:
        machine.stop(serving)


def arrange(world: World, row: RowMode) -> None:
    """A fresh row whose cloud leads to the responder."""
    world.arrange(row, CloudMode(media_answers=True))
    machine = world.machine
    for table in ("far", "counting"):
        machine.run(CLOUD, "nft", "delete", "table", "ip", table, check=False)
    machine.run(CLOUD, "nft", "-f", "-", text=_CLOUD + _counting("prerouting", "output"))
    machine.run(CLOUD, "nft", "insert", "rule", "ip", "cloud", "serve", "ip", "daddr", ADDRESS, "accept")
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
        ADDRESS,
    ]
    run = run_agent(world.machine, "client", [*known, *arguments], bytecode, raw=raw)
    assert run.report is not None, run.stderr
    return run.report
