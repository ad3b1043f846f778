"""`readycheck call` in broken networks: two namespaces, a responder in one, and what nftables drops between them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from readycheck.twin.kernel import tool

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
pytestmark = [pytest.mark.twin, pytest.mark.alone]

NEAR = "10.77.0.1"
PORT, CLOSED_PORT, KEYED_PORT, FULL_PORT = 3478, 9, 3479, 3480
UP, DOWN = f"udp dport {PORT}", f"udp sport {PORT}"
TCP_UP, TCP_DOWN = f"tcp dport {PORT}", f"tcp sport {PORT}"
DTLS, RTP = "@th,64,8 20-63", "@th,64,8 128-191"
"""By the first byte after the header of UDP (RFC 7983)."""
AT_ONCE = 5


@dataclass(frozen=True, kw_only=True)
class Network:
    """What nftables drops of what passes between the agent and one address of the responder's host."""

    name: str
    drops: tuple[str, ...] = ()
    port: int = PORT
    host: str = ""
    profile: str = "webex-calling"
    options: tuple[str, ...] = ("--via", "udp")
    seconds: int = 3


@dataclass(frozen=True, kw_only=True)
class Broken(Network):
    """And what is to be said of a call in it."""

    stage: str
    failure: str = "timed_out"
    lost: str | None = None
    says: str = ""
    status: int = 2


SOUND = Network(name="nothing is dropped", options=())
NO_UDP = Network(name="no UDP, and two ways to fall back to", drops=(UP, DOWN), profile="webex", options=())
LOSSY = Network(name="a tenth is lost one way", drops=(f"{UP} {RTP} numgen inc mod 10 == 0",), seconds=4)
BROKEN = (
    Broken(
        name="no name server answers", stage="names", host="responder.example", failure="port_unreachable"
    ),
    Broken(name="the port is closed", stage="signalling", port=CLOSED_PORT, failure="connection_refused"),
    Broken(name="the port is filtered", stage="signalling", drops=(TCP_UP,)),
    Broken(
        name="TLS is dropped", stage="signalling", drops=(f"{TCP_UP} @ih,0,8 22",), options=("--via", "tls")
    ),
    Broken(
        name="the responder wants a key",
        stage="signalling",
        port=KEYED_PORT,
        says="it wants a key (--responder-key)",
        status=3,
    ),
    Broken(
        name="the responder takes no calls",
        stage="signalling",
        port=FULL_PORT,
        failure="responder_refused",
        says="all calls are taken",
        status=3,
    ),
    Broken(name="no UDP", stage="ice", drops=(UP, DOWN), says="does not reach the far end"),
    Broken(name="UDP leaves and does not return", stage="ice", drops=(DOWN,), says="does not come back"),
    Broken(name="DTLS is dropped", stage="dtls", drops=(f"{UP} {DTLS}", f"{DOWN} {DTLS}")),
    Broken(name="DTLS is dropped one way", stage="dtls", drops=(f"{DOWN} {DTLS}",)),
    Broken(
        name="media does not leave",
        stage="media-one-way",
        drops=(f"{UP} {RTP}",),
        lost="up",
        says="no sound of this host arrives at the far end",
    ),
    Broken(
        name="media does not come in",
        stage="media-one-way",
        drops=(f"{DOWN} {RTP}",),
        lost="down",
        says="no sound of the far end arrives here",
    ),
    Broken(name="no media", stage="media-both-ways", drops=(f"{UP} {RTP}", f"{DOWN} {RTP}")),
    Broken(
        name="everything ends after a while",
        stage="media-both-ways",
        drops=("meta l4proto { tcp, udp } quota over 24 kbytes",),
        says="s of the talk on",
    ),
    Broken(
        name="media over TCP stops to leave",
        stage="media-one-way",
        drops=(f"{TCP_UP} ip length > 90 quota over 16 kbytes",),
        lost="up",
        says="no sound of this host arrives at the far end",
        options=("--via", "tcp"),
    ),
    Broken(
        name="media over TCP ends after a while",
        stage="media-both-ways",
        drops=(f"{TCP_DOWN} quota over 20 kbytes", f"{TCP_UP} quota over 20 kbytes"),
        says="s of the talk on",
        options=("--via", "tcp"),
    ),
)
NETWORKS = (SOUND, NO_UDP, LOSSY, *BROKEN)
FAR = {network.name: f"10.77.0.{number}" for number, network in enumerate(NETWORKS, 10)}
"""Each has an address of its own, so that several calls may be on."""


Calls = dict[str, "Future[tuple[int, Any]]"]


