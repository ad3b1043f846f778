"""Named hosts: whose fault it is that a port or a host does not answer, and when nobody can tell."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.diagnose.doors import Door, Flow, find_doors
from readycheck.diagnose.finding import Confidence, Owner, Where
from readycheck.diagnose.hosts import is_refused_far_away, place_of_flows
from readycheck.evidence import Sign
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck.probe import Effort
from readycheck.verdict import Readiness
from tests.unit.builders import (
    DEAF,
    FIREWALL,
    GATEWAY,
    ISP,
    Result,
    World,
    conclude,
    conclude_from,
    make_check,
    make_environment,
    make_outcome,
    make_profile,
    make_selection,
    requirement,
    seen,
)

HOSTS = tuple(f"h{n}.example.com" for n in range(4))
NAMES = {host: f"192.88.99.{n + 1}" for n, host in enumerate(HOSTS)} | {"control.example.org": "192.88.100.1"}
CONTROLS = [
    {"host": "control.example.org", "port": port, "purpose": "a host outside the product"}
    for port in (80, 443)
]
WEB = {"targets": {"hosts": list(HOSTS)}, "ports": ["443"], "probe": "tls"}
PLAIN = {"targets": {"hosts": list(HOSTS)}, "ports": ["80"], "probe": "tcp"}
BOTH = (requirement("web", **WEB), requirement("plain", **PLAIN))


def world_of_hosts(*rows: dict[str, Any], **world: Any) -> World:
    profile = make_profile(*(rows or BOTH), controls=CONTROLS)
    return World(**{"profile": profile, "names": NAMES, "selection": make_selection(resolvers=()), **world})


def of_hosts(*rows: dict[str, Any], **world: Any) -> Result:
    return conclude(world_of_hosts(*rows, **world))


def port(number: int) -> Callable[[Target], bool]:
    return lambda target: target.port == number


def host(name: str, *ports: int) -> Callable[[Target], bool]:
    return lambda t: NAMES[name] in (t.address, NAMES.get(t.host or "")) and (not ports or t.port in ports)


def dropping(hit: Callable[[Target], bool], how: str = "drop") -> Callable[[Target], str | None]:
    return lambda target: how if hit(target) else None


def test_a_healthy_product_of_names_has_no_finding() -> None:
    found = of_hosts()
    assert (found.findings, found.readiness) == ((), Readiness.READY)
    assert len(found.outcomes) == len(found.plan.checks)


# --- every port ---------------------------------------------------------------------------------------

STUN = requirement("stun", targets={"hosts": [HOSTS[0]]}, ports=["3478"], probe="stun", transport="udp")


def test_no_connection_stands_while_datagrams_return() -> None:
    """Asymmetric routing: a firewall that sees the answers alone drops them, and requests leave."""
    only = of_hosts(*BOTH, STUN, mute=lambda t: t.transport == "tcp").only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.UNKNOWN, Confidence.LIKELY)
    assert only.affects == ("web", "plain") and "asymmetric routing" in only.remedy
    assert "5 named hosts" in only.summary and "leave the site" in only.summary


@pytest.mark.parametrize(
    ("rows", "mute"),
    [
        ((*BOTH, STUN), lambda t: t.transport == "tcp" and NAMES["control.example.org"] != t.address),
        ((*BOTH, STUN), lambda t: t.transport == "tcp" and t.port == 443),
        (BOTH, lambda t: t.transport == "tcp"),
    ],
)
def test_connections_that_stand_somewhere_or_a_site_without_any_answer_are_something_else(
    rows: tuple[dict[str, Any], ...], mute: Callable[[Target], bool]
) -> None:
    assert not [f for f in of_hosts(*rows, mute=mute).findings if "No TCP connection opens" in f.summary]


# --- a port -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "cause"), [("drop", "port-blocked"), ("reject", "port-rejected")])
def test_a_port_that_stops_for_all_hosts(how: str, cause: str) -> None:
    only = of_hosts(wall=dropping(port(443), how)).only
    assert (only.cause, only.where, only.owner) == (cause, Where.SITE, Owner.NETWORK)
    assert only.confidence is Confidence.CERTAIN
    assert "TCP 443" in only.summary
    assert HOSTS[0] in only.remedy
    assert "(hop 2)" in only.summary or "hop 3" in only.summary
    assert only.affects == ("web",)


def test_the_only_port_of_a_product_stops() -> None:
    """No host answers anything else: the control is outside of the product."""
    only = of_hosts(BOTH[0], wall=dropping(lambda t: t.port == 443)).only
    assert (only.cause, only.where) == ("port-blocked", Where.SITE)
    assert only.confidence is Confidence.LIKELY


@pytest.mark.parametrize(
    ("mapped", "hops", "where"),
    [
        ("carrier", ("192.168.1.1", "192.168.2.1", ISP, "100.64.0.2", "203.0.113.1"), Where.ISP),
        ("public", ("192.168.1.1", "192.168.2.1", "203.0.113.1", "198.18.0.1", "198.18.9.1"), Where.UNKNOWN),
    ],
)
def test_a_wall_beyond_the_edge(mapped: str, hops: tuple[str, ...], where: Where) -> None:
    only = of_hosts(wall=dropping(port(443)), hops=hops, wall_ttl=3).only
    assert (only.cause, only.where) == ("port-blocked", where)
    assert f"{hops[2]} (hop 3)" in only.summary


def test_a_wall_is_not_the_sites_where_the_routers_behind_the_edge_kept_the_control_waiting() -> None:
    world = World(profile=make_profile(*BOTH, controls=CONTROLS), names=NAMES, wall=dropping(port(443)))
    made = tuple(replace(o, observations=tuple(map(_seen_late, o.observations))) for o in world.outcomes())
    only = conclude_from(world, made).only
    assert (only.cause, only.where) == ("port-blocked", Where.UNKNOWN)


def _seen_late(observation: Observation) -> Observation:
    late = observation.facts.get("fate") == "stopped"
    return replace(observation, facts={**observation.facts, "ttl": 5}) if late else observation


def test_a_port_that_is_silent_where_no_router_is_heard() -> None:
    deaf = {"environment": make_environment(**DEAF)}
    everywhere = of_hosts(wall=dropping(port(443)), **deaf).only
    assert (everywhere.cause, everywhere.where) == ("port-blocked", Where.UNKNOWN)
    assert everywhere.confidence is Confidence.LIKELY
    assert "outside the product" in everywhere.summary
    product = lambda t: t.port == 443 and t.host in HOSTS  # noqa: E731
    assert of_hosts(wall=dropping(product), icmp=False).findings == ()
    without = make_profile(*BOTH, controls=[])
    alone = conclude(World(profile=without, names=NAMES, wall=dropping(port(443)), icmp=False)).only
    assert (alone.cause, alone.where) == ("port-blocked", Where.UNKNOWN)
    assert alone.confidence is Confidence.POSSIBLE


def test_a_port_that_may_be_silent_stops_before_its_host() -> None:
    rows = (BOTH[1], SIP)
    stopped = of_hosts(*rows, wall=dropping(port(5060)))
    assert (stopped.only.cause, stopped.only.where) == ("port-blocked", Where.SITE)
    assert (stopped.only.confidence, stopped.readiness) == (Confidence.LIKELY, Readiness.NOT_READY)
    silent = of_hosts(*rows, mute=port(5060))
    assert (silent.findings, silent.readiness) == ((), Readiness.WARNINGS)


@pytest.mark.parametrize(("effort", "asked"), [(Effort.QUICK, False), (Effort.NORMAL, True)])
def test_a_quick_run_pays_nothing_for_silence_that_is_allowed(effort: Effort, asked: bool) -> None:
    selection = make_selection(resolvers=(), effort=effort)
    world = world_of_hosts(BOTH[1], SIP, mute=port(5060), selection=selection)
    assert any(o.check.probe == "flow" for o in world.outcomes()) is asked


SIP = requirement(
    "ring",
    transport="udp",
    targets={"hosts": [HOSTS[0]]},
    ports=["5060"],
    probe="sip",
    params={"transport": "udp"},
)


@pytest.mark.parametrize(
    ("hit", "cause"),
    [
        (lambda t: t.transport == "udp", "udp-blocked"),
        (lambda t: t.port in (33434, 8000, 8001), "udp-blocked"),
        (lambda t: t.port == 33434, "port-blocked"),
    ],
)
def test_media_of_hosts_alone(hit: Callable[[Target], bool], cause: str) -> None:
    """All ports that are asked stop, or one of them."""
    media = {"transport": "udp", "area": "media reachability", "targets": {"hosts": [HOSTS[0]]}}
    rows = (
        BOTH[1],
        requirement("media", **media, ports=["33434"], probe="stun"),
        requirement("range", **media, ports=["8000-8100"], probe="rtp", importance="optional"),
    )
    only = of_hosts(*rows, wall=dropping(hit)).only
    assert (only.cause, only.where) == (cause, Where.SITE)
    assert ("range" in only.affects) is (cause == "udp-blocked")


@pytest.mark.parametrize("rows", [(requirement("web", **WEB),), BOTH], ids=["one other port", "two"])
def test_media_of_a_host_whose_address_is_blocked(rows: tuple[dict[str, Any], ...]) -> None:
    """Its web port stops as well, where other hosts serve it: that is not UDP's doing, and one finding."""
    only = of_hosts(*rows, MEDIA_OF_ONE, wall=dropping(host(HOSTS[0]))).only
    assert (only.cause, only.where, only.affects[-1]) == ("address-blocked", Where.SITE, "media")


