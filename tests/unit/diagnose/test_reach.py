"""What the grid shows: one fault is one finding, with the right place and owner, and nothing besides."""

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.diagnose.reach import by_number, within
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.verdict import Judgement, Readiness, Strength
from tests.unit.builders import (
    DEAF,
    FIREWALL,
    GATEWAY,
    ISP,
    MEDIA,
    NETWORKS,
    NODES,
    PING,
    ROWS,
    SOURCE,
    Result,
    World,
    conclude,
    conclude_from,
    make_check,
    make_environment,
    make_outcome,
    make_profile,
    requirement,
    seen,
)

Wall = Callable[[Target], str | None]


def is_media(target: Target) -> bool:
    return target.transport == "udp" and target.port not in (53, 123)


def inside(network: str) -> Callable[[Target], bool]:
    block = ipaddress.ip_network(network)
    return lambda target: bool(target.address) and ipaddress.ip_address(target.address or "") in block


def dropping(blocked: Callable[[Target], bool], how: str = "drop") -> Wall:
    return lambda target: how if blocked(target) else None


def rejecting(blocked: Callable[[Target], bool]) -> Wall:
    return dropping(blocked, "reject")


def on_port(*ports: int) -> Callable[[Target], bool]:
    return lambda target: target.port in ports


def in_range(low: int, high: int) -> Callable[[Target], bool]:
    return lambda target: target.transport == "udp" and low <= (target.port or 0) <= high


# --- nothing is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lively", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_healthy_site_is_ready_although_most_addresses_are_silent(lively: int, seed: int) -> None:
    found = conclude(World(lively=lively, seed=seed))
    assert found.findings == ()
    assert found.readiness is Readiness.READY


@pytest.mark.parametrize("proofs", [0, 1, 3, 8, 20])
def test_a_survey_that_ran_out_of_time_accuses_nobody(proofs: int) -> None:
    found = conclude(World(proofs=proofs))
    assert found.findings == ()
    assert Judgement.FAIL not in found.statuses().values()


@pytest.mark.parametrize(
    ("world", "because"),
    [
        ({"icmp": False}, "no proof either way"),
        ({"environment": make_environment(**DEAF)}, "routers cannot be heard from here"),
    ],
    ids=["filtered", "not permitted"],
)
def test_silence_is_no_block_where_no_router_is_heard(world: dict[str, Any], because: str) -> None:
    found = conclude(World(**world))
    assert found.findings == ()
    assert found.readiness is Readiness.WARNINGS
    assert found.verdict("sip").status is Judgement.INCONCLUSIVE
    assert because in found.verdict("sip").because


def test_an_open_media_range_on_which_nobody_answers_is_no_finding() -> None:
    assert conclude(World(echo=False)).findings == ()
    assert conclude(World(echo=False, icmp=False)).findings == ()


@pytest.mark.parametrize("blocked", [on_port(8934), inside(NETWORKS[2]), in_range(42548, 65535)])
def test_what_cannot_be_proven_is_not_claimed(blocked: Callable[[Target], bool]) -> None:
    found = conclude(World(icmp=False, wall=dropping(blocked)))
    assert found.findings == ()
    assert found.readiness is not Readiness.READY


# --- UDP ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "reject"])
@pytest.mark.parametrize("proofs", [None, 12])
def test_udp_blocked(how: str, proofs: int | None) -> None:
    found = conclude(World(wall=dropping(is_media, how), proofs=proofs))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("udp-blocked", Where.SITE, Owner.NETWORK)
    assert (only.confidence, only.severity) == (Confidence.CERTAIN, Severity.BLOCKING)
    assert only.affects == ("stun", "range")
    assert FIREWALL in only.summary
    assert "5004, 9000, 19560-65535" in only.remedy
    assert found.readiness is Readiness.NOT_READY


def test_ports_to_open_are_told_once_and_in_as_few_ranges_as_there_can_be() -> None:
    audio = requirement("audio", **MEDIA, ports=["8999", "19560-19661"], probe="rtp")
    found = conclude(World(profile=make_profile(*ROWS, audio), wall=dropping(is_media)))
    assert "ports 5004, 8999-9000, 19560-65535." in found.only.remedy


