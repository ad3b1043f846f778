"""The icmp probe: over a network of tables, and against a real kernel in a network of its own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from readycheck.probe import Failure, Step, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.icmp import IcmpParams, IcmpProbe

NAMES = {"node.example": ["192.0.2.1", "2001:db8::1"], "gone.example": Failure.DNS_SERVFAIL}


def asked(network: FakeNetwork, *targets: Target) -> Any:
    return run_probe(IcmpProbe(), IcmpParams(targets), network)


def test_an_echo_is_an_answer() -> None:
    network = FakeNetwork(icmp={"192.0.2.1": lambda data: data})
    (seen,), metrics = asked(network, Target(address="192.0.2.1"))

    assert (seen.step, seen.failure, seen.target) == (
        Step.ECHO,
        None,
        Target(address="192.0.2.1", transport="icmp"),
    )
    assert metrics == {"sent": 1, "answered": 1, "rtt_ms": pytest.approx(20)}


def test_a_port_that_a_target_came_with_is_left_out() -> None:
    network = FakeNetwork(icmp={"192.0.2.1": lambda data: data})
    (seen,), _ = asked(network, Target(address="192.0.2.1", port=443, transport="tcp"))

    assert (seen.failure, str(seen.target)) == (None, "192.0.2.1")
    assert network.sent[0][0] == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("service", "failure"),
    [
        (lambda data: data[:20], Failure.PROTOCOL_ERROR),
        (lambda data: data + b"more", Failure.PROTOCOL_ERROR),
        (lambda data: b"another's" + data, Failure.TIMED_OUT),
        (lambda data: b"", Failure.TIMED_OUT),
        (lambda data: None, Failure.TIMED_OUT),
        (Failure.ICMP_ADMIN_PROHIBITED, Failure.ICMP_ADMIN_PROHIBITED),
        (Failure.HOST_UNREACHABLE, Failure.HOST_UNREACHABLE),
    ],
)
def test_faults(service: Any, failure: Failure) -> None:
    observations, metrics = asked(FakeNetwork(icmp={"192.0.2.1": service}), Target(address="192.0.2.1"))

    assert [one.failure for one in observations] == [failure]
    assert metrics["answered"] == 0


def test_an_answer_to_the_second_request_has_its_own_round_trip() -> None:
    ignored = iter([None])
    network = FakeNetwork(icmp={"192.0.2.1": lambda data: next(ignored, data)})
    (seen,), metrics = asked(network, Target(address="192.0.2.1"))

    assert (seen.facts["attempts"], seen.facts["attempt"]) == (2, 1)
    assert metrics["rtt_ms"] == pytest.approx(20)


def test_an_address_of_a_sample_is_asked_once() -> None:
    network = FakeNetwork()
    asked(network, Target(address="192.0.2.1", network="192.0.2.0/24"))

    assert len(network.sent) == 1


def test_names_are_asked_at_their_addresses_in_both_families() -> None:
    echoes = {address: lambda data: data for address in NAMES["node.example"]}
    network = FakeNetwork(names=NAMES, icmp=echoes)
    observations, metrics = asked(network, *(Target(host=name) for name in NAMES))

    assert [one.failure for one in observations if one.step is Step.RESOLVE] == [None, Failure.DNS_SERVFAIL]
    assert {one.target.address for one in observations if one.step is Step.ECHO} == set(NAMES["node.example"])
    assert (metrics["sent"], metrics["answered"]) == (2, 1)


@pytest.mark.parametrize("failure", [Failure.PERMISSION_DENIED, Failure.PLATFORM])
def test_without_a_socket_it_is_this_host_that_failed(failure: Failure) -> None:
    targets = [Target(address=address) for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")]
    observations, metrics = asked(FakeNetwork(icmp=failure), *targets)

    assert [one.failure for one in observations] == [failure] * 3
    assert {one.target.transport for one in observations} == {"icmp"}
    assert (metrics["sent"], metrics["answered"]) == (3, 0)


def test_nothing_to_ask() -> None:
    assert asked(FakeNetwork()) == ((), {"sent": 0, "answered": 0, "rtt_ms": None})


_SCRIPT = """
import asyncio, json
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.traced import SharedNetwork
from readycheck.observation import Target, Trace
from readycheck.probe import Effort
from readycheck_probes.icmp import IcmpParams, IcmpProbe

async def main():
    shared, trace = SharedNetwork(SystemNetwork(NetworkOptions(), None, None), effort=Effort.QUICK), Trace()
    targets = tuple(Target(address=a) for a in ("127.0.0.1", "127.0.0.2", "::1", "192.0.2.1"))
    await IcmpProbe().measure(IcmpParams(targets), shared.traced(trace))
    seen = trace.observations(shared.now_ms())
    found = {o.target.address: o.failure for o in seen}
    print(json.dumps([found, IcmpProbe().summarize(seen)]))

asyncio.run(main())
"""


@pytest.mark.twin
def test_a_real_kernel_answers() -> None:
    setup = 'ip link set lo up; echo "0 0" > /proc/sys/net/ipv4/ping_group_range; exec "$PYTHON" -c "$SCRIPT"'
    environment = {k: v for k, v in os.environ.items() if not k.startswith("READYCHECK_")}
    environment |= {
        "PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "SCRIPT": _SCRIPT,
    }
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-e", "-c", setup]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found, metrics = json.loads(done.stdout)

    assert found == {"127.0.0.1": None, "127.0.0.2": None, "::1": None, "192.0.2.1": "network_unreachable"}
    assert (metrics["sent"], metrics["answered"]) == (4, 3)
    assert 0 < metrics["rtt_ms"] < 500
