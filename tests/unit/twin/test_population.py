"""Which addresses are alive."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.twin.population import ELSEWHERE, alive, living, place


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**31), st.sampled_from([0.02, 0.1, 0.5]))
def test_listing_and_asking_agree(address: int, seed: int, ratio: float) -> None:
    network = ipaddress.ip_network((address & 0xFFFFFF00, 24))
    listed = set(living(str(network), seed, ratio))
    assert listed == {str(a) for a in network if alive(str(a), seed, ratio)}


@pytest.mark.parametrize("seed", [1, 2, 99])
def test_the_ratio_is_kept_in_every_quarter(seed: int) -> None:
    for quarter in ipaddress.ip_network("23.89.0.0/16").subnets(2):
        assert len(list(living(str(quarter), seed, 0.02))) == pytest.approx(16384 / 50, abs=2)


def test_the_seed_decides() -> None:
    assert set(living("23.89.0.0/20", 1, 0.02)) != set(living("23.89.0.0/20", 2, 0.02))
    assert list(living("23.89.0.0/20", 1, 0.02)) == list(living("23.89.0.0/20", 1, 0.02))


def test_extremes() -> None:
    assert list(living("23.89.0.0/24", 1, 0.0)) == []
    assert len(list(living("23.89.0.0/24", 1, 1.0))) == 256
    assert not alive("23.89.0.1", 1, 0.0)


def test_a_single_address_is_always_alive() -> None:
    assert list(living("3.20.185.219/32", 1, 0.02)) == ["3.20.185.219"]


def test_ipv6_networks_have_nobody() -> None:
    assert list(living("2001:db8::/32", 1, 0.02)) == []


def test_names_live_in_the_networks_given_for_them() -> None:
    placed = place(
        {"in.example": ("10.1.0.0/16", "10.2.0.0/24"), "out.example": (), "six.example": ("::/64",)}, 1
    )
    assert any(
        ipaddress.ip_address(placed["in.example"]) in ipaddress.ip_network(n)
        for n in ("10.1.0.0/16", "10.2.0.0/24")
    )
    assert ipaddress.ip_address(placed["out.example"]) in ipaddress.ip_network(ELSEWHERE)
    assert placed["out.example"] != placed["six.example"]


def test_more_names_than_addresses_elsewhere_share_them() -> None:
    placed = place({f"n{i}.example": () for i in range(600)}, 1)
    assert len(placed) == 600 and len(set(placed.values())) == 254


def test_a_name_in_a_single_address_gets_that_address() -> None:
    assert place({"a.example": ("3.20.185.219/32",)}, 5) == {"a.example": "3.20.185.219"}
