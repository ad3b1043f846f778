"""Cisco IOS, compared with a configuration written by hand."""

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

ONLY_SIX = requirement("six", targets={"hosts": ["2001:db8::7"]}, ports=["443"])


def test_networks_of_both_families() -> None:
    assert in_force("cisco-ios", "!", SIGNALLING) == [
        "object-group network RC-out-tcp-5061-net",
        " 198.51.100.0 255.255.255.0",
        " host 203.0.113.7",
        "object-group service RC-out-tcp-5061-ports",
        " tcp eq 5061",
        "ip access-list extended READYCHECK-OUT",
        " remark example 1: sip (required)",
        " permit object-group RC-out-tcp-5061-ports any object-group RC-out-tcp-5061-net",
        "ipv6 access-list READYCHECK-OUT-V6",
        " remark example 1: sip (required)",
        " permit tcp any 2001:db8:1::/48 eq 5061",
    ]


def test_a_group_is_not_left_empty() -> None:
    lines = in_force("cisco-ios", "!", ONLY_SIX)
    assert not any(line.startswith(("object-group network", "ip access-list")) for line in lines)
    assert lines[-1] == " permit tcp any 2001:db8::7/128 eq 443"


def test_source_ports() -> None:
    lines = in_force("cisco-ios", "!", MEDIA, source_ports=True)
    assert " udp source range 8000 8099 eq 5004" in lines
    assert " udp source range 8000 8099 range 9000 9010" in lines
    assert " permit udp any range 8000 8099 2001:db8:1::/48 range 9000 9010" in lines


def test_names_are_listed_only() -> None:
    assert in_force("cisco-ios", "!", WEB) == []
    listed = [line.split()[1] for line in printed("cisco-ios", WEB) if "outbound tcp 443" in line]
    assert listed == ["api.example.com", "*.example.net", "*-cdn.example.org"]


def test_names_open_to_everywhere() -> None:
    lines = in_force("cisco-ios", "!", WEB, any_name=True)
    assert " permit object-group RC-out-tcp-443-ports any any" in lines
    assert " permit tcp any any eq 443" in lines


def test_ping() -> None:
    lines = in_force("cisco-ios", "!", PING)
    assert " permit icmp any object-group RC-out-icmp-networks-net echo" in lines
    assert " permit icmp any 2001:db8:1::/48 echo-request" in lines


def test_inbound() -> None:
    lines = in_force("cisco-ios", "!", CALLED, FORWARDED, values={"gateway": "192.0.2.10"})
    assert [line for line in lines if line.startswith(" permit")] == [
        " permit object-group RC-in-tcp-443-ports any object-group RC-in-tcp-443-hosts",
        " permit object-group RC-in-tcp-5061-ports object-group RC-in-tcp-5061-net"
        " object-group RC-in-tcp-5061-hosts",
    ]
    assert not any(line.startswith("ipv6") for line in lines)
    six = in_force("cisco-ios", "!", CALLED, values={"gateway": "2001:db8::10"})
    assert six[-1] == " permit tcp 2001:db8:1::/48 2001:db8::10/128 eq 5061"


def test_what_is_missing_or_optional_is_behind_marks() -> None:
    assert in_force("cisco-ios", "!", DNS, OPTIONAL, CALLED) == []
    assert "!  host <name-servers>" in printed("cisco-ios", DNS)
