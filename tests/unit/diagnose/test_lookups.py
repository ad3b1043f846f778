"""Slow and dead name servers, and what is slow for another reason."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from readycheck.diagnose import lookups
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation
from tests.unit.builders import (
    RESOLVER,
    ROWS,
    Result,
    World,
    conclude,
    conclude_from,
    make_environment,
    make_profile,
    make_selection,
)

LIMITED = {**ROWS[4], "limits": {"rtt_ms": {"warn": 300}}}
PROFILE = make_profile(*ROWS[:4], LIMITED)
WORLD = World(profile=PROFILE)


def taking(world: World, outcome: Outcome, ms: float, **facts: Any) -> Outcome:
    """The same answers, as late as this."""

    def late(o: Observation) -> Observation:
        return replace(o, facts={**o.facts, "rtt_ms": ms, **facts}) if o.step is Step.RESPONSE else o

    observations = tuple(map(late, outcome.observations))
    metrics = world.registry.probe(outcome.check.probe).summarize(observations)
    return replace(outcome, observations=observations, metrics=dict(metrics))


def run(
    first_ms: float, then_ms: float, *, path_ms: float = 20.0, world: World = WORLD, **facts: Any
) -> Result:
    """Name servers take this long at first, and then when asked again, as the follow-up does."""

    def of_path(o: Observation) -> Observation:
        return replace(o, facts={**o.facts, "rtt_ms": path_ms}) if o.step is Step.CONNECT else o

    first = [
        taking(world, o, first_ms, **facts)
        if o.check.probe == "dns"
        else replace(o, observations=tuple(map(of_path, o.observations)))
        for o in world.outcomes()
    ]
    more = [
        taking(world, world.measure(check), then_ms, **facts)
        for check in lookups.ask_again(world.situation(first))
    ]
    return conclude_from(world, (*first, *more))


def test_a_name_server_that_is_slow_twice() -> None:
    only = run(800.0, 600.0).only
    assert (only.cause, only.where, only.owner) == ("dns-slow", Where.UNKNOWN, Owner.DNS)
    assert (only.confidence, only.severity) == (Confidence.CERTAIN, Severity.DEGRADING)
    assert f"{RESOLVER} takes 600 ms" in only.summary and "limit 300 ms" in only.summary
    assert only.affects == ("dns-udp",)


def test_the_first_time_a_name_may_have_to_be_fetched() -> None:
    assert "dns-slow" not in run(800.0, 10.0).causes


def test_where_every_way_is_long_the_name_server_is_not_slow() -> None:
    assert "dns-slow" not in run(800.0, 700.0, path_ms=600.0).causes


def test_questions_that_are_lost_take_their_time() -> None:
    only = run(10.0, 10.0, attempts=2).only
    assert only.cause == "dns-slow"
    assert "8 of 8 questions had to be asked again" in only.summary


def test_a_server_that_answers_no_question_with_edns_is_not_slow() -> None:
    assert run(10.0, 10.0, attempts=2, edns_fallback=True).findings == ()
    assert "dns-slow" in run(800.0, 600.0, attempts=2, edns_fallback=True).causes


def test_where_all_else_is_lost_by_turns_the_name_server_is_not_slow() -> None:
    """Its answers come at once, to the questions that arrive."""
    lossy = World(profile=PROFILE, wall=lambda t: "drop" if t.port == 8934 else None, flaky=lambda t: 3)
    assert run(10.0, 10.0, world=lossy, attempts=2).causes == ["intermittent"]
    assert "dns-slow" in run(800.0, 600.0, world=lossy).causes


def losing(
    lost: int, again: int | None = None, *, late_services: bool = False, via: str | None = None
) -> Result:
    """So many of each ten questions get their answer at the second try only; when asked `again`, so many."""
    names = ("example.com", *(f"n{n}.example.com" for n in range(4)))
    world = World(profile=make_profile(*ROWS[:4], {**LIMITED, "params": {"names": list(names)}}))

    def lossy(outcome: Outcome, lost: int) -> Outcome:
        turn = count()
        observations = tuple(
            replace(o, facts={**o.facts, "attempts": 2 if next(turn) * lost % 10 < lost else 1})
            if outcome.check.probe == "dns"
            else replace(o, elapsed_ms=1100.0 if late_services else o.elapsed_ms)
            for o in outcome.observations
        )
        target = replace(outcome.check.target, via=via if outcome.check.probe != "dns" else None)
        return replace(outcome, observations=observations, check=replace(outcome.check, target=target))

    first = [lossy(outcome, lost) for outcome in world.outcomes()]
    checks = lookups.ask_again(world.situation(first))
    more = [lossy(world.measure(check), lost if again is None else again) for check in checks]
    return conclude_from(world, (*first, *more))


def test_behind_a_proxy_the_line_may_lose_as_many() -> None:
    """What is asked of the proxy says nothing of datagrams."""
    assert "dns-slow" not in losing(4, via="proxy.example.org:3128").causes


def test_questions_that_are_lost_are_counted() -> None:
    only = losing(4).only
    assert (only.cause, only.where, only.owner) == ("dns-slow", Where.UNKNOWN, Owner.DNS)
    assert only.confidence is Confidence.LIKELY
    assert f"{RESOLVER} leaves 10 of 35 questions unanswered" in only.summary


def test_questions_that_are_answered_once_the_line_is_quiet_blame_no_name_server() -> None:
    """All names of a run are asked for at once, which the queue of a narrow line may not hold."""
    assert "dns-slow" in losing(9, 3).causes
    assert "dns-slow" not in losing(9, 1).causes


def test_a_question_that_is_lost_now_and_then_is_no_name_servers_fault() -> None:
    assert losing(1).findings == ()


def test_questions_for_names_that_are_never_answered_are_not_counted() -> None:
    world = World(profile=PROFILE)
    outcomes = [
        replace(outcome, observations=tuple(silent(o) for o in outcome.observations))
        if outcome.check.probe == "dns"
        else outcome
        for outcome in world.outcomes()
    ]
    assert list(lookups.ask_again(world.situation(outcomes))) == []


def silent(o: Observation) -> Observation:
    if o.target.host != "cdn.example.com":
        return o
    return replace(o, failure=Failure.TIMED_OUT, facts={"answered_by_server": False})


def test_where_services_come_late_as_well_the_name_server_is_not_blamed() -> None:
    assert "dns-slow" not in losing(4, late_services=True).causes


def test_a_fast_name_server_is_not_asked_again() -> None:
    assert list(lookups.ask_again(WORLD.situation(WORLD.outcomes()))) == []
    assert run(299.0, 299.0).findings == ()


# --- dead ones ----------------------------------------------------------------------------------------


def two(dead: Mapping[str, str]) -> World:
    return World(
        environment=make_environment(resolvers=("192.168.1.53", "192.168.1.54")),
        selection=make_selection(resolvers=(("192.168.1.53", 53), ("192.168.1.54", 53))),
        wall=lambda t: dead.get(t.address or ""),
    )


@pytest.mark.parametrize(
    ("dead", "cause", "severity"),
    [
        ("192.168.1.53", "dns-slow", Severity.DEGRADING),
        ("192.168.1.54", "dns-unreachable", Severity.NOTE),
    ],
)
def test_a_dead_name_server_costs_most_where_it_is_the_first(
    dead: str, cause: str, severity: Severity
) -> None:
    only = conclude(two({dead: "drop"})).only
    assert (only.cause, only.severity, only.where) == (cause, severity, Where.UNKNOWN)
    assert only.summary.startswith(dead) and "5 s" in only.summary


def test_without_a_live_one_they_are_not_slow() -> None:
    assert conclude(two({"192.168.1.53": "drop", "192.168.1.54": "drop"})).causes == ["dns-unreachable"]
    assert conclude(two({})).findings == ()


# --- silent at first ----------------------------------------------------------------------------------


def waking(then: Failure | None, *, from_ms: float = 4500.0, luck: int = 0) -> Result:
    """No name server answers when the run begins; asked later, each says `then`, but `luck` of them nothing."""
    row = {**LIMITED, "params": {"names": ["example.com", "a.example.com", "b.example.com"]}}
    silent = World(profile=make_profile(*ROWS[:4], row), resolver=lambda transport: Failure.TIMED_OUT)
    later = replace(silent, resolver=lambda transport: then)
    first = silent.outcomes()
    asked = [c for c in lookups.ask_again(silent.situation(first)) if c.id.startswith(lookups.AGAIN)]
    kept = tuple(o for o in first if not o.check.id.startswith(lookups.AGAIN))
    more = []
    for check in asked:
        outcome, lost = later.measure(check), silent.measure(check)
        seen = (*lost.observations[:luck], *outcome.observations[luck:])
        late = tuple(replace(o, started_ms=from_ms + n * 100.0) for n, o in enumerate(seen))
        more.append(replace(outcome, observations=late))
    return conclude_from(silent, (*kept, *more))


def test_name_servers_that_wake_are_not_out_of_reach() -> None:
    found = waking(None)
    only = found.only
    assert (only.cause, only.confidence, only.where) == ("intermittent", Confidence.LIKELY, Where.UNKNOWN)
    assert only.severity is not Severity.BLOCKING
    assert "in the first 4.5 s" in only.summary and "6 of 6 questions" in only.summary
    assert "dns-udp" in only.affects
    assert "first 4.7 s" in waking(None, luck=2).only.summary


@pytest.mark.parametrize("then", [Failure.TIMED_OUT, Failure.DNS_SERVFAIL, Failure.DNS_REFUSED])
def test_name_servers_that_look_nothing_up_later_are_out_of_reach(then: Failure) -> None:
    assert waking(then).causes == ["dns-unreachable"]


def test_an_answer_or_two_are_luck() -> None:
    assert waking(None, luck=4).causes == ["dns-unreachable"]
