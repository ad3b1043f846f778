"""`python -m readycheck.twin.cloud FOLDER PLACE SERVICE`: the servers of a stand-in world.

PLACE is `world` or `loopback`, SERVICE is `streams` or `prompt`: what takes no time has a process of its own,
so that handshakes do not delay it. Reads a blueprint as one line on stdin, writes one line to stdout when
everything listens, and ends with its stdin. On loopback one listener stands for every address, and what comes
in names the one it is for.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from readycheck.twin.blueprint import Blueprint
from readycheck.twin.prompt import PromptServers
from readycheck.twin.services import Services
from readycheck.twin.zone import make_zone

SERVICES = ("streams", "prompt")


class Servers(Protocol):
    async def open_world(self) -> None:
        """Listen on the real ports of every address."""

    async def open_loopback(self) -> dict[str, int]:
        """Listen on loopback; the ports, by name."""


def _make(blueprint: Blueprint, folder: Path, service: str) -> Servers:
    services = Services(blueprint, make_zone(blueprint))
    if service == "prompt":
        return PromptServers(services)
    from readycheck.twin.streams import StreamServers

    return StreamServers(services, folder)


async def _serve(open_all: Callable[[], Awaitable[dict[str, int] | None]]) -> None:
    ports = await open_all()
    sys.stdout.write(json.dumps(ports or {}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    # Ctrl-C is the agent's; whoever started these servers also ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, place, service = sys.argv[1:]
    blueprint = Blueprint.from_json(sys.stdin.buffer.readline().decode())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    servers = _make(blueprint, Path(folder), service)
    asyncio.run(_serve(servers.open_world if place == "world" else servers.open_loopback))


if __name__ == "__main__":
    main()
