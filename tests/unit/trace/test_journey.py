"""The program, as it is run, in a network of a client, two routers and a server that this test makes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORLD = r"""
set -e
ip link set lo up
unshare --net --kill-child --fork sh -c 'echo ready; exec sleep 50' >"$DIR/one" & one=$!
unshare --net --kill-child --fork sh -c 'echo ready; exec sleep 50' >"$DIR/two" & two=$!
until [ -s "$DIR/one" ] && [ -s "$DIR/two" ]; do sleep 0.02; done
one=$(pgrep -P $one) two=$(pgrep -P $two)
trap 'kill $one $two' EXIT
ip link add client type veth peer name near
ip link add far type veth peer name server
ip link set near netns $one
ip link set far netns $one
ip link set server netns $two
ip addr add 10.1.0.1/24 dev client
ip addr add fd01::1/64 dev client nodad
ip link set client up
nsenter -t $one -n sh -ec '
    ip link set lo up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    ip addr add 10.1.0.2/24 dev near; ip addr add fd01::2/64 dev near nodad; ip link set near up
    ip addr add 10.2.0.1/24 dev far; ip addr add fd02::1/64 dev far nodad; ip link set far up
    ip route add default via 10.2.0.2; ip route add prohibit 203.0.113.0/24
    nft "add table ip mark; add chain ip mark out { type filter hook postrouting priority 0; }" 2>/dev/null &&
        nft add rule ip mark out oifname far ip dscp ef ip dscp set cs0 && echo yes >"$DIR/marks" || true'
nsenter -t $two -n sh -ec '
    ip link set lo up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip addr add 10.2.0.2/24 dev server; ip addr add fd02::2/64 dev server nodad; ip link set server up
    ip route add 10.1.0.0/24 via 10.2.0.1; ip -6 route add fd01::/64 via fd02::1
    ip addr add 192.0.2.1/32 dev lo
    ip route add blackhole 192.0.2.2/32'
ip route add default via 10.1.0.2
ip -6 route add default via fd01::2
nsenter -t $two -n "$PYTHON" -c '
import socket
listener = socket.create_server(("192.0.2.1", 8080))
print("ready", flush=True)
listener.accept()' >"$DIR/server" & server=$!
trap 'kill $one $two $server' EXIT
until [ -s "$DIR/server" ]; do sleep 0.02; done
READYCHECK_ONLY_NETNS=${FENCE:-$(stat -Lc %i /proc/self/ns/net)} "$PYTHON" -m readycheck_trace
"""


def trace(probes: list[dict[str, Any]], folder: Path, **variables: str) -> tuple[int, dict[str, Any]]:
    for name in ("one", "two", "server"):
        (folder / name).unlink(missing_ok=True)
    environment = os.environ | {"DIR": str(folder), "PYTHON": sys.executable, "HOME": str(folder)} | variables
    environment["PATH"] += ":/usr/sbin:/sbin"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", WORLD],
        input=json.dumps({"probes": probes, "timeout_ms": 2500, "interval_ms": 2}),
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def probe(name: str, address: str, ttl: int, port: int = 5004, **more: Any) -> dict[str, Any]:
    return {"id": name, "transport": "udp", "address": address, "port": port, "ttl": ttl, **more}


@pytest.mark.twin
def test_each_hop_and_each_kind_of_answer(tmp_path: Path) -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    one_flow: dict[str, Any] = {"source_port": 40000, "tos": 0xB8}
    tcp = {"transport": "tcp"}
    status, answer = trace(
        [
            probe("hop1", "192.0.2.1", 1, **one_flow),
            probe("end", "192.0.2.1", 2, **one_flow),
            probe("silent", "192.0.2.2", 9),
            probe("prohibited", "203.0.113.5", 9),
            probe("syn1", "192.0.2.1", 1, 8080, **tcp, source_port=40001),
            probe("syn", "192.0.2.1", 9, 8080, **tcp, source_port=40001),
            probe("closed", "192.0.2.1", 9, 81, **tcp),
            probe("six1", "fd02::2", 1, **one_flow),
            probe("six", "fd02::2", 2, **one_flow),
        ],
        tmp_path,
    )
    assert status == 0, answer
    replies = answer["replies"]
    told = {name: (reply["reply"], reply["code"], reply["from"]) for name, reply in replies.items()}
    assert told == {
        "hop1": ("time_exceeded", 0, "10.1.0.2"),
        "end": ("unreachable", 3, "192.0.2.1"),
        "silent": (None, None, None),
        "prohibited": ("unreachable", 13, "10.1.0.2"),
        "syn1": ("time_exceeded", 0, "10.1.0.2"),
        "syn": ("synack", None, "192.0.2.1"),
        "closed": ("rst", None, "192.0.2.1"),
        "six1": ("time_exceeded", 0, "fd01::2"),
        "six": ("unreachable", 4, "fd02::2"),
    }
    assert [replies[name]["ttl"] for name in ("hop1", "end", "closed", "six1")] == [64, 63, 63, 64]
    assert all(0 <= reply["rtt_ms"] < 2500 for name, reply in replies.items() if name != "silent")
    assert replies["hop1"]["quoted_tos"] == replies["six"]["quoted_tos"] == 0xB8
    assert replies["hop1"]["quoted_source_port"] == 40000
    if (tmp_path / "marks").exists():
        assert replies["end"]["quoted_tos"] == 0, "the first router clears the marking on its way out"
    assert not list(tmp_path.glob(".cache")), "scapy's cache stays out of the home"


@pytest.mark.twin
def test_it_refuses_another_network(tmp_path: Path) -> None:
    status, answer = trace([probe("a", "192.0.2.1", 1)], tmp_path, FENCE="1")
    assert (status, answer["error"]["code"]) == (3, "namespace")


def run(request: bytes, **variables: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "readycheck_trace"],
        input=request,
        env=os.environ | variables,
        capture_output=True,
        timeout=40,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_it_stays_behind_the_fence_of_the_tests() -> None:
    request = {"probes": [probe("a", "192.0.2.1", 1)], "timeout_ms": 1, "interval_ms": 0}
    status, answer = run(json.dumps(request).encode())
    assert (status, answer["error"]["code"]) == (3, "namespace")


def test_a_bad_request_is_one_object() -> None:
    status, answer = run(b"\x00rubbish")
    assert (status, list(answer), answer["error"]["code"]) == (3, ["error"], "request")


@pytest.mark.skipif(sys.platform != "linux", reason="raw sockets of this kind are Linux's")
def test_without_the_privilege_it_says_so() -> None:
    pytest.importorskip("scapy", reason="scapy is not installed")
    request = {"probes": [probe("a", "127.0.0.1", 1)], "timeout_ms": 1, "interval_ms": 0}
    # In a user namespace without a network of its own, nobody has CAP_NET_RAW over the host's.
    command = ["unshare", "--user", sys.executable, "-m", "readycheck_trace"]
    done = subprocess.run(
        command, input=json.dumps(request).encode(), capture_output=True, timeout=40, check=False
    )
    if not done.stdout:
        pytest.skip(f"twin: no user namespaces: {done.stderr.decode().strip()}")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "permission")
