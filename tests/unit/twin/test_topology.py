"""The text that builds the row of namespaces."""

import ipaddress
from dataclasses import replace

import pytest

from readycheck.twin import topology
from readycheck.twin.offer import Offer
from readycheck.twin.scenarios import SCENARIOS, draw

SLOW = frozenset({topology.SLOW_LINK})


def batch(
    name: str,
    *,
    carrier: bool = False,
    carried: frozenset[tuple[str, str]] = frozenset(),
    translated: bool = True,
) -> list[str]:
    row = topology.links(carrier)
    return topology.interfaces(row, name, carried=carried, translated=translated).splitlines()


@pytest.mark.parametrize("carrier", [False, True])
def test_neighbours_share_a_network_and_no_other_link_does(carrier: bool) -> None:
    row = topology.links(carrier)
    networks = [ipaddress.ip_interface(f"{link.low_address}/{link.prefix}").network for link in row]
    assert len(set(networks)) == len(row) == len(topology.ROW) - 1
    for link, network in zip(row, networks, strict=True):
        assert ipaddress.ip_address(link.high_address) in network
        assert link.low_address != link.high_address


def test_the_client_has_one_way_out() -> None:
    assert batch(topology.CLIENT) == [
        "link set lo up",
        "addr add 192.168.20.10/24 dev eth0",
        "link set eth0 up",
        "route add default via 192.168.20.1",
    ]


def test_the_edge_knows_the_site_behind_its_router() -> None:
    assert "route add 192.168.20.0/24 via 10.20.0.2" in batch(topology.EDGE)


def test_address_translation_hides_the_site_from_the_provider() -> None:
    hidden = ("192.168.20.0/24", "10.20.0.0/30")
    for name in (topology.ACCESS, topology.CORE, topology.EXCHANGE, topology.CLOUD):
        assert not any(network in line for line in batch(name) for network in hidden)
        assert all(any(network in line for line in batch(name, translated=False)) for network in hidden)


def test_a_carrier_hides_its_customers_from_the_rest() -> None:
    assert any("100.64.8.9/30" in line for line in batch(topology.ACCESS, carrier=True))
    assert not any("100.64." in line for line in batch(topology.CORE, carrier=True))


def test_the_slow_link_is_point_to_point() -> None:
    assert "addr add 203.0.113.2 peer 203.0.113.1 dev up0" in batch(topology.CORE, carried=SLOW)
    assert "addr add 203.0.113.1 peer 203.0.113.2 dev down0" in batch(topology.EXCHANGE, carried=SLOW)
    assert "addr add 203.0.113.2/30 dev up0" in batch(topology.CORE)


def test_only_wires_that_do_something_to_packets_are_carried(offer: Offer) -> None:
    def carried(name: str) -> frozenset[tuple[str, str]]:
        return topology.carried(draw(offer, SCENARIOS[name], seed=1, ratio=0.02))

    assert carried("none") == frozenset()
    assert carried("slow") == {topology.SLOW_LINK}
    assert carried("sni-filter") == {topology.UPLINK}


def test_long_ranges_lead_to_one_socket_and_other_ports_are_silent(offer: Offer) -> None:
    text = topology.cloud_firewall(draw(offer, SCENARIOS["none"], seed=1, ratio=0.02))
    assert "fib daddr type local udp dport { 19560-65535 } redirect to :7" in text
    assert "fib daddr type local tcp dport { 20000-20500 } redirect to :7" in text
    assert "policy drop" in text


@pytest.mark.parametrize("ping", [False, True])
def test_hosts_answer_pings_where_the_product_asks_for_it(offer: Offer, ping: bool) -> None:
    text = topology.cloud_firewall(draw(replace(offer, ping=ping), SCENARIOS["none"], seed=1, ratio=0.02))
    assert ("icmp type echo-request accept" in text) is ping


def test_a_cloud_that_speaks_quic_takes_it_in(offer: Offer) -> None:
    rules = {
        name: topology.cloud_firewall(draw(offer, SCENARIOS[name], seed=1, ratio=0.02))
        for name in ("none", "quic")
    }
    assert "udp dport 443 accept" in rules["quic"]
    assert "udp dport 443 accept" not in rules["none"]


def test_both_ends_of_the_sites_line_are_narrowed_and_say_nothing() -> None:
    line = next(link for link in topology.links(False) if (link.low, link.high) == topology.NARROW_LINK)
    assert topology.narrowing(line, topology.EDGE, 1400) == "link set wan0 mtu 1400\n"
    assert topology.narrowing(line, topology.ACCESS, 1400) == "link set down0 mtu 1400\n"
    assert "frag-needed drop" in topology.silence()


def test_without_nftables_long_ranges_are_silent(offer: Offer) -> None:
    text = topology.cloud_silence(draw(offer, SCENARIOS["none"], seed=1, ratio=0.02))
    assert text.splitlines() == [
        "rule add priority 200 lookup local",
        "rule del priority 0",
        "rule add iif net0 ipproto udp dport 1-19559 goto 200 priority 99",
        "rule add iif net0 ipproto udp blackhole priority 100",
    ]


def test_the_edge_translates_and_is_broken_as_the_scenario_says(offer: Offer) -> None:
    text = topology.edge_firewall(draw(offer, SCENARIOS["udp-blocked"], seed=1, ratio=0.02))
    assert "oifname wan0 masquerade" in text
    assert "iifname lan0 udp dport { 5004, 9000, 19560-65535 } counter drop" in text


def test_a_scattered_nat_gives_each_flow_a_port_of_its_own(offer: Offer) -> None:
    text = topology.edge_firewall(draw(offer, SCENARIOS["nat-symmetric"], seed=1, ratio=0.02))
    assert "oifname wan0 masquerade fully-random" in text


def test_the_same_without_nftables(offer: Offer) -> None:
    text = topology.edge_policy(draw(offer, SCENARIOS["ntp-blocked"], seed=1, ratio=0.02))
    assert text == "rule add iif lan0 to 0.0.0.0/0 ipproto udp dport 123 blackhole priority 100\n"


def test_everyone_alive_is_local_to_the_cloud() -> None:
    assert topology.population_routes(["1.2.3.4"]) == "route add local 1.2.3.4 dev lo\n"


def test_a_carrier_translates_on_its_way_up() -> None:
    assert "oifname up0 masquerade" in topology.carrier_firewall()
