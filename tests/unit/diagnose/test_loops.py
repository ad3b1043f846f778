"""A router that says of a whole packet that its hops are used up sent it in a circle."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from readycheck.diagnose.finding import Confidence, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import NAME_SERVERS, Scope
from tests.unit.builders import FIREWALL, ISP, Result, World, conclude_from
from tests.unit.diagnose.test_hosts import HOSTS, NAMES, world_of_hosts

FAR = "203.0.113.134"


def going_round(world: World, lost: Callable[[Target], bool], by: str = FAR, **facts: object) -> Result:
    """The run in which a router says so of each first packet to these."""

    def end(o: Observation) -> Observation:
        first = o.step in (Step.CONNECT, Step.ECHO)
        hit = first and o.failure is not None and not o.facts.get("purpose") and lost(o.target)
        said = {**o.facts, "offender": by, **facts}
        return replace(o, failure=Failure.HOP_LIMIT_EXCEEDED, facts=said) if hit else o

    made = [replace(o, observations=tuple(map(end, o.observations))) for o in world.outcomes()]
    return conclude_from(world, tuple(made))


def one_host(by: str = FAR, **facts: object) -> Result:
    address = NAMES[HOSTS[0]]
    return going_round(
        world_of_hosts(dead=lambda t: t.address == address), lambda t: t.address == address, by, **facts
    )


def test_a_host_to_which_packets_go_round_is_neither_down_nor_closed() -> None:
    only = one_host().only
    assert (only.cause, only.where, only.confidence) == (
        "address-blocked",
        Where.UNKNOWN,
        Confidence.LIKELY,
    )
    assert f"Packets to {HOSTS[0]} go round in a circle on the way: {FAR} says" in only.summary
    assert only.affects == ("web", "plain")


@pytest.mark.parametrize(("by", "where"), [(FIREWALL, Where.SITE), (ISP, Where.ISP)])
def test_the_router_that_says_so_tells_the_place(by: str, where: Where) -> None:
    assert one_host(by).only.where is where


def test_a_network_of_the_product_is_told_as_such() -> None:
    network = next(t.network for o in World().outcomes() for t in o.check.params.targets if t.network)
    found = going_round(
        World(dense=True, dead=lambda t: t.network == network), lambda t: t.network == network
    )
    loop = next(f for f in found.findings if f.cause == "subnet-blocked")
    assert str(network) in loop.summary and loop.confidence is Confidence.CERTAIN


def test_a_loop_minds_no_port() -> None:
    """The router says it seldom, of two networks alone, and of the third nothing is heard."""
    networks = list(
        dict.fromkeys(t.network for o in World().outcomes() for t in o.check.params.targets if t.network)
    )
    found = going_round(
        World(dead=lambda t: t.network in networks[:3]),
        lambda t: t.network in networks[:2] and t.port in (8934, 5004),
        by=ISP,
    )
    assert "subnet-blocked" in found.causes
    assert "port-rejected" not in found.causes


def test_a_packet_with_few_hops_was_meant_to_end() -> None:
    assert "address-blocked" not in one_host(ttl=3).causes


def test_where_everything_goes_round_the_site_is_cut_off() -> None:
    """No network and no name server is told besides: one cause, one finding."""
    found = going_round(World(wall=lambda t: "drop", icmp=False), lambda t: True, by=ISP)
    only = found.only
    assert (only.cause, only.where, only.confidence) == (
        "site-offline",
        Where.UNKNOWN,
        Confidence.CERTAIN,
    )
    assert f"{ISP} says that their hops are used up" in only.summary


def test_a_name_server_that_packets_do_not_reach_has_a_cause_of_its_own() -> None:
    def end(o: Observation, scope: Scope) -> Observation:
        said = {**o.facts, "offender": FAR}
        return replace(o, failure=Failure.HOP_LIMIT_EXCEEDED, facts=said) if scope in NAME_SERVERS else o

    world = world_of_hosts()
    made = [
        replace(outcome, observations=tuple(end(o, outcome.check.scope) for o in outcome.observations))
        for outcome in world.outcomes()
    ]
    assert not {"address-blocked", "subnet-blocked"} & set(conclude_from(world, tuple(made)).causes)
