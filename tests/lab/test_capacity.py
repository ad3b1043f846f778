"""A line of a known rate and queue, and what is measured of it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from .forwarder import Wire
from .machine import Machine, Process
from .waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

HERE, THERE = "192.0.2.1", "192.0.2.2"
_FORWARDER = str(Path(__file__).with_name("forwarder.py"))
_HEADERS = 1448 / 1500
"""What is left of a packet for the payload of TCP."""


@contextmanager
def line(wire: Wire, folder: Path) -> Iterator[Machine]:
    """An agent's network and a responder's, with nothing between them but the wire."""
    with Machine(folder) as machine:
        for name in ("near", "far"):
            machine.run(None, "ip", "netns", "add", name)
        ends = ("/run/netns/near:wire", "/run/netns/far:wire")
        made = machine.start(
            "near", "wire", sys.executable, "-I", _FORWARDER, *ends, json.dumps(asdict(wire))
        )
        wait_until(made.said, "the wire")
        for name, own, peer in (("near", HERE, THERE), ("far", THERE, HERE)):
            machine.run(name, "ip", "link", "set", "lo", "up")
            machine.run(name, "ip", "address", "add", own, "peer", peer, "dev", "wire")
            machine.run(name, "ip", "link", "set", "wire", "up", "mtu", "1500")
        serving = _responder(machine)
        wait_until(lambda: "listening" in serving.said(), "the responder")
        yield machine


def _responder(machine: Machine) -> Process:
    command = [sys.executable, "-m", "readycheck", "responder", "--listen", THERE]
    return machine.start("far", "responder", *command)


def measured(machine: Machine, calls: int, profile: str = "webex-calling") -> dict[str, Any]:
    options = [
        "--responder",
        THERE,
        "--capacity",
        str(calls),
        "--only",
        "capacity",
        "--quick",
        "--no-controls",
    ]
    command = [sys.executable, "-m", "readycheck", "run", profile, *options, "-q", "-f", "json"]
    done = machine.run("near", *command, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    (machine.folder / "report.json").write_text(done.stdout)
    return report


def found(report: dict[str, Any]) -> list[str]:
    """There is no name server here, and the program says so."""
    return sorted({one["cause"] for one in report["findings"]} - {"dns-unreachable"})


def metrics(report: dict[str, Any]) -> dict[str, Any]:
    (check,) = [one for one in report["checks"] if one["probe"] == "capacity"]
    told: dict[str, Any] = check["metrics"]
    return told


@pytest.fixture(autouse=True)
def _ready(_equipped: None) -> None:
    """Skips where the lab cannot be built."""


def test_a_line_of_eight_megabits_carries_its_calls(tmp_path: Path) -> None:
    with line(Wire(rate_mbit=8.0, delay_ms=10.0, queue_ms=40.0), tmp_path) as machine:
        report = measured(machine, 20)
    told = metrics(report)
    for name in ("up", "down", "up_together", "down_together"):
        rate = told[f"throughput_{name}_bits_per_second"]
        assert rate == pytest.approx(8e6 * _HEADERS, rel=0.15), name
    assert told["calls_loaded"] == 20
    assert report["score"]["calls"] == told["calls_line"] >= 45
    assert 20 <= told["idle_trip_ms"] <= 24
    assert told["queue_up_ms"] == pytest.approx(40, abs=15)
    assert found(report) == []


def test_a_narrow_line_with_a_long_queue(tmp_path: Path) -> None:
    """A call has 80 kbit/s with its headers: of twenty, twelve fit; by the reckoning of 100 kbit/s, seven do."""
    with line(Wire(rate_mbit=1.0, delay_ms=10.0, queue_ms=300.0), tmp_path) as machine:
        report = measured(machine, 20)
    told = metrics(report)
    for name in ("up", "down"):
        rate = told[f"throughput_{name}_bits_per_second"]
        assert rate == pytest.approx(1e6 * _HEADERS, rel=0.15), name
    assert 5 <= told["calls_line"] <= 7
    assert 11 <= told["calls_loaded"] <= 14
    assert found(report) == ["bandwidth-insufficient", "bufferbloat"]


def test_the_largest_datagram_of_each_way(tmp_path: Path) -> None:
    """The near end's link takes 1400 bytes: longer questions leave in pieces, and their answers come in one."""
    with line(Wire(delay_ms=5.0), tmp_path) as machine:
        machine.run("near", "ip", "link", "set", "wire", "mtu", "1400")
        command = [sys.executable, "-m", "readycheck", "run", "webex-calling", "--only", "mtu", "-q"]
        done = machine.run("near", *command, "--responder", THERE, "--no-controls", "-f", "json", check=False)
    (check,) = [one for one in json.loads(done.stdout)["checks"] if one["id"] == "datagram-size"]
    assert check["metrics"] == {"largest_up_bytes": 1400, "largest_down_bytes": 1500}
    assert check["status"] == "pass"
