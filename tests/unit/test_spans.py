"""Sets of ports, checked against sets of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from readycheck.notation import PortRange
from readycheck.spans import inside, merged, without


def spans(low: int = 1, high: int = 40) -> st.SearchStrategy[list[PortRange]]:
    ends = st.tuples(st.integers(low, high), st.integers(low, high))
    return st.lists(ends.map(lambda pair: PortRange(low=min(pair), high=max(pair))), max_size=6)


def numbers(ports: object) -> set[int]:
    assert isinstance(ports, list | tuple)
    return {port for span in ports for port in range(span.low, span.high + 1)}


@given(spans())
def test_merging_keeps_the_ports_and_leaves_gaps_between_ranges(ports: list[PortRange]) -> None:
    found = merged(ports)
    assert numbers(found) == numbers(ports)
    assert all(a.high + 1 < b.low for a, b in pairwise(found))


@given(spans(), spans())
def test_taking_away(ports: list[PortRange], others: list[PortRange]) -> None:
    found = without(ports, others)
    assert numbers(found) == numbers(ports) - numbers(others)
    assert merged(found) == found
    assert inside(ports, merged(others)) == (numbers(ports) <= numbers(others))


@given(spans(65500, 65535))
def test_the_last_port_is_a_port(ports: list[PortRange]) -> None:
    assert numbers(without([PortRange(low=65500, high=65535)], ports)) == set(range(65500, 65536)) - numbers(
        ports
    )