class World:
    """`near` and `far` are processes that hold a network each; whatever is in it ends with the tests."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        new = ["unshare", "--user", "--map-root-user", "--net"]
        self.near = self._hold(new)
        self.far = self._hold([*self._enter(self.near, network=False), "unshare", "--net"])
        self._link()

    def _hold(self, command: list[str]) -> int:
        holder = self._stack.enter_context(
            subprocess.Popen(
                [*command, "sh", "-c", "echo $$; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert holder.stdout is not None
        return int(holder.stdout.readline())

    def _enter(self, pid: int, *, network: bool = True) -> list[str]:
        user = ["nsenter", "--user", "--preserve-credentials", "--target", str(pid)]
        return [*user, "--net"] if network else user

    def _link(self) -> None:
        ip, far = tool("ip") or "ip", str(self.far)
        self.run(self.near, [ip, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far])
        for pid, addresses in ((self.near, [NEAR]), (self.far, FAR.values())):
            adding = "".join(f"address add {address}/24 dev eth0\n" for address in addresses)
            self.run(pid, [ip, "-batch", "-"], f"{adding}link set eth0 up\nlink set lo up\n")

    def run(self, pid: int, command: list[str], text: str = "") -> str:
        done = subprocess.run(
            [*self._enter(pid), *command], input=text, capture_output=True, text=True, timeout=40, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, *options: str) -> None:
        """A responder, from when it says that it listens."""
        command = [*self._enter(self.far), sys.executable, "-m", "readycheck", "responder", *options]
        serving = self._stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self._stack.callback(serving.terminate)
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("listening on")

    def drop(self) -> None:
        rules = "".join(
            f"add rule inet broken {chain} ip {side} {FAR[network.name]} {match} drop\n"
            for network in NETWORKS
            for match in network.drops
            for chain, side in (("in", "saddr"), ("out", "daddr"))
        )
        chains = "".join(
            f"add chain inet broken {name} {{ type filter hook {hook} priority 0; }}\n"
            for name, hook in (("in", "input"), ("out", "output"))
        )
        self.run(self.near, [tool("nft") or "nft", "-f", "-"], f"add table inet broken\n{chains}{rules}")

    def call(self, network: Network) -> tuple[int, dict[str, Any]]:
        """The exit status, and the report."""
        inode = os.stat(f"/proc/{self.near}/ns/net").st_ino
        responder = f"{network.host or FAR[network.name]}:{network.port}"
        options = ("--resolver", FAR[network.name], "--seconds", str(network.seconds), "-f", "json")
        command = ["call", network.profile, "--responder", responder, *options, *network.options]
        done = subprocess.run(
            [*self._enter(self.near), sys.executable, "-m", "readycheck", *command],
            env={**os.environ, "READYCHECK_ONLY_NETNS": str(inode)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    if tool("nft") is None or tool("ip") is None:
        pytest.skip("call: needs the programs ip and nft")
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("of this site\n")
    with ExitStack() as stack:
        world = World(stack)
        for port, options in ((PORT, ()), (KEYED_PORT, ("--key", str(key))), (FULL_PORT, ("--calls", "0"))):
            listen = [f"{FAR[one.name]}:{port}" for one in NETWORKS if one.port == port]
            world.serve(*(word for place in listen for word in ("--listen", place)), *options)
        world.drop()
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield {network.name: pool.submit(world.call, network) for network in NETWORKS}


@pytest.mark.parametrize("network", BROKEN, ids=lambda network: network.name)
def test_the_failing_stage_is_named(calls: Calls, network: Broken) -> None:
    status, report = calls[network.name].result()
    (call,) = report["calls"]
    failed = call["failed"]
    assert failed is not None, call
    assert (failed["stage"], failed["failure"], failed["lost"]) == (
        network.stage,
        network.failure,
        network.lost,
    )
    assert network.says in failed["detail"]
    assert status == network.status


def test_a_sound_network_carries_it(calls: Calls) -> None:
    status, report = calls[SOUND.name].result()
    (call,) = report["calls"]
    assert (status, call["failed"], call["via"]) == (0, None, "udp")
    assert re.fullmatch(r"SRTP_A.+", call["srtp_profile"])
    assert call["quality"]["up"]["lost"] == call["quality"]["down"]["lost"] == 0
    assert call["quality"]["up"]["packets"] > 100 and 0 < call["quality"]["rtt_ms"] < 100


def test_a_fallback_saves_it_where_the_profile_has_one(calls: Calls) -> None:
    status, report = calls[NO_UDP.name].result()
    assert [(one["via"], one["verdict"]) for one in report["calls"]] == [
        ("udp", "not-ready"), ("tcp", "ready"), ("tls", "ready"),
    ]  # fmt: skip
    assert (status, report["verdict"]) == (1, "warnings")


def test_lost_packets_are_counted_each_way(calls: Calls) -> None:
    status, report = calls[LOSSY.name].result()
    (call,) = report["calls"]
    assert 0.08 < call["quality"]["up"]["loss_ratio"] < 0.12
    assert call["quality"]["down"]["lost"] == 0
    assert [one["metric"] for one in call["beyond_limits"]] == ["loss_up_ratio"]
    assert status == 2