def test_media_of_a_host_that_answers_nothing_else() -> None:
    """Nothing tells its UDP from its address."""
    web = requirement("web", **{**WEB, "targets": {"hosts": list(HOSTS[1:])}})
    only = of_hosts(web, MEDIA_OF_ONE, wall=dropping(host(HOSTS[0]))).only
    assert (only.cause, only.confidence) == ("udp-blocked", Confidence.POSSIBLE)


MEDIA_OF_ONE = requirement(
    "media",
    transport="udp",
    area="media reachability",
    targets={"hosts": [HOSTS[0]]},
    ports=["33434", "5004"],
    probe="stun",
)


def test_a_port_that_stops_for_the_products_hosts_alone() -> None:
    product = lambda t: t.port == 443 and t.address != NAMES["control.example.org"]  # noqa: E731
    only = of_hosts(wall=dropping(product)).only
    assert (only.cause, only.where, only.affects) == ("port-blocked", Where.SITE, ("web",))
    assert all(name in only.summary for name in HOSTS)


def test_a_single_host_shows_nothing_where_no_router_is_heard() -> None:
    rows = (requirement("web", **{**WEB, "targets": {"hosts": [HOSTS[0]]}}), BOTH[1])
    found = of_hosts(*rows, wall=dropping(host(HOSTS[0], 443)), icmp=False)
    assert found.findings == ()
    assert found.readiness is Readiness.NOT_READY


