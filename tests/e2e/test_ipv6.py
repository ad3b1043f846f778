"""The unmodified agent on hosts whose IPv6 is dead, or all that there is: one namespace of the kernel's own."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from readycheck.twin.world import available

REASON = available()
pytestmark = [
    pytest.mark.twin,
    pytest.mark.timeout(60),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

PROFILE = """
schema_version = 1
name = "mini"
title = "Mini"
revision = "1"
checked = "2026-01-01"

[documents.manual]
title = "Manual"
publisher = "Example"
revision = "1"

[[roles]]
name = "app"
title = "App"
default = true

[networks.service]
title = "Service"
networks = ["198.51.100.0/28"]
source = { document = "manual", section = "1" }

[[controls]]
host = "control.example.org"
port = 443
purpose = "a host outside the product"

[[requirements]]
id = "web"
title = "Web"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [80]
targets = { hosts = ["api.example.com", "www.example.net"] }
probe = "tcp"
source = { document = "manual", section = "1" }

[[requirements]]
id = "literal"
title = "Addresses"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = [80]
targets = { networks = ["service"] }
probe = "tcp"
source = { document = "manual", section = "1" }
"""

# Names of three owners, with addresses of one family or of both; the third label is what is behind IPv6.
SERVER = """
import asyncio, os, socket, sys
import dns.message, dns.rrset, dns.rcode, dns.rdatatype

FOUR = {"api.example.com.": "198.51.100.1", "www.example.net.": "198.51.100.2", "control.example.org.": "198.51.100.3"}
SIX = {"api.example.com.": os.environ["API"], "www.example.net.": os.environ["WWW"],
       "ipv4only.arpa.": os.environ.get("TRANSLATED", "")}

class Names(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, source):
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query, recursion_available=True)
        asked = query.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        table = {"A": FOUR, "AAAA": SIX}.get(kind, {})
        if record := table.get(asked.name.to_text()):
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, record))
        elif asked.name.to_text() not in {**FOUR, **SIX}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), source)

async def main():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Names, local_addr=(os.environ["RESOLVER"], 53))
    for host in ("0.0.0.0", "::"):
        await asyncio.start_server(lambda reader, writer: writer.close(), host, 80)
    command = [sys.executable, "-m", "readycheck", "run", os.environ["PROFILE"], "-f", "json", "-q",
               "--resolver", os.environ["RESOLVER"] if "." in os.environ["RESOLVER"] else f"[{os.environ['RESOLVER']}]"]
    agent = await asyncio.create_subprocess_exec(*command)
    await agent.wait()

asyncio.run(main())
"""

SETUP = """
set -e
ip link set lo up
ip link add near type veth peer name far
ip link set near up
ip link set far up
{links}
exec "$PYTHON" -c "$SCRIPT"
"""

DUAL = """
for n in 1 2 3; do ip addr add 198.51.100.$n/32 dev lo; done
ip addr add 198.51.100.53/32 dev lo
ip addr add 192.0.2.10/24 dev near
ip addr add 2001:db8:1::10/64 dev near nodad
ip neigh add fe80::1 lladdr 02:00:00:00:00:09 dev near
ip -6 route add default via fe80::1 dev near
"""
FOUR_ONLY = """
for n in 1 2 3; do ip addr add 198.51.100.$n/32 dev lo; done
ip addr add 198.51.100.53/32 dev lo
ip addr add 192.0.2.10/24 dev near
"""
SIX_ONLY = """
for a in a b c; do ip addr add 2001:db8:$a::1/128 dev lo nodad; done
ip addr add 2001:db8:53::53/128 dev lo nodad
ip addr add 2001:db8:1::10/64 dev near nodad
"""
DEAD = {"API": "2001:db8:a::1", "WWW": "2a00:db8:b::1", "RESOLVER": "198.51.100.53"}
ALIVE = {"API": "2001:db8:a::1", "WWW": "2001:db8:b::1", "RESOLVER": "2001:db8:53::53"}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def run(links: str, names: Mapping[str, str]) -> dict[str, Any]:
        profile = tmp_path / "mini.toml"
        profile.write_text(textwrap.dedent(PROFILE))
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("READYCHECK_") and "proxy" not in k.lower()
        }
        environment = {
            **kept,
            **names,
            "HOME": str(tmp_path),
            "PYTHON": sys.executable,
            "SCRIPT": SERVER,
            "PROFILE": str(profile),
        }
        setup = SETUP.format(links=links)
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", setup],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run


def findings(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f["cause"], f["where"]) for f in report["findings"]]


def status(report: Mapping[str, Any], name: str) -> str:
    return str(next(r["status"] for r in report["requirements"] if r["id"] == name))


def test_dead_ipv6_is_named_and_blocks_nothing(run: Any) -> None:
    report = run(DUAL, DEAD)
    assert findings(report) == [("ipv6-broken", "unknown")]
    assert status(report, "web") == "pass"


def test_a_site_without_ipv6_is_no_finding(run: Any) -> None:
    report = run(FOUR_ONLY, DEAD)
    assert findings(report) == []
    assert status(report, "web") == "pass"
    tried = {o["target"].get("address") for c in report["checks"] for o in c["observations"]}
    assert not any(":" in str(address) for address in tried)


@pytest.mark.parametrize("translated", ["", "64:ff9b::c000:aa"])
def test_without_ipv4_addresses_are_skipped_and_names_work(run: Any, translated: str) -> None:
    report = run(SIX_ONLY, {**ALIVE, "TRANSLATED": translated})
    assert findings(report) == [("ipv6-only", "unknown")]
    assert status(report, "web") == "pass"
    literal = [c for c in report["checks"] if c["requirement"] == "literal"]
    assert {c["status"] for c in literal} == {"skipped"}
    assert ("64:ff9b::/96" in report["findings"][0]["summary"]) == bool(translated)
