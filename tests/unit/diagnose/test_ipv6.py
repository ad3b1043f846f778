"""IPv6 that is offered and does not work, hosts without IPv4, and all that must not be taken for either."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.diagnose.ipv6 import (
    GREETING,
    OTHER,
    TRANSLATION,
    other_family,
    translation,
    translation_prefix,
)
from readycheck.diagnose.table import follow_ups
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.net.environment import Interface, Kind
from readycheck.observation import Observation, Target
from readycheck.plan import Check, Scope
from readycheck.verdict import Judgement
from tests.unit.builders import (
    ROWS,
    Result,
    World,
    conclude_from,
    make_environment,
    make_outcome,
    make_profile,
    make_selection,
    requirement,
    seen,
)

OWN = "2001:db8:1::10"
SIX = {"api.example.com": "2001:db8:a::1", "control.example.org": "2a00:db8:b::1"}


def dual(*addresses: str, **changes: Any) -> World:
    """A host with these addresses, by default of both families."""
    links = (
        Interface(name="lo", kind=Kind.LOOPBACK, addresses=("127.0.0.1", "::1")),
        Interface(name="eth0", kind=Kind.WIRED, addresses=addresses or ("192.168.1.20", OWN, "fe80::1")),
    )
    return World(environment=make_environment(interfaces=links), **changes)


def measured(world: World, six: Mapping[str, str] = SIX) -> tuple[Outcome, ...]:
    """What is seen where names have addresses of both families."""

    def both(observation: Observation) -> Observation:
        if observation.step is not Step.RESOLVE or observation.failure:
            return observation
        found = [
            *observation.facts["addresses"],
            *([six[h]] if (h := observation.target.host or "") in six else []),
        ]
        return replace(observation, facts={**observation.facts, "addresses": found})

    return tuple(replace(o, observations=tuple(map(both, o.observations))) for o in world.outcomes())


def follow_up(world: World, six: Mapping[str, str] = SIX) -> Check | None:
    found = list(other_family(world.situation(measured(world, six))))
    return found[0] if found else None


def concluded(
    world: World,
    *failures: Failure | None,
    six: Mapping[str, str] = SIX,
    took_ms: float = 3200.0,
    **facts: Any,
) -> Result:
    """The run whose follow-up ended like this, target by target."""
    check = follow_up(world, six)
    assert check is not None
    tried = [
        seen(Step.CONNECT, target, failure, took_ms=took_ms, **facts)
        for target, failure in zip(check.params.targets, failures, strict=True)
    ]
    return conclude_from(world, (*measured(world, six), make_outcome(check, *tried)))


# --- who is tried over IPv6 ---------------------------------------------------------------------------


def test_hosts_that_answered_over_ipv4_are_tried_over_ipv6() -> None:
    check = follow_up(dual())
    assert check is not None
    assert (check.id, check.probe, check.params.device) == (GREETING, "tls", False)
    assert [(t.host, t.address, t.port) for t in check.params.targets] == [
        ("control.example.org", "2a00:db8:b::1", 443),
        ("api.example.com", "2001:db8:a::1", 443),
    ]


def test_who_did_not_greet_over_ipv4_is_only_connected_to() -> None:
    def expired(target: Target) -> Failure | None:
        return Failure.CERTIFICATE_EXPIRED if target.host == "api.example.com" else None

    world = dual(greet=expired)
    greeting, other = other_family(world.situation(measured(world)))
    assert [(c.id, c.probe, [t.host for t in c.params.targets]) for c in (greeting, other)] == [
        (GREETING, "tls", ["control.example.org"]),
        (OTHER, "tcp", ["api.example.com"]),
    ]


@pytest.mark.parametrize(
    "addresses",
    [("192.168.1.20",), ("192.168.1.20", "fe80::1"), ("192.168.1.20", "fd00::1")],
    ids=["none", "link-local", "unique-local"],
)
def test_a_host_without_an_address_that_leads_out_is_asked_nothing(addresses: Sequence[str]) -> None:
    assert follow_up(dual(*addresses)) is None


def test_an_ipv4_only_site_has_nothing_to_do_and_no_finding() -> None:
    world = World()
    outcomes = world.outcomes()
    assert {c.id for c in follow_ups(world.situation(outcomes))} & {GREETING, OTHER, TRANSLATION} == set()
    assert conclude_from(world, outcomes).findings == ()


def test_a_quick_run_and_names_of_one_family_cost_nothing() -> None:
    from readycheck.probe import Effort

    assert follow_up(dual(selection=make_selection(effort=Effort.QUICK))) is None
    assert follow_up(dual(), six={}) is None


def test_what_does_not_answer_over_ipv4_is_no_comparison() -> None:
    assert follow_up(dual(wall=lambda target: "drop")) is None


# --- broken -------------------------------------------------------------------------------------------


def test_silence_of_several_owners_with_a_control_among_them() -> None:
    found = concluded(dual(), Failure.TIMED_OUT, Failure.TIMED_OUT)
    only = found.only
    assert (only.cause, only.where, only.confidence) == ("ipv6-broken", Where.UNKNOWN, Confidence.CERTAIN)
    assert only.affects == ("web",)
    assert only.severity is Severity.DEGRADING
    assert "0.25 s" in only.summary and "3.2 s" in only.summary
    assert found.verdict("web").status is Judgement.PASS


@pytest.mark.parametrize(
    "failures",
    [
        (None, None),
        (Failure.TIMED_OUT, None),
        (None, Failure.TIMED_OUT),
        (Failure.CONNECTION_REFUSED, None),
        (None, Failure.CONNECTION_REFUSED),
        (Failure.NETWORK_UNREACHABLE, Failure.NETWORK_UNREACHABLE),
        (Failure.TIMED_OUT, Failure.CONNECTION_REFUSED),
    ],
    ids=["well", "one-host", "one-control", "one-refuses", "control-refuses", "no-route", "one-of-each"],
)
def test_what_is_no_fault_of_the_network(failures: tuple[Failure | None, ...]) -> None:
    assert concluded(dual(), *failures).findings == ()


REFUSED = Failure.CONNECTION_REFUSED
ONE_OWNER = {"api.example.com": "2001:db8:a::1", "control.example.org": "2001:db8:b::1"}


@pytest.mark.parametrize("failure", [REFUSED, Failure.CONNECTION_RESET])
def test_resets_in_the_name_of_several_owners_are_not_theirs(failure: Failure) -> None:
    only = concluded(dual(), failure, failure, took_ms=20.0).only
    assert (only.cause, only.where, only.confidence) == ("ipv6-broken", Where.UNKNOWN, Confidence.LIKELY)
    assert (only.affects, only.severity) == (("web",), Severity.DEGRADING)
    assert "refused at once" in only.summary and "0.25 s" not in only.summary


def test_hosts_of_one_owner_may_not_serve_ipv6() -> None:
    assert concluded(dual(), REFUSED, REFUSED, six=ONE_OWNER).findings == ()


def test_resets_by_hosts_that_say_so_themselves_are_theirs() -> None:
    """By ICMP, in which the host's own filter gives its name."""
    world = dual()
    check = follow_up(world, ONE_OWNER)
    assert check is not None
    tried = [
        seen(Step.CONNECT, t, Failure.PORT_UNREACHABLE, offender=t.address) for t in check.params.targets
    ]
    assert conclude_from(world, (*measured(world, ONE_OWNER), make_outcome(check, *tried))).findings == ()


