"""`python -m readycheck.twin.inside PARENT ORDERS CONTROL STATUS`: the first process of a stand-in world.

It becomes root of namespaces of its own, builds the row of routers, starts the cloud's servers and then the
agent, and ends with the agent's exit status. Everything below it dies with it. The last three arguments are
descriptors: what to do, signals for the agent, and where to write why it could not be done.
"""

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from readycheck.twin import build, isolation, kernel, topology
from readycheck.twin.blueprint import Blueprint
from readycheck.twin.certificates import ROOT_FILE
from readycheck.twin.cloud import SERVICES

UNKNOWN = 3
READY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What to run in the client, and in which world."""

    blueprint: str
    agent: tuple[str, ...]
    raw: bool = False
    edge_rules: str | None = None
    nftables: bool = True

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def main(arguments: Sequence[str]) -> int:
    """Build and live, or with `--check` as first argument only find out whether that could be."""
    if arguments[0] == "--check":
        return _told_by(lambda: _enter(_prove), _say)
    parent, orders, control, status = map(int, arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    kernel.die_with(parent)
    return _told_by(
        lambda: _enter(lambda: _live(_read(orders), control), not_mine=control),
        lambda reason, usage: _write(status, json.dumps({"reason": reason, "usage": usage})),
    )


def _told_by(live: Callable[[], int], tell: Callable[[str, bool], None]) -> int:
    """Whatever goes wrong is told: an uncaught error would end with a status that reads as a verdict."""
    try:
        return live()
    except build.BuildError as error:
        tell(str(error), error.usage)
    except OSError as error:
        tell(str(error), False)
    except Exception as error:
        tell(f"a bug in the twin: {error!r}", False)
    return UNKNOWN


def _say(reason: str, _: bool) -> None:
    sys.stderr.write(f"{reason}\n")


def _write(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode())


def _read(descriptor: int) -> Orders:
    with open(descriptor, encoding="utf-8") as file:
        told = json.load(file)
    return Orders(**{**told, "agent": tuple(told["agent"])})


def _enter(live: Callable[[], int], not_mine: int | None = None) -> int:
    """Call `live` in a child, because a new PID namespace begins with the next process."""
    kernel.enter_user_world()
    own = os.getpid()
    child = os.fork()
    if not child:
        kernel.die_with(own)
        return live()
    if not_mine is not None:
        os.close(not_mine)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else UNKNOWN


def _prove() -> int:
    isolation.show_own_system()
    isolation.private_folder()
    build.prove()
    return 0


def _live(orders: Orders, control: int) -> int:
    """Build, run the agent, and watch both; returns the agent's exit status."""
    blueprint = Blueprint.from_json(orders.blueprint)
    row = build.make_namespaces()
    row.enter(topology.CLIENT)
    isolation.show_own_system()
    folder = isolation.private_folder()
    isolation.hide_host(folder)
    row.enter(topology.CLOUD)
    # Early: they read their libraries while the network is being built.
    cloud = [_start_servers(blueprint, folder, service) for service in SERVICES]
    ends = build.connect(row, blueprint, edge_rules=orders.edge_rules, nftables=orders.nftables)
    for wire, (low, high) in ends.items():
        _start_wire(low, high, _carrier(wire, blueprint))
    for servers in cloud:
        _await_ready(servers)
    row.enter(topology.CLIENT)
    told = isolation.told_to_follow(blueprint.faults.proxy_script, folder)
    with _start_agent(orders, row.inode(topology.CLIENT), folder, told) as agent:
        return _watch(agent, cloud, control)


def _start_servers(blueprint: Blueprint, folder: Path, service: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "readycheck.twin.cloud", str(folder), "world", service]
    servers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert servers.stdin is not None
    servers.stdin.write(blueprint.to_json().encode() + b"\n")
    servers.stdin.flush()
    return servers


def _carrier(wire: tuple[str, str], blueprint: Blueprint) -> tuple[str, str]:
    """The program that carries a wire, and what it is told."""
    if wire == topology.SLOW_LINK:
        return "slow", str(blueprint.delay_ms / 2)
    assert blueprint.greetings is not None
    return "uplink", json.dumps(dataclasses.asdict(blueprint.greetings))


def _start_wire(low: int, high: int, carrier: tuple[str, str]) -> None:
    program, told = carrier
    command = [sys.executable, "-m", f"readycheck.twin.{program}", str(low), str(high), told]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(low, high))
    for end in (low, high):
        os.close(end)


def _await_ready(servers: subprocess.Popen[bytes]) -> None:
    assert servers.stdout is not None
    readable, _, _ = select.select([servers.stdout], [], [], READY_S)
    if not readable or not servers.stdout.readline():
        raise build.BuildError("the stand-in servers did not start")


def _start_agent(
    orders: Orders, inode: int, folder: Path, told: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    environment = {**isolation.clean_environment(), **told, "READYCHECK_ONLY_NETNS": str(inode)}
    command = [*orders.agent, "--trust-roots", str(folder / ROOT_FILE)]
    own = os.getpid()

    def prepare() -> None:
        kernel.die_with(own)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # The agent is in the background of its terminal and may write to it all the same.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        kernel.drop_privileges(keep_raw=orders.raw)

    return subprocess.Popen(command, env=environment, preexec_fn=prepare)


def _watch(agent: subprocess.Popen[bytes], cloud: Sequence[subprocess.Popen[bytes]], control: int) -> int:
    """Wait for the agent; hand it the signals that come in as bytes. The end of `control` ends the world."""
    poll = select.poll()
    agent_end, cloud_ends = os.pidfd_open(agent.pid), {os.pidfd_open(servers.pid) for servers in cloud}
    for descriptor in (agent_end, *cloud_ends, control):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if agent_end in ready:
            status = agent.wait()
            return status if status >= 0 else UNKNOWN
        if ready & cloud_ends:
            agent.kill()
            raise build.BuildError("the stand-in servers ended before the agent did")
        numbers = os.read(control, 16)
        if not numbers:
            agent.kill()
            return UNKNOWN
        for number in numbers:
            agent.send_signal(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
