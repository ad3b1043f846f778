"""How findings become one list: merged by cause and place, swallowed by what explains them, sorted."""

import ipaddress
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from readycheck.diagnose import table
from readycheck.diagnose.case import Case
from readycheck.diagnose.causes import CAUSES
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where, sort_key
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import NETWORKS, World, conclude, conclude_from


def made(cause: str, *evidence: str, **changes: object) -> Finding:
    plain = Finding(
        cause=cause,
        where=Where.SITE,
        confidence=Confidence.LIKELY,
        severity=Severity.DEGRADING,
        owner=Owner.NETWORK,
        summary=f"{cause} seen.",
        affects=(cause,),
        evidence=evidence,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def diagnose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Finding, ...]]:
    """The list that comes of the findings of one rule each."""
    healthy = conclude(World()).case

    def run(*findings: Finding) -> tuple[Finding, ...]:
        def rule(found: Finding) -> Callable[[Case], Iterator[Finding]]:
            return lambda case: iter([found])

        monkeypatch.setattr(table, "RULES", tuple(map(rule, findings)))
        return table.diagnose(healthy)

    return run


def test_a_finding_whose_evidence_is_explained_is_swallowed(
    diagnose: Callable[..., tuple[Finding, ...]],
) -> None:
    found = diagnose(made("site-offline", "a", "b", "c"), made("port-blocked", "b"), made("dns-slow", "d"))
    assert [f.cause for f in found] == ["dns-slow", "site-offline"]
    assert found[1].explains == ("port-blocked",)