@pytest.mark.parametrize("again", [True, False])
def test_one_wall_where_no_udp_comes_farther_is_not_called_the_ports(again: bool) -> None:
    """The survey saw the others beyond the site and no farther: so little is no reason to accuse one port."""
    world = World(
        wall=dropping(lambda t: t.transport == "udp" and t.port != 53), wall_ttl=4, hops=FAR, proofs=0
    )
    made = [_with_flows(o, {5004}) for o in world.outcomes() if again or o.check.probe != "repeat"]
    only = conclude_from(world, tuple(made)).only
    wanted = ("udp-blocked", Confidence.LIKELY) if again else ("port-blocked", Confidence.POSSIBLE)
    assert (only.cause, only.confidence, only.where) == (*wanted, Where.UNKNOWN)


@pytest.mark.parametrize("rows", [ROWS, ROWS[:2]], ids=["RTP beside it", "STUN alone"])
def test_stun_that_is_dropped_for_what_it_says_is_not_all_udp(rows: Any) -> None:
    """RTP to the same port goes on."""
    world = World(profile=make_profile(*rows), wall=dropping(on_port(5004, 9000)), by_content=True)
    only = conclude(world).only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.SITE, Confidence.CERTAIN)
    assert only.affects == ("stun",)
    assert "what is dropped is STUN" in only.summary
    assert "Exempt STUN" in only.remedy


@pytest.mark.parametrize("icmp", [True, False])
@pytest.mark.parametrize("ports", ["7000", "19560-65535"])
def test_media_ports_without_a_call_are_silent_in_a_healthy_network(ports: str, icmp: bool) -> None:
    """A product may have no other media: neither its requests nor the replies to them are blocked."""
    media = requirement("range", **MEDIA, ports=[ports], probe="rtp")
    world = World(profile=make_profile(ROWS[0], media), echo=False, lively=3, icmp=icmp)
    assert conclude(world).findings == ()


def test_silence_that_is_allowed_makes_no_second_wall() -> None:
    """A media port that no call has opened stays silent, however often it is asked."""
    calls = requirement("calls", **MEDIA, ports=["9000"], probe="rtp")
    stun = requirement("stun", **MEDIA, ports=["5004"], probe="stun")
    blocked = dropping(lambda t: t.transport == "udp" and t.port != 53)
    world = World(profile=make_profile(ROWS[0], stun, calls), wall=blocked, wall_ttl=4, hops=FAR, proofs=0)
    found = conclude_from(world, tuple(_with_flows(o, {5004}) for o in world.outcomes()))
    assert (found.only.cause, found.only.confidence) == ("port-blocked", Confidence.POSSIBLE)


FAR = (GATEWAY, FIREWALL, ISP, "203.0.113.1", "203.0.113.2")


def _with_flows(outcome: Outcome, ports: set[int]) -> Outcome:
    """Time was short: only the first comparison with a control, to one of these ports, came to a result."""
    if outcome.check.probe != "flow":
        return outcome
    first = next(t for t in outcome.check.params.targets if t.port in ports)
    kept = [o for o in outcome.observations if o.target == first or o.facts["purpose"] == "ladder"]
    return replace(outcome, observations=tuple(kept))


def test_udp_blocked_explains_time_where_that_is_blocked_too() -> None:
    found = conclude(World(wall=dropping(lambda t: t.transport == "udp" and t.port != 53)))
    assert found.only.cause == "udp-blocked"
    assert found.only.affects == ("stun", "range", "ntp")
    assert "ntp-blocked" in found.only.explains


def test_silent_udp_beside_tcp_that_answers_is_only_possible_without_proof() -> None:
    found = conclude(World(icmp=False, wall=dropping(is_media)))
    assert (found.only.cause, found.only.confidence) == ("udp-blocked", Confidence.POSSIBLE)
    assert found.only.where is Where.UNKNOWN
    assert found.readiness is Readiness.UNKNOWN


def test_replies_that_are_lost_on_the_way_back() -> None:
    found = conclude(World(mute=is_media))
    only = found.only
    assert (only.cause, only.confidence) == ("udp-return-blocked", Confidence.LIKELY)
    assert only.affects == ("stun", "range")
    assert only.evidence
    assert only.severity is Severity.DEGRADING
    assert found.readiness is Readiness.UNKNOWN


