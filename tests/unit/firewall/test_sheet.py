"""What is in force, what is shown, and what only the customer can say."""

from collections.abc import Iterable

import pytest

from readycheck.errors import UsageError
from readycheck.firewall.rules import Peer, Rule
from tests.unit.builders import requirement

from .sample import BETWEEN, CALLED, DNS, LEGACY, MEDIA, OPTIONAL, SIGNALLING, TIME, WEB, WORDS, sheet

FALLBACK = requirement("other-way", importance="fallback", ports=["443"], targets={"hosts": ["192.0.2.201"]})


def needs(rules: Iterable[Rule]) -> list[str]:
    return [need.id for rule in rules for need in rule.needs]


def test_optional_and_legacy_are_not_in_force() -> None:
    found = sheet(SIGNALLING, FALLBACK, OPTIONAL, LEGACY)
    assert needs(found.rules) == ["sip", "other-way"]
    assert sorted(needs(found.spare)) == ["ancient", "extra"]


def test_but_for_the_asking() -> None:
    found = sheet(SIGNALLING, FALLBACK, OPTIONAL, LEGACY, everything=True)
    assert sorted(needs(found.rules)) == ["ancient", "extra", "other-way", "sip"]
    assert found.spare == ()


def test_what_is_between_segments_is_listed_or_in_force() -> None:
    assert (needs(sheet(BETWEEN).rules), needs(sheet(BETWEEN).between)) == ([], ["pbx"])
    assert (needs(sheet(BETWEEN, internal=True).rules), sheet(BETWEEN, internal=True).between) == (
        ["pbx"],
        (),
    )


def test_default_roles_and_chosen_ones() -> None:
    assert sheet(SIGNALLING, CALLED).roles == ("app", "gateway")
    assert needs(sheet(SIGNALLING, CALLED, roles=("gateway", "gateway")).rules) == ["trunk"]
    with pytest.raises(UsageError, match=r"--role nobody: profile 'example' has the roles app, gateway"):
        sheet(SIGNALLING, roles=("nobody",))


def test_source_ports_are_matched_when_asked_for() -> None:
    assert sheet(MEDIA).rules[0].source_ports == ()
    assert [str(span) for span in sheet(MEDIA, source_ports=True).rules[0].source_ports] == ["8000-8099"]


def test_names_and_words_may_be_opened_to_everywhere_but_inwards() -> None:
    inbound = {**CALLED, "targets": {"names": ["web"]}}
    found = sheet(WEB, {**WORDS, "ports": ["80"]}, inbound, any_name=True)
    assert [str(span) for span in found.rules[0].ports] == ["80", "443"]
    assert [(rule.direction, rule.peer) for rule in found.rules] == [
        ("outbound", Peer.ANY),
        ("inbound", Peer.NAMES),
    ]


def test_blanks_and_the_options_that_fill_them() -> None:
    row = {**CALLED, "ports": []}
    found = {blank.name: blank for blank in sheet(DNS, TIME, row).blanks}
    assert {name: blank.option for name, blank in found.items()} == {
        "name-servers": "--resolver ADDRESS",
        "ntp-server": "--set ntp-server=VALUE",
        "gateway": "--set gateway=ADDRESS",
        "trunk-ports": "--set trunk-ports=PORTS",
    }
    assert found["ntp-server"].title == "Time server, such as ntp.example.com"
    assert found["gateway"].title == "address or network of the hosts that are called: Gateway"
    values = {"ntp-server": "192.0.2.1", "gateway": "192.0.2.2", "trunk-ports": "5061"}
    assert sheet(DNS, TIME, row, values=values, resolvers=("192.0.2.3",)).blanks == ()


def test_blanks_of_other_roles_may_be_filled_all_the_same() -> None:
    assert sheet(SIGNALLING, CALLED, roles=("app",), values={"gateway": "192.0.2.2"}).blanks == ()


def test_a_host_is_known_by_each_of_its_roles_and_by_all_of_them() -> None:
    row = {**CALLED, "roles": ["app", "gateway"]}
    for name in ("app", "gateway", "own-host"):
        assert sheet(row, values={name: "192.0.2.2"}).rules


def test_a_value_for_nothing() -> None:
    with pytest.raises(UsageError, match=r"--set colour: profile 'example' has ntp-server, gateway"):
        sheet(CALLED, values={"colour": "red"})


def test_a_host_of_ones_own_has_an_address() -> None:
    with pytest.raises(UsageError, match=r"--set gateway=pbx\.example: hosts that are called"):
        sheet(CALLED, values={"gateway": "pbx.example"})


def test_domains_without_a_requirement_for_dns_get_it_from_given_name_servers() -> None:
    def added(*rows: object, **wish: object) -> list[tuple[str, str]]:
        found = sheet(*rows, resolvers=("192.0.2.53",), **wish).rules  # type: ignore[arg-type]
        return [(r.transport, r.needs[0].source) for r in found if r.needs[0].id == "name-servers"]

    source = "not in the documents: you gave the name servers"
    assert added(WEB) == [("tcp", source), ("udp", source)]
    assert added(WEB, any_name=True) == added(WEB)
    assert added(WEB, DNS) == []
    assert added(SIGNALLING) == []
    assert not any("name-servers" in needs([rule]) for rule in sheet(WEB).rules)


def test_withdrawn_rows_when_asked_for() -> None:
    assert sheet(SIGNALLING).closable == ()


def test_every_rule_has_a_label_of_its_own() -> None:
    found = sheet()
    labels = [rule.label for rule in (*found.rules, *found.spare, *found.between)]
    assert len(set(labels)) == len(labels)
