"""Hosts that a product lists one by one: one that refuses is told, and how far away that is decided."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Severity, Where
from readycheck.diagnose.printed_hosts import some_refuse
from readycheck.engine import Outcome
from readycheck.evidence import Sign, gather
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import (
    DEAF,
    FIREWALL,
    NODES,
    SOURCE,
    Result,
    World,
    conclude,
    conclude_from,
    make_environment,
    make_profile,
    requirement,
    seen,
)

HOSTS = [f"{node}/32" for node in NODES]
LISTED = {"service": {"title": "Service", "networks": HOSTS, "source": SOURCE}}
SIP = requirement("sip")
RINGS = requirement("rings", transport="udp", ports=["5060"], params={"transport": "udp"})
BOX = requirement("box", ports=["8443"], probe="tcp", importance="optional")


def of(*rows: dict[str, Any], **world: Any) -> World:
    return World(profile=make_profile(*rows, networks=LISTED, controls=[]), dense=True, **world)


def at(*places: tuple[str, int]) -> Callable[[Target], bool]:
    return lambda target: (target.address, target.port) in places


def concluded(*rows: dict[str, Any], **world: Any) -> Result:
    return conclude(of(*rows, **world))


def compared(world: World) -> list[tuple[tuple[str | None, int | None], ...]]:
    """The ports whose packets are followed, each with its control."""
    (params,) = (o.check.params for o in world.outcomes() if o.check.id == "path/flows")
    pairs = zip(params.targets, params.controls, strict=True)
    return [tuple((t.address, t.port) for t in pair) for pair in pairs]


@pytest.mark.parametrize("row", [SIP, RINGS])
def test_one_that_refuses_what_the_others_serve(row: dict[str, Any]) -> None:
    found = concluded(row, closed=at((NODES[1], int(row["ports"][0]))))
    verdict = found.verdict(row["id"])
    assert (verdict.status, verdict.because) == (Judgement.WARN, "1 of 4 hosts refuses, and 3 answer")
    assert [c.status for c in verdict.checks].count(Judgement.FAIL) == 1
    assert found.readiness is Readiness.WARNINGS
    only = found.only
    assert (only.cause, only.where, only.severity) == ("service-down", Where.UNKNOWN, Severity.DEGRADING)
    assert only.confidence is Confidence.POSSIBLE
    assert f"{NODES[1]} refuses" in only.summary and "which 3 of the hosts" in only.summary


def test_what_the_host_says_of_its_port_itself_is_no_pass() -> None:
    """The way there is open: so it would pass by proof of egress."""
    world = of(RINGS)

    def refused(outcome: Outcome) -> Outcome:
        if outcome.check.target.network != HOSTS[1]:
            return outcome
        by = {"offender": NODES[1]}
        return replace(
            outcome,
            observations=tuple(
                seen(Step.ECHO, o.target, Failure.PORT_UNREACHABLE, **by) for o in outcome.observations
            ),
        )

    outcomes = tuple(map(refused, world.outcomes()))
    assert [c.sign for c in gather(outcomes).cells if c.address == NODES[1]] == [Sign.LEFT]
    found = conclude_from(world, outcomes)
    assert [c.status for c in found.verdict("rings").checks].count(Judgement.PASS) == 3
    assert (found.verdict("rings").status, found.only.cause) == (Judgement.WARN, "service-down")


def test_beside_a_connection_of_its_own_it_is_seen_to_come_from_the_host() -> None:
    world = of(SIP, BOX, closed=at((NODES[1], 8934)))
    assert compared(world) == [((NODES[1], 8934), (NODES[1], 8443))]
    only = conclude(world).only
    assert (only.where, only.confidence) == (Where.VENDOR, Confidence.LIKELY)


def test_without_one_it_is_compared_with_the_nearest_of_the_others() -> None:
    world = of(SIP, closed=at((NODES[1], 8934)))
    assert compared(world) == [((NODES[1], 8934), (NODES[0], 8934))]


def test_where_no_router_is_heard_it_is_possible() -> None:
    found = concluded(SIP, BOX, closed=at((NODES[1], 8934)), environment=make_environment(**DEAF))
    assert (found.only.where, found.only.confidence) == (Where.UNKNOWN, Confidence.POSSIBLE)


def test_what_something_on_the_way_refuses_is_no_fault_of_the_service() -> None:
    world = of(RINGS, wall=lambda t: "reject" if t.address == NODES[1] else None)
    found = conclude(world)
    assert found.causes and "service-down" not in found.causes
    assert list(some_refuse(found.case)) == []
    assert all(FIREWALL in f.summary for f in found.findings)