# --- a host -------------------------------------------------------------------------------------------


def test_a_host_whose_packets_stop() -> None:
    only = of_hosts(wall=dropping(host(HOSTS[1]))).only
    assert (only.cause, only.where, only.confidence) == ("address-blocked", Where.SITE, Confidence.LIKELY)
    assert NAMES[HOSTS[1]] in only.summary
    assert HOSTS[0] not in only.summary


def test_one_port_of_one_host_stops() -> None:
    only = of_hosts(wall=dropping(host(HOSTS[1], 443))).only
    assert (only.cause, only.where, only.confidence) == ("port-blocked", Where.SITE, Confidence.LIKELY)
    assert HOSTS[1] in only.summary


def test_a_host_that_is_gone_is_not_blocked() -> None:
    """Its packets leave: whether they arrive, nobody can tell."""
    only = of_hosts(dead=host(HOSTS[1])).only
    assert (only.cause, only.where, only.confidence) == ("service-down", Where.UNKNOWN, Confidence.POSSIBLE)


def test_a_silent_host_is_nothing_where_no_router_is_heard() -> None:
    assert of_hosts(dead=host(HOSTS[1]), icmp=False).findings == ()
    assert of_hosts(wall=dropping(host(HOSTS[1])), icmp=False).findings == ()


