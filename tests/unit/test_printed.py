"""Which hosts that a product lists one by one refuse what the others serve."""

from typing import Any

import pytest

from readycheck.evidence import gather
from readycheck.observation import Target
from readycheck.printed import refusing_alone
from tests.unit.builders import MEDIA, NETWORKS, NODES, SOURCE, World, make_profile, requirement

HOSTS = tuple(f"{node}/32" for node in NODES)
SIP = requirement("sip")
ROOM = requirement("room", **MEDIA, ports=["20000-20999"], probe="rtp")


def refusing(row: dict[str, Any], networks: tuple[str, ...], *nodes: str) -> set[str]:
    """The addresses that are told, where these nodes refuse whatever they are asked."""

    def closed(target: Target) -> bool:
        return target.address in nodes

    groups = {"service": {"title": "Service", "networks": networks, "source": SOURCE}}
    world = World(profile=make_profile(row, networks=groups), dense=True, closed=closed)
    outcomes = world.outcomes()
    return {cell.address for cell in refusing_alone(outcomes, gather(outcomes)).values()}


def test_a_host_that_refuses_what_most_of_the_others_serve() -> None:
    assert refusing(SIP, HOSTS, NODES[1]) == {NODES[1]}


@pytest.mark.parametrize(
    ("row", "networks", "nodes"),
    [
        (SIP, NETWORKS, NODES[1:2]),
        (ROOM, HOSTS, NODES[1:2]),
        (SIP, HOSTS, NODES[:2]),
        (SIP, HOSTS, NODES),
        (SIP, HOSTS, ()),
    ],
    ids=["of a network", "of a range of ports", "as many as answer", "all of them", "none of them"],
)
def test_what_shows_nothing(row: dict[str, Any], networks: tuple[str, ...], nodes: tuple[str, ...]) -> None:
    assert refusing(row, networks, *nodes) == set()
