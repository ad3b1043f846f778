"""The catalogue of scenarios."""

from dataclasses import replace

import pytest

from readycheck.diagnose.causes import CAUSES
from readycheck.errors import UsageError
from readycheck.twin.blueprint import Blueprint, Chain
from readycheck.twin.offer import Offer
from readycheck.twin.rules import fate
from readycheck.twin.scenarios import SCENARIOS, draw

REQUIRED = (
    "none udp-blocked sip-port-rejected sip-port-dropped subnet-blocked rtp-range-partial certificate-untrusted "
    "tls-version dns-unreachable ntp-blocked all-dropped"
)


HARMLESS = {"pac-error"}
"""Causes that may stand beside a verdict of ready: programs differ in what they make of it."""


def world(offer: Offer, name: str) -> Blueprint:
    return draw(offer, SCENARIOS[name], seed=1, ratio=0.02)


def test_the_promised_scenarios_exist() -> None:
    assert set(REQUIRED.split()) <= SCENARIOS.keys()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_says_what_to_expect(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.name == name and scenario.summary
    assert scenario.exit_status in (0, 1, 2, 3)
    notes = all(CAUSES[cause].note_only for cause in scenario.causes)
    assert scenario.exit_status or notes or set(scenario.causes) <= HARMLESS


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_survives_being_told(offer: Offer, name: str) -> None:
    blueprint = world(offer, name)
    assert Blueprint.from_json(blueprint.to_json()) == blueprint


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"none"}))
def test_a_scenario_changes_something(offer: Offer, name: str) -> None:
    assert world(offer, name) != world(offer, "none")


def test_udp_blocked_leaves_names_and_time_alone(offer: Offer) -> None:
    rules = world(offer, "udp-blocked").rules
    assert [fate(rules, "udp", "23.89.0.1", port) for port in (5004, 65535, 53, 123, 3478)] == [
        "drop",
        "drop",
        None,
        None,
        None,
    ]


def test_the_sip_port_of_the_default_roles_is_the_one_that_breaks(offer: Offer) -> None:
    assert fate(world(offer, "sip-port-rejected").rules, "tcp", "23.89.0.1", 8934) == "reject"
    assert fate(world(offer, "sip-port-dropped").rules, "tcp", "23.89.0.1", 8934) == "drop"
    assert fate(world(offer, "sip-port-dropped").rules, "tcp", "23.89.0.1", 9962) is None


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("subnet-blocked", "networks"),
        ("half-subnet-blocked", "networks"),
        ("udp-blocked", "media ports"),
        ("rtp-range-partial", "media ranges"),
        ("sip-port-dropped", "TCP ports"),
    ],
)
def test_what_a_profile_lacks_cannot_be_broken(offer: Offer, name: str, missing: str) -> None:
    bare = replace(offer, networks=(), media=(), ranges=(), vital=())
    with pytest.raises(UsageError, match=f"no {missing} that"):
        world(bare, name)


def test_some_networks_are_blocked_and_others_not(offer: Offer) -> None:
    rules = world(offer, "subnet-blocked").rules
    assert {fate(rules, "tcp", a, 443) for a in ("23.89.0.1", "199.19.199.1")} == {"drop", None}


def test_half_of_the_largest_network(offer: Offer) -> None:
    rules = world(offer, "half-subnet-blocked").rules
    assert [fate(rules, "tcp", a, 443) for a in ("23.89.0.1", "23.89.128.0")] == [None, "drop"]


def test_the_upper_half_of_the_media_range(offer: Offer) -> None:
    rules = world(offer, "rtp-range-partial").rules
    assert [fate(rules, "udp", "23.89.0.1", p) for p in (19560, 42547, 42548, 65535)] == [
        None,
        None,
        "drop",
        "drop",
    ]


def test_a_chain_is_wrong_on_sip_ports_only_or_on_all_others(offer: Offer) -> None:
    assert world(offer, "certificate-untrusted").faults.chains == {8934: Chain.STRANGER, 9962: Chain.STRANGER}
    assert world(offer, "tls-inspection").faults.chains == {80: Chain.INSPECTED, 443: Chain.INSPECTED}


def test_only_the_vendors_own_names_are_filtered(offer: Offer) -> None:
    filtered = world(offer, "dns-filter").faults.filtered
    assert "web.vendor.example" in filtered and "control.example.net" not in filtered
    homeless = world(replace(offer, names=dict.fromkeys(offer.names, ())), "dns-filter").faults.filtered
    assert "web.vendor.example" in homeless and "control.example.net" not in homeless
