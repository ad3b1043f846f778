"""PAN-OS, compared with commands written by hand."""

from .sample import (
    CALLED,
    DNS,
    FORWARDED,
    MEDIA,
    OPTIONAL,
    PING,
    SIGNALLING,
    WEB,
    in_force,
    printed,
    requirement,
)

RULE = "set rulebase security rules RC-out-tcp-443"


def test_networks() -> None:
    rule = "set rulebase security rules RC-out-tcp-5061"
    assert in_force("paloalto", "#", SIGNALLING) == [
        "set address RC-198.51.100.0-24 ip-netmask 198.51.100.0/24",
        "set address RC-203.0.113.7-32 ip-netmask 203.0.113.7/32",
        "set address RC-2001_db8_1__-48 ip-netmask 2001:db8:1::/48",
        "set address-group RC-out-tcp-5061 static RC-198.51.100.0-24",
        "set address-group RC-out-tcp-5061 static RC-203.0.113.7-32",
        "set address-group RC-out-tcp-5061 static RC-2001_db8_1__-48",
        "set service RC-out-tcp-5061 protocol tcp port 5061",
        f"{rule} from trust to untrust source any destination RC-out-tcp-5061 application any"
        " service RC-out-tcp-5061 category any action allow",
        f'{rule} description "example 1: sip (required)"',
    ]


def test_single_names_are_objects_and_wildcards_a_category() -> None:
    assert in_force("paloalto", "#", WEB) == [
        "set address RC-api.example.com fqdn api.example.com",
        "set address-group RC-out-tcp-443 static RC-api.example.com",
        "set service RC-out-tcp-443 protocol tcp port 443",
        f"{RULE} from trust to untrust source any destination RC-out-tcp-443 application any"
        " service RC-out-tcp-443 category any action allow",
        f'{RULE} description "example 1: web (required)"',
        'set profiles custom-url-category RC-out-tcp-443 type "URL List"',
        "set profiles custom-url-category RC-out-tcp-443 list example.net/",
        "set profiles custom-url-category RC-out-tcp-443 list *.example.net/",
        f"{RULE}-url from trust to untrust source any destination any application any"
        " service RC-out-tcp-443 category RC-out-tcp-443 action allow",
        f'{RULE}-url description "example 1: web (required)"',
    ]
    assert "#     *-cdn.example.org  outbound tcp 443, for web (required)" in printed("paloalto", WEB)


def test_wildcards_of_udp_are_listed() -> None:
    row = requirement("quic", transport="udp", targets={"hosts": ["*.example.net"]}, ports=["443"])
    assert in_force("paloalto", "#", row) == []
    assert "#     *.example.net  outbound udp 443, for quic (required)" in printed("paloalto", row)


def test_ports_and_source_ports() -> None:
    lines = in_force("paloalto", "#", MEDIA, source_ports=True)
    assert "set service RC-out-udp-5004 protocol udp port 5004,9000-9010" in lines
    assert "set service RC-out-udp-5004 protocol udp source-port 8000-8099" in lines


def test_ping_is_an_application() -> None:
    lines = in_force("paloalto", "#", PING)
    assert not any(line.startswith("set service") for line in lines)
    assert any(" application ping service application-default " in line for line in lines)


def test_any_destination() -> None:
    (rule,) = [line for line in in_force("paloalto", "#", WEB, any_name=True) if "action allow" in line]
    assert " source any destination any application any service RC-out-tcp-443 category any " in rule


def test_inbound() -> None:
    lines = in_force("paloalto", "#", CALLED, FORWARDED, values={"gateway": "192.0.2.10"}, wan="dmz")
    assert "set address RC-192.0.2.10 ip-netmask 192.0.2.10" in lines
    rules = [line.partition(" from ")[2].partition(" application")[0] for line in lines if " from " in line]
    assert rules == [
        "dmz to trust source any destination RC-in-tcp-443-hosts",
        "dmz to trust source RC-in-tcp-5061 destination RC-in-tcp-5061-hosts",
    ]


def test_what_is_missing_or_optional_is_behind_marks() -> None:
    assert in_force("paloalto", "#", DNS, OPTIONAL, CALLED, {**FORWARDED, "ports": []}) == []
    assert "# set address RC-name-servers ip-netmask <name-servers>" in printed("paloalto", DNS)
    lines = printed("paloalto", {**FORWARDED, "ports": []})
    assert "# set service RC-in-tcp-any protocol tcp port <portal-ports>" in lines
