"""Names and time servers: whose fault silence of a name server or a time server is."""

from dataclasses import replace

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import (
    FIREWALL,
    RESOLVER,
    ROWS,
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


def silent(transport: str) -> Failure | None:
    return Failure.TIMED_OUT


def with_server(address: str, port: int = 53) -> dict[str, object]:
    shown = address if port == 53 else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return {
        "environment": make_environment(resolvers=(shown,)),
        "selection": make_selection(resolvers=((address, port),)),
    }


# --- name servers -------------------------------------------------------------------------------------


def test_a_name_server_of_the_site_that_is_silent() -> None:
    found = conclude(World(resolver=silent))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("dns-unreachable", Where.UNKNOWN, Owner.DNS)
    assert only.confidence is Confidence.CERTAIN  # services answered by address
    assert only.affects == ("web", "dns-udp", "dns-tcp")
    assert only.severity is Severity.BLOCKING
    assert "192.168.1.53" in only.summary
    assert found.readiness is Readiness.NOT_READY


def test_a_wall_before_a_name_server_outside() -> None:
    world = World(
        **with_server("192.88.99.53"),  # type: ignore[arg-type]
        resolver=silent,
        wall=lambda t: "drop" if t.port == 53 else None,
    )
    only = conclude(world).only
    assert (only.cause, only.where, only.owner) == ("dns-unreachable", Where.SITE, Owner.NETWORK)
    assert FIREWALL in only.summary


@pytest.mark.parametrize(
    ("address", "port"), [("2001:db8::53", 53), ("2001:db8::53", 5353), ("192.0.2.53", 5353)]
)
def test_any_spelling_of_a_name_server(address: str, port: int) -> None:
    found = conclude(World(**with_server(address, port), resolver=silent))  # type: ignore[arg-type]
    assert found.only.cause == "dns-unreachable"
    assert address in found.only.summary


def test_one_of_two_name_servers_is_enough() -> None:
    world = World(
        environment=make_environment(resolvers=("192.168.1.53", "192.168.1.54")),
        selection=make_selection(resolvers=(("192.168.1.53", 53), ("192.168.1.54", 53))),
        wall=lambda t: "drop" if t.address == "192.168.1.54" else None,
    )
    found = conclude(world)
    assert (found.only.cause, found.only.severity) == ("dns-unreachable", Severity.NOTE)
    assert "192.168.1.54" in found.only.summary and "5 s" in found.only.summary
    assert found.verdict("dns-udp").status is Judgement.WARN


def test_without_a_name_server_the_host_is_to_blame() -> None:
    world = World(
        environment=make_environment(resolvers=()),
        selection=make_selection(resolvers=()),
        resolver=lambda transport: Failure.DNS_NO_RESOLVER,
    )
    found = conclude(world)
    only = found.only
    assert (only.cause, only.where) == ("dns-unreachable", Where.HOST)
    assert set(only.affects) == {"web", "dns-udp", "dns-tcp"}
    assert only.severity is Severity.BLOCKING
    assert "none is configured" in only.summary


@pytest.mark.parametrize("failure", [Failure.DNS_NXDOMAIN, Failure.DNS_SERVFAIL, Failure.DNS_REFUSED])
def test_a_server_that_says_no_has_answered(failure: Failure) -> None:
    names = {"api.example.com": failure, "cdn.example.com": failure}
    assert "dns-unreachable" not in conclude(World(names=names)).causes


@pytest.mark.parametrize(
    ("failure", "remedy"), [(Failure.DNS_REFUSED, "access list"), (Failure.DNS_SERVFAIL, "forwards")]
)
def test_a_server_that_looks_nothing_up(failure: Failure, remedy: str) -> None:
    """For names that are not the product's it is the same: no filter, and no use."""
    foreign = Target(host="x.example.net", address=RESOLVER, port=53)
    check = make_check("control/hijack", requirement=None, probe="hijack", scope=Scope.HONESTY)
    asked = make_outcome(check, seen(Step.RESPONSE, foreign, failure, rcode=failure))
    world = World(resolver=lambda transport: failure)
    found = conclude_from(world, (*world.outcomes(), asked))
    only = found.only
    assert (only.cause, only.where, only.confidence) == ("dns-unreachable", Where.UNKNOWN, Confidence.CERTAIN)
    assert (only.affects, only.severity) == (("web", "dns-udp", "dns-tcp"), Severity.BLOCKING)
    assert "outside the product" in only.summary and remedy in only.remedy
    assert found.readiness is Readiness.NOT_READY


def test_a_forwarder_whose_line_is_down_is_no_more_than_possible() -> None:
    """Home routers refuse what they have nobody to ask for; of a product of names nothing else was tried."""
    refused = Failure.DNS_REFUSED
    check = make_check("control/hijack", requirement=None, probe="hijack", scope=Scope.HONESTY)
    foreign = Target(host="x.example.net", address=RESOLVER, port=53)
    asked = make_outcome(check, seen(Step.RESPONSE, foreign, refused, rcode="REFUSED"))
    world = World(
        profile=make_profile(ROWS[3], ROWS[4]),
        resolver=lambda transport: refused,
        wall=lambda target: None if target.address == RESOLVER else "drop",
    )
    only = conclude_from(world, (*world.outcomes(), asked)).only
    assert (only.cause, only.where, only.confidence) == (
        "dns-unreachable",
        Where.UNKNOWN,
        Confidence.POSSIBLE,
    )


def test_look_ups_that_are_cut_and_have_no_tcp() -> None:
    """The server does answer: that there is more than a datagram holds."""
    world = World(resolver=lambda transport: Failure.CONNECTION_REFUSED)
    outcomes = [
        replace(
            o,
            observations=tuple(
                replace(
                    s, facts={**s.facts, "truncated": s.target.transport != "tcp" or s.step is Step.RESOLVE}
                )
                for s in o.observations
            ),
        )
        for o in world.outcomes()
    ]
    only = conclude_from(world, tuple(outcomes)).only
    assert (only.cause, only.severity) == ("dns-tcp-blocked", Severity.BLOCKING)
    assert only.affects == ("web", "dns-udp", "dns-tcp")


def test_names_over_udp_only() -> None:
    found = conclude(World(resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None))
    only = found.only
    assert (only.cause, only.owner, only.confidence) == ("dns-tcp-blocked", Owner.DNS, Confidence.CERTAIN)
    assert only.affects == ("dns-tcp",)
    assert found.readiness is Readiness.WARNINGS


FAR_AWAY = "192.88.99.53"


@pytest.mark.parametrize(
    ("server", "wall_ttl", "where", "owner"),
    [
        (FAR_AWAY, 2, Where.SITE, Owner.NETWORK),
        (FAR_AWAY, 3, Where.UNKNOWN, Owner.DNS),
        (RESOLVER, 2, Where.UNKNOWN, Owner.DNS),  # whose own filter it may be
    ],
)
def test_where_names_over_tcp_end_is_seen_beside_those_over_udp(
    server: str, wall_ttl: int, where: Where, owner: Owner
) -> None:
    world = World(
        wall=lambda t: "drop" if (t.port, t.transport) == (53, "tcp") else None,
        wall_ttl=wall_ttl,
        **with_server(server),  # type: ignore[arg-type]
    )
    only = conclude(world).only
    assert (only.cause, only.where, only.owner) == ("dns-tcp-blocked", where, owner)
    assert ("packets reach" in only.summary) == (server == FAR_AWAY)


def test_a_server_that_hears_and_is_silent_over_tcp_has_no_place() -> None:
    world = World(
        resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None,
        **with_server(FAR_AWAY),  # type: ignore[arg-type]
    )
    assert conclude(world).only.where is Where.UNKNOWN


def test_a_server_that_drops_questions_over_udp_too_is_hardly_blocked_over_tcp() -> None:
    """Whoever asks too fast is left without an answer, over either."""
    world = World(resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None)
    outcomes = [
        replace(o, observations=tuple(replace(s, facts={**s.facts, "attempts": 2}) for s in o.observations))
        if o.check.requirement == "dns-udp"
        else o
        for o in world.outcomes()
    ]
    found = conclude_from(world, tuple(outcomes)).findings
    assert {f.confidence for f in found if f.cause == "dns-tcp-blocked"} == {Confidence.POSSIBLE}


def test_a_line_too_long_for_a_connection_in_time_blocks_nothing() -> None:
    world = World(resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None)
    outcomes = [
        replace(o, metrics={**o.metrics, "slowest_ms": 1500.0}) if o.check.requirement == "dns-udp" else o
        for o in world.outcomes()
    ]
    assert "dns-tcp-blocked" not in conclude_from(world, tuple(outcomes)).causes


def test_where_all_connections_open_late_one_to_a_name_server_does_too() -> None:
    world = World(resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None, dense=True)

    def late(o: Observation) -> Observation:
        slow = o.step is Step.CONNECT and not o.failure
        return replace(o, elapsed_ms=3_050.0, facts={**o.facts, "rtt_ms": 1.0}) if slow else o

    outcomes = [replace(o, observations=tuple(map(late, o.observations))) for o in world.outcomes()]
    assert "dns-tcp-blocked" in conclude_from(world, world.outcomes()).causes
    assert "dns-tcp-blocked" not in conclude_from(world, tuple(outcomes)).causes


def test_answers_that_are_too_large_are_lost_without_tcp() -> None:
    world = World(
        resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None,
        names={"api.example.com": Failure.TIMED_OUT},
    )
    outcomes = [
        replace(
            o, observations=tuple(replace(s, facts={**s.facts, "truncated": True}) for s in o.observations)
        )
        if o.check.requirement == "web"
        else o
        for o in world.outcomes()
    ]
    only = conclude_from(world, tuple(outcomes)).only
    assert (only.cause, only.affects) == ("dns-tcp-blocked", ("web", "dns-tcp"))


def test_names_over_udp_only_are_a_note_where_nothing_needs_tcp() -> None:
    rows = [*(r for r in ROWS if r["id"] != "dns-tcp"), {**ROWS[5], "importance": "optional"}]
    world = World(
        profile=make_profile(*rows),
        resolver=lambda transport: Failure.TIMED_OUT if transport == "tcp" else None,
    )
    found = conclude(world)
    assert (found.only.cause, found.only.severity) == ("dns-tcp-blocked", Severity.NOTE)
    assert found.readiness is Readiness.READY


# --- time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_blocked_time_requests(how: str) -> None:
    found = conclude(World(wall=lambda t: how if t.port == 123 else None))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("ntp-blocked", Where.SITE, Owner.NETWORK)
    assert (only.confidence, only.affects) == (Confidence.CERTAIN, ("ntp",))
    assert "UDP 123" in only.summary
    assert FIREWALL in only.summary


def test_silent_time_servers_are_no_block_without_proof() -> None:
    found = conclude(World(wall=lambda t: "drop" if t.port == 123 else None, icmp=False))
    assert found.findings == ()
    assert found.verdict("ntp").status is Judgement.INCONCLUSIVE


def test_a_named_time_server_that_is_silent() -> None:
    row = requirement(
        "host-time",
        area="names and time",
        transport="udp",
        ports=["123"],
        targets={"hosts": ["ntp.example.com"]},
        probe="ntp",
        importance="recommended",
    )
    found = conclude(World(profile=make_profile(*ROWS[:2], row), mute=lambda t: t.host == "ntp.example.com"))
    assert found.only.cause == "ntp-blocked"
    assert found.only.affects == ("host-time",)
    assert found.only.severity is Severity.DEGRADING
    assert "outbound to ntp.example.com," in found.only.remedy


# --- a product of names alone, that asks nothing of name servers ----------------------------------------


def of_names(failure: Failure | None) -> Result:
    row = requirement(
        "web", targets={"hosts": ["a.example.com", "b.example.com"]}, ports=["443"], probe="tls"
    )
    names = (
        dict.fromkeys(("a.example.com", "b.example.com", "control.example.org"), failure) if failure else {}
    )
    return conclude(World(profile=make_profile(row), names=names, selection=make_selection()))


def test_look_ups_in_vain_are_the_name_servers_and_not_the_site() -> None:
    found = of_names(Failure.TIMED_OUT)
    assert (found.causes, found.only.affects) == (["dns-unreachable"], ("web",))
    assert found.readiness is Readiness.UNKNOWN


@pytest.mark.parametrize("failure", [Failure.DNS_SERVFAIL, Failure.DNS_NXDOMAIN, None])
def test_name_servers_that_answer_are_not_out_of_reach(failure: Failure | None) -> None:
    assert "dns-unreachable" not in of_names(failure).causes
