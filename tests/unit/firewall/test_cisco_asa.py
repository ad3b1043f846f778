"""Cisco ASA, compared with a configuration written by hand."""

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


def test_networks() -> None:
    assert in_force("cisco-asa", "!", SIGNALLING) == [
        "object-group network RC-out-tcp-5061-net",
        " network-object 198.51.100.0 255.255.255.0",
        " network-object host 203.0.113.7",
        " network-object 2001:db8:1::/48",
        "object-group service RC-out-tcp-5061-ports tcp",
        " port-object eq 5061",
        "access-list READYCHECK-OUT remark example 1: sip (required)",
        "access-list READYCHECK-OUT extended permit tcp any object-group RC-out-tcp-5061-net"
        " object-group RC-out-tcp-5061-ports",
    ]


def test_single_names_are_objects_and_wildcards_are_listed() -> None:
    assert in_force("cisco-asa", "!", WEB) == [
        "object network RC-api.example.com",
        " fqdn v4 api.example.com",
        "object-group network RC-out-tcp-443-net",
        " network-object object RC-api.example.com",
        "object-group service RC-out-tcp-443-ports tcp",
        " port-object eq 443",
        "access-list READYCHECK-OUT remark example 1: web (required)",
        "access-list READYCHECK-OUT extended permit tcp any object-group RC-out-tcp-443-net"
        " object-group RC-out-tcp-443-ports",
    ]
    listed = [line for line in printed("cisco-asa", WEB) if "outbound tcp 443" in line]
    assert [line.split()[1] for line in listed] == ["*.example.net", "*-cdn.example.org"]


def test_wildcards_alone_make_no_rule() -> None:
    assert in_force("cisco-asa", "!", requirement("wild", targets={"hosts": ["*.example.net"]})) == []


def test_source_ports_come_before_the_destination() -> None:
    *_, entry = in_force("cisco-asa", "!", MEDIA, source_ports=True)
    assert entry == (
        "access-list READYCHECK-OUT extended permit udp any object-group RC-out-udp-5004-src"
        " object-group RC-out-udp-5004-net object-group RC-out-udp-5004-ports"
    )
    lines = in_force("cisco-asa", "!", MEDIA, source_ports=True)
    assert (
        lines[lines.index("object-group service RC-out-udp-5004-src udp") + 1]
        == " port-object range 8000 8099"
    )


def test_ping_in_both_families() -> None:
    assert [line for line in in_force("cisco-asa", "!", PING) if " permit " in line] == [
        "access-list READYCHECK-OUT extended permit icmp any object-group RC-out-icmp-networks-net echo",
        "access-list READYCHECK-OUT extended permit icmp6 any object-group RC-out-icmp-networks-net echo",
    ]


def test_any_destination() -> None:
    *_, entry = in_force("cisco-asa", "!", WEB, any_name=True)
    assert entry.endswith(" permit tcp any any object-group RC-out-tcp-443-ports")


def test_inbound() -> None:
    lines = in_force("cisco-asa", "!", CALLED, FORWARDED, values={"gateway": "192.0.2.10"})
    assert " network-object host 192.0.2.10" in lines
    assert [line.partition(" permit ")[2] for line in lines if " permit " in line] == [
        "tcp any object-group RC-in-tcp-443-hosts object-group RC-in-tcp-443-ports",
        "tcp object-group RC-in-tcp-5061-net object-group RC-in-tcp-5061-hosts object-group RC-in-tcp-5061-ports",
    ]
    assert all("READYCHECK-IN " in line for line in lines if line.startswith("access-list"))


def test_what_is_missing_or_optional_is_behind_marks() -> None:
    assert in_force("cisco-asa", "!", DNS, OPTIONAL, CALLED, {**FORWARDED, "ports": []}) == []
    assert "!  network-object host <name-servers>" in printed("cisco-asa", DNS)
    assert "!  network-object host <gateway>" in printed("cisco-asa", CALLED)
    assert "!  port-object eq <portal-ports>" in printed("cisco-asa", {**FORWARDED, "ports": []})


def test_interfaces() -> None:
    lines = printed("cisco-asa", SIGNALLING, lan="staff", wan="fibre")
    assert "!     access-group READYCHECK-OUT in interface staff" in lines
    assert "!     access-group READYCHECK-IN in interface fibre" in lines
