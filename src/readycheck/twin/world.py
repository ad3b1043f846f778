"""Run the agent in a stand-in world made of Linux namespaces."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from readycheck.errors import ReadycheckError, UsageError
from readycheck.profile import Profile
from readycheck.twin import isolation, kernel
from readycheck.twin.inside import Orders
from readycheck.twin.offer import read_offer
from readycheck.twin.scenarios import Scenario, draw
from readycheck.twin.signals import forwarding

SPARSE = 0.02
"""The share of a vendor network's addresses that answers."""


class TwinError(ReadycheckError):
    """The stand-in world could not be built."""


def available() -> str | None:
    """None when a world of namespaces can be had here, otherwise why not.

    Tried by joining two namespaces: `unshare` alone succeeds where the rest is forbidden.
    """
    if sys.platform != "linux":
        return f"network namespaces are Linux's, and this is {sys.platform}"
    if getattr(sys, "frozen", False):
        return "a frozen program cannot start its own modules"
    if kernel.tool("ip") is None:
        return "the program 'ip' (package iproute2) is not installed"
    command = [sys.executable, "-m", "readycheck.twin.inside", "--check"]
    tried = subprocess.run(
        command, env=isolation.clean_environment(), capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return None
    said = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
    if said.startswith(f"[Errno {errno.ENOSPC}]"):  # which the system calls a disk without space
        said = "the limit of this host (user.max_user_namespaces, max_net_namespaces) is used up, or 0"
    return f"namespaces are not to be had here: {said}"


def run(
    profile: Profile,
    argv: Sequence[str],
    *,
    scenario: Scenario,
    seed: int,
    alive: float = SPARSE,
    edge_rules: Path | None = None,
    raw: bool = False,
    agent: Sequence[str] | None = None,
    nftables: bool = True,
) -> int:
    """Run `readycheck ARGV` in a world broken as `scenario` says; returns its exit status.

    `agent` stands in for the program itself. Raises `TwinError`, or `UsageError` for unusable `edge_rules`.
    """
    blueprint = draw(read_offer(profile), scenario, seed=seed, ratio=alive)
    orders = Orders(
        blueprint=blueprint.to_json(),
        agent=(*(agent or (sys.executable, "-m", "readycheck")), *argv),
        raw=raw,
        edge_rules=None if edge_rules is None else str(edge_rules.absolute()),
        nftables=nftables,
    )
    status, trouble = _run(orders)
    if trouble:
        told = json.loads(trouble)
        raise (UsageError if told["usage"] else TwinError)(told["reason"])
    return status


def _run(orders: Orders) -> tuple[int, bytes]:
    """The exit status of the world, and what it said of its own failure."""
    told = os.memfd_create("orders")
    os.write(told, orders.to_json().encode())
    os.lseek(told, 0, os.SEEK_SET)
    control_read, control = os.pipe()
    status_read, status = os.pipe()
    inherited = (told, control_read, status)
    command = [sys.executable, "-m", "readycheck.twin.inside", *map(str, (os.getpid(), *inherited))]
    with forwarding(lambda number: _tell(control, number)):
        # A process group of its own: the terminal's Ctrl-C comes here, and from here once to the agent.
        world = subprocess.Popen(
            command, env=isolation.clean_environment(), pass_fds=inherited, process_group=0
        )
        for descriptor in inherited:
            os.close(descriptor)
        ended = world.wait()
    os.close(control)
    with open(status_read, "rb") as pipe:
        trouble = pipe.read()
    return ended if ended >= 0 else 3, trouble


def _tell(control: int, number: int) -> None:
    os.write(control, bytes([number]))