def test_a_reply_to_another_question_came_back_all_the_same() -> None:
    world = World(mute=is_media)
    place = Target(address=NODES[0], port=5004, transport="udp", network=NETWORKS[0])
    check = make_check("repeat/udp", requirement=None, probe="repeat", scope=Scope.FOLLOW_UP)
    stray = seen(Step.ECHO, place, Failure.PROTOCOL_ERROR, purpose="repeat", foreign=True)
    assert (
        "udp-return-blocked"
        not in conclude_from(world, (*world.outcomes(), make_outcome(check, stray))).causes
    )


def test_one_network_whose_udp_is_silent_is_not_a_closed_way_back() -> None:
    found = conclude(World(mute=lambda t: is_media(t) and t.network == NETWORKS[0]))
    assert "udp-return-blocked" not in found.causes
    assert found.findings == ()


# --- ports --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "how", "cause", "affects"),
    [
        (8934, "drop", "port-blocked", ("sip",)),
        (8934, "reject", "port-rejected", ("sip",)),
        (5004, "drop", "port-blocked", ("stun",)),
        (5004, "reject", "port-rejected", ("stun",)),
        (9000, "drop", "port-blocked", ("stun",)),
    ],
)
@pytest.mark.parametrize("proofs", [None, 12])
def test_a_port(port: int, how: str, cause: str, affects: tuple[str, ...], proofs: int | None) -> None:
    found = conclude(World(wall=dropping(on_port(port), how), proofs=proofs))
    only = found.only
    assert (only.cause, only.where, only.owner) == (cause, Where.SITE, Owner.NETWORK)
    assert only.affects == affects
    assert only.severity is Severity.BLOCKING
    assert str(port) in only.summary
    assert str(port) in only.remedy
    assert found.readiness is Readiness.NOT_READY


def test_a_port_that_everybody_refuses_is_only_possibly_rejected_without_proof() -> None:
    found = conclude(World(icmp=False, wall=rejecting(on_port(8934))))
    assert (found.only.cause, found.only.confidence) == ("port-rejected", Confidence.POSSIBLE)
    assert found.only.where is Where.UNKNOWN
    assert found.readiness is Readiness.NOT_READY


def test_two_blocked_ports_are_two_findings() -> None:
    found = conclude(World(wall=dropping(on_port(8934, 5004))))
    assert found.causes == ["port-blocked"]
    assert found.only.affects == ("sip", "stun")
    assert "TCP 8934" in found.only.summary
    assert "UDP 5004" in found.only.summary


# --- networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("proofs", [None, 12])
def test_a_whole_network(network: str, proofs: int | None) -> None:
    found = conclude(World(wall=dropping(inside(network)), proofs=proofs))
    only = found.only
    assert (only.cause, only.where) == ("subnet-blocked", Where.SITE)
    assert network in only.summary
    assert network in only.remedy
    assert "in part" not in only.summary
    assert not any(other in only.summary for other in NETWORKS if other != network)
    assert found.readiness is Readiness.NOT_READY


def test_two_networks_are_one_finding() -> None:
    found = conclude(World(wall=dropping(lambda t: inside(NETWORKS[0])(t) or inside(NETWORKS[3])(t))))
    assert found.only.cause == "subnet-blocked"
    assert NETWORKS[0] in found.only.summary
    assert NETWORKS[3] in found.only.summary


def test_networks_are_told_in_their_order() -> None:
    found = ["10.0.0.0/8", "9.0.0.0/8", "2001:db8::/32", "128.0.0.0/16"]
    assert sorted(found, key=by_number) == ["9.0.0.0/8", "10.0.0.0/8", "128.0.0.0/16", "2001:db8::/32"]


@pytest.mark.parametrize("how", ["drop", "reject"])
@pytest.mark.parametrize("half", ["198.18.128.0/17", "198.18.0.0/17"])
@pytest.mark.parametrize("echo", [True, False])
def test_half_of_a_network(half: str, how: str, echo: bool) -> None:
    """`echo` False: nobody answers on the media range, so that its ports are proven by hops alone."""
    found = conclude(World(wall=dropping(inside(half), how), echo=echo))
    assert found.causes == ["subnet-blocked"], [f.summary for f in found.findings]
    assert "198.18.0.0/16 (in part)" in found.only.summary
    assert found.readiness is Readiness.NOT_READY


