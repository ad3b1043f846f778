"""`profile firewall` as a person types it."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from readycheck.__main__ import main
from readycheck.cli.firewall import Format

Captured = pytest.CaptureFixture[str]
FIREWALL = ["profile", "firewall"]


def told(capsys: Captured, *words: str) -> str:
    assert main([*FIREWALL, "webex-calling", *words]) == 0
    out, complaint = capsys.readouterr()
    assert complaint == ""
    return out


def test_text_is_the_default(capsys: Captured) -> None:
    out = told(capsys)
    assert out.startswith("Firewall rules for Webex Calling (webex-calling), revision ")
    assert "\nTCP 8934 to 16 networks\n    23.89.0.0/16, " in out


@pytest.mark.parametrize("form", Format)
def test_every_format(form: Format, capsys: Captured) -> None:
    assert "sip-endpoints" in told(capsys, "--format", form.value)


def test_terraform_is_json_and_csv_is_csv(capsys: Captured) -> None:
    assert "resource" in json.loads(told(capsys, "-f", "terraform"))
    assert len(list(csv.reader(StringIO(told(capsys, "-f", "csv"))))) > 50


def test_roles(capsys: Captured) -> None:
    out = told(capsys, "--role", "local-gateway")
    assert "sip-certificate-trunk" in out and "sip-endpoints" not in out


def test_a_trunk_that_is_called_is_complete_once_host_and_ports_are_given(capsys: Captured) -> None:
    given = ["--set", "local-gateway=192.0.2.10", "--set", "sip-inbound-trunk-ports=5061"]
    out = told(capsys, "--role", "local-gateway", "-f", "nftables", *given)
    (rule,) = [line.strip() for line in out.splitlines() if "saddr" in line and "tcp" in line]
    assert rule.startswith(
        "iifname $wan ip saddr $in_tcp_5061_v4 ip daddr { 192.0.2.10/32 } tcp dport { 5061 } counter accept"
    )


def test_options_reach_the_rules(capsys: Captured) -> None:
    out = told(
        capsys,
        *("-f", "nftables", "--all", "--internal", "--names", "any", "--source-ports", "--withdrawn"),
        *("--set", "ntp-server=192.0.2.1", "--resolver", "192.0.2.53", "--lan", "br0", "--wan", "eth9"),
    )
    for words in (
        *('define lan = "br0"', 'define wan = "eth9"', "192.0.2.53/32", "192.0.2.1/32"),
        *("udp sport { 51494 }", "In force: everything", "--names any", "Withdrawn by the vendor"),
    ):
        assert words in out
    assert "not in force: optional" not in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--role", "nobody"], "--role nobody: profile 'webex-calling' has the roles app, "),
        (["--set", "colour=red"], "--set colour: profile 'webex-calling' has ntp-server, "),
        (["--set", "ntp-server"], "--set ntp-server: not NAME=VALUE"),
        (
            ["--role", "local-gateway", "--set", "media-inbound-ports=many"],
            "--set media-inbound-ports=many: not a port",
        ),
        (
            ["--set", "local-gateway=a.example", "--role", "local-gateway"],
            "--set local-gateway=a.example: hosts that are called",
        ),
        (["--set", "ntp-server=a/b"], "--set ntp-server=a/b: the value is not fit"),
        (["--resolver", "dns.example"], "--resolver dns.example: not an address"),
        (["--lan", 'x" drop'], '--lan x" drop: not the name of an interface'),
        (["--wan", "-x"], "--wan -x: not the name of an interface"),
        (["--format", "iptables"], "Invalid value for '--format'"),
    ],
)
def test_unusable_options_are_one_line(words: list[str], complaint: str, capsys: Captured) -> None:
    assert main([*FIREWALL, "webex-calling", *words]) == 3
    out, said = capsys.readouterr()
    assert (out, said.count("\n")) == ("", 1)
    assert complaint in said


def test_an_unknown_profile(capsys: Captured) -> None:
    assert main([*FIREWALL, "nothing"]) == 3
    assert capsys.readouterr().err.startswith("readycheck: profile 'nothing' is not known")


def test_a_profile_of_ones_own(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    assert main([*FIREWALL, str(file), "-f", "nftables"]) == 0
    assert "iifname $lan ip daddr $out_tcp_5061_v4 tcp dport { 5061 }" in capsys.readouterr().out


OWN = """
schema_version = 1
name = "own"
title = "Own"
revision = "1"
checked = 2026-01-01
[documents.doc]
title = "D"
publisher = "P"
revision = "1"
[[roles]]
name = "app"
title = "App"
[networks.service]
title = "S"
networks = ["198.51.100.0/24"]
source = { document = "doc", section = "1" }
[[requirements]]
id = "sip"
title = "SIP"
area = "signalling"
importance = "required"
roles = ["app"]
transport = "tcp"
ports = ["5061"]
targets = { networks = ["service"] }
untestable = "an example"
source = { document = "doc", section = "2" }
"""
