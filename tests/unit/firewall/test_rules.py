"""What a firewall has to let through for each kind of row."""

from typing import Any

import pytest

from readycheck.errors import UsageError
from readycheck.firewall.rules import Known, Peer, Rule, read_rules
from readycheck.profile import Importance
from tests.unit.builders import requirement

from .sample import (
    BETWEEN,
    CALLED,
    DNS,
    FORWARDED,
    MEDIA,
    PING,
    SIGNALLING,
    STATEMENT,
    TIME,
    UDP,
    WEB,
    WORDS,
    product,
)


def rules(*rows: Any, roles: tuple[str, ...] = ("app", "gateway"), **known: Any) -> list[Rule]:
    return list(read_rules(product(*rows), roles, Known(**known)))


def test_networks() -> None:
    (rule,) = rules(MEDIA)
    assert (rule.direction, rule.transport, rule.peer) == ("outbound", "udp", Peer.NETWORKS)
    assert rule.peers == ("198.51.100.0/24", "203.0.113.7/32", "2001:db8:1::/48")
    assert [str(span) for span in rule.ports] == ["5004", "9000-9010"]
    assert [str(span) for span in rule.source_ports] == ["8000-8099"]
    assert rule.is_complete


def test_patterns_and_not_their_representatives() -> None:
    (rule,) = rules(WEB)
    assert (rule.peer, rule.peers) == (Peer.NAMES, ("api.example.com", "*.example.net", "*-cdn.example.org"))


def test_a_row_with_several_kinds_of_targets_makes_a_rule_of_each() -> None:
    targets = {"networks": ["old"], "names": ["web"], "hosts": ["{ntp-server}", "192.0.2.9", "a.example"]}
    found = {rule.peer: rule.peers for rule in rules(requirement("mix", targets=targets))}
    assert found == {
        Peer.NETWORKS: ("192.0.2.0/25", "192.0.2.9/32"),
        Peer.NAMES: ("api.example.com", "*.example.net", "*-cdn.example.org", "a.example"),
        Peer.GIVEN: ("{ntp-server}",),
    }


@pytest.mark.parametrize(
    ("value", "peer", "peers"),
    [
        ("192.0.2.5", Peer.NETWORKS, ("192.0.2.5/32",)),
        ("2001:db8::5", Peer.NETWORKS, ("2001:db8::5/128",)),
        ("ntp.example.net", Peer.NAMES, ("ntp.example.net",)),
    ],
)
def test_a_placeholder_is_filled(value: str, peer: Peer, peers: tuple[str, ...]) -> None:
    (rule,) = rules(TIME, values={"ntp-server": value})
    assert (rule.peer, rule.peers, rule.blanks) == (peer, peers, ())


def test_a_placeholder_within_a_name() -> None:
    row = requirement("tenant", targets={"hosts": ["sip.{ntp-server}.example.com"]})
    (open_,) = rules(row)
    (filled,) = rules(row, values={"ntp-server": "acme"})
    assert (open_.peer, open_.blanks) == (Peer.GIVEN, ("sip.{ntp-server}.example.com",))
    assert (filled.peer, filled.peers) == (Peer.NAMES, ("sip.acme.example.com",))


def test_what_is_left_open_makes_a_rule_incomplete() -> None:
    found = {rule.needs[0].id: rule for rule in rules(DNS, TIME, WORDS)}
    assert found["dns"].blanks == ("{name-servers}",)
    assert found["time"].blanks == ("{ntp-server}",)
    assert (found["provider"].peer, found["provider"].peers) == (Peer.WORDS, ("your provider",))
    assert not any(rule.is_complete for rule in found.values())


def test_name_servers_that_are_given() -> None:
    (rule,) = rules(DNS, resolvers=("192.0.2.53", "2001:db8::53"))
    assert (rule.peer, rule.peers) == (Peer.NETWORKS, ("192.0.2.53/32", "2001:db8::53/128"))