def test_a_network_that_is_closed_to_some_ports_is_not_closed_to_one_that_answers_there() -> None:
    time = requirement("time", transport="udp", ports=["123"], probe="ntp")
    media = dropping(lambda t: t.transport == "udp" and t.port != 123 and inside("198.18.0.0/16")(t))
    found = conclude(World(profile=make_profile(*ROWS, time), wall=media))
    assert found.only.cause == "subnet-blocked" and "stun" in found.only.affects
    assert (found.verdict("time").status, "time" in found.only.affects) == (Judgement.PASS, False)


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_half_of_a_network_without_a_range_of_ports(how: str) -> None:
    rows = [requirement("sip"), ROWS[1]]
    found = conclude(World(profile=make_profile(*rows), wall=dropping(inside("198.18.128.0/17"), how)))
    assert found.causes == ["subnet-blocked"]
    assert found.verdict("sip").status is not Judgement.PASS


# --- a part of a range --------------------------------------------------------------------------------

RANGES: dict[str, tuple[Callable[[Target], bool], str]] = {
    "upper": (in_range(42548, 65535), "the upper part, 42548-65535"),
    "lower": (in_range(19560, 42547), "the lower part, 19560-42547"),
    "odd": (lambda t: in_range(19560, 65535)(t) and bool((t.port or 0) % 2), "the odd ports"),
    "even": (lambda t: in_range(19560, 65535)(t) and not (t.port or 0) % 2, "the even ports"),
}


@pytest.mark.parametrize("which", RANGES)
@pytest.mark.parametrize("how", ["drop", "reject"])
@pytest.mark.parametrize("echo", [True, False])
def test_a_part_of_the_media_range(which: str, how: str, echo: bool) -> None:
    blocked, words = RANGES[which]
    found = conclude(World(wall=dropping(blocked, how), echo=echo))
    only = found.only
    assert (only.cause, only.where) == ("rtp-range-partial", Where.SITE)
    assert words in only.summary
    assert only.affects == ("range",)
    assert found.readiness is Readiness.NOT_READY


def test_the_whole_media_range_is_a_port_finding() -> None:
    found = conclude(World(wall=dropping(in_range(19560, 65535))))
    assert (found.only.cause, found.only.affects) == ("port-blocked", ("range",))
    assert "UDP 19560-65535" in found.only.summary


@pytest.mark.parametrize(
    ("first_unseen", "confidence", "words"),
    [(31054, Confidence.POSSIBLE, "2 of 8 parts"), (54042, Confidence.LIKELY, "6 of 8 parts")],
)
def test_of_a_range_no_more_is_claimed_than_was_seen(
    first_unseen: int, confidence: Confidence, words: str
) -> None:
    network = World(wall=dropping(in_range(19560, 65535)))
    seen_in_part = tuple(
        replace(o, observations=tuple(x for x in o.observations if (x.target.port or 0) < first_unseen))
        if o.check.scope in (Scope.PATH, Scope.FOLLOW_UP)
        else o
        for o in network.outcomes()
    )
    only = conclude_from(network, seen_in_part).only
    assert (only.cause, only.confidence) == ("port-blocked", confidence)
    assert f"{words} of it were seen to stop, and none to pass." in only.summary


# --- one wall alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("again", "confidence"), [(True, Confidence.LIKELY), (False, Confidence.POSSIBLE)])
def test_a_wall_at_one_network_and_silence_at_the_next(again: bool, confidence: Confidence) -> None:
    """Beyond the provider's first routers packets to the others are seen to leave, and no farther."""
    world = World(
        wall=lambda t: "drop" if (t.port, t.address) == (8934, NODES[0]) else None,
        mute=lambda t: t.port == 8934,
        wall_ttl=3,
        proofs=0,
    )
    made = [o for o in world.outcomes() if again or o.check.probe != "repeat"]
    only = conclude_from(world, made).only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.UNKNOWN, confidence)


