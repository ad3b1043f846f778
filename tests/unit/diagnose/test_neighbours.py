"""A host in one of the product's networks: is it the address that is blocked, the port, or the network?"""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from readycheck.diagnose.egress import survey
from readycheck.diagnose.finding import Confidence, Where
from readycheck.diagnose.flows import compare
from readycheck.diagnose.neighbours import home_of
from readycheck.evidence import gather
from readycheck.observation import Target
from readycheck.plan import Check
from readycheck.sampling import part_of
from tests.unit.builders import NETWORKS, ROWS, Result, World, conclude, make_profile, make_selection
from tests.unit.diagnose.test_hosts import BOTH, CONTROLS, HOSTS, NAMES, dropping

HOME, LOST = NETWORKS[0], "198.18.160.7"
HALF = "198.18.128.0/17"
AT_HOME = NAMES | {HOSTS[1]: LOST}


def world(wall: Callable[[Target], bool], **changes: Any) -> World:
    profile = make_profile(*BOTH, *ROWS[:2], controls=CONTROLS)
    return World(
        profile=profile,
        names=AT_HOME,
        selection=make_selection(resolvers=()),
        wall=dropping(lambda t: wall(t if t.address else Target(address=AT_HOME[str(t.host)], port=t.port))),
        **changes,
    )


def found(wall: Callable[[Target], bool], **changes: Any) -> Result:
    return conclude(world(wall, **changes))


def inside(network: str, *ports: int) -> Callable[[Target], bool]:
    return lambda t: (
        ip_address(str(t.address)) in ip_network(network) and (not ports or (t.port or 0) in ports)
    )


def asked(wall: Callable[[Target], bool]) -> dict[str, Check]:
    """The survey, and the comparisons that come after it."""
    here = world(wall)
    made = [here.measure(check) for check in here.plan.checks]
    checks = list(survey(here.situation(made)))
    made += [here.measure(check) for check in checks]
    return {check.id: check for check in (*checks, *compare(here.situation(made)))}


def test_a_host_that_lives_elsewhere_has_no_neighbours() -> None:
    here = world(lambda t: False)
    evidence = gather([here.measure(check) for check in here.plan.checks])
    home = home_of(LOST, evidence)
    assert home is not None
    assert (home.network, home.part) == (HOME, 2)
    assert {part_of(cell.address, HOME) for cell in home.cells} == {2}
    assert LOST not in {cell.address for cell in home.cells}
    assert home_of(NAMES[HOSTS[0]], evidence) is None
    assert home_of("2001:db8::1", evidence) is None


def test_its_quarter_of_the_network_is_surveyed_first_and_its_port_compared_there() -> None:
    checks = asked(inside(f"{LOST}/32"))
    first = checks["path/egress"].params.targets[0]
    assert (first.network, part_of(str(first.address), HOME)) == (HOME, 2)
    assert first.address != LOST
    assert checks["path/egress"].params.spared > 0
    lost, beside = checks["path/flows"].params.targets[:2]
    assert (lost.address, beside.port) == (LOST, lost.port)
    assert beside.network is None
    assert part_of(str(beside.address), HOME) == 2
    assert len(set(checks["path/flows"].params.controls[:2])) == 1


def test_for_a_port_of_networks_the_survey_may_spend_all_answers() -> None:
    survey_of_port = asked(lambda t: t.port == 8934)["path/egress"]
    assert survey_of_port.params.spared == 0
    assert survey_of_port.params.seconds < asked(lambda t: False)["path/egress"].params.seconds


def test_a_host_that_answers_on_another_port_needs_no_neighbour() -> None:
    checks = asked(inside(f"{LOST}/32", 443))
    assert [t.address for t in checks["path/flows"].params.targets] == [LOST]


def test_an_address_alone() -> None:
    only = found(inside(f"{LOST}/32")).only
    assert (only.cause, only.where, only.confidence) == ("address-blocked", Where.SITE, Confidence.LIKELY)


def test_an_address_with_its_part_of_the_network() -> None:
    only = found(inside(HALF)).only
    assert (only.cause, only.where) == ("subnet-blocked", Where.SITE)
    assert f"{HOME} (in part)" in only.summary


def test_a_port_of_the_network() -> None:
    only = found(inside(HOME, 80, 443)).only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.SITE, Confidence.LIKELY)
    assert HOME in only.summary


@pytest.mark.parametrize("wall", [inside(HALF), inside(HOME)])
def test_where_the_survey_had_no_time_an_address_is_not_blamed(wall: Callable[[Target], bool]) -> None:
    only = found(wall, proofs=0, lively=0).only
    assert (only.cause, only.confidence) == ("subnet-blocked", Confidence.POSSIBLE)
