"""What translates addresses on the way: findings from what the probes see behind NATs of every kind."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.diagnose.nat import LEAST_SERVERS, map_again
from readycheck.diagnose.table import follow_ups
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck.probe import Effort
from readycheck_probes.nat import NatProbe
from tests.unit.builders import (
    LOCAL,
    MEDIA,
    PROBES,
    Result,
    World,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    make_registry,
    make_selection,
    requirement,
    seen,
)

STUN = requirement("stun", **MEDIA, ports=["3478"], probe="stun")
PUBLIC = "203.0.113.5"


def changed(world: World, change: Any) -> tuple[Outcome, ...]:
    return tuple(
        replace(o, observations=tuple(change(n, one) for n, one in enumerate(o.observations)))
        for o in world.outcomes()
    )


def world_of(*rows: Any, **changes: Any) -> World:
    return World(profile=make_profile(*(rows or (STUN,))), dense=True, **changes)


def extra(probe: str, *observations: Observation) -> Outcome:
    check = make_check(f"{probe}/x", requirement=None, probe=probe, scope=Scope.FOLLOW_UP)
    return make_outcome(check, *observations)


def beside(world: World, *outcomes: Outcome) -> Result:
    return conclude_from(world, (*world.outcomes(), *outcomes))


# --- mapping ------------------------------------------------------------------------------------------


def mapped_in_run(port: Any, nodes: int = 4, local: int = 39_000) -> Result:
    """Checks of the run alone, one socket each."""
    world = world_of()

    def change(n: int, o: Observation) -> Observation:
        facts = {k: v for k, v in o.facts.items() if k != "mapped_address"}
        if "mapped_address" in o.facts and n < nodes:
            facts |= {"mapped_address": f"{PUBLIC}:{port(n)}", "local_port": local}
        return replace(o, facts=facts)

    return conclude_from(world, changed(world, change))


def test_a_nat_that_maps_by_destination() -> None:
    only = mapped_in_run(lambda n: 40_000 + n).only
    assert (only.cause, only.severity, only.confidence) == ("nat-symmetric", Severity.NOTE, Confidence.LIKELY)
    assert only.owner is Owner.NETWORK


@pytest.mark.parametrize("port", [lambda n: 40_000, lambda n: 40_000 + n // 2])
def test_a_nat_that_maps_by_source_or_clashed_once(port: Any) -> None:
    assert mapped_in_run(port).findings == ()


def test_a_nat_that_keeps_the_port_for_whom_it_can() -> None:
    """Those that came later found it taken, all of them: kernels do that to the third server and on."""
    assert mapped_in_run(lambda n: 40_000 + n, local=40_000).findings == ()


def test_a_socket_for_each_server_shows_no_mapping() -> None:
    """As those of media ranges have."""
    world = world_of()
    outcomes = tuple(
        replace(
            outcome,
            check=replace(outcome.check, probe="rtp"),
            observations=tuple(
                replace(o, facts={**o.facts, "mapped_address": f"{PUBLIC}:{40_000 + n}"})
                if o.step is Step.ECHO and not o.failure
                else o
                for n, o in enumerate(outcome.observations)
            ),
        )
        if outcome.check.probe == "stun"
        else outcome
        for outcome in world.outcomes()
    )
    assert "nat-symmetric" not in conclude_from(world, outcomes).causes


@pytest.mark.parametrize("nodes", [0, 1])
def test_a_server_or_two_show_no_mapping(nodes: int) -> None:
    assert mapped_in_run(lambda n: 40_000 + n, nodes=nodes).findings == ()


def asked(*rows: tuple[int, str, int, int], address: str = PUBLIC) -> Outcome:
    """What the probe saw: socket, server, its port, mapped port."""
    return extra(
        "nat",
        *(
            seen(
                Step.ECHO,
                Target(address=server, port=port, transport="udp"),
                purpose="mapping",
                socket=socket,
                local_port=40_000,
                mapped_address=f"{address}:{mapped}",
            )
            for socket, server, port, mapped in rows
        ),
    )


A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
THREE = [(s, a, 3478) for s in (0, 1) for a in (A, B, C)]
FAR = [(s, a, p) for s in (0, 1) for a in (A, B) for p in (3478, 3479)]


@pytest.mark.parametrize(
    ("rows", "port", "symmetric"),
    [
        (THREE, lambda n, a, p: 40_000, False),
        (THREE, lambda n, a, p: 50_000 + n, True),
        (THREE, lambda n, a, p: 40_000 if n != 1 else 50_000, False),
        (THREE, lambda n, a, p: 50_000 + n if n < 3 else 40_000, False),  # the other socket shows chance
        (THREE[:2], lambda n, a, p: 50_000 + n, False),
        (FAR, lambda n, a, p: 40_000, False),
        (FAR, lambda n, a, p: 50_000 + n, True),
        (FAR, lambda n, a, p: 50_000 if a == A else 50_001, True),
    ],
)
def test_one_socket_that_asks_every_server(rows: Sequence[Any], port: Any, symmetric: bool) -> None:
    outcome = asked(*((s, a, p, port(n, a, p)) for n, (s, a, p) in enumerate(rows)))
    assert beside(world_of(), outcome).causes == (["nat-symmetric"] if symmetric else [])


def test_what_was_asked_for_it_counts_before_the_run() -> None:
    world = world_of()
    run = changed(
        world, lambda n, o: replace(o, facts={**o.facts, "mapped_address": f"{PUBLIC}:{40_000 + n}"})
    )
    calm = asked(*((s, a, p, 40_000) for s, a, p in THREE))
    assert conclude_from(world, run).causes == ["nat-symmetric"]
    assert conclude_from(world, (*run, calm)).causes == []


def test_several_public_addresses_are_no_symmetric_nat() -> None:
    rows = [asked((0, a, 3478, 50_000 + n), address=f"203.0.113.{n}") for n, a in enumerate((A, B, C))]
    together = replace(rows[0], observations=tuple(o for one in rows for o in one.observations))
    assert "nat-symmetric" not in beside(world_of(), together).causes


@pytest.mark.parametrize(("local_port", "symmetric"), [(50_002, False), (40_000, True)])
def test_a_nat_that_keeps_a_port_changes_others_for_want_of_room(local_port: int, symmetric: bool) -> None:
    run = asked(*((0, a, 3478, 50_000 + n) for n, a in enumerate((A, B, C))))
    told = tuple(replace(o, facts={**o.facts, "local_port": local_port}) for o in run.observations)
    assert ("nat-symmetric" in beside(world_of(), replace(run, observations=told)).causes) is symmetric


def with_nat(effort: Effort = Effort.NORMAL, **changes: Any) -> World:
    registry = make_registry(*PROBES, NatProbe)
    return world_of(registry=registry, selection=make_selection(effort=effort), lively=4, **changes)


@pytest.mark.parametrize("effort", [Effort.NORMAL, Effort.THOROUGH])
def test_the_servers_that_answered_are_asked_from_one_socket(effort: Effort) -> None:
    world = with_nat(effort)
    (check,) = map_again(world.situation(world.outcomes()))
    assert (check.probe, check.scope) == ("nat", Scope.FOLLOW_UP)
    assert LEAST_SERVERS <= len({t.address for t in check.params.targets}) <= 4
    assert check.params.ladder_s == ()


def test_servers_of_other_ports_are_asked_first() -> None:
    row = requirement("stun", **MEDIA, ports=["3478", "5004", "9000"], probe="stun")
    world = World(
        profile=make_profile(row), dense=True, lively=4, registry=make_registry(*PROBES, NatProbe)
    )  # fmt: skip
    (check,) = map_again(world.situation(world.outcomes()))
    assert len({t.port for t in check.params.targets[:2]}) == 2


def test_routers_are_left_to_the_survey_first() -> None:
    """The probe sends hop-limited packets too, and would take the answers that the survey waits for."""
    world = World(registry=make_registry(*PROBES, NatProbe), lively=3)
    first = [world.measure(check) for check in world.plan.checks]
    assert "path/egress" in {check.id for check in follow_ups(world.situation(first))}
    assert not list(map_again(world.situation(first)))
    survey = next(check for check in follow_ups(world.situation(first)) if check.id == "path/egress")
    assert [c.id for c in map_again(world.situation([*first, world.measure(survey)]))] == ["nat/mapping"]


def test_a_quick_run_does_not_ask() -> None:
    world = with_nat(Effort.QUICK)
    assert not list(map_again(world.situation(world.outcomes())))


def test_without_answers_or_the_probe_nobody_is_asked() -> None:
    dark = with_nat(wall=lambda target: "drop")
    assert not list(map_again(dark.situation(dark.outcomes())))
    without = world_of(lively=4)
    assert not list(map_again(without.situation(without.outcomes())))


# --- two NATs -----------------------------------------------------------------------------------------


def own_address(way: Sequence[str], passed_by: int) -> Result:
    """The routers on the way to a server, and how many of them passed packets to the public address on."""
    target = Target(address=PUBLIC, transport="udp")
    hops = [[ttl, address] for ttl, address in enumerate(way, start=1)]
    told = seen(Step.ECHO, target, purpose="own-address", hops=hops[:passed_by], way=hops)
    return beside(world_of(), extra("nat", told))


@pytest.mark.parametrize("passed_by", [1, 2])
def test_a_public_address_beyond_carrier_space_is_translated_twice(passed_by: int) -> None:
    only = own_address(("192.168.1.1", "100.64.0.1", "198.51.100.1"), passed_by).only
    assert (only.cause, only.severity, only.confidence) == ("nat-double", Severity.NOTE, Confidence.LIKELY)
    assert "100.64.0.1 (hop 2)" in only.summary


@pytest.mark.parametrize(
    ("way", "passed_by"),
    [
        (("192.168.1.1", "100.64.0.1"), 0),  # the first router keeps them: it is its address
        (("192.168.2.1", "192.168.1.1", "100.64.0.1"), 1),  # the second one
        (("192.168.1.1", "10.0.0.1", "172.16.0.1", "198.51.100.1"), 3),  # a company's routers
        (("198.51.100.1", "100.64.0.1"), 2),  # no private address before it
        (("100.64.0.1",), 1),
        ((), 0),
    ],
)
def test_no_second_nat(way: Sequence[str], passed_by: int) -> None:
    assert own_address(way, passed_by).findings == ()


def test_carrier_addresses_of_a_providers_routers_are_no_second_nat() -> None:
    world = World(wall=lambda target: "drop" if target.port == 8934 else None)
    run = changed(
        world,
        lambda n, o: (
            replace(o, facts={**o.facts, "mapped_address": f"{PUBLIC}:40000"})
            if "mapped_address" in o.facts
            else o
        ),
    )
    assert "nat-double" not in conclude_from(world, run).causes


# --- lifetime -----------------------------------------------------------------------------------------


def ladder(*rungs: tuple[float, bool], answered: bool = True, moved: float | None = None) -> Outcome:
    server = Target(address=A, port=3478, transport="udp")
    return extra(
        "nat",
        *(
            seen(
                Step.ECHO,
                server,
                purpose="lifetime",
                pause_s=pause,
                reached=reached,
                answered=answered or reached,
                mapped_before=f"{PUBLIC}:40000",
                mapped_after=f"{PUBLIC}:{50000 if moved is not None and pause >= moved else 40000}",
            )
            for pause, reached in rungs
        ),
    )


def alive_until(lives_s: float, *pauses: float) -> list[tuple[float, bool]]:
    return [(pause, pause < lives_s) for pause in (0.0, *(pauses or (15.0, 30.0, 60.0, 115.0)))]


@pytest.mark.parametrize(
    ("lives_s", "words", "confidence"),
    [
        (5, "is alive at once, and after 15 s", Confidence.CERTAIN),
        (20, "lives for 15 s, but after 30 s", Confidence.CERTAIN),
        (90, "lives for 60 s, but after 115 s", Confidence.LIKELY),
    ],
)
def test_a_binding_that_is_forgotten(lives_s: float, words: str, confidence: Confidence) -> None:
    only = beside(world_of(), ladder(*alive_until(lives_s))).only
    assert (only.cause, only.severity, only.confidence) == (
        "nat-binding-short",
        Severity.DEGRADING,
        confidence,
    )
    assert words in only.summary
    assert (only.where, only.owner) == (Where.UNKNOWN, Owner.NETWORK)


@pytest.mark.parametrize(
    "outcome",
    [
        ladder(*alive_until(300)),
        ladder((0, False), (15, False), (30, False)),  # the server answers to no other port
        ladder((0, True), (15, False), (30, False), answered=False),  # nothing answers any more
        ladder((0, True), (15, False), (30, True)),  # loss
        ladder((15, False), (30, False)),  # no control
        ladder((0, True), (300, False)),  # longer than anybody needs
        ladder(),
    ],
)
def test_no_lost_binding(outcome: Outcome) -> None:
    assert beside(world_of(), outcome).findings == ()


def test_a_moved_port_needs_no_far_end() -> None:
    only = beside(world_of(), ladder((0, False), (15, False), (30, False), moved=30)).only
    assert (only.cause, only.confidence) == ("nat-binding-short", Confidence.LIKELY)
    assert "after 30 s" in only.summary


# --- SIP ----------------------------------------------------------------------------------------------

PAIR = [f"Via: SIP/2.0/UDP {LOCAL}:40000", f"Via: SIP/2.0/UDP {PUBLIC}:40000"]
SIP_UDP = requirement("sip-udp", transport="udp", ports=["5060"], probe="sip", params={"transport": "udp"})


@pytest.mark.parametrize(
    ("own", "seen_as", "received", "found"),
    [
        (LOCAL, PUBLIC, None, [Confidence.POSSIBLE]),  # it tells of no difference, as some servers never do
        (LOCAL, PUBLIC, LOCAL, [Confidence.LIKELY]),  # nobody beyond can have seen this
        (LOCAL, PUBLIC, PUBLIC, []),  # it sees one, as it should
        (LOCAL, "10.9.9.9", None, []),  # within the site: who translates is not known
        (PUBLIC, PUBLIC, None, []),
    ],
)
def test_a_request_that_names_this_host_as_the_server_sees_it(
    own: str, seen_as: str, received: str | None, found: list[Confidence]
) -> None:
    told = {"purpose": "signed", "as": own, "seen_as": seen_as} | ({"received": received} if received else {})
    answer = seen(Step.RESPONSE, Target(address="192.88.99.5", port=5060, transport="udp"), **told)
    findings = beside(world_of(), extra("sip", answer)).findings
    assert [(f.cause, f.confidence) for f in findings] == [("sip-alg", each) for each in found]


def mirror(*rows: tuple[int, list[list[str]] | None]) -> Outcome:
    """Port and what was changed there; None is silence."""
    return extra(
        "sip-alg",
        *(
            seen(
                Step.ECHO,
                Target(address=A, port=port, transport="udp"),
                None if lines is not None else Failure.TIMED_OUT,
                purpose="mirror",
                **({} if lines is None else {"changed": lines}),
            )
            for port, lines in rows
        ),
    )


def test_a_rewritten_request_beside_one_that_is_whole() -> None:
    only = beside(world_of(SIP_UDP), mirror((5060, [PAIR]), (15061, []))).only
    assert (only.cause, only.severity, only.confidence) == ("sip-alg", Severity.DEGRADING, Confidence.CERTAIN)
    assert PAIR[0] in only.summary
    assert PAIR[1] in only.summary
    assert "15061" in only.summary
    assert only.owner is Owner.NETWORK


def test_both_ports_rewritten() -> None:
    only = beside(world_of(SIP_UDP), mirror((5060, [PAIR]), (15061, [PAIR]))).only
    assert (only.cause, only.confidence) == ("sip-alg", Confidence.LIKELY)


def test_a_product_that_speaks_tls_only_is_not_touched() -> None:
    only = beside(world_of(requirement("sip")), mirror((5060, [PAIR]), (15061, []))).only
    assert (only.cause, only.severity) == ("sip-alg", Severity.NOTE)
    assert "TLS" in only.remedy


@pytest.mark.parametrize("rows", [((5060, []), (15061, [])), ((5060, None), (15061, [])), ()])
def test_whole_or_silent_requests_are_no_rewriting(rows: Any) -> None:
    assert beside(world_of(SIP_UDP), mirror(*rows)).findings == ()


def edited(plain: str, servers: int) -> Result:
    world = world_of()

    def change(n: int, o: Observation) -> Observation:
        if "mapped_address" not in o.facts or o.target.address not in ALIVE[:servers]:
            return o
        return replace(o, facts={**o.facts, "mapped_address": f"{PUBLIC}:40000", "rewritten_address": plain})

    ALIVE = sorted({str(o.target.address) for one in world.outcomes() for o in one.observations})
    return conclude_from(world, changed(world, change))


@pytest.mark.parametrize(("servers", "confidence"), [(1, Confidence.POSSIBLE), (3, Confidence.LIKELY)])
def test_plain_addresses_that_are_edited(servers: int, confidence: Confidence) -> None:
    found = [f for f in edited(f"{LOCAL}:40000", servers).findings if f.cause == "sip-alg"]
    assert [(f.severity, f.confidence) for f in found] == [(Severity.NOTE, confidence)]


@pytest.mark.parametrize("plain", ["203.0.113.99:40000", ""])
def test_another_public_address_is_the_servers_affair(plain: str) -> None:
    assert "sip-alg" not in edited(plain, 2).causes
