"""Ports that open and carry nothing: who is blamed with a place, with a control alone, and who never."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Where
from readycheck.diagnose.path_mtu import CHECK, PROBE
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from tests.unit.builders import Result, World, conclude_from, make_check, make_outcome, seen
from tests.unit.diagnose.boxes import Box, asked
from tests.unit.diagnose.test_server_names import product

SIP = 8934
RESET, LOST = Failure.CONNECTION_RESET, Failure.TIMED_OUT
CAUSES = {RESET: "port-rejected", LOST: "port-blocked"}
both = pytest.mark.parametrize("kill", [RESET, LOST])


def sealed(kill: Failure, *ports: int, **changes: Any) -> World:
    """Connections stand on all ports, and greetings die on some."""
    greet = lambda target: kill if target.port in (ports or (SIP,)) else None  # noqa: E731
    return World(profile=product(), greet=greet, flaky=lambda target: 99, **changes)


def box(kill: Failure, *ports: int, **changes: Any) -> Box:
    return Box(
        minds=lambda name: True,
        kill=kill,
        spares=lambda at: at.port not in (ports or (SIP,)),
        reassembles=True,
        **changes,
    )


def behind(world: World, box: Box, small: Failure | None = LOST) -> Result:
    """The whole run; `small` is how greetings end that ask for answers in small segments."""
    outcomes = world.outcomes()
    mtu = make_check(CHECK, requirement=None, probe=PROBE, scope=Scope.FOLLOW_UP)
    tries = [
        seen(Step.TLS_HANDSHAKE, Target(address="198.18.0.10", port=port), small, max_segment=536)
        for port in (SIP, 443)
        if world.greet(Target(address="198.18.0.10", port=port))
    ]
    measured = [box.measure(check) for check in asked(world, outcomes)]
    return conclude_from(world, (*outcomes, make_outcome(mtu, *tries), *measured))


def server(kill: Failure) -> Box:
    """The service itself does not answer: packets come as far as those to others."""
    return Box(server=lambda target, name: kill if target.port == SIP else None)


@both
def test_a_filter_of_the_site_that_lets_handshakes_pass(kill: Failure) -> None:
    only = behind(sealed(kill), box(kill)).only
    assert (only.cause, only.where, only.confidence) == (CAUSES[kill], Where.SITE, Confidence.LIKELY)
    assert only.affects == ("sip",)
    assert "TCP 8934 opens at" in only.summary and "hop" in only.summary
    assert "application control" in only.remedy


@both
def test_a_service_whose_front_alone_is_up_is_told_as_possible(kill: Failure) -> None:
    only = behind(sealed(kill), server(kill)).only
    assert (only.cause, only.where, only.confidence) == (CAUSES[kill], Where.UNKNOWN, Confidence.POSSIBLE)
    assert "so does a service that is down" in only.summary


@both
def test_what_ends_beyond_the_edge_may_be_the_servers(kill: Failure) -> None:
    """The way to the control is another there: that routers on one of them are silent is nobody's filter."""
    only = behind(sealed(kill), box(kill, hop=5)).only
    assert (only.where, only.confidence) == (Where.UNKNOWN, Confidence.POSSIBLE)


def test_without_routers_that_answer_silence_has_no_place() -> None:
    only = behind(sealed(LOST), replace(box(LOST), icmp=False)).only
    assert (only.where, only.confidence) == (Where.UNKNOWN, Confidence.POSSIBLE)


def test_a_host_outside_the_product_that_meets_the_same_end_acquits_the_vendor() -> None:
    found = behind(sealed(LOST, 443), box(LOST, 443, looks=0))
    (finding,) = [f for f in found.findings if f.cause == "port-blocked"]
    assert (finding.where, finding.confidence) == (Where.UNKNOWN, Confidence.LIKELY)
    assert "opens at 1 address, and" in finding.summary
    assert "outside the product" in finding.summary and finding.affects == ("web",)


@both
def test_a_port_on_which_one_greeting_lives_is_not_sealed(kill: Failure) -> None:
    world = sealed(kill)
    world.greet = lambda target: kill if target.port == SIP and target.address != "198.18.0.10" else None
    assert not {"port-rejected", "port-blocked"} & set(behind(world, box(kill)).causes)


def test_a_server_that_answers_some_name_is_not_sealed() -> None:
    minds_none = Box(minds=lambda name: name is None, kill=RESET, spares=lambda at: at.port != SIP)
    assert "port-rejected" not in behind(sealed(RESET), minds_none).causes


def test_silence_that_small_segments_end_is_a_narrow_link() -> None:
    assert behind(sealed(LOST), server(LOST), small=None).findings == ()


def test_where_no_connection_carries_anything_there_is_one_finding_for_all_ports() -> None:
    """A stateful firewall that sees one direction alone; small segments were tried on one port only."""
    found = behind(sealed(LOST, 443, SIP), box(LOST, 443, SIP, looks=0))
    (finding,) = [f for f in found.findings if f.cause == "port-blocked"]
    assert (finding.where, finding.confidence) == (Where.UNKNOWN, Confidence.LIKELY)
    assert set(finding.affects) == {"web", "sip"} and "443, 8934 open at" in finding.summary
    assert "asymmetric routing" in finding.remedy
