"""The questions that rules ask: what answered, how grave it is, where packets end."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.case import Case, place_of
from readycheck.diagnose.finding import Owner, Severity, Where
from readycheck.evidence import Cell, Evidence, Rung, Sign
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck.verdict import CheckVerdict, Judgement, Verdict
from tests.unit.builders import (
    World,
    conclude,
    make_check,
    make_environment,
    make_outcome,
    make_profile,
    requirement,
    seen,
)

PUBLIC, PRIVATE = Target(address="192.0.2.1", port=443), Target(address="192.168.1.53", port=53)
LADDER = tuple(
    Rung(ttl, a, "udp", "ladder", "c:1") for ttl, a in enumerate(("10.0.0.1", "10.0.0.2", "100.64.0.1"), 1)
)


def case(
    *statuses: tuple[str, str, Judgement],
    evidence: Evidence | None = None,
    path: tuple[Observation, ...] = (),
    **outcomes: Any,
) -> Case:
    """Requirements by id, importance and status, each with one check of its name."""
    profile = make_profile(
        *(requirement(name, importance=importance) for name, importance, _ in statuses) or ()
    )
    verdicts = tuple(
        Verdict(
            requirement=needed,
            status=status,
            because="",
            checks=(CheckVerdict(check=f"{name}/x", status=status, because=""),),
        )
        for needed, (name, _, status) in zip(profile.requirements, statuses, strict=False)
    )
    made = tuple(make_outcome(make_check(f"{name}/x"), *outcomes.get(name, ())) for name, _, _ in statuses)
    survey = make_check("path/egress", scope=Scope.PATH, requirement=None)
    made = (*made, *([make_outcome(survey, *path)] if path else []))
    return Case(profile, make_environment(), verdicts, made, evidence or Evidence((), (), None, None))


@pytest.mark.parametrize(
    ("observation", "answered"),
    [
        (seen(Step.CONNECT, PUBLIC), True),
        (seen(Step.ECHO, PUBLIC), True),
        (seen(Step.CONNECT, PUBLIC, Failure.TIMED_OUT), False),
        (seen(Step.RESPONSE, PRIVATE), False),
        (seen(Step.CONNECT, Target(address="127.0.0.53", port=53)), False),
        (seen(Step.RESOLVE, PUBLIC), False),
        (seen(Step.HOP, PUBLIC), False),
        (seen(Step.CONNECT, Target(host="a.example")), False),
    ],
)
def test_what_counts_as_an_answer_from_beyond_the_site(observation: Any, answered: bool) -> None:
    assert case(("a", "required", Judgement.PASS), a=(observation,)).answered_anywhere() is answered


@pytest.mark.parametrize(
    ("importance", "status", "severity"),
    [
        ("required", Judgement.FAIL, Severity.BLOCKING),
        ("required", Judgement.INCONCLUSIVE, Severity.DEGRADING),
        ("required", Judgement.WARN, Severity.DEGRADING),
        ("recommended", Judgement.FAIL, Severity.DEGRADING),
        ("optional", Judgement.FAIL, Severity.NOTE),
        ("fallback", Judgement.FAIL, Severity.NOTE),
        ("legacy", Judgement.FAIL, Severity.NOTE),
    ],
)
def test_severity_follows_what_is_affected(importance: str, status: Judgement, severity: Severity) -> None:
    assert case(("a", importance, status)).severity(["a"]) is severity


def test_a_failed_option_does_not_block_a_required_one_that_warns() -> None:
    both = case(("must", "required", Judgement.WARN), ("may", "optional", Judgement.FAIL))
    assert both.severity(["must", "may"]) is Severity.DEGRADING


def test_a_finding_lists_requirements_in_the_order_of_the_profile() -> None:
    both = case(("b", "required", Judgement.FAIL), ("a", "required", Judgement.FAIL))
    made = both.finding("port-blocked", ["a/x", "b/x", "a/x"], "...", where=Where.SITE)
    assert made.affects == ("b", "a")
    assert made.evidence == ("a/x", "b/x")
    assert made.owner is Owner.NETWORK


@pytest.mark.parametrize(
    ("where", "owner"),
    [
        (Where.HOST, Owner.HOST_ADMIN),
        (Where.SITE, Owner.NETWORK),
        (Where.ISP, Owner.ISP),
        (Where.VENDOR, Owner.VENDOR),
        (Where.UNKNOWN, Owner.UNKNOWN),
    ],
)
def test_the_usual_owner_of_a_place(where: Where, owner: Owner) -> None:
    assert case(("a", "required", Judgement.FAIL)).finding("x", ["a/x"], "", where=where).owner is owner


def test_failing_checks_are_those_that_did_not_pass() -> None:
    statuses = [("f", Judgement.FAIL), ("w", Judgement.WARN), ("i", Judgement.INCONCLUSIVE)]
    rest = [("p", Judgement.PASS), ("s", Judgement.SKIPPED)]
    made = case(*((name, "required", status) for name, status in [*statuses, *rest]))
    assert [check.check for _, check in made.failing] == ["f/x", "w/x", "i/x"]


def test_cells_of_the_survey_are_no_samples() -> None:
    found = conclude(World()).case
    assert found.sampled
    assert all(cell.requirement for cell in found.sampled)
    assert any(not cell.requirement for cell in found.evidence.cells)
    assert {outcome.check.scope for outcome, _ in found.observations(Scope.CONTROL)} == {Scope.CONTROL}


# --- where packets end --------------------------------------------------------------------------------


def wall(sign: Sign, **facts: Any) -> Cell:
    return Cell(
        sign=sign,
        check="path",
        requirement=None,
        transport="udp",
        network="192.0.2.0/24",
        address="192.0.2.1",
        part=0,
        port=5004,
        **facts,
    )


CLIMB = seen(
    Step.HOP,
    Target(network="192.0.2.0/24", address="192.0.2.1", port=5004, transport="udp"),
    Failure.TIMED_OUT,
    purpose="stopped",
    ttl=4,
)


def place(
    cells: list[Cell],
    *stopped: Rung,
    edge: int | None = 2,
    ladder: tuple[Rung, ...] = LADDER,
    climbed: bool = True,
) -> Where:
    evidence = Evidence(tuple(cells), (*ladder, *stopped), edge, None)
    about = case(("a", "required", Judgement.FAIL), evidence=evidence, path=(CLIMB,) if climbed else ())
    return place_of(about, "udp", [5004], cells).where


def stop(ttl: int, port: int = 5004, transport: str = "udp") -> Rung:
    return Rung(ttl, f"10.0.0.{ttl}", transport, "stopped", f"192.0.2.1:{port}")


@pytest.mark.parametrize(
    ("stopped", "where"),
    [
        ((), Where.UNKNOWN),  # the host itself, or its first router
        ((stop(1),), Where.SITE),
        ((stop(1), stop(2)), Where.SITE),
        ((stop(1), stop(3, 9000)), Where.SITE),  # another port came further: that is not this wall
        ((stop(1), stop(3, transport="tcp")), Where.SITE),
        ((stop(3),), Where.UNKNOWN),  # as far as the control's: no wall on this way
    ],
)
def test_a_silent_wall_lies_behind_the_last_hop_that_was_reached(
    stopped: tuple[Rung, ...], where: Where
) -> None:
    assert place([wall(Sign.STOPPED)], *stopped) is where


@pytest.mark.parametrize(
    ("ttl", "port", "where"),
    [(3, 5004, Where.UNKNOWN), (2, 5004, Where.SITE), (3, 9000, Where.SITE)],
)
def test_a_packet_to_the_same_port_that_was_seen_farther_shows_that_the_wall_is_farther(
    ttl: int, port: int, where: Where
) -> None:
    """The routers answered too seldom for the one that was followed hop by hop."""
    left = replace(wall(Sign.LEFT, ttl=ttl, offender=f"203.0.113.{ttl}"), port=port, address="192.0.2.9")
    longer = (*LADDER, Rung(4, "203.0.113.9", "udp", "ladder", "c:1"))
    assert place([wall(Sign.STOPPED, ttl=5), left], stop(2), ladder=longer) is where


@pytest.mark.parametrize(
    ("ttls", "own", "where"),
    [((5,), True, Where.UNKNOWN), ((5, 3), True, Where.SITE), ((5,), False, Where.SITE)],
)
def test_a_control_that_was_first_answered_far_beyond_the_edge_places_no_wall_at_it(
    ttls: tuple[int, ...], own: bool, where: Where
) -> None:
    """Hop by hop beside each other: the routers between kept both waiting."""
    assert place([replace(wall(Sign.STOPPED, ttl=ttl), own=own) for ttl in ttls], stop(2)) is where


@pytest.mark.parametrize(
    ("following", "where"),
    [
        ("100.64.0.2", Where.ISP),
        ("10.9.0.1", Where.ISP),
        ("203.0.113.7", Where.UNKNOWN),
        (None, Where.UNKNOWN),
    ],
)
def test_a_silent_wall_beyond_the_edge_is_the_providers_if_both_routers_are(
    following: str | None, where: Where
) -> None:
    """Right behind the provider's first router the vendor's network may begin."""
    far = (Rung(5, "203.0.113.9", "udp", "ladder", "c:1"),)
    longer = (
        *LADDER,
        *(Rung(4, address, "udp", "ladder", "c:1") for address in [following] if address),
        *far,
    )
    assert place([wall(Sign.STOPPED)], stop(3), ladder=longer) is where


def test_a_wall_before_routers_that_told_nothing_of_the_control_either_may_be_theirs() -> None:
    far = Rung(4, "203.0.113.9", "udp", "ladder", "c:1")
    ladder = (*(rung for rung in LADDER if rung.ttl < 3), far)
    assert place([wall(Sign.STOPPED)], stop(2), ladder=ladder) is Where.UNKNOWN


@pytest.mark.parametrize(("ttl", "where"), [(3, Where.SITE), (4, Where.UNKNOWN), (None, Where.UNKNOWN)])
def test_without_a_ladder_of_its_own_the_hop_of_the_survey_places_a_wall(
    ttl: int | None, where: Where
) -> None:
    """Only three walls get a ladder: the others may not be said to reach no hop."""
    cells = [wall(Sign.STOPPED, ttl=ttl)]
    assert place(cells, climbed=False) is where
    evidence = Evidence(tuple(cells), LADDER, 2, None)
    about = case(("a", "required", Judgement.FAIL), evidence=evidence)
    assert place_of(about, "udp", [5004], cells).words == ""


def test_without_an_edge_or_a_control_the_place_is_not_known() -> None:
    assert place([wall(Sign.STOPPED)], stop(1), edge=None) is Where.UNKNOWN
    assert place([wall(Sign.STOPPED)], stop(1), ladder=()) is Where.UNKNOWN


@pytest.mark.parametrize(
    ("facts", "edge", "where"),
    [
        ({"offender": "10.0.0.2", "ttl": 3}, 2, Where.SITE),
        ({"offender": "10.0.0.2", "ttl": 3}, None, Where.SITE),  # a private address
        ({"offender": "100.64.0.1", "ttl": 3}, 2, Where.ISP),
        ({"offender": "100.64.0.1", "ttl": 3}, 3, Where.SITE),  # carrier space inside the edge
        ({"offender": "203.0.113.9", "ttl": 3}, 2, Where.UNKNOWN),  # the provider's, or the vendor's already
        ({"offender": "203.0.113.9", "ttl": 3}, None, Where.UNKNOWN),
        ({"ttl": 3}, 2, Where.SITE),  # a reset: the hop limit says how far the packet can have come
        ({"ttl": 5}, 2, Where.UNKNOWN),  # of everybody up to hop 4
        ({"ttl": 3}, None, Where.UNKNOWN),
        ({}, 2, Where.UNKNOWN),
    ],
)
def test_a_refusal_is_placed_by_its_author(facts: dict[str, Any], edge: int | None, where: Where) -> None:
    assert place([wall(Sign.REJECTED, **facts)], edge=edge) is where


@pytest.mark.parametrize(
    ("tried", "where"),
    [
        ({1: False, 2: False, 3: True, 5: True}, Where.SITE),  # the edge, which hop limit 3 passes
        ({3: False, 4: True, 5: True}, Where.ISP),  # not the edge, but the router of the carrier behind it
        ({4: True, 5: True}, Where.UNKNOWN),
    ],
)
def test_the_least_hop_limit_that_is_refused_tells_who_refuses(tried: dict[int, bool], where: Where) -> None:
    def sent(ttl: int, refused: bool) -> Observation:
        failure = Failure.CONNECTION_REFUSED if refused else None
        target = Target(address="192.0.2.1", port=5004, transport="udp")
        return seen(Step.HOP, target, failure, purpose="stopped", ttl=ttl)

    cells = [wall(Sign.REJECTED, ttl=5)]
    evidence = Evidence(tuple(cells), LADDER, 2, None)
    path = tuple(sent(ttl, refused) for ttl, refused in tried.items())
    about = case(("a", "required", Judgement.FAIL), evidence=evidence, path=path)
    assert place_of(about, "udp", [5004], cells).where is where


# --- routers that lead elsewhere, too -----------------------------------------------------------------

VENDORS, ELSEWHERE, OWN = "192.0.2.1:5004", "104.18.26.120:443", "198.51.100.6"
"""The stopped target, a host outside the product, and this site's address as the world sees it."""
WAY = ("10.0.0.1", "10.0.0.2", "198.51.100.5", "203.0.113.129", "203.0.113.133")


