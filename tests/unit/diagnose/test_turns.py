"""What answers by turns is counted; what only fails in a burst meets a limit of the rate; nothing is a block."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Severity, Where
from readycheck.diagnose.turns import Tally, _chance, _is_lossy
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.media.stream import wilson
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from tests.unit.builders import NODES, World, conclude, conclude_from, seen
from tests.unit.diagnose.test_hosts import HOSTS, host, of_hosts, port, world_of_hosts
from tests.unit.diagnose.test_media import by_chance, heard
from tests.unit.far_side import way


@pytest.mark.parametrize("answers", [1, 4, 7])
def test_a_host_that_answers_by_turns_is_no_block(answers: int) -> None:
    only = of_hosts(wall=lambda t: "drop" if t.port == 443 else None, flaky=lambda t: answers).only
    assert (only.cause, only.where, only.confidence) == ("intermittent", Where.UNKNOWN, Confidence.CERTAIN)
    assert f"{4 * answers} of 36 tries" in only.summary
    assert (only.affects, only.severity) == (("web",), Severity.BLOCKING)


def test_a_host_that_failed_once_and_answers_ever_since() -> None:
    only = of_hosts(dead=host(HOSTS[0], 443), flaky=lambda t: 8).only
    assert (only.cause, only.confidence) == ("intermittent", Confidence.LIKELY)
    assert "8 of 9 tries (56% to 98% at 95 % confidence)" in only.summary


def test_a_port_of_the_networks_that_answers_by_turns() -> None:
    world = World(wall=lambda t: "drop" if t.port == 8934 else None, flaky=lambda t: 3)
    found = conclude(world)
    assert found.only.cause == "intermittent"
    assert f"TCP 8934 of {NODES[0]}" in found.only.summary


@pytest.mark.parametrize(
    ("lost", "answers", "causes"),
    [
        (0.0, 6, ["intermittent"]),
        (0.12, 6, ["loss"]),
        (0.12, 2, ["intermittent", "loss"]),
    ],
)
def test_what_a_lossy_way_loses_is_told_once(lost: float, answers: int, causes: list[str]) -> None:
    world: dict[str, Any] = {"wall": lambda t: "drop" if t.port == 8934 else None, "flaky": lambda t: answers}
    found = heard(way(lost_up=by_chance(lost), lost_down=by_chance(lost, 6)), **world)
    assert sorted(finding.cause for finding in found.findings) == causes
    told = next(finding for finding in found.findings if finding.cause == causes[-1])
    assert ("sip" in told.affects) is (len(causes) == 1)


def test_what_never_answers_again_is_none() -> None:
    assert of_hosts(wall=lambda t: "drop" if port(443)(t) else None).only.cause == "port-blocked"


# --- a line that is poor, or long ---------------------------------------------------------------------


def repeated(world: World, *, late: int = 0, rtt_ms: float = 20.0) -> list[str]:
    """The causes when the connections of every so many-th check came late, or the way is so long."""
    outcomes = []
    for n, outcome in enumerate(world.outcomes()):
        slow = late and n % late == 0

        def change(o: Observation, slow: bool = bool(slow)) -> Observation:
            if o.step is not Step.CONNECT or o.failure or o.facts.get("purpose"):
                return o
            return replace(
                o, elapsed_ms=1100.0 if slow else o.elapsed_ms, facts={**o.facts, "rtt_ms": rtt_ms}
            )

        outcomes.append(replace(outcome, observations=tuple(map(change, outcome.observations))))
    return conclude_from(world, tuple(outcomes)).causes


ONE_DIED: dict[str, Any] = {"dead": host(HOSTS[0], 443), "flaky": lambda t: 8}


def test_a_host_that_failed_once_where_many_connections_came_late_is_chance() -> None:
    assert repeated(world_of_hosts(**ONE_DIED)) == ["intermittent"]
    assert repeated(world_of_hosts(**ONE_DIED), late=3) == []


def test_where_all_connections_come_late_one_that_was_not_waited_for_is_late() -> None:
    world = world_of_hosts(wall=lambda t: "drop" if t.port == 443 else None, flaky=lambda t: 2)
    assert repeated(world) == ["intermittent"]
    assert repeated(world, late=1) == []


@pytest.mark.parametrize(("took_ms", "told"), [(1100.0, False), (30.0, True)])
def test_a_port_of_which_the_first_packet_is_always_lost_opens_late(took_ms: float, told: bool) -> None:
    world = world_of_hosts(wall=lambda t: "drop" if t.port == 443 else None, flaky=lambda t: 0)

    def stand(o: Observation) -> Observation:
        asked_once = o.step is Step.CONNECT and o.target.port == 443 and not o.facts.get("purpose")
        if not asked_once or o.target.host == HOSTS[0]:
            return o
        return replace(o, failure=None, elapsed_ms=took_ms, facts={**o.facts, "rtt_ms": 20.0})

    stood = [replace(one, observations=tuple(map(stand, one.observations))) for one in world.outcomes()]
    assert ("intermittent" in conclude_from(world, tuple(stood)).causes) is told


def test_on_a_way_that_is_longer_than_a_try_nothing_alternates() -> None:
    assert repeated(world_of_hosts(**ONE_DIED), rtt_ms=600.0) == []


@pytest.mark.parametrize(
    ("least", "expected", "chance"), [(1, 0.0, 0.0), (0, 2.0, 1.0), (2, 1.5, 0.442), (300, 9.0, 0.0)]
)
def test_the_chance_of_so_many(least: int, expected: float, chance: float) -> None:
    assert _chance(least, expected) == pytest.approx(chance, abs=0.001)


@pytest.mark.parametrize(
    ("slow", "lossy"),
    [
        ([(7, 8)], False),
        ([(5, 8)], True),
        ([(5, 8), (7, 8), (8, 8), (7, 8)], False),  # the worst of four
        ([(4, 8), (8, 8), (8, 8), (8, 8)], True),
        ([(7, 8)] * 6, False),
        ([(6, 8)] * 6, True),
    ],
)
def test_a_poor_line_loses_less_than_what_alternates(slow: list[tuple[int, int]], lossy: bool) -> None:
    asked = [Tally("tcp", "192.0.2.1", 443, "x", ("c",), (1, 1), share, (0, 0)) for share in slow]
    assert _is_lossy(asked) is lossy


# --- a limit of the rate ------------------------------------------------------------------------------


def policed(slow: int, burst: int, nodes: int = 2) -> Any:
    """A run whose media port was silent, and what came of asking slowly and at once."""
    world = World(mute=lambda t: t.port in (5004, 9000), icmp=False)
    made = [o for o in world.outcomes() if o.check.scope is not Scope.FOLLOW_UP]
    again = next(o for o in world.outcomes() if o.check.scope is Scope.FOLLOW_UP)
    targets = [
        Target(network=t.network, address=t.address, port=t.port, transport="udp")
        for t in again.check.params.targets
    ]
    told = [
        seen(Step.ECHO, target, None if turn < count else Failure.TIMED_OUT, purpose=purpose, turn=turn)
        for target in targets
        if target.address in NODES[:nodes]
        for purpose, count in (("repeat", slow), ("burst", burst))
        for turn in range(8)
    ]
    return conclude_from(
        world, (*made, Outcome(check=again.check, status=again.status, observations=tuple(told)))
    )


def test_what_is_whole_when_slow_and_broken_at_once() -> None:
    only = policed(8, 3).only
    assert (only.cause, only.where, only.confidence) == ("rate-limited", Where.UNKNOWN, Confidence.LIKELY)
    assert "32 of 32" in only.summary
    assert "12 of 32, at 2 addresses" in only.summary
    assert only.affects == ("stun",)


@pytest.mark.parametrize(("slow", "burst", "nodes"), [(6, 3, 2), (8, 7, 2), (8, 3, 1)])
def test_loss_at_any_rate_or_at_one_address_is_no_limit(slow: int, burst: int, nodes: int) -> None:
    assert policed(slow, burst, nodes).causes == ["intermittent"]


@pytest.mark.parametrize(
    ("successes", "tries", "low", "high"),
    [(0, 8, 0.0, 0.324), (8, 8, 0.676, 1.0), (5, 10, 0.237, 0.763), (1, 100, 0.002, 0.054)],
)
def test_the_interval_of_a_share(successes: int, tries: int, low: float, high: float) -> None:
    assert wilson(successes, tries) == pytest.approx((low, high), abs=0.001)


# --- the first packet of each flow --------------------------------------------------------------------


def late_flows(*, pair: Failure | None, single: Failure | None = Failure.TIMED_OUT) -> Any:
    """A run in which media seems walled off, and what came of single packets and of two of one flow."""
    world = World(wall=lambda t: "drop" if t.port in (5004, 9000) else None)
    told = [
        seen(
            Step.ECHO,
            Target(network=t.network, address=t.address, port=t.port, transport="udp"),
            end,
            **facts,
        )
        for o in world.outcomes()
        if o.check.probe == "repeat"
        for t in o.check.params.targets
        for end, facts in (
            *(((single, {"purpose": "repeat", "turn": turn})) for turn in range(8)),
            (pair, {"purpose": "pair"}),
        )
    ]
    made = [
        replace(o, observations=tuple(told)) if o.check.probe == "repeat" else o for o in world.outcomes()
    ]
    return conclude_from(world, tuple(made))


def test_a_second_packet_that_is_answered_where_no_first_is_tears_the_wall_down() -> None:
    only = late_flows(pair=None).only
    assert (only.cause, only.where, only.confidence) == ("intermittent", Where.UNKNOWN, Confidence.LIKELY)
    assert "the second packet of a flow and never the first" in only.summary
    assert only.affects == ("stun",)


def test_two_packets_that_are_lost_as_well_are_no_news() -> None:
    assert late_flows(pair=Failure.TIMED_OUT).only.cause == "port-blocked"
