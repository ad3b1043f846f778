"""Whose wall it is: the port's, the network's, or a part's."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.evidence import Cell, Evidence, Sign
from readycheck.walls import is_silent_throughout, silent_ports, sort_walls

WEST, EAST, NORTH = "198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24"
GROUPS = {"media": frozenset({"service"}), "web": frozenset({"pages"})}


def cell(network: str, port: int, sign: Sign, part: int = 0) -> Cell:
    address = f"{network.rsplit('.', 1)[0]}.{part * 64 + 1}"
    return Cell(
        sign=sign, check=f"media/{network}:{port}", requirement="media", transport="udp", network=network,
        address=address, part=part, port=port,
    )  # fmt: skip


def seen(*cells: Cell) -> Evidence:
    labels = {("udp", c.port): frozenset({str(c.port)}) for c in cells}
    return Evidence(cells, (), 2, None, labels)


def test_a_wall_on_a_port_that_is_open_nowhere_is_the_ports() -> None:
    walls = sort_walls(seen(cell(WEST, 5004, Sign.STOPPED), cell(WEST, 9000, Sign.ANSWERED)))
    assert walls.columns == {("udp", "5004")}
    assert not walls.rows
    assert not walls.parts


def test_a_wall_before_a_network_whose_port_is_open_elsewhere_is_the_networks() -> None:
    evidence = seen(cell(WEST, 5004, Sign.STOPPED), cell(EAST, 5004, Sign.LEFT))
    walls = sort_walls(evidence)
    assert walls.rows == {("udp", WEST)}
    assert not walls.columns
    assert [c.network for c in walls.of_network(WEST)] == [WEST]
    assert walls.of_network(EAST) == []


def test_a_wall_beside_an_open_part_is_the_parts() -> None:
    evidence = seen(cell(WEST, 5004, Sign.LEFT), cell(WEST, 5004, Sign.STOPPED, part=3))
    assert sort_walls(evidence).parts == {("udp", WEST, 3)}


def test_refusals_on_several_ports_of_one_network_alone_are_the_networks_where_others_pass() -> None:
    """Else a router that refuses seldom gave them all to the network that was asked first."""
    refused = [cell(WEST, port, Sign.REJECTED) for port in (5004, 9000)]
    elsewhere = cell(EAST, 5004, Sign.SILENT)
    walls = sort_walls(seen(*refused, elsewhere, cell(EAST, 9000, Sign.ANSWERED)))
    assert not walls.columns
    assert walls.rows == {("udp", WEST)}
    nothing = sort_walls(seen(*refused, elsewhere, cell(EAST, 9000, Sign.SILENT)))
    assert not nothing.columns | nothing.rows
    assert nothing.lone == {("udp", "5004", WEST), ("udp", "9000", WEST)}


def test_refusals_on_one_port_of_one_network_alone_may_be_for_either() -> None:
    """A router that refuses seldom gave them all to the network that was asked first."""
    refused = [cell(WEST, 5004, Sign.REJECTED, part) for part in (0, 1)]
    walls = sort_walls(seen(*refused, cell(WEST, 5004, Sign.SILENT, part=2), cell(EAST, 5004, Sign.SILENT)))
    assert not walls.columns
    assert not walls.rows
    assert walls.lone == {("udp", "5004", WEST)}


def test_a_refusal_in_several_networks_is_the_ports() -> None:
    evidence = seen(
        cell(WEST, 5004, Sign.REJECTED), cell(EAST, 5004, Sign.REJECTED), cell(NORTH, 5004, Sign.SILENT)
    )
    walls = sort_walls(evidence)
    assert walls.columns == {("udp", "5004")}
    assert len(walls.of_column(("udp", "5004"), evidence)) == 2


def test_the_first_networks_that_a_router_refuses_are_not_alone_for_its_later_silence() -> None:
    """Routers refuse a few packets a second: of a rule for all networks, those show it that were asked first."""
    first = [cell(network, port, Sign.REJECTED) for network in (WEST, EAST) for port in (5004, 9000)]
    later = [cell(NORTH, 5004, Sign.SILENT), cell(NORTH, 9000, Sign.SILENT), cell(WEST, 20000, Sign.SILENT)]
    evidence = seen(*first, *later)
    walls = sort_walls(evidence)
    assert walls.columns == {("udp", "5004"), ("udp", "9000")}
    assert not walls.rows


def test_a_few_networks_that_refuse_all_that_they_are_asked_are_blocked() -> None:
    refused = [cell(network, port, Sign.REJECTED) for network in (WEST, EAST) for port in (5004, 9000)]
    walls = sort_walls(seen(*refused, cell(NORTH, 5004, Sign.SILENT), cell(NORTH, 9000, Sign.SILENT)))
    assert walls.rows == {("udp", WEST), ("udp", EAST)}
    assert not walls.columns


def test_a_port_walled_in_blocked_networks_alone_is_no_ports_wall() -> None:
    blocked = [cell(network, port, Sign.STOPPED) for network in (WEST, EAST) for port in (5004, 9000)]
    evidence = seen(*blocked, cell(NORTH, 9000, Sign.ANSWERED), cell(NORTH, 5004, Sign.SILENT))
    walls = sort_walls(evidence)
    assert not walls.columns
    assert walls.rows == {("udp", WEST), ("udp", EAST)}


def test_a_port_walled_beyond_a_blocked_network_is_the_ports() -> None:
    blocked = [cell(WEST, port, Sign.STOPPED) for port in (5004, 9000)]
    evidence = seen(*blocked, cell(NORTH, 9000, Sign.ANSWERED), cell(NORTH, 5004, Sign.STOPPED))
    walls = sort_walls(evidence)
    assert walls.columns == {("udp", "5004")}
    assert walls.rows == {("udp", WEST)}


def test_a_refusal_whose_author_is_known_in_one_network_only_is_the_ports() -> None:
    evidence = seen(cell(WEST, 5004, Sign.REJECTED), cell(EAST, 5004, Sign.REFUSED))
    walls = sort_walls(evidence)
    assert walls.columns == {("udp", "5004")}
    assert not walls.rows


def test_where_nothing_is_walled_there_are_no_walls() -> None:
    walls = sort_walls(seen(cell(WEST, 5004, Sign.SILENT), cell(EAST, 5004, Sign.ANSWERED)))
    assert not (walls.columns or walls.rows or walls.parts or walls.cells)


def test_a_port_is_silent_where_hosts_that_live_do_not_answer_on_it() -> None:
    dark = cell(WEST, 5004, Sign.SILENT)
    assert silent_ports(seen(dark, cell(WEST, 9000, Sign.ANSWERED)), GROUPS) == {("udp", "5004"): [dark]}
    assert silent_ports(seen(dark, cell(EAST, 9000, Sign.ANSWERED)), GROUPS) == {}


def test_hosts_that_serve_another_group_show_nothing() -> None:
    page = replace(cell(WEST, 443, Sign.ANSWERED), requirement="web")
    assert silent_ports(seen(cell(WEST, 5004, Sign.SILENT), page), GROUPS) == {}


@pytest.mark.parametrize(
    "changes", [{"quiet": True}, {"sign": Sign.UNKNOWN}, {"sign": Sign.LOCAL}, {"sign": Sign.LEFT}]
)
def test_silence_that_is_allowed_or_was_not_waited_for_shows_nothing(changes: dict[str, Any]) -> None:
    """A run that was ended, a busy host and a host's own firewall hear nobody; a host may say that nobody listens."""
    dark = replace(cell(WEST, 5004, Sign.SILENT), **changes)
    assert silent_ports(seen(dark, cell(WEST, 9000, Sign.ANSWERED)), GROUPS) == {}


