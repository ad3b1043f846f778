"""Terraform's JSON, compared with a configuration written by hand; Terraform itself is asked in tests/e2e."""

import json
from typing import Any

from readycheck.firewall import render

from .sample import CALLED, DNS, OPTIONAL, PING, SIGNALLING, TIME, WEB, WORDS, requirement, sheet

EGRESS = "aws_vpc_security_group_egress_rule"
INGRESS = "aws_vpc_security_group_ingress_rule"


def document(*rows: Any, **wish: Any) -> Any:
    return json.loads(render(sheet(*rows, **wish), "terraform"))


def row(place: str, **changes: Any) -> dict[str, Any]:
    four, six = (place, None) if ":" not in place else (None, place)
    given = {"protocol": "tcp", "from": 5061, "to": 5061, "description": "example 1: sip (required)"}
    return {**given, "cidr_ipv4": four, "cidr_ipv6": six, **changes}


def test_rules_are_rows_that_one_resource_goes_through() -> None:
    found = document(SIGNALLING)
    assert found["locals"]["readycheck_egress"] == {
        f"tcp 5061-5061 {place}": row(place)
        for place in ("198.51.100.0/24", "203.0.113.7/32", "2001:db8:1::/48")
    }
    assert found["locals"]["readycheck_ingress"] == {}
    assert found["resource"][EGRESS]["readycheck"] == {
        "for_each": "${merge({ for k, v in local.readycheck_optional_egress : k => v if var.readycheck_optional },"
        " local.readycheck_egress)}",
        "security_group_id": "${aws_security_group.readycheck.id}",
        "ip_protocol": "${each.value.protocol}",
        "from_port": "${each.value.from}",
        "to_port": "${each.value.to}",
        "description": "${each.value.description}",
        "cidr_ipv4": "${each.value.cidr_ipv4}",
        "cidr_ipv6": "${each.value.cidr_ipv6}",
    }
    group = found["resource"]["aws_security_group"]["readycheck"]
    assert group == {"name": "readycheck-example", "description": "example 1", "vpc_id": "${var.vpc_id}"}


def test_optional_rules_wait_for_a_variable() -> None:
    found = document(OPTIONAL)
    assert found["locals"]["readycheck_egress"] == {}
    assert list(found["locals"]["readycheck_optional_egress"]) == ["tcp 8443-8443 192.0.2.0/25"]
    assert found["variable"]["readycheck_optional"]["default"] is False


def test_what_only_the_customer_knows_is_a_variable() -> None:
    found = document(DNS, {**TIME, "importance": "optional"})
    servers = found["variable"]["readycheck_name_servers"]
    assert (servers["type"], servers["default"]) == ("list(string)", [])
    rules = found["resource"][EGRESS]
    assert rules["readycheck_name_servers_udp_53_53"] == {
        "for_each": "${toset(var.readycheck_name_servers)}",
        "security_group_id": "${aws_security_group.readycheck.id}",
        "ip_protocol": "udp",
        "from_port": 53,
        "to_port": 53,
        "cidr_ipv4": "${each.value}",
        "description": "example 1: dns (required)",
    }
    optional = rules["readycheck_ntp_server_udp_123_123"]["for_each"]
    assert optional == "${toset(var.readycheck_optional ? var.readycheck_ntp_server : [])}"


def test_inbound_rules_need_no_host() -> None:
    found = document(CALLED)
    assert len(found["locals"]["readycheck_ingress"]) == 3
    assert found["resource"][INGRESS]["readycheck"]["for_each"].count("ingress") == 2


def test_ping() -> None:
    rows = document(PING)["locals"]["readycheck_egress"]
    kinds = {(one["protocol"], one["from"], one["to"]) for one in rows.values()}
    assert kinds == {("icmp", 8, -1), ("icmpv6", 128, -1)}


def test_domains_are_listed() -> None:
    found = document(WEB)
    domains = ["api.example.com", "*.example.net", "*-cdn.example.org"]
    assert sorted(found["locals"]["readycheck_domains"]["out-tcp-443"]) == sorted(domains)
    assert sum("outbound tcp 443, for web (required)" in line for line in found["//"]) == 3


def test_what_no_variable_completes_is_told() -> None:
    told = document(WORDS, {**CALLED, "ports": []})["//"]
    assert "required: provider [provider]" in told
    assert "required: trunk [trunk]" in told


def test_nothing_but_our_own_is_a_template() -> None:
    odd = requirement(
        "odd", title="${file(1)}", condition="%{ if true }", targets={"hosts": ["$", "${ntp-server}"]}
    )
    text = render(sheet(odd, SIGNALLING), "terraform")
    assert "file(1)}" not in text and "%{" not in text
    found = json.loads(text)
    assert not any("${" in line for line in found["//"])
    assert not any("${" in variable["description"] for variable in found["variable"].values())
    assert "${" not in json.dumps(found["locals"])