def test_without_a_host_outside_the_product_resets_are_a_guess() -> None:
    six = {"api.example.com": "2001:db8:a::1", "api.example.net": "2a00:db8:b::1"}
    row = requirement(
        "net", targets={"hosts": ["api.example.net"]}, transport="tcp", ports=["443"], probe="tls"
    )
    world = dual(profile=make_profile(*ROWS, row), selection=make_selection(controls=False))
    only = concluded(world, REFUSED, REFUSED, six=six).only
    assert (only.cause, only.confidence) == ("ipv6-broken", Confidence.POSSIBLE)


def test_a_name_server_of_the_site_shows_no_way_out() -> None:
    """It answers over IPv6, and is as near as the router."""
    world = dual()
    check = follow_up(world)
    assert check is not None
    tried = [seen(Step.CONNECT, t, Failure.TIMED_OUT, took_ms=3200.0) for t in check.params.targets]
    asked = [
        replace(o, observations=(*o.observations, *near_by(o))) if o.check.scope is Scope.RESOLVERS else o
        for o in measured(world)
    ]
    assert conclude_from(world, (*asked, make_outcome(check, *tried))).only.cause == "ipv6-broken"


def near_by(outcome: Outcome) -> list[Observation]:
    """The same name server, by its other address."""
    six = Target(address="2001:db8:1::53", port=53, transport=outcome.check.target.transport)
    connected = [seen(Step.CONNECT, six)] if six.transport == "tcp" else []
    return [*connected, seen(Step.RESPONSE, six, rcode="NOERROR", answered_by_server=True)]


