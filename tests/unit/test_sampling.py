"""Sampling: bounded, the same for the same seed, and spread over every part of a network and a range."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.notation import PortRange
from readycheck.sampling import (
    PARTS,
    PER_NETWORK,
    PER_RUN,
    addresses,
    part_of,
    per_network,
    pick,
    shares,
    strata,
)

SEEDS = st.integers(0, 2**32)
COUNTS = st.integers(1, 32)


@st.composite
def networks(draw: st.DrawFn, *, widest: int = 8, narrowest: int = 32) -> str:
    length = draw(st.integers(widest, narrowest))
    number = draw(st.integers(0, 2**32 - 1)) >> (32 - length) << (32 - length)
    return f"{ipaddress.IPv4Address(number)}/{length}"


@st.composite
def networks_6(draw: st.DrawFn) -> str:
    length = draw(st.integers(32, 128))
    number = draw(st.integers(0, 2**128 - 1)) >> (128 - length) << (128 - length)
    return f"{ipaddress.IPv6Address(number)}/{length}"


@st.composite
def ranges(draw: st.DrawFn) -> PortRange:
    low = draw(st.integers(1, 65535))
    return PortRange(low=low, high=draw(st.integers(low, 65535)))


# --- addresses ----------------------------------------------------------------------------------------


@given(st.one_of(networks(), networks_6()), COUNTS, SEEDS)
def test_addresses_are_bounded_distinct_and_inside(network: str, count: int, seed: int) -> None:
    drawn = addresses(network, count, seed)
    assert 1 <= len(drawn) <= count
    assert len(set(drawn)) == len(drawn)
    assert all(ipaddress.ip_address(a) in ipaddress.ip_network(network) for a in drawn)


@given(st.one_of(networks(), networks_6()), COUNTS, SEEDS)
def test_the_same_seed_draws_the_same(network: str, count: int, seed: int) -> None:
    assert addresses(network, count, seed) == addresses(network, count, seed)


def test_another_seed_draws_others() -> None:
    assert addresses("198.18.0.0/16", 12, 1) != addresses("198.18.0.0/16", 12, 2)


@given(networks(narrowest=29), st.integers(4, 32), SEEDS)
def test_every_quarter_is_met(network: str, count: int, seed: int) -> None:
    drawn = addresses(network, count, seed)
    assert {part_of(a, network) for a in drawn} == set(range(PARTS))


@given(networks(widest=8, narrowest=24), st.integers(4, 32), SEEDS)
def test_any_beginning_of_the_list_is_spread(network: str, count: int, seed: int) -> None:
    drawn = addresses(network, count, seed)
    assert {part_of(a, network) for a in drawn[:PARTS]} == set(range(PARTS))


@given(networks(narrowest=30), COUNTS, SEEDS)
def test_neither_the_network_nor_its_broadcast_address_is_asked(network: str, count: int, seed: int) -> None:
    net = ipaddress.ip_network(network)
    assert not {str(net.network_address), str(net.broadcast_address)} & set(addresses(network, count, seed))


@pytest.mark.parametrize(
    ("network", "everything"),
    [
        ("192.0.2.7/32", ("192.0.2.7",)),
        ("192.0.2.6/31", ("192.0.2.6", "192.0.2.7")),
        ("192.0.2.4/30", ("192.0.2.5", "192.0.2.6")),
        ("2001:db8::1/128", ("2001:db8::1",)),
    ],
)
def test_small_networks_are_asked_whole(network: str, everything: tuple[str, ...]) -> None:
    assert addresses(network, 12, 1) == everything


@given(networks(widest=8, narrowest=24), st.integers(4, 32), SEEDS, st.data())
def test_known_addresses_come_first_and_the_quarters_are_met_all_the_same(
    network: str, count: int, seed: int, data: st.DataObject
) -> None:
    net = ipaddress.ip_network(network)
    offsets = data.draw(st.lists(st.integers(1, net.num_addresses - 2), max_size=40, unique=True))
    known = tuple(str(net.network_address + offset) for offset in offsets)
    drawn = addresses(network, count, seed, known)
    assert drawn[: len(known)] == known
    assert len(drawn) <= max(count, len(known) + PARTS)
    assert {part_of(a, network) for a in drawn} == set(range(PARTS))


def test_known_addresses_of_other_networks_and_families_are_left_out() -> None:
    drawn = addresses("198.51.100.0/24", 4, 1, ["203.0.113.9", "2001:db8::1", "198.51.100.200"])
    assert drawn[0] == "198.51.100.200"
    assert len(drawn) == 4
    assert not {"203.0.113.9", "2001:db8::1"} & set(drawn)


def test_a_known_address_that_is_named_twice_is_asked_once() -> None:
    assert addresses("198.51.100.0/24", 4, 1, ["198.51.100.9"] * 2).count("198.51.100.9") == 1


# --- quarters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network", "part"),
    [
        ("198.51.100.0", "198.51.100.0/24", 0),
        ("198.51.100.63", "198.51.100.0/24", 0),
        ("198.51.100.64", "198.51.100.0/24", 1),
        ("198.51.100.128", "198.51.100.0/24", 2),
        ("198.51.100.255", "198.51.100.0/24", 3),
        ("192.0.2.1", "192.0.2.1/32", 0),
        ("192.0.2.7", "192.0.2.6/31", 2),
        ("2001:db8:c000::1", "2001:db8::/33", 3),
    ],
)
def test_the_quarter_of_an_address(address: str, network: str, part: int) -> None:
    if network == "2001:db8::/33":
        address = "2001:db8:7fff::1"
    assert part_of(address, network) == part


# --- how many -----------------------------------------------------------------------------------------


@given(st.lists(networks(), max_size=150), st.sampled_from(sorted(PER_NETWORK)))
def test_the_run_stays_within_its_total(found: list[str], effort: str) -> None:
    count = per_network(found, effort)
    assert 1 <= count <= PER_NETWORK[effort] <= 32
    total = sum(min(count, ipaddress.ip_network(n).num_addresses) for n in found)
    assert total <= PER_RUN or count == 1


def test_efforts_differ() -> None:
    assert PER_NETWORK["quick"] < PER_NETWORK["normal"] < PER_NETWORK["thorough"] == 32
    assert PER_RUN == 600


@given(st.lists(st.integers(0, 1000), max_size=60), st.integers(0, 2000))
def test_shares_are_equal_as_far_as_they_can_be_used(sizes: list[int], most: int) -> None:
    granted = shares(sizes, most)
    assert sum(granted) == min(most, sum(sizes))
    assert all(share <= size for share, size in zip(granted, sizes, strict=True))
    curbed = [share for share, size in zip(granted, sizes, strict=True) if share < size]
    assert max(granted, default=0) - min(curbed, default=max(granted, default=0)) <= 1


def test_the_last_have_what_is_left_over() -> None:
    assert shares([5, 5, 5], 10) == [3, 3, 4]
    assert shares([1, 1, 1], 2) == [0, 1, 1]


@given(st.lists(networks(narrowest=24), max_size=50, unique=True), st.integers(0, 60), SEEDS, st.data())
def test_networks_are_drawn_by_the_seed_and_those_of_known_addresses_first(
    found: list[str], count: int, seed: int, data: st.DataObject
) -> None:
    holding = data.draw(st.lists(st.sampled_from(found), max_size=3, unique=True)) if found else []
    known = [str(ipaddress.ip_network(network)[7]) for network in holding]
    drawn = pick(found, count, str(seed), known)
    assert set(drawn) <= set(found)
    assert len(set(drawn)) == len(drawn) == min(count, len(found))
    assert pick(found, count, str(seed), known) == drawn
    holders = {n for n in found if any(ipaddress.ip_address(a) in ipaddress.ip_network(n) for a in known)}
    assert holders <= set(drawn) or set(drawn) <= holders


# --- ports --------------------------------------------------------------------------------------------


@given(ranges(), SEEDS)
def test_strata_cover_both_edges_and_both_parities(ports: PortRange, seed: int) -> None:
    tried = {port for stratum in strata(ports, seed) for port in stratum.ports}
    assert {ports.low, ports.high} <= tried
    assert all(port in ports for port in tried)
    assert {port % 2 for port in tried} == {
        port % 2 for port in range(ports.low, min(ports.high, ports.low + 1) + 1)
    }


@given(ranges(), SEEDS)
def test_a_stratum_is_named_by_its_block_and_parity(ports: PortRange, seed: int) -> None:
    found = strata(ports, seed)
    assert len({stratum.name for stratum in found}) == len(found) <= 8
    for stratum in found:
        assert 1 <= len(stratum.ports) <= 4
        if len(ports) > 1:
            block, parity = stratum.name.split(" ")
            low, high = map(int, block.split("-"))
            assert all(low <= port <= high for port in stratum.ports)
            assert {"odd" if port % 2 else "even" for port in stratum.ports} == {parity}


@given(ranges().filter(lambda ports: len(ports) > 1), SEEDS)
def test_the_blocks_make_up_the_range_without_a_gap(ports: PortRange, seed: int) -> None:
    blocks = sorted({tuple(map(int, s.name.split(" ")[0].split("-"))) for s in strata(ports, seed)})
    assert blocks[0][0] == ports.low
    assert blocks[-1][1] == ports.high
    assert all(one[1] + 1 == other[0] for one, other in pairwise(blocks))


@given(ranges(), SEEDS)
def test_strata_are_the_same_for_the_same_seed(ports: PortRange, seed: int) -> None:
    assert strata(ports, seed) == strata(ports, seed)


def test_a_single_port_is_one_stratum() -> None:
    assert [(s.name, s.ports) for s in strata(PortRange(low=5004, high=5004), 1)] == [("5004", (5004,))]


def test_a_media_range_has_four_blocks_of_two_parities() -> None:
    found = strata(PortRange(low=19560, high=65535), 1)
    assert [stratum.name for stratum in found][:2] == ["19560-31053 even", "19560-31053 odd"]
    assert len(found) == 8
    assert found[0].ports[:2] == (19560, 31052)
    assert found[-1].ports[:2] == (54043, 65535)