@pytest.mark.parametrize(("port", "cause"), [(8934, "port-blocked"), (123, "ntp-blocked")])
def test_a_lone_wall_is_placed_beside_another_port_of_its_address(port: int, cause: str) -> None:
    world = World(
        wall=lambda t: "drop" if (t.port, t.address) == (port, NODES[0]) else None,
        mute=lambda t: t.port == port,
        hops=(GATEWAY, FIREWALL, "100.64.0.1", "100.64.0.2"),
        wall_ttl=3,
        proofs=0,
    )
    only = conclude(world).only
    assert (only.cause, only.where) == (cause, Where.ISP)
    assert "packets reach 100.64.0.1 (hop 3)" in only.summary


# --- silence without a wall ----------------------------------------------------------------------------


@pytest.mark.parametrize("port", [8934, 9000])
def test_a_port_that_no_host_of_any_network_answers_on_fails(port: int) -> None:
    """Behind the last router that answers a filter of the provider's and the vendor's silence are alike."""
    found = conclude(World(mute=on_port(port), dense=True))
    only = found.only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.UNKNOWN, Confidence.LIKELY)
    assert f"{port} is silent at" in only.summary
    assert "though packets to it leave the site" in only.summary
    assert found.readiness is Readiness.NOT_READY


def test_a_few_hosts_that_live_may_serve_something_else() -> None:
    found = conclude(World(mute=on_port(8934), lively=3))
    only = found.only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.UNKNOWN, Confidence.POSSIBLE)
    assert "at 3 addresses of 3 networks" in only.summary
    assert found.statuses()["sip"] is Judgement.INCONCLUSIVE


def test_two_hosts_that_live_show_nothing() -> None:
    assert conclude(World(mute=on_port(8934), lively=2)).findings == ()


def test_servers_of_something_else_in_the_same_networks_show_nothing() -> None:
    pages = requirement("pages", ports=["443"], targets={"networks": ["pages"]}, probe="tcp")
    group = {"title": "Group", "networks": NETWORKS, "source": SOURCE}
    profile = make_profile(*ROWS, pages, networks={"service": group, "pages": group})
    found = conclude(World(profile=profile, mute=lambda t: t.port not in (443, 53), lively=4))
    assert found.only.cause == "udp-return-blocked"


def test_time_that_is_silent_has_its_own_cause() -> None:
    """A few hosts of a product may serve time for all others: silence shows no more than that it may be blocked."""
    found = conclude(World(mute=on_port(123), dense=True))
    assert (found.only.cause, found.only.confidence) == ("ntp-blocked", Confidence.POSSIBLE)
    assert found.statuses()["ntp"] is Judgement.INCONCLUSIVE


def test_servers_that_ignore_a_stranger_are_not_called_blocked() -> None:
    """SIP over UDP has nothing but OPTIONS to be answered."""
    calls = requirement("calls", transport="udp", ports=["5060"], params={"transport": "udp"})
    found = conclude(World(profile=make_profile(*ROWS, calls), mute=on_port(5060), dense=True))
    assert found.findings == ()
    assert found.statuses()["calls"] is not Judgement.FAIL


def test_a_host_too_busy_to_listen_has_heard_no_silence() -> None:
    world = World(mute=on_port(8934), dense=True)
    found = conclude_from(world, tuple(_unheard(o) for o in world.outcomes()))
    assert found.statuses()["sip"] is not Judgement.FAIL


def _unheard(outcome: Outcome) -> Outcome:
    if outcome.check.scope is not Scope.SAMPLED:
        return outcome
    kept = [
        replace(o, failure=Failure.INTERRUPTED) if o.failure is Failure.TIMED_OUT else o
        for o in outcome.observations
    ]
    return replace(outcome, observations=tuple(kept), cut=True)


# --- the vendor's side --------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [True, False])
def test_a_service_that_refuses_while_the_way_is_open(dense: bool) -> None:
    found = conclude(World(closed=on_port(8934), dense=dense))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("service-down", Where.VENDOR, Owner.VENDOR)
    assert only.affects == ("sip",)
    assert found.readiness is not Readiness.READY


