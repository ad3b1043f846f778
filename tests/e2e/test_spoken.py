"""The unmodified agent against stand-in servers that speak the protocols of an on-site PBX."""

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
HEAD = """
schema_version = 1
name = "pbx"
title = "PBX"
revision = "1"
checked = 2026-01-01
documents = { doc = { title = "Ports", publisher = "Vendor", revision = "1" } }
roles = [{ name = "phone", title = "Phone" }]
networks = { site = { title = "Site", networks = ["198.18.0.0/24"], source = { document = "doc", section = "1" } } }
"""
ROW = """
[[requirements]]
id = "{name}"
title = "{name}"
area = "{area}"
importance = "required"
roles = ["phone"]
transport = "{transport}"
ports = ["{ports}"]
targets = {targets}
probe = "{probe}"
params = {{ {params} }}
source = {{ document = "doc", section = "1" }}
"""
HOSTS = '{ hosts = ["pbx.vendor.example"] }'
SAMPLED = '{ networks = ["site"] }'
NAMED = {
    "ssh": ("tcp", "22", "tcp", 'speaks = "ssh"'),
    "smtp": ("tcp", "587", "tcp", 'speaks = "smtp"'),
    "imap": ("tcp", "143", "tcp", 'speaks = "imap"'),
    "imaps": ("tcp", "7993", "tcp", 'speaks = "imaps"'),
    "xmpp": ("tcp", "5222", "tcp", 'speaks = "xmpp"'),
    "xmpp-tls": ("tcp", "5223", "tcp", 'speaks = "xmpp-tls"'),
    "ldap": ("tcp", "389", "tcp", 'speaks = "ldap"'),
    "ldaps": ("tcp", "636", "tcp", 'speaks = "ldaps"'),
    "h323": ("tcp", "1720", "tcp", 'speaks = "h323"'),
    "sccp": ("tcp", "2000", "tcp", 'speaks = "sccp"'),
    "mgcp": ("tcp", "2428", "tcp", 'speaks = "mgcp"'),
    "sip-tls": ("tcp", "5061", "sip", ""),
    "sip-tcp": ("tcp", "5060", "sip", 'transport = "tcp"'),
    "sip-udp": ("udp", "5060", "sip", 'transport = "udp"'),
    "mtls": ("tcp", "5062-5064", "mtls", ""),
}
# A port inside a long range shares its socket with all of the range.
CROWDED = {
    "range": ("tcp", "20000-20500", "tcp", ""),
    "imap-in-range": ("tcp", "20100", "tcp", 'speaks = "imap"'),
    "mtls-in-range": ("tcp", "20200", "mtls", ""),
    "media": ("udp", "1025-65535", "rtp", ""),
}
REACHED = ("h323", "sccp", "mgcp", "range")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    rows = [
        _row(name, row, "media reachability" if name == "media" else "signalling", HOSTS)
        for name, row in {**NAMED, **CROWDED}.items()
    ]
    rows += [
        _row(f"{name}-sampled", NAMED[name], "signalling", SAMPLED) for name in ("ssh", "sip-udp", "mtls")
    ]
    path = tmp_path / "pbx.toml"
    path.write_text(HEAD + "".join(rows))
    return path


def _row(name: str, row: tuple[str, str, str, str], area: str, targets: str) -> str:
    transport, ports, probe, params = row
    return ROW.format(
        name=name, area=area, transport=transport, ports=ports, targets=targets, probe=probe, params=params
    )


def demo(profile: Path, *options: str) -> dict[str, Any]:
    environment = {**os.environ, "HOME": str(profile.parent), "XDG_DATA_HOME": str(profile.parent)}
    environment.pop("READYCHECK_LOOPBACK_ONLY", None)
    command = [sys.executable, "-m", "readycheck", "demo", str(profile), "-f", "json", "-q", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def judged(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {r["id"]: (r["status"], r["because"]) for r in report["requirements"]}


def metric(report: dict[str, Any], name: str) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = {}
    for check in report["checks"]:
        found.setdefault(check["requirement"], set()).add(check["metrics"].get(name))
    return found


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--loopback",), id="loopback"),
        pytest.param((), id="world", marks=pytest.mark.skipif(REASON is not None, reason=str(REASON))),
    ],
)
def test_every_protocol_is_found_where_it_is_wanted(profile: Path, options: tuple[str, ...]) -> None:
    report = demo(profile, *options)

    assert report["verdict"] == "ready", judged(report)
    assert {status for status, _ in judged(report).values()} == {"pass"}
    answered = metric(report, "response_ms")
    for name, (_, _, probe, _) in {**NAMED, **CROWDED}.items():
        if probe == "tcp":
            assert (None in answered[name]) is (name in REACHED), name
    options_answered = metric(report, "options_answered")
    assert {name: options_answered[name] for name in ("sip-tls", "sip-tcp", "sip-udp")} == {
        "sip-tls": {1},
        "sip-tcp": {1},
        "sip-udp": {1},
    }
    assert metric(report, "client_certificate_requested")["mtls"] == {1}
