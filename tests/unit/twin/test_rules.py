"""What the edge forbids, in the words of each firewall."""

import pytest

from readycheck.twin.rules import Rule, fate, ip_rules, nft_rules

MEDIA = Rule(transport="udp", ports=((5004, 5004), (19560, 65535)))
REFUSED = Rule(action="reject", transport="tcp", ports=((8934, 8934),))
NETWORKS = Rule(networks=("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"))
RETURN = Rule(transport="udp", ports=((5004, 5004),), incoming=True)
NO_ICMP = Rule(transport="icmp", incoming=True)
ALL = Rule()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (MEDIA, "iifname lan0 udp dport { 5004, 19560-65535 } counter drop"),
        (REFUSED, "iifname lan0 tcp dport { 8934 } counter reject with tcp reset"),
        (NETWORKS, "iifname lan0 ip daddr { 10.0.0.0/8, 192.0.2.0/24 } counter drop"),
        (RETURN, "iifname wan0 udp sport { 5004 } counter drop"),
        (NO_ICMP, "iifname wan0 ip protocol icmp counter drop"),
        (ALL, "iifname lan0 counter drop"),
        (
            Rule(action="reject", transport="udp", ports=((53, 53),)),
            "iifname lan0 udp dport { 53 } counter reject with icmp admin-prohibited",
        ),
    ],
)
def test_nftables(rule: Rule, text: str) -> None:
    assert list(nft_rules([rule])) == [text]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (REFUSED, ["rule add iif lan0 to 0.0.0.0/0 ipproto tcp dport 8934 prohibit priority 100"]),
        (RETURN, ["rule add iif wan0 from 0.0.0.0/0 ipproto udp sport 5004 blackhole priority 100"]),
        (ALL, ["rule add iif lan0 to 0.0.0.0/0 blackhole priority 100"]),
        (
            NETWORKS,
            [
                "rule add iif lan0 to 10.0.0.0/8 blackhole priority 100",
                "rule add iif lan0 to 10.1.0.0/16 blackhole priority 100",
                "rule add iif lan0 to 192.0.2.0/24 blackhole priority 100",
            ],
        ),
    ],
)
def test_policy_routing(rule: Rule, lines: list[str]) -> None:
    assert list(ip_rules([rule])) == lines


def test_policy_routing_cannot_name_the_last_port_and_lets_the_others_past() -> None:
    assert list(ip_rules([MEDIA])) == [
        "rule add iif lan0 to 0.0.0.0/0 ipproto udp dport 1-5003 goto 32766 priority 99",
        "rule add iif lan0 to 0.0.0.0/0 ipproto udp dport 5005-19559 goto 32766 priority 99",
        "rule add iif lan0 to 0.0.0.0/0 ipproto udp blackhole priority 100",
    ]


@pytest.mark.parametrize(
    ("transport", "address", "port", "expected"),
    [
        ("udp", "1.2.3.4", 20000, "drop"),
        ("udp", "1.2.3.4", 9000, None),
        ("tcp", "1.2.3.4", 20000, None),
        ("tcp", "1.2.3.4", 8934, "reject"),
        ("tcp", "10.1.2.3", 443, "drop"),
    ],
)
def test_fate(transport: str, address: str, port: int, expected: str | None) -> None:
    assert fate((MEDIA, REFUSED, NETWORKS), transport, address, port) == expected


def test_incoming_rules_stop_an_exchange_too() -> None:
    assert fate((RETURN,), "udp", "1.2.3.4", 5004) == "drop"
    assert fate((NO_ICMP,), "udp", "1.2.3.4", 5004) is None