def beyond(
    reached: int,
    *,
    way: tuple[str, ...] = WAY,
    outside: tuple[int, ...] = (4, 5),
    elsewhere: str = ELSEWHERE,
    mapped: str | None = OWN,
    cells: tuple[Cell, ...] = (),
    refused: Cell | None = None,
) -> Where:
    """Where packets end that reach a hop, a refusal comes from; `outside` are hops on the way to somebody else."""
    hops = list(enumerate(way, 1))
    rungs = [
        *(Rung(ttl, a, "tcp", "ladder", "192.0.2.9:443") for ttl, a in hops),
        *(Rung(ttl, a, "tcp", "outside", elsewhere) for ttl, a in hops if ttl in outside),
        *(Rung(ttl, a, "udp", "stopped", VENDORS) for ttl, a in hops if ttl <= reached),
    ]
    walls = [refused or wall(Sign.STOPPED)]
    evidence = Evidence((*walls, *cells), tuple(rungs), 2, mapped)
    about = case(("a", "required", Judgement.FAIL), evidence=evidence, path=(CLIMB,))
    return place_of(about, "udp", [5004], walls).where


def test_a_wall_between_routers_that_lead_elsewhere_too_is_the_providers() -> None:
    assert beyond(4) is Where.ISP


@pytest.mark.parametrize("outside", [(), (4,), (5,)])
def test_a_router_that_only_the_product_is_behind_may_be_the_vendors(outside: tuple[int, ...]) -> None:
    assert beyond(4, outside=outside) is Where.UNKNOWN