@pytest.mark.parametrize(
    ("changes", "confidence"),
    [
        ({}, Confidence.LIKELY),
        ({"arrived": 7}, Confidence.POSSIBLE),  # others answer from further away
        ({"edge": None}, Confidence.POSSIBLE),
        ({"reached": 4}, Confidence.POSSIBLE),  # the router before it was not seen to pass it on
        ({"router": "100.64.0.9"}, Confidence.POSSIBLE),  # the provider's own
    ],
)
def test_a_refusal_from_as_far_away_as_others_answer(changes: dict[str, Any], confidence: Confidence) -> None:
    case = of_hosts(closed=host(HOSTS[1])).case
    flow = Flow(
        **{
            "fate": "refused",
            "reached": 5,
            "own": False,
            "last": 5,
            "arrived": 6,
            "edge": 2,
            "ttl": 6,
            "offender": None,
            "router": "198.18.9.1",
            "next": None,
            **changes,
        }
    )
    door = next(d for d in find_doors(case.outcomes) if d.address == NAMES[HOSTS[1]])
    assert is_refused_far_away(case, replace(door, flow=flow)) is (confidence is Confidence.LIKELY)


# --- a service ----------------------------------------------------------------------------------------


def test_a_silent_service_of_a_host_that_lives() -> None:
    only = of_hosts(dead=host(HOSTS[1], 443)).only
    assert (only.cause, only.where, only.owner) == ("service-down", Where.VENDOR, Owner.VENDOR)
    assert only.confidence is Confidence.LIKELY


def test_a_service_that_refuses() -> None:
    only = of_hosts(closed=host(HOSTS[1], 443)).only
    assert (only.cause, only.where) == ("service-down", Where.VENDOR)
    assert "refuses TCP 443" in only.summary


def test_a_port_that_all_of_the_products_hosts_refuse_by_themselves() -> None:
    product = lambda t: t.port == 443 and t.address != NAMES["control.example.org"]  # noqa: E731
    only = of_hosts(closed=product).only
    assert (only.cause, only.where) == ("service-down", Where.VENDOR)


def test_replies_that_are_lost_on_the_way_back_are_nobodys_silence() -> None:
    """The world outside is silent on the port as well: that is not the vendor's service."""
    assert "service-down" not in of_hosts(dead=port(443)).causes


def test_time_has_a_cause_of_its_own() -> None:
    row = requirement(
        "ntp",
        area="names and time",
        transport="udp",
        targets={"hosts": ["h0.example.com"]},
        ports=["123"],
        probe="ntp",
    )
    found = of_hosts(*BOTH, row, wall=dropping(port(123)))
    assert found.causes == ["ntp-blocked"]


# --- soundness over many worlds -----------------------------------------------------------------------