@pytest.mark.parametrize("sign", [Sign.ANSWERED, Sign.REFUSED, Sign.STOPPED, Sign.REJECTED])
def test_a_port_that_shows_something_anywhere_is_not_silent(sign: Sign) -> None:
    living = cell(WEST, 5004, Sign.SILENT), cell(WEST, 9000, Sign.ANSWERED)
    asked = seen(*living, cell(EAST, 5004, sign), cell(EAST, 9000, Sign.SILENT))
    assert silent_ports(asked, GROUPS) == {}


@pytest.mark.parametrize(
    ("hosts", "networks", "throughout"),
    [(40, (WEST, EAST), True), (39, (WEST, EAST), False), (40, (WEST, EAST, NORTH), False), (40, (), False)],
)
def test_silence_is_told_from_the_wrong_hosts_by_many_in_each_network(
    hosts: int, networks: tuple[str, ...], throughout: bool
) -> None:
    where = [network for network in networks if network != NORTH] or [WEST]
    living = [
        replace(cell(where[n % len(where)], 5004, Sign.SILENT), address=f"198.51.100.{n}")
        for n in range(hosts)
    ]
    asked = [*living, *(cell(network, 5004, Sign.SILENT) for network in networks)]
    assert is_silent_throughout(living, asked) is throughout
