"""The link, the NAT and the pace of connections: notes beside the causes, and none without evidence."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Severity, Where
from readycheck.diagnose.link import connect_again
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.environment import Interface, Kind
from readycheck.observation import Observation
from readycheck.plan import Check
from tests.unit.builders import (
    MEDIA,
    Result,
    World,
    conclude,
    conclude_from,
    make_environment,
    make_profile,
    requirement,
)


def linked(kind: Kind, **changes: Any) -> Result:
    link = Interface(name="eth0", kind=kind, addresses=("192.168.1.20",), **changes)
    return conclude(World(environment=make_environment(interfaces=(link,))))


def altered(world: World, change: Any) -> Result:
    """The run of a world in which every observation is changed."""
    outcomes = tuple(
        replace(o, observations=tuple(change(n, seen) for n, seen in enumerate(o.observations)))
        for o in world.outcomes()
    )
    return conclude_from(world, outcomes)


# --- the link -----------------------------------------------------------------------------------------


def test_a_default_route_into_a_tunnel() -> None:
    only = linked(Kind.VPN).only
    assert (only.cause, only.where, only.severity) == ("vpn-in-path", Where.HOST, Severity.NOTE)
    assert (only.confidence, only.affects) == (Confidence.LIKELY, ())


def test_connections_from_a_tunnels_address() -> None:
    tunnel = Interface(name="tun0", kind=Kind.VPN, addresses=("10.8.0.2",))
    world = World(environment=make_environment(interfaces=(tunnel,)))
    assert conclude(world).findings == ()

    def leave(_: int, o: Observation) -> Observation:
        return replace(o, facts={**o.facts, "local": ["10.8.0.2", 40000]}) if o.step is Step.CONNECT else o

    only = altered(world, leave).only
    assert (only.cause, only.confidence) == ("vpn-in-path", Confidence.CERTAIN)
    assert "tun0" in only.summary


@pytest.mark.parametrize(("signal", "weak"), [(-80.0, True), (-68.0, True), (-67.0, False), (None, False)])
def test_a_weak_radio_link(signal: float | None, weak: bool) -> None:
    found = linked(Kind.WIFI, signal_dbm=signal)
    assert found.causes == (["wifi-weak"] if weak else [])


def test_a_wired_link_is_no_radio() -> None:
    assert linked(Kind.WIRED, signal_dbm=-90.0).findings == ()


# --- the NAT ------------------------------------------------------------------------------------------

STUN = requirement("stun", **MEDIA, ports=["3478"], probe="stun")


def mapping(port: Any, address: Any = lambda n: "203.0.113.5", nodes: int = 4) -> Result:
    world = World(profile=make_profile(STUN), dense=True)

    def change(n: int, o: Observation) -> Observation:
        mapped = "mapped_address" in o.facts and n < nodes
        facts = {**o.facts, "mapped_address": f"{address(n)}:{port(n)}"} if mapped else dict(o.facts)
        if not mapped:
            facts.pop("mapped_address", None)
        return replace(o, facts=facts)

    return altered(world, change)


def test_a_public_address_that_changes() -> None:
    only = mapping(lambda n: 40_000, lambda n: f"203.0.113.{5 + n % 2}").only
    assert (only.cause, only.severity) == ("egress-unstable", Severity.NOTE)
    assert "203.0.113.5" in only.summary
    assert "203.0.113.6" in only.summary


@pytest.mark.parametrize("other", ["10.0.0.9", "100.64.3.3", "203.0.113.5"])
def test_private_addresses_seen_inside_are_no_change(other: str) -> None:
    assert mapping(lambda n: 40_000, lambda n: other if n else "203.0.113.5").findings == ()


# --- the pace of connections --------------------------------------------------------------------------


def paced(
    took_ms: float, share: int, rtt_ms: float = 20.0, again_ms: float | None = None, **facts: Any
) -> Result:
    """Of every four connections `share` take so long, and later, when they are made again, `again_ms`."""
    world = World(dense=True)
    turn = iter(range(10_000))

    def timed(o: Observation, slow_ms: float) -> Observation:
        if o.step is not Step.CONNECT:
            return o
        slow = next(turn) % 4 < share
        return replace(o, elapsed_ms=slow_ms if slow else 25.0, facts={**o.facts, "rtt_ms": rtt_ms, **facts})

    def measured(check: Check, slow_ms: float) -> Outcome:
        outcome = world.measure(check)
        return replace(outcome, observations=tuple(timed(o, slow_ms) for o in outcome.observations))

    first = [measured(check, took_ms) for check in world.plan.checks]
    later = connect_again(world.situation(first))
    return conclude_from(world, (*first, *(measured(check, again_ms or took_ms) for check in later)))


@pytest.mark.parametrize("took_ms", [1_020.0, 3_050.0])
def test_connections_that_take_seconds(took_ms: float) -> None:
    only = paced(took_ms, 3).only
    assert (only.cause, only.where, only.severity) == ("slow-connect", Where.UNKNOWN, Severity.DEGRADING)
    assert f"{took_ms / 1000:.1f} s to open" in only.summary
    assert "sip" in only.affects


@pytest.mark.parametrize(
    ("took_ms", "share", "rtt_ms"), [(1_020.0, 1, 20.0), (500.0, 4, 20.0), (1_300.0, 4, 640.0)]
)
def test_a_few_lost_packets_or_a_long_way_are_not_slow(took_ms: float, share: int, rtt_ms: float) -> None:
    assert paced(took_ms, share, rtt_ms).findings == ()


def test_a_host_that_was_busy_itself_is_no_slow_network() -> None:
    assert paced(1_500.0, 4, again_ms=30.0).findings == ()
    assert paced(1_500.0, 4, resent=0).findings == ()  # and stays it
    assert paced(1_500.0, 4, resent=1).only.cause == "slow-connect"


def test_outcomes_without_facts_are_no_evidence() -> None:
    world = World(dense=True)
    bare = tuple(Outcome(check=o.check, status=o.status, metrics=o.metrics) for o in world.outcomes())
    assert not {"slow-connect", "nat-symmetric", "egress-unstable"} & set(conclude_from(world, bare).causes)


# --- a long line --------------------------------------------------------------------------------------


def on_a_way(world: World, media_ms: float, way_ms: float, quick: str = "") -> Result:
    """The run with these round trips; connections to the host `quick` take 20 ms."""
    trips = {Step.CONNECT: way_ms, Step.ECHO: media_ms}

    def late(o: Observation) -> Observation:
        trip_ms = 20.0 if quick and o.target.host == quick else trips.get(o.step)
        return replace(o, facts={**o.facts, "rtt_ms": trip_ms}) if o.step in trips else o

    outcomes = []
    for outcome in world.outcomes():
        observations = tuple(map(late, outcome.observations))
        metrics = world.registry.probe(outcome.check.probe).summarize(observations)
        outcomes.append(replace(outcome, observations=observations, metrics=dict(metrics)))
    return conclude_from(world, tuple(outcomes))


@pytest.mark.parametrize(
    ("media_ms", "way_ms", "causes"), [(600, 600, ["delay"]), (600, 20, []), (20, 600, [])]
)
def test_media_and_all_connections_must_be_late(media_ms: float, way_ms: float, causes: list[str]) -> None:
    """Media alone may be a busy host's lateness, or a media service that is far away."""
    found = on_a_way(World(dense=True), media_ms, way_ms)
    assert found.causes == causes
    if causes:
        assert "600 ms (limit 200 ms)" in found.only.summary
        assert (found.only.where, found.only.confidence) == (Where.UNKNOWN, Confidence.LIKELY)


def test_a_line_on_which_one_connection_was_quick_is_not_long() -> None:
    """What the run sends fills the queue of a narrow line, and all that comes later waits in it."""
    world = World(dense=True)
    named = next(o.target.host for one in world.outcomes() for o in one.observations if o.target.host)
    assert on_a_way(world, 600, 600, quick=named).causes == []


@pytest.mark.parametrize(("way_ms", "affects"), [(600, {"stun"}), (1500, {"sip", "stun", "web"})])
def test_greetings_that_the_way_leaves_no_time_for_are_its_doing(way_ms: float, affects: set[str]) -> None:
    world = World(dense=True, greet=lambda target: Failure.TIMED_OUT)
    delay = next(f for f in on_a_way(world, way_ms, way_ms).findings if f.cause == "delay")
    assert set(delay.affects) == affects