BEHIND_ONE_TRANSLATOR = {"api.example.com": "64:ff9b::c000:201", "control.example.org": "64:ff9b::cb00:7101"}


def test_hosts_behind_one_translator_are_not_of_one_owner() -> None:
    """Their prefix is the translator's (RFC 6052), and the rest of it their address of IPv4."""
    said = {"offender": "2001:db8:f::1", "took_ms": 20.0}
    only = concluded(dual(), *[Failure.NETWORK_UNREACHABLE] * 2, six=BEHIND_ONE_TRANSLATOR, **said).only
    assert (only.cause, only.confidence) == ("ipv6-broken", Confidence.CERTAIN)
    near = {**BEHIND_ONE_TRANSLATOR, "control.example.org": "64:ff9b::c000:301"}
    only = concluded(dual(), *[Failure.NETWORK_UNREACHABLE] * 2, six=near, **said).only
    assert only.confidence is Confidence.POSSIBLE


def greeted(*failures: Failure | None, again: Failure | None = Failure.TIMED_OUT) -> Result:
    """Connections over IPv6 stand, and greetings end like this; one is said again in small segments."""
    world = dual()
    check = follow_up(world)
    assert check is not None
    said = [
        o
        for target, failure in zip(check.params.targets, failures, strict=True)
        for o in (seen(Step.CONNECT, target), seen(Step.TLS_HANDSHAKE, target, failure))
    ]
    bounded = seen(Step.TLS_HANDSHAKE, check.params.targets[0], again, max_segment=1220)
    smaller = make_outcome(replace(check, id="mtu/stalled", probe="mtu"), bounded)
    return conclude_from(world, (*measured(world), make_outcome(check, *said), smaller))


def test_where_connections_over_ipv6_stand_and_no_greeting_is_answered() -> None:
    only = greeted(Failure.TIMED_OUT, Failure.TIMED_OUT).only
    assert (only.cause, only.where, only.confidence) == ("ipv6-broken", Where.UNKNOWN, Confidence.CERTAIN)
    assert only.affects == ("web",)
    assert "connections stand and none is answered" in only.summary


@pytest.mark.parametrize(
    ("failures", "again"),
    [
        ((Failure.TIMED_OUT, None), Failure.TIMED_OUT),  # one host
        ((Failure.TIMED_OUT, Failure.CONNECTION_RESET), Failure.TIMED_OUT),  # a filter, or a server
        ((Failure.TIMED_OUT, Failure.TIMED_OUT), None),  # large packets alone
    ],
)
def test_what_is_answered_over_ipv6_or_ends_otherwise_is_not_mute(
    failures: tuple[Failure | None, ...], again: Failure | None
) -> None:
    assert "ipv6-broken" not in greeted(*failures, again=again).causes


def test_hosts_of_one_owner_are_a_guess() -> None:
    only = concluded(dual(), Failure.TIMED_OUT, Failure.TIMED_OUT, six=ONE_OWNER).only
    assert (only.confidence, only.where) == (Confidence.POSSIBLE, Where.UNKNOWN)


