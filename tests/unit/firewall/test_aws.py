"""The script for the AWS CLI: a shell runs it, and a stand-in for `aws` says what it was given."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from readycheck.firewall import render

from .sample import (
    CALLED,
    DNS,
    FORWARDED,
    MEDIA,
    OPTIONAL,
    PING,
    SIGNALLING,
    TIME,
    WEB,
    printed,
    requirement,
    sheet,
)

AWS = """#!/bin/sh
for word; do printf '%s\\0' "$word"; done >>"$GIVEN"
"""
MANY = requirement(
    "many", ports=[str(port) for port in range(1000, 1100, 2)], targets={"networks": ["service"]}
)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    program = tmp_path / "aws"
    program.write_text(AWS)
    program.chmod(0o755)
    given = tmp_path / "given"

    def call(*rows: Any, **wish: Any) -> list[tuple[str, Any]]:
        given.write_bytes(b"")
        subprocess.run(
            ["/bin/sh", "-s"],
            input=render(sheet(*rows, **wish), "aws-sg").encode(),
            env={"PATH": f"{tmp_path}:{os.defpath}", "GIVEN": str(given), "GROUP_ID": "sg-1"},
            check=True,
        )
        words = given.read_text().split("\0")[:-1]
        calls = [words[start : start + 6] for start in range(0, len(words), 6)]
        assert all(
            one[0] == "ec2" and one[2:5] == ["--group-id", "sg-1", "--ip-permissions"] for one in calls
        )
        return [(one[1], json.loads(one[5])) for one in calls]

    return call


def test_each_range_of_ports_is_a_permission(run: Any) -> None:
    note = "example 1: media (required)"
    four = [{"CidrIp": place, "Description": note} for place in ("198.51.100.0/24", "203.0.113.7/32")]
    six = [{"CidrIpv6": "2001:db8:1::/48", "Description": note}]
    assert run(MEDIA) == [
        (
            "authorize-security-group-egress",
            [
                {"IpProtocol": "udp", "FromPort": low, "ToPort": high, "IpRanges": four, "Ipv6Ranges": six}
                for low, high in ((5004, 5004), (9000, 9010))
            ],
        )
    ]


def test_ping(run: Any) -> None:
    ((_, permissions),) = run(PING)
    assert [(p["IpProtocol"], p["FromPort"], p["ToPort"]) for p in permissions] == [
        ("icmp", 8, -1),
        ("icmpv6", 128, -1),
    ]
    assert ["IpRanges" in p for p in permissions] == [True, False]


def test_inbound_rules_need_no_host(run: Any) -> None:
    (anyone, vendor) = run(CALLED, FORWARDED)
    assert anyone[0] == vendor[0] == "authorize-security-group-ingress"
    assert anyone[1][0]["IpRanges"][0]["CidrIp"] == "0.0.0.0/0"
    assert anyone[1][0]["Ipv6Ranges"][0]["CidrIpv6"] == "::/0"
    assert [r["CidrIp"] for r in vendor[1][0]["IpRanges"]] == ["198.51.100.0/24", "203.0.113.7/32"]


def test_what_is_missing_optional_or_a_name_is_not_run(run: Any) -> None:
    assert run(DNS, TIME, OPTIONAL, WEB) == []
    lines = printed("aws-sg", DNS, TIME, OPTIONAL, WEB)
    assert any(line.startswith("# aws ec2 authorize-security-group-egress") for line in lines)
    assert "# not in force: give ntp-server" in lines
    assert sum("outbound tcp 443, for web" in line for line in lines) == 3
    assert len(run(OPTIONAL, everything=True)) == 1


def test_names_open_to_everywhere(run: Any) -> None:
    ((_, permissions),) = run(WEB, any_name=True)
    assert permissions[0]["IpRanges"][0]["CidrIp"] == "0.0.0.0/0"


def test_without_a_group_nothing_is_done(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-s"],
        input=render(sheet(SIGNALLING), "aws-sg").encode(),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert b"GROUP_ID" in done.stderr


@pytest.mark.parametrize(
    ("row", "words"),
    [(SIGNALLING, "2 egress IPv4, 1 egress IPv6"), (CALLED, "2 ingress IPv4, 1 ingress IPv6"), (WEB, "none")],
)
def test_rules_are_counted_as_the_quota_does(row: Any, words: str) -> None:
    text = " ".join(line.removeprefix("#").strip() for line in printed("aws-sg", row))
    assert f"Rules in force: {words}. A group has 60 of each by default; they fit." in text


def test_too_many_rules_are_said_to_be_too_many() -> None:
    text = " ".join(line.removeprefix("#").strip() for line in printed("aws-sg", MANY))
    assert (
        "Rules in force: 100 egress IPv4, 50 egress IPv6. A group has 60 of each by default; this is more:"
        in text
    )