def test_the_first_router_beyond_the_edge_may_be_the_sites_own() -> None:
    way = (*WAY[:2], "203.0.113.1", *WAY[3:])
    assert beyond(3, way=way, outside=(3, 4, 5)) is Where.UNKNOWN


@pytest.mark.parametrize("block", ["198.51.7.1", "192.0.77.1"])
def test_routers_of_the_sites_or_the_targets_block_are_no_providers(block: str) -> None:
    """A large site has public addresses; a vendor's routers may have some of its own."""
    assert beyond(4, way=(*WAY[:3], block, WAY[4])) is Where.UNKNOWN
    assert beyond(4, way=(*WAY[:4], block)) is Where.UNKNOWN


def test_a_host_that_lives_beside_the_target_is_not_elsewhere() -> None:
    assert beyond(4, elsewhere="192.0.200.1:443") is Where.UNKNOWN


def test_a_router_in_a_network_of_the_product_is_the_vendors() -> None:
    own = replace(wall(Sign.SILENT), network="203.0.113.0/24")
    assert beyond(4, cells=(own,)) is Where.UNKNOWN


def test_without_the_sites_own_address_its_block_is_not_known() -> None:
    assert beyond(4, mapped=None) is Where.UNKNOWN


def test_over_ipv6_a_router_that_leads_elsewhere_may_be_the_sites() -> None:
    """There nothing is translated: all of them have public addresses."""
    way = tuple(f"2001:db8:{hop}::1" for hop in range(1, 6))
    assert beyond(4, way=way, elsewhere="[2606:4700::1]:443") is Where.UNKNOWN
    assert beyond(4, way=way, elsewhere="[2606:4700::1]:443", mapped="2001:db8:77::9") is Where.UNKNOWN


