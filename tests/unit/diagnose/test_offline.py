"""A host or a site that reaches nothing: one finding explains all the rest."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.evidence import REFUSALS
from readycheck.failure import Failure
from readycheck.net.environment import Interface
from readycheck.observation import Target
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import (
    FIREWALL,
    GATEWAY,
    PING,
    RESOLVER,
    ROWS,
    World,
    conclude,
    conclude_from,
    make_environment,
    make_profile,
    make_selection,
    requirement,
)

REMOTE: dict[str, Any] = {
    "environment": make_environment(resolvers=("192.88.99.53",)),
    "selection": make_selection(resolvers=(("192.88.99.53", 53),)),
}
NONE: dict[str, Any] = {
    "environment": make_environment(gateway=None, default_interface=None, resolvers=()),
    "selection": make_selection(resolvers=()),
}
UNPLUGGED: dict[str, Any] = {"environment": make_environment(gateway=None, default_interface=None)}


# --- no network ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [NONE, UNPLUGGED], ids=["no resolver", "resolver"])
def test_a_host_without_a_route(state: dict[str, Any]) -> None:
    found = conclude(World(**state, unrouted=Failure.NETWORK_UNREACHABLE))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("no-network", Where.HOST, Owner.HOST_ADMIN)
    assert (only.confidence, only.severity) == (Confidence.CERTAIN, Severity.BLOCKING)
    assert {"sip", "stun", "range", "web", "ntp"} <= set(only.affects)
    assert found.readiness is Readiness.NOT_READY


def test_a_router_that_knows_no_route_is_not_this_host() -> None:
    """The gateway answers each packet with *network unreachable*: the host has a network."""
    world = World(**REMOTE, unrouted=Failure.NETWORK_UNREACHABLE)
    outcomes = tuple(
        replace(
            outcome,
            observations=tuple(
                replace(o, facts={**o.facts, "offender": GATEWAY}) if o.step.value == "echo" else o
                for o in outcome.observations
            ),
        )
        for outcome in world.outcomes()
    )
    found = conclude_from(world, outcomes)
    assert "no-network" not in found.causes
    assert all(finding.where is not Where.VENDOR for finding in found.findings)


def test_one_answer_disproves_it() -> None:
    world = World(**UNPLUGGED, unrouted=Failure.NETWORK_UNREACHABLE)
    healthy = World(**UNPLUGGED)
    outcomes = (*world.outcomes()[:-3], *healthy.outcomes()[-4:])
    assert "no-network" not in conclude_from(world, outcomes).causes


# --- the host's own firewall --------------------------------------------------------------------------


def test_what_the_host_forbids() -> None:
    found = conclude(World(denied=lambda t: t.transport == "udp" and t.port != 53))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("host-firewall", Where.HOST, Owner.HOST_ADMIN)
    assert only.affects == ("stun", "range", "ntp")
    assert only.confidence is Confidence.CERTAIN
    for name in only.affects:
        assert found.verdict(name).status is Judgement.INCONCLUSIVE  # never a network failure


def test_what_the_host_forbids_in_part_is_not_the_networks() -> None:
    found = conclude(World(denied=lambda t: t.port == 8934))
    assert found.causes == ["host-firewall"]
    assert found.only.affects == ("sip",)


@pytest.mark.parametrize(("offender", "own"), [("192.168.1.20", True), ("192.168.1.1", False)])
def test_a_refusal_that_comes_from_this_hosts_own_address(offender: str, own: bool) -> None:
    link = Interface(name="eth0", addresses=("192.168.1.20",))
    world = World(
        environment=make_environment(interfaces=(link,)),
        wall=lambda t: "reject" if t.port == 5004 or t.host else None,
        icmp=False,
    )
    outcomes = tuple(
        replace(
            outcome,
            observations=tuple(
                replace(o, facts={**o.facts, "offender": offender}) if o.failure in REFUSALS else o
                for o in outcome.observations
            ),
        )
        for outcome in world.outcomes()
    )
    found = conclude_from(world, outcomes)
    assert ("host-firewall" in found.causes) is own
    assert not own or found.only.affects == ("stun", "web")


def test_a_privilege_that_this_user_lacks_is_no_firewall() -> None:
    world = World(
        profile=make_profile(*ROWS, requirement("ping", **PING)), denied=lambda t: t.transport == "icmp"
    )
    outcomes = tuple(
        replace(
            outcome,
            observations=tuple(
                replace(o, facts={**o.facts, "privilege": "ICMP socket"})
                if o.failure is Failure.PERMISSION_DENIED
                else o
                for o in outcome.observations
            ),
        )
        for outcome in world.outcomes()
    )
    found = conclude_from(world, outcomes)
    assert found.causes == []
    assert found.verdict("ping").status is Judgement.INCONCLUSIVE
    assert "this host could not send" in found.verdict("ping").because


# --- the site -----------------------------------------------------------------------------------------


def offline(target: Target) -> str | None:
    return "drop" if target.address != RESOLVER else None


def test_a_site_behind_which_nothing_answers() -> None:
    found = conclude(World(**REMOTE, wall=offline, resolver=lambda transport: Failure.TIMED_OUT))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("site-offline", Where.SITE, Owner.NETWORK)
    assert only.severity is Severity.BLOCKING
    assert FIREWALL in only.summary
    assert {"dns-unreachable", "udp-blocked"} <= set(only.explains)
    assert found.readiness is Readiness.NOT_READY


def test_a_product_of_names_alone_is_cut_off_as_well() -> None:
    """No name is known, so that nothing fails: everything is open."""
    web = next(row for row in ROWS if row["id"] == "web")
    found = conclude(
        World(**REMOTE, profile=make_profile(web), wall=offline, resolver=lambda _: Failure.TIMED_OUT)
    )
    assert (found.only.cause, found.only.severity) == ("site-offline", Severity.BLOCKING)


@pytest.mark.parametrize("icmp", [True, False])
def test_a_site_whose_own_name_server_still_answers(icmp: bool) -> None:
    found = conclude(World(wall=offline, icmp=icmp))
    assert found.only.cause == "site-offline"
    assert found.only.where is Where.SITE
    assert found.readiness is not Readiness.READY


def test_a_control_that_answers_shows_that_the_site_is_not_offline() -> None:
    found = conclude(World(wall=lambda t: offline(t) if t.host != "control.example.org" else None))
    assert "site-offline" not in found.causes
    assert found.readiness is Readiness.NOT_READY


def test_packets_that_get_beyond_the_site_show_that_it_is_not_offline() -> None:
    hops = (GATEWAY, FIREWALL, "100.64.0.1", "100.64.0.2")
    found = conclude(World(wall=offline, hops=hops, wall_ttl=3))
    assert "site-offline" not in found.causes


def test_where_the_name_server_alone_answers_it_is_only_possible_that_the_site_is_offline() -> None:
    found = conclude(World(**REMOTE, wall=lambda t: None if t.address == "192.88.99.53" else "drop"))
    finding = next(f for f in found.findings if f.cause == "site-offline")
    assert finding.confidence is Confidence.POSSIBLE
    assert "the name server alone" in finding.summary
