"""nftables, compared with rules written by hand; `nft -c` itself is asked in tests/e2e."""

import re

from .sample import (
    CALLED,
    DNS,
    FORWARDED,
    MEDIA,
    OPTIONAL,
    PING,
    SIGNALLING,
    WEB,
    WORDS,
    in_force,
    printed,
    requirement,
)

HEAD = ["table inet readycheck", "delete table inet readycheck", "table inet readycheck {"]
CHAIN = [
    "    chain forward {",
    "        type filter hook forward priority filter; policy drop;",
    "        ct state established,related accept",
]
TAIL = ["    }", "}"]


def test_a_complete_file() -> None:
    assert in_force("nftables", "#", SIGNALLING) == [
        'define lan = "lan0"',
        'define wan = "wan0"',
        "define out_tcp_5061_v4 = {",
        "    198.51.100.0/24, 203.0.113.7/32",
        "}",
        "define out_tcp_5061_v6 = {",
        "    2001:db8:1::/48",
        "}",
        *HEAD,
        *CHAIN,
        "        iifname $lan ip daddr $out_tcp_5061_v4 tcp dport { 5061 } counter accept"
        ' comment "example 1: sip (required)"',
        "        iifname $lan ip6 daddr $out_tcp_5061_v6 tcp dport { 5061 } counter accept"
        ' comment "example 1: sip (required)"',
        *TAIL,
    ]


def rules(*rows: object, **wish: object) -> list[str]:
    """The rules alone, without what follows the match."""
    lines = in_force("nftables", "#", *rows, **wish)  # type: ignore[arg-type]
    return [line.strip().partition(" counter accept")[0] for line in lines if "counter accept" in line]


def test_ports_and_source_ports() -> None:
    narrow = requirement(
        "media", transport="udp", ports=["5004", "9000-9010"], targets={"hosts": ["192.0.2.1"]}
    )
    assert rules(narrow) == ["iifname $lan ip daddr $out_udp_5004_v4 udp dport { 5004, 9000-9010 }"]
    assert rules(MEDIA, source_ports=True)[0] == (
        "iifname $lan ip daddr $out_udp_5004_v4 udp sport { 8000-8099 } udp dport { 5004, 9000-9010 }"
    )


def test_icmp() -> None:
    assert rules(PING) == [
        "iifname $lan ip daddr $out_icmp_networks_v4 icmp type echo-request",
        "iifname $lan ip6 daddr $out_icmp_networks_v6 icmpv6 type echo-request",
    ]


def test_names_go_into_sets_that_dnsmasq_fills() -> None:
    lines = in_force("nftables", "#", WEB)
    assert lines[lines.index(HEAD[2]) + 1 : lines.index(CHAIN[0])] == [
        "    set out_tcp_443_v4 {",
        "        type ipv4_addr",
        "        flags timeout",
        "    }",
        "    set out_tcp_443_v6 {",
        "        type ipv6_addr",
        "        flags timeout",
        "    }",
    ]
    assert rules(WEB) == [
        "iifname $lan ip daddr @out_tcp_443_v4 tcp dport { 443 }",
        "iifname $lan ip6 daddr @out_tcp_443_v6 tcp dport { 443 }",
    ]
    sets = "4#inet#readycheck#out_tcp_443_v4,6#inet#readycheck#out_tcp_443_v6"
    assert [line for line in printed("nftables", WEB) if "nftset" in line] == [
        f"# nftset=/api.example.com/{sets}",
        f"# nftset=/example.net/{sets}",
    ]
    assert "#     *-cdn.example.org  outbound tcp 443, for web (required)" in printed("nftables", WEB)


def test_the_line_of_a_domain_names_the_sets_of_those_above_it_too() -> None:
    """dnsmasq obeys the longest domain alone."""
    narrow = requirement("upload", targets={"hosts": ["up.example.net"]}, ports=["8443"])
    (line,) = [line for line in printed("nftables", WEB, narrow) if "nftset=/up.example.net/" in line]
    assert re.findall(r"#(out_\w+_v4)", line) == ["out_tcp_443_v4", "out_tcp_8443_v4"]


def test_names_with_a_star_inside_make_no_rule() -> None:
    inner = requirement("inner", targets={"hosts": ["*-cdn.example.org"]}, ports=["443"])
    assert rules(inner) == []
    assert "#     *-cdn.example.org  outbound tcp 443, for inner (required)" in printed("nftables", inner)


def test_names_open_to_everywhere() -> None:
    assert rules(WEB, any_name=True) == ["iifname $lan tcp dport { 443 }"]
    assert any("--names any" in line for line in printed("nftables", WEB, any_name=True))


def test_inbound_rules() -> None:
    assert rules(CALLED, FORWARDED, values={"gateway": "192.0.2.10"}, wan="ppp0") == [
        "iifname $wan ip daddr { 192.0.2.10/32 } tcp dport { 443 }",
        "iifname $wan ip saddr $in_tcp_5061_v4 ip daddr { 192.0.2.10/32 } tcp dport { 5061 }",
    ]
    assert 'define wan = "ppp0"' in printed("nftables", CALLED, wan="ppp0")


def test_what_is_missing_is_shown_behind_marks() -> None:
    lines = printed("nftables", CALLED, DNS, WORDS, {**FORWARDED, "ports": []})
    assert rules(CALLED, DNS, WORDS, {**FORWARDED, "ports": []}) == []
    shown = [line.strip().partition(" counter")[0] for line in lines if "counter accept" in line]
    assert shown == [
        "# iifname $lan tcp dport { 5060 }",
        "# iifname $lan ip daddr $name_servers udp dport { 53 }",
        "# iifname $wan ip daddr { $gateway } tcp dport $portal_ports",
        "# iifname $wan ip saddr $in_tcp_5061_v4 ip daddr { $gateway } tcp dport { 5061 }",
    ]
    defines = {
        "# define name_servers = { ... }",
        "# define gateway = { ... }",
        "# define portal_ports = { ... }",
    }
    assert defines <= set(lines)


def test_optional_rules_are_shown_behind_marks() -> None:
    assert rules(OPTIONAL) == []
    assert rules(OPTIONAL, everything=True) == ["iifname $lan ip daddr $out_tcp_8443_v4 tcp dport { 8443 }"]