def test_a_router_that_refuses_and_leads_elsewhere_is_the_providers() -> None:
    refused = wall(Sign.REJECTED, offender=WAY[3], ttl=5)
    assert beyond(3, refused=refused) is Where.ISP
    assert beyond(3, refused=refused, outside=(5,)) is Where.UNKNOWN


@pytest.mark.parametrize(("left", "where"), [(5, Where.ISP), (4, Where.UNKNOWN)])
def test_a_reset_is_no_near_servers_where_a_router_answers_farther_on(left: int, where: Where) -> None:
    reset = [wall(Sign.REJECTED, ttl=5), replace(wall(Sign.LEFT, ttl=left), port=9000)]
    rungs = [Rung(ttl, a, "tcp", "ladder", "192.0.2.9:443") for ttl, a in enumerate(WAY, 1)]
    rungs.append(Rung(4, WAY[3], "tcp", "outside", ELSEWHERE))
    target = Target(address="192.0.2.1", port=5004, transport="udp")
    passed = seen(Step.HOP, target, purpose="stopped", ttl=4)
    evidence = Evidence(tuple(reset), tuple(rungs), 2, OWN)
    about = case(("a", "required", Judgement.FAIL), evidence=evidence, path=(passed,))
    assert place_of(about, "udp", [5004], reset).where is where