def test_calls_from_outside_are_for_a_host_of_ones_own() -> None:
    (open_,) = rules(CALLED)
    (filled,) = rules(CALLED, values={"gateway": "192.0.2.10"})
    assert (open_.direction, open_.peer, open_.hosts) == ("inbound", Peer.NETWORKS, ("{gateway}",))
    assert (open_.blanks, open_.is_complete) == (("{gateway}",), False)
    assert (filled.hosts, filled.is_complete) == (("192.0.2.10",), True)


def test_calls_from_anywhere() -> None:
    (rule,) = rules(FORWARDED)
    assert (rule.peer, rule.peers) == (Peer.ANY, ())


def test_hosts_of_an_inbound_row_are_the_customers_own() -> None:
    row = {**CALLED, "targets": {"networks": ["old"], "hosts": ["{ntp-server}"]}}
    (rule,) = rules(row)
    assert (rule.peer, rule.peers, rule.hosts) == (Peer.NETWORKS, ("192.0.2.0/25",), ("{ntp-server}",))


def test_hosts_of_several_roles() -> None:
    row = {**CALLED, "roles": ["app", "gateway"]}
    assert rules(row)[0].hosts == ("{own-host}",)
    assert rules(row, roles=("app",))[0].hosts == ("{app}",)
    for name in ("app", "gateway", "own-host"):
        assert rules(row, values={name: "192.0.2.10"})[0].hosts == ("192.0.2.10",)
    assert rules(CALLED, values={"own-host": "192.0.2.10"})[0].hosts == ("192.0.2.10",)


def test_a_network_of_hosts() -> None:
    (rule,) = rules(CALLED, values={"gateway": "192.0.2.0/28"})
    assert (rule.hosts, rule.is_complete) == (("192.0.2.0/28",), True)
    (rule,) = rules(TIME, values={"ntp-server": "192.0.2.0/28"})
    assert (rule.peer, rule.peers) == (Peer.NETWORKS, ("192.0.2.0/28",))


def test_ports_that_the_document_leaves_open() -> None:
    row = {**CALLED, "ports": []}
    (open_,) = rules(row, values={"gateway": "192.0.2.10"})
    (filled,) = rules(row, values={"gateway": "192.0.2.10", "trunk-ports": "5061-5063"})
    assert open_.blanks == ("{trunk-ports}",)
    assert ([str(span) for span in filled.ports], filled.is_complete) == (["5061-5063"], True)
    with pytest.raises(UsageError, match="--set trunk-ports=many: not a port"):
        rules(row, values={"trunk-ports": "many"})


def test_icmp_has_no_ports_to_ask_for() -> None:
    (rule,) = rules(PING)
    assert (rule.transport, rule.ports, rule.is_complete) == ("icmp", (), True)


def test_statements_and_information_make_no_rules() -> None:
    silent = requirement("silent", transport="none", ports=[], untestable="a setting")
    known = requirement("known", importance="informational")
    assert rules(STATEMENT, silent, known) == []


def test_rules_of_the_roles_only() -> None:
    assert [rule.needs[0].id for rule in rules(SIGNALLING, CALLED, roles=("gateway",))] == ["trunk"]


def test_rows_between_segments_are_rules_of_their_own_direction() -> None:
    (rule,) = rules(BETWEEN)
    assert (rule.direction, rule.peers, rule.hosts) == ("internal", ("192.0.2.200/32",), ())


def test_a_rule_tells_of_its_requirement() -> None:
    row = requirement(
        "sip", condition="with a trunk", source={"document": "doc", "section": "Ports", "revision": "7"}
    )
    (need,) = rules(row)[0].needs
    assert (need.id, need.importance, need.condition) == ("sip", Importance.REQUIRED, "with a trunk")
    assert need.source == "doc, Ports, revision 7"
    assert rules(requirement("old"))[0].needs[0].source == "doc, 1, revision 1"


@pytest.mark.parametrize("text", ["not a host", "a\nb", 'x";drop', "{", "}{", "fe80::1%eth0", "fe80::1%a\nb"])
def test_a_host_that_is_none_is_taken_for_words(text: str) -> None:
    (rule,) = rules(requirement("odd", **UDP, targets={"hosts": [text]}))
    assert (rule.peer, rule.is_complete) == (Peer.WORDS, False)
