"""Which hop-limited packets are worth sending: what is open, in the order in which it tells most."""

from collections.abc import Set
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.egress import EXTRA_S, LONGEST_S, _controls, egress_check
from readycheck.evidence import gather
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Check, Scope
from readycheck.probe import Effort
from readycheck.sampling import part_of
from readycheck_probes.hijack import HijackParams
from readycheck_probes.path import PathParams, PathProbe
from tests.unit.builders import (
    LOCAL,
    NETWORKS,
    NODES,
    PROBES,
    RESOLVER,
    ROWS,
    World,
    make_check,
    make_outcome,
    make_profile,
    make_registry,
    make_selection,
    requirement,
    seen,
)


def follow_up(world: World, left_s: float = 10.0, gone_silent: Set[str] = frozenset()) -> Check | None:
    outcomes = [world.measure(check) for check in world.plan.checks]
    return egress_check(world.plan, world.registry, outcomes, gather(outcomes), LOCAL, left_s, gone_silent)


def params(world: World, left_s: float = 10.0) -> PathParams:
    check = follow_up(world, left_s)
    assert check is not None
    assert isinstance(check.params, PathParams)
    return check.params


def places(targets: tuple[Target, ...]) -> set[tuple[str | None, int | None]]:
    return {(target.network, target.port) for target in targets}


def test_the_check_belongs_to_no_requirement() -> None:
    check = follow_up(World(), 7.0)
    assert check is not None
    assert (check.id, check.requirement, check.probe, check.scope) == (
        "path/egress",
        None,
        "path",
        Scope.PATH,
    )
    assert check.budget_s == 7.0


def test_what_has_answered_needs_no_proof() -> None:
    asked = params(World())
    answered = {(t.network, t.port, t.transport) for t in asked.answered}
    assert (NETWORKS[0], 8934, "tcp") in answered
    for target in asked.targets[: asked.essential]:
        assert target.network not in NETWORKS[:2] or target.port not in (8934, 5004, 9000)


def test_each_silent_network_is_essential() -> None:
    asked = params(World())
    essential = asked.targets[: asked.essential]
    for transport in ("udp", "tcp"):
        assert {t.network for t in essential if t.transport == transport} >= set(NETWORKS[2:])