def test_a_swallowed_cause_is_named_once(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    (found,) = diagnose(
        made("site-offline", "a", "b"),
        made("port-blocked", "a"),
        made("port-blocked", "b", where=Where.ISP),
        made("ntp-blocked", "b"),
    )
    assert found.explains == ("port-blocked", "ntp-blocked")


def test_a_host_that_stops_where_networks_stop_is_one_of_them(
    diagnose: Callable[..., tuple[Finding, ...]],
) -> None:
    networks, host = made("subnet-blocked", "a"), made("address-blocked", "b")
    (found,) = diagnose(networks, host)
    assert (found.explains, found.evidence) == (("address-blocked",), ("a", "b"))
    assert found.affects == ("subnet-blocked", "address-blocked")
    assert len(diagnose(networks, replace(host, where=Where.ISP))) == 2


def test_what_shares_only_some_evidence_stays(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    assert len(diagnose(made("port-blocked", "a", "b"), made("subnet-blocked", "b", "c"))) == 2


def test_one_cause_at_one_place_is_one_finding(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    one = made("port-blocked", "a", summary="TCP 1 is dropped.", affects=("x",))
    other = made(
        "port-blocked", "a", "b", summary="TCP 2 is dropped.", affects=("x", "y"), severity=Severity.BLOCKING
    )
    (found,) = diagnose(one, other)
    assert found.summary == "TCP 1 is dropped. TCP 2 is dropped."
    assert (found.affects, found.evidence) == (("x", "y"), ("a", "b"))
    assert found.severity is Severity.BLOCKING


def test_one_cause_at_two_places_is_two_findings(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    assert len(diagnose(made("loss", "a"), made("loss", "b", where=Where.ISP))) == 2


def test_a_finding_without_evidence_is_not_swallowed_by_chance(
    diagnose: Callable[..., tuple[Finding, ...]],
) -> None:
    found = diagnose(made("port-blocked", "a"), made("vpn-in-path", severity=Severity.NOTE))
    assert [f.cause for f in found] == ["port-blocked", "vpn-in-path"]


def test_findings_are_sorted(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    rows = itertools.product(Severity, Confidence)
    found = [
        made(f"cause-{n}", str(n), severity=severity, confidence=confidence)
        for n, (severity, confidence) in enumerate(rows)
    ]
    random.Random(1).shuffle(found)
    assert list(diagnose(*found)) == sorted(found, key=sort_key)


def test_every_finding_says_what_to_do(diagnose: Callable[..., tuple[Finding, ...]]) -> None:
    (found,) = diagnose(made("bufferbloat", "a", remedy=""))
    assert found.remedy == CAUSES["bufferbloat"].remedy


@pytest.mark.parametrize(
    ("where", "told"), [(Where.SITE, "Allow UDP."), (Where.ISP, "Ask the provider to allow UDP.")]
)
def test_the_provider_is_asked_for_what_is_the_providers(
    where: Where, told: str, diagnose: Callable[..., tuple[Finding, ...]]
) -> None:
    (found,) = diagnose(made("udp-blocked", "a", where=where, remedy="Allow UDP."))
    assert found.remedy == told


# --- soundness over many worlds -----------------------------------------------------------------------

PORTS = (8934, 5004, 9000, 123)
HALVES = ("198.18.0.0/17", "198.18.128.0/17")


@st.composite
def walls(draw: st.DrawFn) -> frozenset[object]:
    """One firewall rule: some ports, some networks, or half a network."""
    return draw(
        st.one_of(
            st.frozensets(st.sampled_from(PORTS), min_size=1, max_size=2),
            st.frozensets(st.sampled_from(NETWORKS), min_size=1, max_size=2),
            st.sampled_from(HALVES).map(lambda half: frozenset([half])),
        )
    )


def hits(wall: frozenset[object], target: Target) -> bool:
    if target.port in wall:
        return True
    address = ipaddress.ip_address(target.address) if target.address else None
    return any(isinstance(w, str) and address and address in ipaddress.ip_network(w) for w in wall)


@settings(deadline=None, max_examples=40)
@example(frozenset([HALVES[0]]), "reject", 0, None, False, 1)
@example(frozenset(NETWORKS[:2]), "drop", 0, 6, True, 1)
@given(
    walls(),
    st.sampled_from(["drop", "reject"]),
    st.integers(0, 10_000),
    st.sampled_from([None, 2, 6, 12]),
    st.booleans(),
    st.integers(1, 4),
)
def test_only_what_is_blocked_fails_and_only_its_causes_are_named(
    wall: frozenset[object], how: str, seed: int, proofs: int | None, icmp: bool, lively: int
) -> None:
    world = World(
        wall=lambda t: how if hits(wall, t) else None, seed=seed, proofs=proofs, icmp=icmp, lively=lively
    )
    found = conclude(world)
    by_check = {check.check: check for verdict in found.verdicts for check in verdict.checks}
    networks = {w for w in wall if isinstance(w, str)}
    for outcome in found.outcomes:
        judged = by_check.get(outcome.check.id)
        if judged is None or outcome.check.probe == "path":
            continue
        targets = outcome.check.params.targets
        part_of_it = any(w in HALVES for w in networks) and outcome.check.target.network == NETWORKS[0]
        if not any(hits(wall, t) for t in targets) and not part_of_it:
            assert judged.status is not Judgement.FAIL, (outcome.check.id, judged.because)
        if all(hits(wall, t) for t in targets):
            assert judged.status is not Judgement.PASS, (outcome.check.id, judged.because)
    possible = (
        {
            "subnet-blocked",
            "port-blocked",
            "port-rejected",
            "ntp-blocked",
            "udp-blocked",
            "udp-return-blocked",
        }
        if not icmp or proofs
        else {"subnet-blocked"}
        if networks
        else {"port-blocked", "port-rejected", "ntp-blocked"}
    )
    assert set(found.causes) <= possible, [f.summary for f in found.findings]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000), st.sampled_from([None, 0, 1, 5]), st.booleans(), st.integers(0, 4), st.booleans()
)
def test_a_healthy_world_has_no_finding(
    seed: int, proofs: int | None, icmp: bool, lively: int, echo: bool
) -> None:
    found = conclude(World(seed=seed, proofs=proofs, icmp=icmp, lively=lively, echo=echo))
    assert found.findings == ()
    assert Judgement.FAIL not in found.statuses().values()
    assert found.readiness is not Readiness.NOT_READY


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False), walls())
def test_the_order_in_which_checks_ended_changes_nothing(rng: random.Random, wall: frozenset[object]) -> None:
    world = World(wall=lambda t: "drop" if hits(wall, t) else None)
    outcomes = list(world.outcomes())
    before = conclude_from(world, tuple(outcomes))
    rng.shuffle(outcomes)
    after = conclude_from(world, tuple(outcomes))
    assert after.causes == before.causes
    assert after.statuses() == before.statuses()


# --- follow-ups ---------------------------------------------------------------------------------------


def test_what_was_followed_up_is_not_asked_again() -> None:
    world = World()
    first = [world.measure(check) for check in world.plan.checks]
    (survey,) = table.follow_ups(world.situation(first))
    assert survey.id == "path/egress"
    assert table.follow_ups(world.situation([*first, world.measure(survey)])) == ()


def test_nothing_is_followed_up_where_everything_answers() -> None:
    world = World(dense=True)
    assert table.follow_ups(world.situation([world.measure(check) for check in world.plan.checks])) == ()


def test_a_follow_up_without_its_probe_or_time_for_it_is_none() -> None:
    targets = [Target(host="node.example.com", port=443, transport="tcp")]
    situation = World().situation((), left_s=2.0)
    assert situation.check("name/more", "absent", targets) is None
    assert replace(situation, left_s=0.4).check("name/more", "tls", targets) is None
    check = situation.check("name/more", "tls", targets)
    assert check is not None
    assert (check.target.host, check.target.ports, check.scope) == (
        "node.example.com",
        "443",
        Scope.FOLLOW_UP,
    )
    assert check.params.targets == tuple(targets)
    assert check.budget_s < 2.0
