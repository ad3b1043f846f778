"""What networks and names let through."""

import ipaddress
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.coverage import Lack, around, covers, lacking


def lacks(kind: str, places: Iterable[str], others: Iterable[str]) -> set[Lack]:
    return set(lacking(kind, frozenset(places), frozenset(others)))  # type: ignore[arg-type]


def test_a_network_that_replaces_parts_of_itself_is_wider() -> None:
    assert lacks("network", ["10.0.0.0/22"], ["10.0.1.0/24", "10.0.3.0/24"]) == {
        Lack("10.0.0.0/22", ("10.0.1.0/24", "10.0.3.0/24"), ("10.0.0.0/24", "10.0.2.0/24"))
    }


def test_a_part_of_a_network_has_the_rest_of_it() -> None:
    assert lacks("network", ["10.0.1.0/24", "10.1.0.0/24"], ["10.0.0.0/16"]) == {Lack("10.1.0.0/24")}
    assert lacks("network", ["10.0.0.0/16"], ["10.0.1.0/24"]) == {
        Lack(
            "10.0.0.0/16",
            ("10.0.1.0/24",),
            tuple(
                f"10.0.{n}"
                for n in ("0.0/24", "2.0/23", "4.0/22", "8.0/21", "16.0/20", "32.0/19", "64.0/18", "128.0/17")
            ),
        )
    }


def test_halves_are_the_whole() -> None:
    assert lacks("network", ["10.0.0.0/16"], ["10.0.0.0/17", "10.0.128.0/17"]) == set()
    assert lacks("network", ["10.0.0.0/17", "10.0.128.0/17"], ["10.0.0.0/16"]) == set()


def test_versions_are_worlds_apart() -> None:
    assert lacks("network", ["::/0"], ["0.0.0.0/0"]) == {Lack("::/0")}
    assert lacks("network", ["2001:db8::/33"], ["2001:db8::/32"]) == set()


def test_what_lies_in_another_is_not_told_of() -> None:
    assert lacks("network", ["10.0.0.0/16", "10.0.1.0/24"], []) == {Lack("10.0.0.0/16")}


@st.composite
def small(draw: st.DrawFn) -> str:
    length = draw(st.integers(26, 32))
    number = draw(st.integers(0, 63)) >> (32 - length) << (32 - length)
    return f"10.0.0.{number}/{length}"


def addresses(networks: Iterable[str]) -> set[object]:
    return {address for network in networks for address in ipaddress.ip_network(network)}


@given(st.frozensets(small(), max_size=6), st.frozensets(small(), max_size=6))
def test_the_difference_is_exact(places: frozenset[str], others: frozenset[str]) -> None:
    found = lacks("network", places, others)
    exact = [network for lack in found for network in (lack.exactly or (lack.place,))]
    assert addresses(exact) == addresses(places) - addresses(others)
    assert len(addresses(exact)) == sum(ipaddress.ip_network(n).num_addresses for n in exact), "nothing twice"
    for lack in found:
        assert lack.place in places
        assert set(lack.so_far) <= others


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "*.a.example.com", True),
        ("*.a.example.com", "*.example.com", False),
        ("*.example.com", "badexample.com", False),
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.a.example.com", False),
        ("*mcs*.example.com", "amcs1.example.com", True),
        ("*mcs*.example.com", "a.mcs.example.com", False),
        ("*mcs*.example.com", "*mcs*.example.com", True),
        ("*mcs*.example.com", "*.example.com", False),
        ("*.example.com", "*mcs*.example.com", True),
    ],
)
def test_what_a_pattern_covers(pattern: str, name: str, does: bool) -> None:
    assert covers(pattern, name) is does
    assert bool(lacks("name", [name], [pattern])) is not does


def test_a_wildcard_that_replaces_names_is_wider() -> None:
    assert lacks("name", ["*.example.com"], ["b.example.com", "a.example.com", "a.example.org"]) == {
        Lack("*.example.com", ("a.example.com", "b.example.com"))
    }


def test_other_places_are_the_same_or_not() -> None:
    assert lacks("host", ["{a}", "{b}"], ["{b}"]) == {Lack("{a}")}
    assert around("described", "the PSTN") == {"the PSTN"}


def test_many_networks_are_compared_in_time() -> None:
    one = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(0, 40_000, 2)]
    other = [f"10.{n >> 8}.{n & 255}.0/25" for n in range(0, 40_000, 3)]
    found = lacks("network", one, other)
    assert len(found) == 20_000
    assert sum(bool(lack.so_far) for lack in found) == 6_667
