"""Which silent ports are asked once more, and beside which controls."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from readycheck.diagnose.egress import survey
from readycheck.diagnose.flows import ask_again, compare, kinds
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Check, CheckTarget, Scope
from readycheck_probes.flow import FlowProbe
from readycheck_probes.repeat import RepeatProbe
from tests.unit.builders import (
    DEAF,
    NODES,
    PROBES,
    World,
    make_check,
    make_environment,
    make_outcome,
    make_profile,
    make_registry,
    requirement,
    seen,
)
from tests.unit.diagnose.test_hosts import BOTH, CONTROLS, NAMES, dropping, host, port


def product(wall: Callable[[Target], str | None], **world: object) -> World:
    rows = world.pop("rows", BOTH)
    profile = make_profile(*rows, controls=CONTROLS)  # type: ignore[misc]
    return World(profile=profile, names=NAMES, wall=wall, **world)  # type: ignore[arg-type]


def asked(world: World, left_s: float = 10.0) -> dict[str, Check]:
    made = [world.measure(check) for check in world.plan.checks]
    situation = world.situation(made, left_s)
    return {check.id: check for check in (*compare(situation), *ask_again(situation))}


def test_a_healthy_product_is_asked_nothing_more() -> None:
    assert asked(product(lambda target: None)) == {}


def test_three_hosts_stand_for_a_port_beside_their_own_other_ports() -> None:
    checks = asked(product(dropping(port(443))))
    flow = checks["path/flows"]
    assert (flow.scope, flow.requirement) == (Scope.PATH, None)
    assert [t.port for t in flow.params.targets] == [443] * 3
    for target, control in zip(flow.params.targets, flow.params.controls, strict=True):
        assert (control.address, control.port) == (target.address, 80)
    again = checks["repeat/silent"]
    assert (again.scope, len(again.params.targets)) == (Scope.FOLLOW_UP, 4)


def test_each_port_is_met_before_a_second_host_of_one() -> None:
    rows = (
        *BOTH,
        requirement("update", **{"targets": {"hosts": list(NAMES)[:4]}, "ports": ["8443"], "probe": "tcp"}),
    )
    flow = asked(product(dropping(lambda t: t.port in (443, 8443)), rows=rows))
    assert [t.port for t in flow["path/flows"].params.targets] == [443, 8443, 443]


def test_a_host_without_another_port_is_compared_with_a_neighbour_on_the_same() -> None:
    flow = asked(product(dropping(host("h1.example.com"))))["path/flows"]
    assert {t.address for t in flow.params.targets} == {NAMES["h1.example.com"]}
    assert {(c.port, c.address == NAMES["h1.example.com"]) for c in flow.params.controls} == {
        (443, False),
        (80, False),
    }


def test_what_is_refused_is_compared_and_a_few_are_asked_again() -> None:
    checks = asked(product(dropping(port(443), "reject")))
    assert list(checks) == ["path/flows", "repeat/silent"]
    assert len(checks["repeat/silent"].params.targets) == 2


def test_without_an_answer_anywhere_there_is_no_control() -> None:
    assert "path/flows" not in asked(product(lambda target: "drop"))


def test_without_privilege_probe_or_time_there_is_none() -> None:
    wall = dropping(port(443))
    assert "path/flows" not in asked(product(wall, environment=make_environment(**DEAF)))
    few = make_registry(*(p for p in PROBES if p not in (FlowProbe, RepeatProbe)))
    assert asked(product(wall, registry=few)) == {}
    assert asked(product(wall), 0.3) == {}


RING = requirement(
    "ring",
    transport="udp",
    targets={"hosts": ["h1.example.com"]},
    ports=["5060"],
    probe="sip",
    params={"transport": "udp"},
)


@pytest.mark.parametrize(("importance", "pairs"), [("required", 1), ("optional", 0)])
def test_where_silence_is_allowed_the_way_is_asked_and_not_the_host(importance: str, pairs: int) -> None:
    checks = asked(product(dropping(port(5060)), rows=(*BOTH, {**RING, "importance": importance})))
    assert list(checks) == ["path/flows"][:pairs]
    for check in checks.values():
        (target,), (control,) = check.params.targets, check.params.controls
        assert (target.port, control.address) == (5060, target.address)


def test_without_another_port_of_its_own_what_may_be_silent_is_not_asked() -> None:
    elsewhere = requirement("web", targets={"hosts": ["h2.example.com"]}, ports=["443"], probe="tls")
    assert asked(product(dropping(port(5060)), rows=(elsewhere, RING))) == {}


def test_ports_of_networks_are_compared_where_an_address_answers_another() -> None:
    """Once the survey has had its turn: routers answer seldom."""
    world = World(wall=dropping(lambda t: t.port == 8934), names={"api.example.com": Failure.DNS_NXDOMAIN})
    made = [world.measure(check) for check in world.plan.checks]
    assert list(compare(world.situation(made))) == []
    made += [world.measure(check) for check in ask_again(world.situation(made))]
    again = made[-1].check.params.targets
    assert {(t.port, t.address) for t in again} == {(8934, node) for node in NODES[:2]}


@pytest.mark.parametrize("port", [8934, 123])
def test_two_networks_stand_for_a_port_that_is_silent_everywhere(port: int) -> None:
    """Time is no media and no signalling, and devices need it all the same."""
    world = World(mute=lambda t: t.port == port, dense=True)
    made = [world.measure(check) for check in world.plan.checks]
    (check,) = ask_again(world.situation(made))
    assert [t.port for t in check.params.targets] == [port] * 2
    assert len({t.network for t in check.params.targets}) == 2


def test_what_was_asked_again_in_vain_is_still_compared() -> None:
    """The survey may have had the first turn."""
    world = product(dropping(port(443)))
    made = [world.measure(check) for check in world.plan.checks]
    made += [world.measure(check) for check in ask_again(world.situation(made))]
    assert [check.id for check in compare(world.situation(made))] == ["path/flows"]


def test_what_was_asked_again_is_compared_by_packets_of_its_own_kind() -> None:
    """Another kind may pass where this one is filtered by what it says."""
    world = World(mute=lambda t: t.port == 5004, dense=True)
    made = [world.measure(check) for check in world.plan.checks]
    made += [world.measure(check) for check in ask_again(world.situation(made))]
    made += [world.measure(check) for check in survey(world.situation(made))]
    (check,) = compare(world.situation(made))
    assert {t.port for t in check.params.targets} == {5004}
    assert dict(check.params.kinds)[5004] == "stun"


def test_a_responder_on_a_port_of_the_product_does_not_change_its_kind() -> None:
    udp, target = CheckTarget(transport="udp"), Target(address=NODES[0], port=5004, transport="udp")
    asked = [
        make_outcome(make_check(probe=probe, scope=scope, target=udp), seen(Step.ECHO, target))
        for probe, scope in (("stun", Scope.SAMPLED), ("stream", Scope.FAR_END))
    ]
    assert kinds(asked) == {5004: "stun"}


@pytest.mark.parametrize(("late", "again"), [(0, 0), (1, 0), (2, 2), (4, 4)])
def test_ports_that_answered_late_are_asked_again_if_they_are_many(late: int, again: int) -> None:
    """A lost packet or two is chance."""
    world = product(lambda target: None)
    made = [world.measure(check) for check in world.plan.checks]
    for n, outcome in enumerate(made[:late]):
        slow = tuple(
            replace(o, elapsed_ms=1_030.0) if o.step is Step.CONNECT else o for o in outcome.observations
        )
        made[n] = replace(outcome, observations=slow)
    checks = list(ask_again(world.situation(made)))
    assert sum(len(check.params.targets) for check in checks) == again


def test_late_ones_of_one_port_are_many_where_it_has_few() -> None:
    """Only what opens connections to the SIP port is lost: beside all other ports that is little."""
    world = World(dense=True)
    made = [world.measure(check) for check in world.plan.checks]
    late = next(n for n, o in enumerate(made) if o.check.target.ports == "8934")
    slow = [replace(o, elapsed_ms=3_030.0) if o.step is Step.CONNECT else o for o in made[late].observations]
    made[late] = replace(made[late], observations=tuple(slow))
    (check,) = ask_again(world.situation(made))
    assert {t.port for t in check.params.targets} == {8934}


@pytest.mark.parametrize("dark", [True, False])
def test_a_single_late_one_is_many_where_most_of_its_port_are_silent(dark: bool) -> None:
    """Of seven packets in ten that open connections to the SIP port, few come through at first, and fewer at last."""
    world = World(dense=not dark)
    made = [world.measure(check) for check in world.plan.checks]
    mine = [n for n, o in enumerate(made) if o.check.target.ports == "8934"]
    stood = [
        (n, o.target) for n in mine for o in made[n].observations if o.step is Step.CONNECT and not o.failure
    ]
    (n, late), *prompt = stood
    made[n] = replace(
        made[n],
        observations=tuple(
            replace(o, elapsed_ms=1_030.0) if o.target == late and o.step is Step.CONNECT else o
            for o in made[n].observations
        ),
    )
    checks = list(ask_again(world.situation(made)))
    again = [t.address for check in checks for t in check.params.targets]
    assert again == ([late.address, *(target.address for _, target in prompt)] if dark else [])
    assert prompt


def test_the_latest_are_asked_before_those_that_a_busy_host_made_wait() -> None:
    world = product(lambda target: None)
    made = [world.measure(check) for check in world.plan.checks]
    late_ms = dict(enumerate([850.0, 3_030.0, 860.0, 1_020.0]))
    for n, late in late_ms.items():
        slow = tuple(
            replace(o, elapsed_ms=late) if o.step is Step.CONNECT else o for o in made[n].observations
        )
        made[n] = replace(made[n], observations=slow)
    (check,) = ask_again(world.situation(made))
    asked = [t.address for t in check.params.targets]
    assert asked[:2] == [
        next(o.target.address for o in made[n].observations if o.step is Step.CONNECT) for n in (1, 3)
    ]


@pytest.mark.parametrize(("rtt_ms", "asked_again"), [(20.0, True), (1_500.0, False)])
def test_nothing_is_asked_again_that_would_answer_after_the_wait(rtt_ms: float, asked_again: bool) -> None:
    world = product(dropping(port(443)))
    made = [
        replace(
            outcome,
            observations=tuple(
                replace(o, facts={**o.facts, "rtt_ms": rtt_ms}) if o.step is Step.CONNECT else o
                for o in outcome.observations
            ),
        )
        for outcome in (world.measure(check) for check in world.plan.checks)
    ]
    assert bool(list(ask_again(world.situation(made)))) is asked_again


def test_where_all_connections_open_late_silence_is_waited_for_and_single_packets_show_nothing() -> None:
    world = product(dropping(port(443)))
    made = [world.measure(check) for check in world.plan.checks]
    late = [
        replace(
            outcome,
            observations=tuple(
                replace(o, elapsed_ms=3_050.0, facts={**o.facts, "rtt_ms": 1.0})
                if o.step is Step.CONNECT and not o.failure
                else o
                for o in outcome.observations
            ),
        )
        for outcome in made
    ]
    assert [check.id for check in compare(world.situation(made))] == ["path/flows"]
    assert list(compare(world.situation(late))) == []
    (usual,), (patient,) = (list(ask_again(world.situation(some))) for some in (made, late))
    assert (usual.params.tries, patient.params.tries) == (8, 2)
    assert 3.05 < patient.params.wait_s < patient.budget_s


def test_hosts_that_answer_on_the_one_or_the_other_port_by_chance_are_asked_again() -> None:
    """What a rule drops or nobody serves is the same port everywhere."""

    def even(target: Target) -> bool:
        return int((target.address or "0").rpartition(".")[2]) % 2 == 0

    by_turns = World(mute=lambda t: t.port == (5004 if even(t) else 9000), dense=True)
    assert [t.port for t in asked(by_turns)["repeat/silent"].params.targets] == [5004, 5004, 9000, 9000]
    assert asked(World(mute=lambda t: t.port == 9000 and even(t), dense=True)) == {}
