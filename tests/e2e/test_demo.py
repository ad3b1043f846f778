"""The unmodified agent in the stand-in world: each broken network is told from the open one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from readycheck.report import schema
from readycheck.twin.scenarios import SCENARIOS
from readycheck.twin.world import available

pytestmark = [pytest.mark.twin, pytest.mark.alone, pytest.mark.timeout(120)]

REASON = available()
TOLD_APART = (
    "none",
    "udp-blocked",
    "sip-port-rejected",
    "sip-port-dropped",
    "subnet-blocked",
    "half-subnet-blocked",
    "rtp-range-partial",
    "certificate-untrusted",
    "tls-version",
    "sni-filter",
    "dns-unreachable",
    "ntp-blocked",
    "all-dropped",
    "icmp-filtered",
    "service-down",
    "sip-silent",
    "quic",
)
IN_THE_LAB_TOO = (
    "tls-inspection",
    "sni-required",
    "dns-filter",
    "dns-hijack",
    "dns-slow",
    "captive-portal",
    "pmtu-blackhole",
    "quic-blocked",
)
"""The lab tells each of these by servers that are not ours, in every run of the suite."""
PLACES = {
    "udp-blocked": "site",
    "sip-port-rejected": "site",
    "sip-port-dropped": "site",
    "subnet-blocked": "site",
    "half-subnet-blocked": "site",
    "rtp-range-partial": "site",
    "ntp-blocked": "site",
    "all-dropped": "site",
    "sni-filter": "site",
    "sni-required": "site",
    "service-down": "vendor",
    "pmtu-blackhole": "site",
    "captive-portal": "site",
}


def demo(home: Path, *options: str) -> tuple[int, dict[str, Any]]:
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)}
    environment.pop("READYCHECK_LOOPBACK_ONLY", None)
    command = [sys.executable, "-m", "readycheck", "demo", "webex-calling", "-f", "json", "-q", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
@pytest.mark.parametrize(
    "name", [*TOLD_APART, *(pytest.param(name, marks=pytest.mark.matrix) for name in IN_THE_LAB_TOO)]
)
def test_each_network_gets_its_cause_and_status(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    status, report = demo(tmp_path, "--break", name)

    assert status == scenario.exit_status
    assert [f["cause"] for f in report["findings"]] == list(scenario.causes)
    if name in PLACES:
        assert {f["where"] for f in report["findings"]} == {PLACES[name]}
    assert report["run"]["duration_ms"] <= 15_500
    assert set(report["environment"]["capabilities"]) == {"hop_limit", "icmp_errors", "kernel_timestamps"}
    jsonschema.validate(report, schema())


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_with_raw_sockets_the_same_is_found(tmp_path: Path) -> None:
    status, report = demo(tmp_path, "--break", "sip-port-dropped", "--raw")

    assert status == 2
    assert [(f["cause"], f["where"]) for f in report["findings"]] == [("port-blocked", "site")]
    assert "raw_sockets" in report["environment"]["capabilities"]


def test_loopback_finds_the_open_network_ready(tmp_path: Path) -> None:
    status, report = demo(tmp_path, "--loopback")

    assert (status, report["verdict"], report["findings"]) == (0, "ready", [])
    assert any("loopback" in note for note in report["run"]["notes"])


def test_loopback_has_no_links_that_could_be_narrow(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "readycheck",
        "demo",
        "webex-calling",
        "--loopback",
        "--break",
        "pmtu-blackhole",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "--break pmtu-blackhole: needs namespaces" in done.stderr


def test_loopback_sees_a_refused_port(tmp_path: Path) -> None:
    status, report = demo(tmp_path, "--loopback", "--break", "sip-port-rejected")

    assert status == 2
    assert [f["cause"] for f in report["findings"]] == ["port-rejected"]
