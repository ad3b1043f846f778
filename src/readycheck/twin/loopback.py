"""Run the agent against the stand-in servers on loopback, where namespaces are not to be had."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from readycheck.profile import Profile
from readycheck.twin import isolation
from readycheck.twin.blueprint import Blueprint
from readycheck.twin.certificates import ROOT_FILE
from readycheck.twin.cloud import SERVICES
from readycheck.twin.offer import read_offer
from readycheck.twin.remap import Remap
from readycheck.twin.scenarios import Scenario, draw
from readycheck.twin.signals import forwarding, writing_from_background
from readycheck.twin.world import TwinError

UNKNOWN = 3
DENSE = 1.0
"""All addresses answer: without hops there is no egress proof that could stand in for an answer."""


def run(
    profile: Profile,
    argv: Sequence[str],
    *,
    scenario: Scenario,
    seed: int,
    agent: Sequence[str] | None = None,
) -> int:
    """Run `readycheck ARGV` on remapped loopback addresses; returns its exit status. Raises `TwinError`."""
    blueprint = draw(read_offer(profile), scenario, seed=seed, ratio=DENSE)
    with tempfile.TemporaryDirectory(prefix="readycheck-") as name:
        folder = Path(name)
        with serving(blueprint, folder) as remap:
            file = folder / "remap.json"
            file.write_text(remap.to_json(), encoding="utf-8")
            command = [*(agent or (sys.executable, "-m", "readycheck")), *argv]
            told = isolation.told_to_follow(blueprint.faults.proxy_script, folder)
            return _run([*command, "--trust-roots", str(folder / ROOT_FILE), "--remap", str(file)], told)


@contextmanager
def serving(blueprint: Blueprint, folder: Path) -> Iterator[Remap]:
    """The stand-in servers on loopback, for as long as this lasts; they end with this process."""
    with ExitStack() as running:
        started = [running.enter_context(_servers(blueprint, folder, service)) for service in SERVICES]
        ports: dict[str, int] = {}
        for servers in started:
            ports |= _ports(servers)
        yield Remap(blueprint, **ports)


@contextmanager
def _servers(blueprint: Blueprint, folder: Path, service: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "readycheck.twin.cloud", str(folder), "loopback", service]
    environment = isolation.clean_environment()
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as servers:
        assert servers.stdin is not None
        try:
            servers.stdin.write(blueprint.to_json().encode() + b"\n")
            servers.stdin.flush()
            yield servers
        finally:
            servers.kill()


def _ports(servers: subprocess.Popen[bytes]) -> dict[str, int]:
    assert servers.stdout is not None
    line = servers.stdout.readline()
    if not line:
        raise TwinError("the stand-in servers did not start")
    told: dict[str, int] = json.loads(line)
    return told


def _run(command: Sequence[str], told: Mapping[str, str]) -> int:
    """In a process group of its own, where there are such, so that each signal reaches the agent once."""
    environment = {**isolation.clean_environment(), **told, "READYCHECK_LOOPBACK_ONLY": "1"}
    options: dict[str, Any] = {} if sys.platform == "win32" else {"process_group": 0}
    with writing_from_background():
        agent = subprocess.Popen(command, env=environment, **options)
    # On Windows the console itself has told the agent; here it only must not end this process.
    with forwarding(agent.send_signal if options else lambda _: None):
        status = agent.wait()
    return status if status >= 0 else UNKNOWN