SERVICES = [(host, port) for host in HOSTS for port in (80, 443)]
BLAME = {"port-blocked", "port-rejected", "address-blocked"}


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.sampled_from(SERVICES), max_size=8),
    st.sampled_from(["drop", "reject", "dead", "closed", "flaky"]),
    st.booleans(),
    st.booleans(),
)
def test_nobody_is_blamed_for_what_another_did(
    broken: set[tuple[str, int]], how: str, icmp: bool, proven: bool
) -> None:
    def hit(target: Target) -> bool:
        return any(
            target.port == n and NAMES[h] in (target.address, NAMES.get(target.host or "")) for h, n in broken
        )

    walled = how in ("drop", "reject")
    found = of_hosts(
        wall=(lambda t: how if hit(t) else None) if walled else (lambda t: None),
        dead=hit if how in ("dead", "flaky") else (lambda t: False),
        closed=hit if how == "closed" else (lambda t: False),
        flaky=lambda t: 5 if how == "flaky" else 0,
        icmp=icmp,
        edge_proven=proven,
    )
    places = {(f.cause, f.where) for f in found.findings}
    causes = set(found.causes)
    if not broken:
        assert not causes
    if walled:
        assert causes <= BLAME
        assert {where for _, where in places} <= (
            {Where.SITE} if icmp and proven else {Where.UNKNOWN, Where.SITE}
        )
    if how in ("dead", "closed") and icmp:
        assert causes <= {"service-down"}
        assert not {where for _, where in places} & {Where.SITE, Where.HOST, Where.ISP}
    if how in ("dead", "closed") and not icmp:
        sure = [f for f in found.findings if f.confidence is not Confidence.POSSIBLE]
        assert not sure
    if how == "flaky":
        assert causes <= {"intermittent"}


@pytest.mark.parametrize(
    ("ttl", "where", "words"),
    [(3, Where.SITE, "no further"), (5, Where.UNKNOWN, "not hop 5")],
    ids=["the control alone was heard behind the edge", "nobody was, before hop 5"],
)
def test_a_wall_is_the_sites_if_the_next_router_answered_the_control(
    ttl: int, where: Where, words: str
) -> None:
    flow = Flow("stopped", 2, True, 5, 6, 2, ttl, None, FIREWALL, None)
    found = place_of_flows(of_hosts().case, [("192.0.2.1", flow)])
    assert found.where is where
    assert words in found.words


@pytest.mark.parametrize(
    ("by", "gateway", "where"),
    [(GATEWAY, GATEWAY, Where.SITE), (GATEWAY, None, Where.UNKNOWN), (ISP, ISP, Where.UNKNOWN)],
)
def test_the_first_router_refuses_at_the_site_whatever_is_known_beyond(
    by: str, gateway: str | None, where: Where
) -> None:
    """Private addresses farther on may be the provider's."""
    flow = Flow("rejected", 1, True, 5, 6, None, 2, by, by, None)
    found = of_hosts(environment=make_environment(gateway=gateway)).case
    assert place_of_flows(found, [("192.0.2.1", flow)]).where is where


def test_of_two_walls_the_words_are_of_the_farther_one() -> None:
    near = Flow("stopped", 1, True, 5, 6, 2, 2, None, GATEWAY, FIREWALL)
    far = Flow("stopped", 4, True, 5, 6, 2, 5, None, ISP, None)
    found = place_of_flows(of_hosts().case, [("192.0.2.1", near), ("192.0.2.2", far)])
    assert found.words == f"packets reach {ISP} (hop 4) and no further, while others go on"


def lost_door(flow: Flow) -> Door:
    return Door(
        transport="tcp",
        address="192.88.99.1",
        port=443,
        hosts=(),
        checks=(),
        outside=False,
        sign=Sign.SILENT,
        tried=1,
        answered=0,
        flow=flow,
    )


def test_a_host_that_was_silent_on_a_port_that_answers_by_turns_shows_nothing() -> None:
    world = world_of_hosts(dead=host(HOSTS[1], 443, 80))
    others = [Target(address=NAMES[name], port=443, transport="tcp") for name in (HOSTS[0], *HOSTS[2:])]
    lost = [seen(Step.CONNECT, target, Failure.TIMED_OUT, took_ms=900.0) for target in others]
    late = make_outcome(make_check("web/again", scope=Scope.NAMED), *lost)
    assert "service-down" in conclude(world).causes
    assert "service-down" not in conclude_from(world, (*world.outcomes(), late)).causes
