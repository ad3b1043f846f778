"""What a profile makes the cloud offer."""

from typing import Any

import pytest

from readycheck.profile import Profile
from readycheck.twin.offer import Offer, filled, read_offer
from tests.unit.builders import MEDIA, SOURCE, make_profile, requirement


def test_networks_are_the_vendors_ipv4_networks(offer: Offer) -> None:
    assert offer.networks == ("3.20.185.219/32", "23.89.0.0/16", "199.19.199.0/24")


def test_ports_are_those_of_outbound_requirements_and_controls(offer: Offer) -> None:
    assert offer.tcp == ((80, 80), (443, 443), (8934, 8934), (9962, 9962), (20000, 20500))
    assert offer.udp == ((53, 53), (123, 123), (3478, 3478), (5004, 5004), (9000, 9000), (19560, 65535))


def test_media_ports_are_told_from_those_that_echo(offer: Offer) -> None:
    assert offer.media == ((5004, 5004), (9000, 9000), (19560, 65535))
    assert offer.echo == ((19560, 65535),)


def test_the_sip_port_of_the_default_roles_comes_last(offer: Offer) -> None:
    assert offer.sip == (9962, 8934)


def test_a_certificate_based_trunk_asks_for_a_certificate(offer: Offer) -> None:
    assert offer.mutual == (9962,)


def test_the_ports_of_mtls_ask_for_a_certificate_whoever_shares_them() -> None:
    rows = (
        requirement("trunk", probe="mtls", ports=["5062", "5070-5072"]),
        requirement("calls", probe="sip", ports=["5071"]),
    )
    assert read_offer(make_profile(*rows)).mutual == (5062, 5070, 5071, 5072)


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        ({"probe": "tcp"}, {}),
        ({"probe": "tcp", "params": {"speaks": ""}}, {}),
        ({"probe": "tcp", "params": {"speaks": "h323"}}, {}),
        ({"probe": "tcp", "params": {"speaks": "ssh"}}, {22: "ssh", 5060: "ssh", 5061: "ssh"}),
        ({"probe": "http", "params": {"scheme": "https"}}, {}),
        ({"probe": "sip"}, {}),
        ({"probe": "sip", "params": {"transport": "tls"}}, {}),
        ({"probe": "sip", "params": {"transport": "tcp"}}, {22: "sip", 5060: "sip", 5061: "sip"}),
        ({"probe": "sip", "params": {"transport": "udp"}, "transport": "udp"}, {}),
        ({"probe": "tcp", "params": {"speaks": "ssh"}, "direction": "inbound"}, {}),
    ],
)
def test_servers_are_told_what_first_bytes_do_not_tell(
    changes: dict[str, Any], spoken: dict[int, str]
) -> None:
    profile = make_profile(requirement("row", **{"ports": ["22", "5060-5061"], **changes}))
    assert read_offer(profile).spoken == spoken


@pytest.mark.parametrize(
    ("changes", "served"),
    [
        ({"direction": "internal"}, True),
        ({"direction": "internal", "untestable": "from here"}, False),
        ({"direction": "internal", "probe": None, "untestable": "from here"}, False),
        ({"direction": "inbound"}, False),
    ],
)
def test_servers_of_the_site_are_played_too_if_they_are_asked(changes: dict[str, Any], served: bool) -> None:
    row = {
        "probe": "tcp",
        "params": {"speaks": "ldap"},
        "ports": ["389"],
        "targets": {"hosts": ["d.example"]},
    }
    offer = read_offer(make_profile(requirement("directory", **{**row, **changes})))
    assert ((389, 389) in offer.tcp, 389 in offer.spoken, "d.example" in offer.names) == (served,) * 3


def test_sip_over_udp_is_no_port_of_tcp() -> None:
    rows = (
        requirement("udp", probe="sip", params={"transport": "udp"}, transport="udp", ports=["5060"]),
        requirement("tls", probe="sip", ports=["5061"]),
    )
    offer = read_offer(make_profile(*rows))
    assert (offer.sip, offer.udp) == ((5061,), ((5060, 5060),))


