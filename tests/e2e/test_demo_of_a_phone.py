"""A product that needs WebSocket, TFTP and ICMP, in the stand-in world and on remapped loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from readycheck.twin.world import available

pytestmark = [pytest.mark.twin, pytest.mark.alone, pytest.mark.timeout(120)]

REASON = available()
PHONE = """
schema_version = 1
name = "phone"
title = "Phone"
revision = "1"
checked = 2026-01-01

[documents.guide]
title = "Guide"
publisher = "Vendor"
revision = "1"

[[roles]]
name = "phone"
title = "Phone"
default = true

[[requirements]]
id = "events"
title = "Events"
area = "signalling"
importance = "required"
roles = ["phone"]
transport = "tcp"
ports = ["443"]
targets = { hosts = ["events.vendor.example"] }
probe = "websocket"
params = { path = "/events", hold_s = 0.5 }
limits = { upgraded = { fail = 1, higher = true } }
source = { document = "guide", section = "1" }

[[requirements]]
id = "configuration"
title = "Configuration files"
area = "signalling"
importance = "required"
roles = ["phone"]
transport = "udp"
ports = ["69"]
targets = { hosts = ["files.vendor.example"] }
probe = "tftp"
params = { file = "SEP01.cnf.xml" }
source = { document = "guide", section = "2" }

[[requirements]]
id = "ping"
title = "Echo of the service"
area = "media reachability"
importance = "required"
roles = ["phone"]
transport = "icmp"
targets = { hosts = ["events.vendor.example"] }
probe = "icmp"
source = { document = "guide", section = "3" }
"""


def demo(home: Path, *options: str) -> tuple[int, dict[str, Any]]:
    profile = home / "phone.toml"
    profile.write_text(PHONE)
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home)}
    environment.pop("READYCHECK_LOOPBACK_ONLY", None)
    command = [sys.executable, "-m", "readycheck", "demo", str(profile), "-f", "json", "-q", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {r["id"]: r["status"] for r in report["requirements"]}


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_the_open_network_is_ready(tmp_path: Path) -> None:
    status, report = demo(tmp_path)

    assert (status, report["verdict"], report["findings"]) == (0, "ready", [])
    metrics = {c["requirement"]: c["metrics"] for c in report["checks"]}
    assert metrics["events"]["upgraded"] == 1 and metrics["events"]["held_s"] >= 0.5
    assert metrics["configuration"]["answered"] == metrics["ping"]["answered"] == 1


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_a_network_that_lets_no_icmp_in_is_not_accused_of_it(tmp_path: Path) -> None:
    status, report = demo(tmp_path, "--break", "icmp-filtered")

    assert (status, report["verdict"]) == (3, "unknown")  # nothing else is of the area of media
    assert statuses(report) == {"events": "pass", "configuration": "pass", "ping": "inconclusive"}


def test_loopback_has_all_but_icmp(tmp_path: Path) -> None:
    _, report = demo(tmp_path, "--loopback")

    assert statuses(report) == {"events": "pass", "configuration": "pass", "ping": "inconclusive"}
    (ping,) = [c for c in report["checks"] if c["requirement"] == "ping"]
    assert ping["failure"] == "platform"