def test_one_dead_node_beside_a_living_one_is_no_finding() -> None:
    found = conclude(World(closed=lambda t: t.port == 8934 and t.network == NETWORKS[0]))
    assert found.findings == ()


def test_where_the_wall_is_a_rejection_the_vendor_is_not_blamed() -> None:
    found = conclude(World(wall=rejecting(on_port(8934))))
    assert "service-down" not in found.causes


# --- several faults, and who is to blame --------------------------------------------------------------


def test_independent_faults_are_separate_findings() -> None:
    blocked = dropping(lambda t: t.port in (8934, 123))
    found = conclude(World(wall=blocked))
    assert sorted(found.causes) == ["ntp-blocked", "port-blocked"]


def test_a_wall_beyond_the_edge_is_the_providers() -> None:
    hops = ("192.168.1.1", "192.168.2.1", "100.64.0.1", "100.64.0.2", "100.64.0.3")
    found = conclude(World(wall=dropping(on_port(8934)), hops=hops, wall_ttl=4))
    assert (found.only.where, found.only.owner) == (Where.ISP, Owner.ISP)
    assert "100.64.0.2 (hop 4)" in found.only.summary


@pytest.mark.parametrize("proven", [True, False])
def test_a_wall_at_an_edge_that_is_not_known_is_nobodys(proven: bool) -> None:
    found = conclude(World(wall=dropping(on_port(8934)), edge_proven=proven)).only
    where, owner = (Where.SITE, Owner.NETWORK) if proven else (Where.UNKNOWN, Owner.UNKNOWN)
    assert (found.cause, found.where, found.owner) == ("port-blocked", where, owner)


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.9", True), ("198.51.100.9", False), ("2001:db8::1", False)]
)
def test_an_address_within_networks(address: str, expected: bool) -> None:
    assert within(address, ["192.0.2.0/24", "203.0.113.0/24"]) is expected


# --- ICMP ---------------------------------------------------------------------------------------------

PINGED = requirement("ping", **PING)
PINGED_NAME = requirement("ping-name", **{**PING, "targets": {"hosts": ["node.example.com"]}})


def is_ping(target: Target) -> bool:
    return target.transport == "icmp"


def pinged(**world: Any) -> Result:
    return conclude(World(profile=make_profile(*ROWS, PINGED, PINGED_NAME), **world))


def test_hosts_that_answer_echo_requests() -> None:
    found = pinged(dense=True)
    assert found.findings == ()
    assert (found.verdict("ping").status, found.verdict("ping-name").status) == (Judgement.PASS,) * 2
    assert {c.strength for c in found.verdict("ping").checks} == {Strength.ANSWERED}


@pytest.mark.parametrize("hops", [True, False])
def test_silence_of_pinged_hosts_is_no_proof_of_a_block(hops: bool) -> None:
    deaf = {} if hops else {"environment": make_environment(**DEAF)}
    found = pinged(wall=dropping(is_ping), **deaf)
    assert found.causes == []
    assert (found.verdict("ping").status, found.verdict("ping-name").status) == (Judgement.INCONCLUSIVE,) * 2
    assert found.readiness is Readiness.WARNINGS
    asked = [
        o.target
        for outcome in found.outcomes
        if outcome.check.scope is Scope.PATH
        for o in outcome.observations
    ]
    assert not any(is_ping(target) for target in asked)


def test_what_refuses_icmp_on_the_way_is_found() -> None:
    found = pinged(wall=rejecting(is_ping))
    only = found.only
    assert (only.cause, only.where) == ("port-rejected", Where.SITE)
    assert only.summary.startswith("ICMP is refused on the way to every network")
    assert only.remedy.startswith("Allow outbound ICMP to")
    assert (found.verdict("ping").status, found.verdict("ping-name").status) == (Judgement.FAIL,) * 2
    assert found.verdict("ping").because.startswith("4 of 4 checks: every network: refused on the way")


def test_an_answer_to_ping_proves_nothing_of_ports() -> None:
    found = pinged(wall=dropping(on_port(8934)), dense=True)
    assert found.causes == ["port-blocked"]
    assert found.verdict("ping").status is Judgement.PASS
    assert found.verdict("sip").status is Judgement.FAIL
