"""The Linux kernel's own NAT and SIP gateway, in networks that vanish with the test: client, edge, far end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FAR, OTHER, PUBLIC, LOCAL = "198.51.100.1", "198.51.100.3", "198.51.100.2", "192.168.7.20"
LIVES_S = 3

# Networks of names, so that one process can be started in each; the first process takes them all with it.
_SETUP = f"""
mount -t tmpfs tmpfs /run && mkdir -p /run/netns
for name in client edge far; do ip netns add $name; ip -n $name link set lo up; done
ip link add wan netns client type veth peer name lan netns edge
ip link add wan netns edge type veth peer name lan netns far
ip -n client addr add {LOCAL}/24 dev wan; ip -n client link set wan up
ip -n edge addr add 192.168.7.1/24 dev lan; ip -n edge link set lan up
ip -n edge addr add {PUBLIC}/24 dev wan; ip -n edge link set wan up
ip -n far addr add {FAR}/24 dev lan; ip -n far addr add {OTHER}/24 dev lan; ip -n far link set lan up
ip -n client route add default via 192.168.7.1
ip netns exec edge sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
  echo {LIVES_S} >/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream
  echo {LIVES_S} >/proc/sys/net/netfilter/nf_conntrack_udp_timeout'
printf '%s' "$RULES" | ip netns exec edge nft -f - || {{ echo "no rules" >&2; exit 3; }}
ip netns exec far "$PYTHON" "$FAR_END" {FAR} {OTHER} >/run/far.log 2>&1 &
server=$!
tries=0; until grep -q ready /run/far.log || [ $tries -gt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
ip netns exec client "$PYTHON" -c "$AGENT"; status=$?
kill $server
exit $status
"""

_AGENT = """
import asyncio, json, os
from dataclasses import asdict
from readycheck.net.system import SystemNetwork, NetworkOptions
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Target, Trace
from readycheck.probe import Effort
from readycheck_probes.nat import NatParams, NatProbe
from readycheck_probes.sip_alg import SipAlgParams, SipAlgProbe

async def measure(probe, params):
    shared, trace = SharedNetwork(SystemNetwork(NetworkOptions(), None, None), effort=Effort.THOROUGH), Trace()
    await probe.measure(params, shared.traced(trace, asyncio.get_running_loop().time() + 20))
    return [asdict(o) for o in trace.observations(shared.now_ms())]

async def main():
    far, ladder = "198.51.100.1", tuple(json.loads(os.environ["LADDER"]))
    nat = NatParams(targets=(Target(address=far, port=3478),), behaviour=True, ladder_s=ladder, keep_s=2.5)
    alg = SipAlgParams(targets=(Target(address=far, port=15061),), local="192.168.7.20")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(measure(*one)) for one in ((NatProbe(), nat), (SipAlgProbe(), alg))]
    print(json.dumps([o for task in tasks for o in task.result()]))

asyncio.run(main())
"""

_NAT = """
table ip edge {{
  chain translate {{ type nat hook postrouting priority srcnat; policy accept; oifname "wan" masquerade {how}; }}
}}
"""
_GATEWAY = """
table ip gateway {
  ct helper sip-5060 { type "sip" protocol udp; l3proto ip; }
  chain help { type filter hook prerouting priority 0; policy accept
    udp dport 5060 ct helper set "sip-5060"
  }
}
"""


def seen(rules: str, ladder: tuple[float, ...] = ()) -> list[dict[str, Any]]:
    """What the probes observe behind an edge with these rules."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("READYCHECK_")}
    environment |= {
        "PATH": f"/usr/local/sbin:/usr/sbin:/sbin:{environment.get('PATH', '')}",
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "FAR_END": str(Path(__file__).with_name("servers") / "far.py"),
        "AGENT": _AGENT,
        "RULES": rules,
        "LADDER": json.dumps(ladder),
    }
    namespaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"]
    command = ["unshare", *namespaces, "sh", "-c", _SETUP]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 3:
        pytest.skip(f"the kernel lacks what the edge needs: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def facts_of(observations: list[dict[str, Any]], purpose: str) -> list[dict[str, Any]]:
    return [o["facts"] for o in observations if o["facts"].get("purpose") == purpose]


@pytest.mark.twin
def test_a_router_that_keeps_ports_and_forgets_after_three_seconds() -> None:
    found = seen(_NAT.format(how=""), (2.0, 4.0))
    mapped = facts_of(found, "mapping")
    assert len(mapped) == 8
    assert all(facts["mapped_address"] == f"{PUBLIC}:{facts['local_port']}" for facts in mapped)
    filters = {facts["from_other"]: facts["answer"] for facts in facts_of(found, "filtering")}
    assert filters == {"address": "silent", "port": "silent"}
    assert [facts["hairpin"] for facts in facts_of(found, "hairpin")] == [False]
    assert [facts["hops"] for facts in facts_of(found, "own-address")] == [[]]
    assert [facts["way"] for facts in facts_of(found, "own-address")] == [[[1, "192.168.7.1"]]]
    rungs = {facts["pause_s"]: facts for facts in facts_of(found, "lifetime")}
    assert {pause: rung["reached"] for pause, rung in rungs.items()} == {0.0: True, 2.0: True, 4.0: False}
    assert rungs[4.0]["answered"]
    assert all(facts["changed"] == [] for facts in facts_of(found, "mirror"))


@pytest.mark.twin
def test_a_router_that_maps_by_destination() -> None:
    mapped = facts_of(seen(_NAT.format(how="fully-random")), "mapping")
    for socket in (0, 1):
        ports = [facts["mapped_address"] for facts in mapped if facts["socket"] == socket]
        assert len(set(ports)) == len(ports) == 4


@pytest.mark.twin
def test_the_kernels_own_sip_gateway() -> None:
    found = seen(_NAT.format(how="") + _GATEWAY)
    mirrors = {o["target"]["port"]: o for o in found if o["facts"].get("purpose") == "mirror"}
    assert mirrors[15061]["facts"]["changed"] == []
    pairs = mirrors[5060]["facts"]["changed"]
    assert any(old.startswith("Via:") and LOCAL in old and PUBLIC in new for old, new in pairs)
    assert any(old.startswith("Contact:") and LOCAL in old and PUBLIC in new for old, new in pairs)