def test_each_port_that_answered_nowhere_is_essential() -> None:
    asked = params(World(echo=False, wall=lambda t: "drop" if t.port == 9000 else None))
    essential = asked.targets[: asked.essential]
    assert 9000 in {t.port for t in essential}
    strata = {(t.port // 11500, t.port % 2) for t in essential if t.port and t.port >= 19560}
    assert len(strata) >= 4
    assert {parity for _, parity in strata} == {0, 1}


def test_every_part_of_every_network_is_asked_at_last() -> None:
    world = World()
    asked = params(world)
    proven = {(t.network, part_of(str(t.address), str(t.network))) for t in (*asked.targets, *asked.answered)}
    assert {(network, part) for network in NETWORKS for part in range(4)} <= proven


def test_nothing_is_asked_twice() -> None:
    asked = params(World())
    assert len(set(asked.targets)) == len(asked.targets)


def test_ports_that_answer_elsewhere_come_first_because_only_they_show_that_replies_return() -> None:
    asked = params(World())
    first = next(t for t in asked.targets if t.network == NETWORKS[2] and t.transport == "udp")
    assert first.port in (5004, 9000) or first.port in {t.port for t in asked.answered}


def test_a_few_of_the_refused_are_to_be_located() -> None:
    asked = params(World(wall=lambda t: "reject" if t.port == 8934 else None))
    assert {t.port for t in asked.refused} == {8934}
    assert 1 <= len(asked.refused) <= 4
    assert len({t.network for t in asked.refused}) == len(asked.refused)


def test_a_refusal_beside_an_answer_on_the_same_port_is_a_dead_node() -> None:
    asked = params(World(closed=lambda t: t.port == 8934 and t.address == NODES[0]))
    assert asked.refused == ()


def test_controls_are_answered_targets_beyond_the_site_one_of_each_transport() -> None:
    asked = params(World())
    assert sorted(str(t.transport) for t in asked.controls) == ["tcp", "udp"]
    assert RESOLVER not in {t.address for t in asked.controls}
    assert all(t.address and t.port for t in asked.controls)


def test_failed_name_servers_are_walls_to_be_located() -> None:
    world = World(
        selection=make_selection(resolvers=(("192.88.99.53", 53),)),
        resolver=lambda transport: Failure.TIMED_OUT,
    )
    assert {(t.address, t.port, t.transport) for t in params(world).walls} == {
        ("192.88.99.53", 53, "udp"),
        ("192.88.99.53", 53, "tcp"),
    }


@pytest.mark.parametrize(("rcode", "stuck"), [({"rcode": "NXDOMAIN"}, 0), ({}, 1)])
def test_a_name_server_that_knows_of_no_such_name_has_answered(rcode: dict[str, Any], stuck: int) -> None:
    """What is asked of everybody's name servers is a name that cannot exist."""
    world = World(dense=True)
    server = Target(host="made-up.example.com", address=RESOLVER, port=53, transport="udp")
    asked = HijackParams(targets=(Target(address=RESOLVER, port=53, transport="udp"),))
    check = make_check("control/hijack", requirement=None, probe="hijack", scope=Scope.HONESTY, params=asked)
    failure = Failure.DNS_NXDOMAIN if rcode else Failure.TIMED_OUT
    outcomes = [world.measure(check) for check in world.plan.checks]
    outcomes.append(make_outcome(check, seen(Step.RESPONSE, server, failure, **rcode)))
    found = egress_check(world.plan, world.registry, outcomes, gather(outcomes), LOCAL, 10.0)
    assert (found is not None) == bool(stuck)


def test_the_mapped_address_is_passed_on_without_its_port() -> None:
    asked = params(World())
    assert (asked.local, asked.mapped) == (LOCAL, "100.127.0.20")


def test_where_everything_answers_nothing_is_left_to_prove() -> None:
    assert follow_up(World(dense=True)) is None


@pytest.mark.parametrize("importance", ["optional", "fallback", "legacy"])
def test_what_cannot_change_the_verdict_is_not_proven(importance: str) -> None:
    row = requirement("sip", importance=importance)
    assert follow_up(World(profile=make_profile(row), lively=0)) is None


def test_without_the_probe_or_the_time_there_is_none() -> None:
    without = make_registry(*(probe for probe in PROBES if probe is not PathProbe))
    assert follow_up(World(registry=without)) is None
    assert follow_up(World(), 0.4) is None


@pytest.mark.parametrize("effort", Effort)
def test_it_takes_no_longer_than_the_effort_allows(effort: Effort) -> None:
    world = World(selection=make_selection(effort=effort), lively=0)
    long = params(world, 600.0)
    assert (long.seconds, long.extra_seconds) == (LONGEST_S[effort], EXTRA_S[effort])
    short = params(world, 0.7)
    assert short.seconds == pytest.approx(0.4)
    assert short.extra_seconds <= short.seconds


def test_a_quick_run_asks_no_router_for_what_may_as_well_be_empty() -> None:
    quick = make_selection(effort=Effort.QUICK)
    sparse = World(selection=quick)
    assert follow_up(World()) is not None
    assert follow_up(sparse) is None
    assert follow_up(sparse, gone_silent={NODES[0]}) is None
    assert follow_up(replace(sparse, dead=lambda target: target.address == NODES[0]), gone_silent={NODES[0]})
    assert follow_up(replace(sparse, wall=lambda target: "drop" if target.port == 8934 else None))
    assert follow_up(replace(sparse, wall=lambda target: "reject" if target.port == 8934 else None))


@pytest.mark.parametrize("seed", range(5))
def test_the_same_outcomes_give_the_same_check(seed: int) -> None:
    one, other = (follow_up(World(seed=seed)) for _ in range(2))
    assert one == other


def test_media_networks_are_proven_on_media_ports_not_by_time() -> None:
    rows: list[dict[str, Any]] = [ROWS[1], ROWS[6]]
    asked = params(World(profile=make_profile(*rows), lively=0))
    silent = {t.network for t in asked.targets if t.port in (5004, 9000)}
    assert silent == set(NETWORKS)


# --- who leads elsewhere, too -------------------------------------------------------------------------


def test_where_something_is_lost_a_host_outside_the_product_is_asked_for_as_well() -> None:
    found = params(World(wall=lambda t: "drop" if t.port == 8934 else None)).outside
    assert [(t.port, t.transport) for t in found] == [(443, "tcp")]
    assert params(World()).outside == ()


def test_who_wants_no_host_but_the_products_is_asked_for_none() -> None:
    world = World(selection=make_selection(controls=False), wall=lambda t: "drop" if t.port == 8934 else None)
    assert params(world).outside == ()


def test_a_way_of_ipv4_is_climbed_where_there_is_one() -> None:
    """By its routers the edge of the site is seen, which has no private addresses over IPv6."""
    far = Target(address="2001:db8::1", port=443, transport="tcp")
    near = replace(far, address="198.51.100.7")
    made = [make_outcome(make_check("web/a"), seen(Step.CONNECT, far), seen(Step.CONNECT, near))]
    assert list(_controls(made)) == [near]
    assert list(_controls([make_outcome(make_check("web/a"), seen(Step.CONNECT, far))])) == [far]
