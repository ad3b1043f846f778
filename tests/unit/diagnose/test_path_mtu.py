"""Large packets that vanish: who is dialled again, what counts as a black hole, and where it is."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.egress import is_due
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.diagnose.ipv6 import GREETING
from readycheck.diagnose.path_mtu import CHECK, stalled_handshakes
from readycheck.diagnose.table import follow_ups
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.environment import Interface
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck_probes.mtu import MtuProbe
from tests.unit.builders import (
    FIREWALL,
    GATEWAY,
    ISP,
    NODES,
    PROBES,
    Result,
    World,
    conclude_from,
    make_check,
    make_environment,
    make_outcome,
    make_registry,
    seen,
)

STALL = Failure.TIMED_OUT
REGISTRY = make_registry(*PROBES, MtuProbe)
SHARP: Mapping[int | None, Failure | None] = {None: STALL, 1452: STALL, 1410: STALL, 1360: None, 1200: None}
LEAST: Mapping[int | None, Failure | None] = {None: STALL, 1200: None}
BACKBONE = "198.51.100.99"


def world(**changes: Any) -> World:
    """Every TLS server takes connections, and no greeting ends."""
    return World(registry=REGISTRY, **{"greet": lambda target: STALL, **changes})


def follow_up(network: World, **situation: Any) -> Check | None:
    found = list(stalled_handshakes(network.situation(network.outcomes(), **situation)))
    return found[0] if found else None


def hop(ttl: int, address: str, *, large: int, small: int = 2, too_big: bool = False) -> Observation:
    facts = {"purpose": "mtu", "ttl": ttl, "large": large, "small": small, "sent": 2, "too_big": too_big}
    target = Target(address=NODES[0], port=8934, transport="udp")
    return seen(Step.HOP, target, None if small else STALL, offender=address, **facts)


NEAR = (hop(1, GATEWAY, large=2), hop(2, FIREWALL, large=2), hop(3, ISP, large=0), hop(4, BACKBONE, large=0))


def redialled(
    check: Check,
    sizes: Iterable[Mapping[int | None, Failure | None]] = (SHARP, LEAST, LEAST),
    hops: Iterable[Observation] = NEAR,
) -> Outcome:
    greetings = [
        seen(Step.TLS_HANDSHAKE, target, failure, purpose="mtu", max_segment=size)
        for target, ends in zip(check.params.targets, sizes, strict=False)
        for size, failure in ends.items()
    ]
    return make_outcome(check, *greetings, *hops)


def concluded(network: World, *outcomes: Outcome, **said: Any) -> Result:
    before = network.outcomes()
    check = follow_up(network)
    assert check is not None
    return conclude_from(network, (*before, *outcomes, redialled(check, **said)))


# --- who is dialled again -----------------------------------------------------------------------------


def test_the_survey_waits_until_its_routers_were_asked_for_this() -> None:
    """They answer a few packets a second, and it is by them that the hole is placed."""
    network = world()
    first = [network.measure(check) for check in network.plan.checks]
    asked = {check.id: check for check in follow_ups(network.situation(first, left_s=30.0))}
    assert CHECK in asked and "path/egress" not in asked
    assert is_due(network.situation(first, left_s=30.0))
    second = network.situation([*first, redialled(asked[CHECK])], left_s=30.0)
    assert "path/egress" in {check.id for check in follow_ups(second)}


def test_a_healthy_network_is_asked_nothing() -> None:
    assert follow_up(World(registry=REGISTRY)) is None


def test_some_of_those_that_stalled_are_dialled_again() -> None:
    check = follow_up(world())
    assert check is not None
    assert check.id == CHECK
    assert len(check.params.targets) == 3
    assert len({target.address for target in check.params.targets}) == 3
    assert all(target.address and target.port for target in check.params.targets)
    first = [world().measure(c) for c in world().plan.checks]
    assert CHECK in {c.id for c in follow_ups(world().situation(first))}


@pytest.mark.parametrize(
    "failure", [Failure.CONNECTION_RESET, Failure.TLS_ALERT, Failure.CERTIFICATE_EXPIRED, None]
)
def test_greetings_that_ended_are_no_stalls(failure: Failure | None) -> None:
    assert follow_up(world(greet=lambda target: failure)) is None


def test_connections_that_never_stood_are_no_stalls() -> None:
    assert follow_up(world(wall=lambda target: "drop")) is None


def test_without_time_or_probe_nobody_is_dialled() -> None:
    assert follow_up(world(), left_s=0.1) is None
    assert follow_up(World(greet=lambda target: STALL)) is None


@pytest.mark.parametrize(("mtu", "largest"), [(1400, 1400), (9000, 1500), (None, 1500), (576, 1500)])
def test_no_packet_is_longer_than_this_hosts_own_link_takes(mtu: int | None, largest: int) -> None:
    links = (Interface(name="eth0", mtu=mtu), Interface(name="lo", mtu=1300))
    check = follow_up(world(environment=make_environment(interfaces=links)))
    assert check is not None
    assert check.params.largest == largest


# --- what is a black hole -----------------------------------------------------------------------------


def test_greetings_that_succeed_in_smaller_segments() -> None:
    only = concluded(world()).only
    assert (only.cause, only.where, only.owner) == ("pmtu-blackhole", Where.SITE, Owner.NETWORK)
    assert (only.confidence, only.severity) == (Confidence.CERTAIN, Severity.BLOCKING)
    assert set(only.affects) == {"sip", "web"}
    assert "up to 1400 bytes; those of 1450 bytes do not" in only.summary
    assert f"reach {FIREWALL} (hop 2) and not {ISP}" in only.summary
    assert CHECK in only.evidence


def test_a_server_that_stalls_in_any_size_is_slow_and_no_black_hole() -> None:
    silent = dict.fromkeys(SHARP, STALL)
    found = concluded(world(), sizes=(silent, silent, silent))
    assert "pmtu-blackhole" not in found.causes


def test_a_server_that_answers_the_second_time_was_slow_once() -> None:
    recovered = {**SHARP, None: None}
    assert "pmtu-blackhole" not in concluded(world(), sizes=(recovered, recovered, recovered)).causes


def test_sizes_that_pass_and_fail_at_random_are_no_black_hole() -> None:
    random = {None: STALL, 1452: None, 1410: STALL, 1360: None, 1200: STALL}
    assert "pmtu-blackhole" not in concluded(world(), sizes=(random, random, random)).causes


@pytest.mark.parametrize(("ends", "told"), [(LEAST, False), (SHARP, True)])
def test_where_openings_are_lost_one_greeting_may_be_as_well(
    ends: Mapping[int | None, Failure | None], told: bool
) -> None:
    network = world()
    check = follow_up(network)
    assert check is not None
    opened = [seen(Step.CONNECT, t, resent=1, purpose="mtu", max_segment=1200) for t in check.params.targets]
    again = redialled(check, (ends,) * 3)
    again = replace(again, observations=(*opened, *again.observations))
    found = conclude_from(network, (*network.outcomes(), again))
    assert ("pmtu-blackhole" in found.causes) is told


def test_one_server_alone_is_likely_and_speaks_for_itself_only() -> None:
    others = {None: None, 1200: None}
    network = world()
    check = follow_up(network)
    assert check is not None
    sizes = [SHARP if target.address == NODES[0] else others for target in check.params.targets]
    found = concluded(network, sizes=sizes)
    finding = next(f for f in found.findings if f.cause == "pmtu-blackhole")
    assert finding.confidence is Confidence.LIKELY
    assert NODES[0] in finding.summary
    assert finding.affects == ("sip",)


def test_packets_of_ipv6_have_longer_headers() -> None:
    network = world()
    check = follow_up(network)
    assert check is not None
    six = tuple(replace(target, address=f"2001:db8::{n}") for n, target in enumerate(check.params.targets))
    check = replace(check, params=replace(check.params, targets=six))
    found = conclude_from(network, (*network.outcomes(), redialled(check, hops=())))
    assert "up to 1420 bytes" in found.only.summary


SIX = Target(host="api.example.com", address="2001:db8:a::1", port=443, transport="tcp")


def over_ipv6(*ends: Mapping[int | None, Failure | None], hops: Iterable[Observation] = ()) -> Result:
    """All is well over IPv4; over IPv6 a host takes connections, and greets so in segments of each size."""
    network = World(registry=REGISTRY)

    def both(o: Observation) -> Observation:
        known = o.step is Step.RESOLVE and o.target.host == SIX.host
        return (
            replace(o, facts={**o.facts, "addresses": [*o.facts["addresses"], SIX.address]}) if known else o
        )

    before = [replace(o, observations=tuple(map(both, o.observations))) for o in network.outcomes()]
    asked = make_check(GREETING, requirement=None, probe="tls", scope=Scope.FOLLOW_UP)
    stalled = make_outcome(asked, seen(Step.CONNECT, SIX), seen(Step.TLS_HANDSHAKE, SIX, STALL))
    (check,) = stalled_handshakes(network.situation([*before, stalled]))
    assert check.params.targets == (SIX,)
    return conclude_from(network, (*before, stalled, redialled(check, ends, hops)))


def test_a_hole_that_only_ipv6_leads_to() -> None:
    only = over_ipv6(SHARP).only
    assert (only.cause, only.where, only.confidence) == ("pmtu-blackhole", Where.UNKNOWN, Confidence.LIKELY)
    assert (only.affects, only.severity) == (("web",), Severity.DEGRADING)
    assert "over IPv6" in only.summary and "up to 1420 bytes" in only.summary
    assert set(only.evidence) == {GREETING, CHECK}


def test_a_host_that_is_slow_over_ipv6_is_no_hole() -> None:
    assert over_ipv6(dict.fromkeys(SHARP, STALL)).findings == ()


def test_a_hole_of_ipv4_explains_nothing_of_ipv6() -> None:
    asked = make_check(GREETING, requirement=None, probe="tls", scope=Scope.FOLLOW_UP)
    dead = [
        seen(Step.CONNECT, Target(host=host, address=f"2001:db8:a::{n}", port=443, transport="tcp"), STALL)
        for n, host in enumerate(("api.example.com", "control.example.org"))
    ]
    found = concluded(world(), make_outcome(asked, *dead))
    assert sorted(found.causes) == ["ipv6-broken", "pmtu-blackhole"]


def test_the_edge_of_ipv4_places_no_router_of_ipv6() -> None:
    hops = (hop(1, "2001:db8:1::1", large=2), hop(2, "2001:db8:2::1", large=0))
    only = over_ipv6(SHARP, hops=hops).only
    assert only.where is Where.UNKNOWN
    assert "reach 2001:db8:1::1 (hop 1)" in only.summary


# --- where it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("following", "where", "owner"),
    [("100.64.7.1", Where.ISP, Owner.ISP), (BACKBONE, Where.UNKNOWN, Owner.UNKNOWN)],
)
def test_beyond_the_sites_edge_it_is_the_providers_if_its_routers_are(
    following: str, where: Where, owner: Owner
) -> None:
    far = (
        hop(1, GATEWAY, large=2),
        hop(2, FIREWALL, large=2),
        hop(3, ISP, large=1),
        hop(4, following, large=0),
    )
    only = concluded(world(), hops=far).only
    assert (only.where, only.owner) == (where, owner)


@pytest.mark.parametrize(
    "hops",
    [
        (),
        (hop(1, GATEWAY, large=2), hop(2, FIREWALL, large=2)),
        (hop(1, GATEWAY, large=0), hop(2, FIREWALL, large=0)),
        (hop(1, GATEWAY, large=2), hop(2, FIREWALL, large=2), hop(3, ISP, large=0, small=1)),
        (*NEAR[:3], hop(4, BACKBONE, large=2)),
    ],
    ids=["nobody-heard", "all-as-far-as-heard", "no-large-one", "one-answer-only", "large-ones-beyond"],
)
def test_without_proof_the_place_is_unknown(hops: tuple[Observation, ...]) -> None:
    only = concluded(world(), hops=hops).only
    assert (only.where, only.confidence) == (Where.UNKNOWN, Confidence.CERTAIN)
    assert "hop" not in only.summary


def test_a_router_that_says_so_in_the_other_direction_is_told() -> None:
    hops = (hop(1, GATEWAY, large=2), hop(2, FIREWALL, large=0, small=0, too_big=True))
    only = concluded(world(), hops=hops).only
    assert "does say when a packet is too large" in only.summary