@pytest.mark.parametrize(
    ("offender", "where", "owner"),
    [
        (OWN, Where.HOST, Owner.HOST_ADMIN),
        ("2001:db8:1::1", Where.SITE, Owner.NETWORK),
        ("fe80::1", Where.SITE, Owner.NETWORK),
        ("2001:db8:ffff::1", Where.UNKNOWN, Owner.UNKNOWN),
    ],
)
@pytest.mark.parametrize("refused", [Failure.NETWORK_UNREACHABLE, Failure.PORT_UNREACHABLE])
def test_a_router_that_refuses_is_known_by_its_prefix(
    offender: str, where: Where, owner: Owner, refused: Failure
) -> None:
    only = concluded(dual(), refused, refused, offender=offender).only
    assert (only.cause, only.where, only.owner) == ("ipv6-broken", where, owner)


# --- nothing else -------------------------------------------------------------------------------------


def without_ipv4(*addresses: str, **changes: Any) -> World:
    return dual(*(addresses or (OWN, "fe80::1")), unrouted=Failure.NETWORK_UNREACHABLE, icmp=False, **changes)


def over_ipv6(world: World) -> tuple[Outcome, ...]:
    """Names lead to IPv6 and work; addresses of IPv4 have no route."""

    def six(outcome: Outcome) -> Outcome:
        if not outcome.check.target.host:
            return outcome
        (resolved, *_) = outcome.observations
        target = replace(resolved.target, address="2001:db8:a::1")
        return replace(
            outcome,
            observations=(
                replace(resolved, failure=None, facts={"addresses": ["2001:db8:a::1"]}),
                seen(Step.CONNECT, target),
                seen(Step.TLS_HANDSHAKE, target),
            ),
        )

    return tuple(map(six, world.outcomes()))


def test_addresses_are_skipped_and_names_judged() -> None:
    world = without_ipv4()
    found = conclude_from(world, over_ipv6(world))
    finding = next(f for f in found.findings if f.cause == "ipv6-only")
    assert (finding.where, finding.owner, finding.confidence) == (
        Where.UNKNOWN,
        Owner.NETWORK,
        Confidence.CERTAIN,
    )
    assert "web" not in finding.affects and "sip" in finding.affects
    assert {c.status for c in found.verdict("sip").checks} == {Judgement.SKIPPED}
    assert {c.status for c in found.verdict("ntp").checks} == {Judgement.SKIPPED}
    assert found.verdict("sip").status is Judgement.INCONCLUSIVE
    assert found.verdict("web").status is Judgement.PASS
    assert "no-network" not in found.causes
    assert not any(cause.endswith("-blocked") for cause in found.causes)


def test_a_host_with_a_translator_of_its_own_has_ipv4() -> None:
    world = without_ipv4(OWN, "192.0.0.4")
    assert list(translation(world.situation(()))) == []


def test_link_local_addresses_of_ipv4_are_none() -> None:
    world = without_ipv4(OWN, "169.254.3.4")
    (check,) = translation(world.situation(()))
    assert (check.id, check.params.names, check.params.types) == (TRANSLATION, ("ipv4only.arpa",), ("AAAA",))


def test_a_translating_name_server_is_told() -> None:
    world = without_ipv4()
    (check,) = translation(world.situation(()))
    answer = seen(Step.RESPONSE, check.params.targets[0], records=["2001:db8:64::c000:aa"])
    found = conclude_from(world, (*over_ipv6(world), make_outcome(check, answer)))
    finding = next(f for f in found.findings if f.cause == "ipv6-only")
    assert "2001:db8:64::/96" in finding.summary
    without = conclude_from(world, over_ipv6(world))
    assert "No translation prefix" in next(f for f in without.findings if f.cause == "ipv6-only").summary


@pytest.mark.parametrize(
    ("record", "prefix"),
    [
        ("64:ff9b::c000:aa", "64:ff9b::/96"),
        ("64:ff9b::192.0.0.171", "64:ff9b::/96"),
        ("2001:db8:122:344:c0:0:aa00:0", "2001:db8:122:344::/64"),
        ("2001:db8:c000:aa::", "2001:db8::/32"),
        ("2001:db8::1", None),
        ("192.0.0.170", None),
        ("rubbish", None),
    ],
)
def test_prefixes_are_read_off_the_record(record: str, prefix: str | None) -> None:
    assert translation_prefix(record) == prefix