def test_pinned_names_may_live_in_networks_with_the_same_role_and_port(offer: Offer) -> None:
    assert offer.names["web.vendor.example"] == ("3.20.185.219/32",)
    assert offer.names["push.third-party.example"] == ()


def test_every_name_that_the_profile_mentions_exists(offer: Offer) -> None:
    assert {
        "api.vendor.example",
        "extra.vendor.example",
        "_sips._tcp.vendor.example",
        "control.example.net",
        "clock.customer.example",
    } <= offer.names.keys()
    assert "{clock}" not in offer.names


def test_literal_addresses_are_kept(offer: Offer) -> None:
    assert offer.literals == ("192.0.2.7",)


def test_the_most_important_web_service_is_the_required_one(offer: Offer) -> None:
    assert offer.https == ("web.vendor.example", "api.vendor.example")


def test_hosts_answer_pings_where_a_requirement_is_icmps(profile: Profile, offer: Offer) -> None:
    ping = profile.requirements[0].model_copy(update={"id": "ping", "transport": "icmp", "ports": ()})
    pinged = profile.model_copy(update={"requirements": (*profile.requirements, ping)})
    assert (offer.ping, read_offer(pinged).ping) == (False, True)
    assert read_offer(pinged).tcp == offer.tcp and read_offer(pinged).udp == offer.udp


def test_the_hosts_of_a_customer_are_given_or_the_examples() -> None:
    places = {"pbx": {"title": "PBX", "example": "pbx.example.com"}, "trunk": {"title": "Trunk"}}
    row = requirement("r", targets={"hosts": ["{pbx}", "sip.{trunk}"]}, ports=["5060"], probe="tcp")
    profile = make_profile(row, placeholders=places)
    assert filled(profile, {}).requirements[0].targets.hosts == ("pbx.example.com",)
    given = filled(profile, {"pbx": "192.0.2.9", "trunk": "provider.example"})
    assert given.requirements[0].targets.hosts == ("192.0.2.9", "sip.provider.example")
    assert read_offer(given).literals == ("192.0.2.9",)


def test_a_product_may_have_name_servers_of_its_own() -> None:
    dns: dict[str, Any] = {"probe": "dns", "transport": "udp", "ports": ["53"]}
    networks = {"names": {"title": "N", "networks": ["192.0.2.53/32", "198.51.100.0/24"], "source": SOURCE}}
    rows = (
        requirement("own", targets={"networks": ["names"]}, **dns),
        requirement("host", targets={"hosts": ["203.0.113.1", "ns.example.com"]}, **dns),
    )
    assert read_offer(make_profile(*rows, networks=networks)).name_servers == ("192.0.2.53", "203.0.113.1")


def test_what_hurts_most_is_sip_then_what_most_requirements_lead_to() -> None:
    web = [requirement(f"web{n}", ports=["443"], probe="tls") for n in range(2)]
    other = requirement("other", ports=["8443"], probe="tcp")
    assert read_offer(make_profile(other, *web)).vital == (443, 8443)
    assert read_offer(make_profile(other, *web, requirement("sip"))).vital == (8934, 443, 8443)
    spare = requirement("gateway", ports=["5061"], roles=["gateway"])
    assert read_offer(make_profile(spare, *web, requirement("x", importance="optional"))).vital == (443,)


def test_the_ranges_that_the_default_roles_use() -> None:
    rows = [
        requirement("app", **MEDIA, ports=["19560-65535"], probe="rtp"),
        requirement("gateway", **MEDIA, ports=["8000-48199"], probe="rtp", roles=["gateway"]),
        requirement("old", **MEDIA, ports=["8000-8100"], probe="rtp", importance="legacy"),
        requirement("stun", **MEDIA, ports=["5004"], probe="stun"),
    ]
    assert read_offer(make_profile(*rows)).ranges == ((19560, 65535),)
