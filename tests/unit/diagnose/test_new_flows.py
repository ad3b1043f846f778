"""What answered until a moment and nothing new since is told as that, and located where routers show it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.bands import Judgement
from readycheck.diagnose.finding import Confidence, Finding, Where
from readycheck.diagnose.flows import ask_again
from readycheck.diagnose.new_flows import find_stop, new_flows_lost, told_until
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from tests.unit.builders import ISP, World, conclude_from, make_check, make_outcome, seen
from tests.unit.diagnose.test_hosts import dropping, port, world_of_hosts

STOPPED_MS = 400.0
GONE = [Target(address=f"203.0.113.{n}", port=443, transport="tcp") for n in (1, 2)]


def at(moment_ms: float, observation: Observation) -> Observation:
    return replace(observation, started_ms=moment_ms)


def contact(
    moment_ms: float,
    target: Target,
    failure: Failure | None = None,
    waited_ms: float = 900.0,
    **facts: object,
) -> Observation:
    took_ms = waited_ms if failure else 20.0
    return at(moment_ms, seen(Step.CONNECT, target, failure, took_ms=took_ms, **facts))


def answered(targets: Sequence[Target] = GONE) -> Outcome:
    found = [contact(STOPPED_MS - n, target) for n in range(2) for target in targets]
    return make_outcome(make_check("web/early", scope=Scope.NAMED), *found)


def asked_anew(
    *, last_ms: float = 6000.0, tries: int = 5, waited_ms: float = 900.0, **facts: object
) -> Outcome:
    moments = [STOPPED_MS + 10 + (last_ms - STOPPED_MS) * n / tries for n in range(tries)]
    lost = [
        contact(moment, target, Failure.TIMED_OUT, waited_ms, **facts)
        for moment in moments
        for target in GONE
    ]
    return make_outcome(make_check("repeat/silent", requirement=None, scope=Scope.FOLLOW_UP), *lost)


def world() -> World:
    return world_of_hosts(wall=lambda t: "drop" if t.transport == "tcp" else None)


def told(*more: Outcome) -> list[Finding]:
    """In a world in which TCP fails at once, beside what these show."""
    outcomes = [o for o in world().outcomes() if o.check.target.transport == "tcp" and o.check.requirement]
    waited = [replace(o, observations=tuple(map(_waited, o.observations))) for o in outcomes]
    return list(new_flows_lost(conclude_from(world(), (*waited, *more)).case))


def _waited(o: Observation) -> Observation:
    return at(STOPPED_MS + 50, replace(o, elapsed_ms=3000.0))


def test_what_answers_no_new_flow_works_by_turns() -> None:
    (only,) = told(answered(), asked_anew())
    assert (only.cause, only.where, only.confidence) == ("intermittent", Where.UNKNOWN, Confidence.LIKELY)
    assert "first 0.4 s answers no new flow since: 10 tries at 2 ports of hosts, over 4 s" in only.summary
    assert "web" in only.affects


def test_what_had_passed_is_a_warning_then() -> None:
    early = [
        replace(o, observations=tuple(at(STOPPED_MS, each) for each in o.observations))
        for o in world_of_hosts(wall=dropping(port(443))).outcomes()
        if o.check.requirement
    ]
    waited = [
        replace(o, observations=tuple(map(_waited, o.observations))) if o.check.requirement == "web" else o
        for o in early
    ]
    places = [o.observations[1].target for o in early if o.check.requirement == "plain"][:2]
    lost = [contact(STOPPED_MS + 900 * n, place, Failure.TIMED_OUT) for n in range(1, 6) for place in places]
    again = make_outcome(make_check("repeat/silent", requirement=None, scope=Scope.FOLLOW_UP), *lost)
    result = conclude_from(world(), (*waited, again))
    (only,) = [finding for finding in result.findings if finding.cause == "intermittent"]
    assert set(only.affects) == {"web", "plain"}
    assert result.verdict("plain").status is Judgement.WARN


def test_one_host_alone_is_a_guess_where_nobody_else_answers() -> None:
    (only,) = told(answered(GONE[:1] * 2), asked_anew(tries=9))
    assert only.confidence is Confidence.POSSIBLE and "tries at 203.0.113.1, over" in only.summary
    target = Target(address="203.0.113.77", port=3478, transport="udp")
    late = make_outcome(make_check("stun/late"), at(8000.0, seen(Step.ECHO, target)))
    assert told(answered(GONE[:1] * 2), asked_anew(tries=9), late) == []


@pytest.mark.parametrize(
    "more",
    [
        [asked_anew()],  # nothing had answered
        [answered(), asked_anew(tries=3)],
        [answered(), asked_anew(last_ms=2500.0)],  # a queue may be full as long
        [answered(), asked_anew(waited_ms=0.1)],  # no time was left to send it
        [answered(), asked_anew(purpose="burst")],
        [answered(), replace(asked_anew(), cut=True)],
    ],
)
def test_it_is_not_told(more: list[Outcome]) -> None:
    assert told(*more) == []


@pytest.mark.parametrize("facts", [{"elapsed_ms": 1030.0}, {"facts": {"attempt": 1}}])
def test_what_answered_a_second_packet_alone_may_drop_first_ones(facts: dict[str, Any]) -> None:
    early = answered()
    late = replace(early, observations=tuple(replace(o, **facts) for o in early.observations))
    assert find_stop([early, asked_anew()]) is not None
    assert find_stop([late, asked_anew()]) is None


def test_one_answer_later_undoes_it() -> None:
    late = make_outcome(make_check("tls/late"), contact(8000.0, Target(address="203.0.113.77", port=5061)))
    assert told(answered(), asked_anew(), late) == []


def test_datagrams_may_go_on() -> None:
    target = Target(address="203.0.113.77", port=3478, transport="udp")
    late = make_outcome(make_check("stun/late"), at(8000.0, seen(Step.ECHO, target)))
    (only,) = told(answered(), asked_anew(), late)
    assert "no new TCP flow since" in only.summary


@pytest.mark.parametrize(
    ("ttl", "times", "others_lost", "where"),
    [
        (3, 4, True, Where.ISP),
        (3, 4, False, Where.UNKNOWN),  # the vendor may have had enough of this host
        (3, 3, True, Where.UNKNOWN),
        (2, 4, True, Where.UNKNOWN),
        (4, 4, True, Where.UNKNOWN),
    ],
)
def test_a_router_of_the_provider_that_still_answers_locates_it(
    ttl: int, times: int, others_lost: bool, where: Where
) -> None:
    rung = seen(Step.HOP, GONE[0], ttl=ttl, offender=ISP, purpose="ladder", edge_ttl=2, edge_proven=True)
    path = make_outcome(
        make_check("path/egress", requirement=None, scope=Scope.PATH), *[at(5000.0, rung)] * times
    )
    asked = [name(100.0, "a.example"), *([name(1000.0, "b.example", Failure.TIMED_OUT)] * others_lost)]
    names = make_outcome(make_check("dns/x", probe="dns", scope=Scope.RESOLVERS), *asked)
    (only,) = told(answered(), asked_anew(), path, names)
    assert only.where is where
    assert (f"as far as {ISP} (hop {ttl})" in only.summary) is (ttl > 2)


def name(moment_ms: float, host: str, failure: Failure | None = None) -> Observation:
    server = Target(host=host, address="203.0.113.53", port=53, transport="udp")
    return at(moment_ms, seen(Step.RESPONSE, server, failure, took_ms=3000.0 if failure else 20.0))


def test_names_that_were_never_answered_may_be_filtered() -> None:
    dns = make_check("dns/x", probe="dns", scope=Scope.RESOLVERS)
    heard = [name(100.0 + n, f"{n}.example") for n in range(4)]
    asked = [
        [name(1000.0 + n, host, Failure.TIMED_OUT) for n in range(8)] for host in ("0.example", "x.example")
    ]
    assert find_stop([make_outcome(dns, *heard, *asked[0])]) is not None
    assert find_stop([make_outcome(dns, *heard, *asked[1])]) is None


def test_a_name_known_at_once_was_looked_up_before() -> None:
    found = seen(Step.RESOLVE, Target(host="a.example"), took_ms=0.1, server="203.0.113.53", rtt_ms=3.0)
    looked_up = make_outcome(make_check("web/x"), *[at(1200.0, found)] * 4)
    asked = [name(500.0 + n, "a.example", Failure.TIMED_OUT) for n in range(8)]
    stop = find_stop([looked_up, make_outcome(make_check("dns/x", probe="dns"), *asked)])
    assert stop is not None and stop.at_ms == 0.0


def test_who_answered_and_did_not_is_asked_again() -> None:
    hosts = [Target(address=f"203.0.113.{n}", port=443, transport="tcp") for n in range(1, 5)]
    early = answered(hosts)
    lost = make_outcome(
        make_check("web/late", scope=Scope.NAMED), *[contact(900.0, t, Failure.TIMED_OUT) for t in hosts]
    )
    (check,) = ask_again(world().situation((early, lost)))
    assert list(check.params.targets[-2:]) == hosts[:2]
    assert list(ask_again(world().situation((early,)))) == []


@pytest.mark.parametrize(
    ("at_ms", "words"), [(0.0, "at first"), (49.0, "at first"), (51.0, "in the first 0.1 s")]
)
def test_a_moment_too_short_to_tell_is_the_first(at_ms: float, words: str) -> None:
    assert told_until(at_ms) == words
