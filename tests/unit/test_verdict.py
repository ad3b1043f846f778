"""Judging: every rule of the interface, and that what was not measured never passes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readycheck.engine import Outcome, RunState, Status
from readycheck.evidence import gather
from readycheck.failure import LOCAL_FAILURES, Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import CheckTarget, Scope
from readycheck.profile import Area, Importance, Limit, Requirement
from readycheck.verdict import (
    CheckVerdict,
    Judgement,
    Readiness,
    Strength,
    Verdict,
    against,
    bench,
    has_positive,
    judge,
    judge_all,
    judge_check,
    overall,
    vital_areas,
)
from tests.unit.builders import (
    NETWORKS,
    PIN,
    World,
    conclude,
    make_check,
    make_environment,
    make_outcome,
    make_profile,
    make_selection,
    requirement,
    seen,
    tls,
)

P, W, F, I, S = (  # noqa: E741
    Judgement.PASS,
    Judgement.WARN,
    Judgement.FAIL,
    Judgement.INCONCLUSIVE,
    Judgement.SKIPPED,
)
HOST = Target(host="api.example.com", address="192.88.99.9", port=443, transport="tcp")
NAME = Target(host="api.example.com", port=443, transport="tcp")


def test_what_the_bounds_of_a_run_leave_out_is_no_pass() -> None:
    world = World()
    partly = {r.id: "1 of 9 asked" for r in world.plan.selected}
    curbed = replace(world.plan, partly=partly)
    outcomes = world.outcomes()
    basis = bench(world.plan.selected, gather(outcomes), {PIN})
    whole, part = (judge_all(made, outcomes, basis) for made in (world.plan, curbed))
    assert P in {v.status for v in whole}
    assert [v.status for v in part] == [I if v.status is P else v.status for v in whole]
    assert overall(whole, RunState.COMPLETE) is Readiness.READY
    assert overall(part, RunState.COMPLETE) is Readiness.WARNINGS
    assert {v.partly for v in part} == {"1 of 9 asked"}


def test_a_pass_says_which_of_the_customers_hosts_it_does_not_speak_of() -> None:
    hosts = ["{one}", "{two}", "fixed.example.com"]
    wanted = {name: {"title": name} for name in ("one", "two")}
    asked = make_profile(requirement("own", targets={"hosts": hosts}), placeholders=wanted).requirements[0]

    def because(*groups: str) -> str:
        checks = [make_check(f"own/{group}", scope=Scope.NAMED, group=group) for group in groups]
        outcomes = [make_outcome(check, *ANSWERED) for check in checks]
        found = judge(asked, outcomes, bench([asked], gather(outcomes), {PIN}))
        assert (found.status, found.ungiven) == (P, tuple(set(hosts) - set(groups)))
        return found.because

    assert because("{one}", "fixed.example.com").endswith("; not asked, as nobody gave them: {two}")
    assert "not asked" not in because("{one}", "{two}", "fixed.example.com")


def need(**changes: Any) -> Requirement:
    row = {"targets": {"hosts": ["api.example.com"]}, "ports": ["443"], "probe": "tls"}
    return make_profile(requirement("web", **{**row, **changes})).requirements[0]


def named(*observations: Observation, name: str = "web/a", **changes: Any) -> Outcome:
    given = {"certain": True, "cut": False, "metrics": {}, **changes}
    check = make_check(name, scope=Scope.NAMED, certain=given["certain"], target=CheckTarget(ports="443"))
    extra = {"cut": given["cut"], "metrics": given["metrics"]}
    return make_outcome(check, *observations, **extra)


def judged(outcome: Outcome, *, pins: Sequence[str] = (PIN,), **changes: Any) -> CheckVerdict:
    asked = need(**changes)
    return judge_check(asked, outcome, bench([asked], gather([outcome]), pins))


ANSWERED = (seen(Step.RESOLVE, NAME), seen(Step.CONNECT, HOST), seen(Step.TLS_HANDSHAKE, HOST, tls=tls()))


# --- names --------------------------------------------------------------------------------------------


def test_a_service_that_answers_passes() -> None:
    found = judged(named(*ANSWERED))
    assert (found.status, found.strength, found.failure) == (P, Strength.ANSWERED, None)


@pytest.mark.parametrize(
    ("observations", "status", "failure", "step"),
    [
        ([seen(Step.CONNECT, HOST, Failure.TIMED_OUT)], F, Failure.TIMED_OUT, Step.CONNECT),
        ([seen(Step.CONNECT, HOST, Failure.CONNECTION_REFUSED)], F, Failure.CONNECTION_REFUSED, Step.CONNECT),
        (
            [seen(Step.CONNECT, HOST), seen(Step.TLS_HANDSHAKE, HOST, Failure.CERTIFICATE_EXPIRED)],
            F,
            Failure.CERTIFICATE_EXPIRED,
            Step.TLS_HANDSHAKE,
        ),
        ([seen(Step.RESOLVE, NAME, Failure.DNS_NXDOMAIN)], F, Failure.DNS_NXDOMAIN, Step.RESOLVE),
        ([seen(Step.RESOLVE, NAME, Failure.TIMED_OUT)], I, Failure.TIMED_OUT, Step.RESOLVE),
        ([seen(Step.RESOLVE, NAME, Failure.DNS_SERVFAIL)], I, Failure.DNS_SERVFAIL, Step.RESOLVE),
        ([seen(Step.CONNECT, HOST, Failure.INTERRUPTED)], I, Failure.INTERRUPTED, Step.CONNECT),
        ([seen(Step.CONNECT, HOST, Failure.PERMISSION_DENIED)], I, Failure.PERMISSION_DENIED, Step.CONNECT),
        ([seen(Step.TLS_HANDSHAKE, HOST, Failure.TLS_LOCAL)], I, Failure.TLS_LOCAL, Step.TLS_HANDSHAKE),
        ([], I, None, None),
        ([seen(Step.CONNECT, HOST)], I, None, None),
    ],
)
def test_a_name(
    observations: list[Observation], status: Judgement, failure: Failure | None, step: Step | None
) -> None:
    found = judged(named(*observations))
    assert (found.status, found.failure, found.step) == (status, failure, step)
    assert found.because
    assert found.strength is None


@pytest.mark.parametrize(
    ("proves", "because"),
    [
        (Step.TLS_HANDSHAKE, "the service answered"),
        (Step.CONNECT, "the port accepts connections"),
        (Step.PROXY_CONNECT, "the proxy opens connections to the port"),
    ],
)
def test_a_pass_says_no_more_than_what_was_seen(proves: Step, because: str) -> None:
    check = make_check("web/a", scope=Scope.NAMED, proves=proves)
    found = judged(make_outcome(check, seen(proves, HOST)))
    assert (found.status, found.because) == (P, because)


def test_a_note_after_the_proof_is_no_failure() -> None:
    found = judged(named(*ANSWERED, seen(Step.RESPONSE, HOST, Failure.TIMED_OUT)))
    assert (found.status, found.failure) == (P, None)


@pytest.mark.parametrize(
    ("failure", "facts", "status"),
    [
        (None, {}, P),
        (Failure.CONNECTION_RESET, {}, F),
        (Failure.CONNECTION_CLOSED, {}, F),
        (Failure.TIMED_OUT, {}, F),
        (Failure.CONNECTION_CLOSED, {"close_code": 4401}, W),
        (Failure.INTERRUPTED, {}, P),
    ],
)
def test_a_connection_that_has_to_stay_open(
    failure: Failure | None, facts: dict[str, Any], status: Judgement
) -> None:
    found = judged(named(*ANSWERED, seen(Step.ECHO, HOST, failure, **facts)))
    assert found.status is status
    assert (failure is None) or status is P or failure.words in found.because
    assert judged(named(*ANSWERED, seen(Step.ECHO, HOST, failure, **facts), cut=True)).status is P


@pytest.mark.parametrize(
    ("held", "cut", "status"),
    [
        ([], False, I),
        ([None], False, P),
        ([Failure.INTERRUPTED], False, I),
        ([Failure.TIMED_OUT], True, I),
        ([Failure.CONNECTION_RESET], False, F),
    ],
)
def test_an_answer_without_a_connection_that_stayed_is_no_pass(
    held: list[Failure | None], cut: bool, status: Judgement
) -> None:
    """A service may turn a stranger away: that says nothing of whether the way lets a connection live."""
    plain = named(*ANSWERED, *(seen(Step.ECHO, HOST, failure) for failure in held), cut=cut)
    outcome = replace(plain, check=replace(plain.check, must_stay=True))
    found = judged(outcome)
    assert (found.status, found.strength) == (status, None if status is I else Strength.ANSWERED)
    assert judged(replace(outcome, metrics={"x": 9.0}), limits={"x": {"fail": 5}}).status is F


@pytest.mark.parametrize(("status", "verdict"), [(101, F), (403, I)])
def test_an_upgrade_that_only_the_proxy_leaves_out_has_failed(status: int, verdict: Judgement) -> None:
    plain, via = named(*ANSWERED), "proxy.example.com:3128"
    target = CheckTarget(host="api.example.com", ports="443", via=via)
    through = replace(plain, check=replace(plain.check, must_stay=True, target=target))
    past = replace(through.check, scope=Scope.FOLLOW_UP, requirement=None, target=replace(target, via=None))
    told = make_outcome(past, seen(Step.RESPONSE, HOST, status=status))
    asked = need()
    assert judge_check(asked, through, bench([asked], gather([through, told]), [PIN])).status is verdict


def test_a_name_that_only_stands_for_a_wildcard_may_not_exist() -> None:
    gone = seen(Step.RESOLVE, NAME, Failure.DNS_NXDOMAIN)
    assert judged(named(gone, certain=False)).status is S
    assert judged(named(gone, certain=True)).status is F


@pytest.mark.parametrize(
    ("doubtful", "denied", "status"),
    [((), (), P), (["*.example.com"], (), I), (["*.example.com"], ["*.example.com"], F)],
)
def test_a_wildcard_of_which_nothing_is_known_has_not_passed(
    doubtful: Sequence[str], denied: Sequence[str], status: Judgement
) -> None:
    """Although others of the requirement have; and a domain that is hidden is no name that was retired."""
    gone = named(seen(Step.RESOLVE, NAME, Failure.DNS_NXDOMAIN), certain=False)
    gone = replace(gone, check=replace(gone.check, group="*.example.com"))
    outcomes = [gone, named(*ANSWERED, name="web/1")]
    evidence = replace(gather(outcomes), doubtful=frozenset(doubtful), denied=frozenset(denied))
    assert judge(need(), outcomes, bench([need()], evidence, (PIN,))).status is status


@pytest.mark.parametrize("via", [None, "proxy.example.com:3128"])
@pytest.mark.parametrize(("gone", "alive", "status"), [(1, 0, P), (2, 0, I), (1, 1, P), (3, 1, P)])
def test_no_vendor_retires_all_that_stand_for_a_wildcard(
    gone: int, alive: int, status: Judgement, via: str | None
) -> None:
    """Nor does a proxy that reaches none of them show that they are there."""

    def stand_in(number: int, *parts: Observation) -> Outcome:
        outcome = named(*parts, name=f"web/w{number}", certain=False)
        target = CheckTarget(host=f"w{number}.example.net", ports="443", via=via)
        return replace(outcome, check=replace(outcome.check, group="*.example.net", target=target))

    denied = seen(Step.RESOLVE, NAME, Failure.DNS_NXDOMAIN)
    lost = seen(Step.PROXY_CONNECT, replace(NAME, via=via), Failure.PROXY_DENIED, status=503)
    outcomes = [
        named(*ANSWERED, name="web/other"),
        *(stand_in(n, lost if via else denied) for n in range(gone)),
        *(stand_in(9 - n, *ANSWERED) for n in range(alive)),
    ]
    evidence = replace(gather(outcomes), doubtful=frozenset())
    assert judge(need(), outcomes, bench([need()], evidence, (PIN,))).status is status


@pytest.mark.parametrize(
    ("parts", "status"), [(ANSWERED, P), ((seen(Step.CONNECT, HOST, Failure.TIMED_OUT),), F)]
)
def test_a_wildcard_is_there_if_its_names_are_on_some_port(
    parts: Sequence[Observation], status: Judgement
) -> None:
    """A proxy may reach them on the one port and not on the other: what the one showed stands."""
    via = "proxy.example.com:3128"
    lost = seen(Step.PROXY_CONNECT, replace(NAME, via=via), Failure.PROXY_DENIED, status=503)

    def stand_in(host: str, port: str, *observations: Observation) -> Outcome:
        outcome = named(*observations, name=f"web/{host}:{port}", certain=False)
        target = CheckTarget(host=host, ports=port, via=via if observations == (lost,) else None)
        return replace(outcome, check=replace(outcome.check, group="*.example.net", target=target))

    outcomes = [
        stand_in(f"w{n}.example.net", port, *some)
        for n in range(2)
        for port, some in (("443", parts), ("5061", [lost]))
    ]
    assert judge(need(), outcomes, bench([need()], gather(outcomes), (PIN,))).status is status


def test_what_the_deadline_cut_is_not_blocked() -> None:
    silent = seen(Step.CONNECT, HOST, Failure.TIMED_OUT)
    assert judged(named(silent, cut=True)).status is I
    refused = seen(Step.CONNECT, HOST, Failure.CONNECTION_REFUSED)
    assert judged(named(refused, cut=True)).status is F


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([Failure.TIMED_OUT], I),
        ([Failure.NETWORK_UNREACHABLE, Failure.TIMED_OUT], I),
        ([Failure.PERMISSION_DENIED], I),
        ([Failure.PLATFORM], I),
        ([Failure.TIMED_OUT, None], P),
        ([Failure.ICMP_ADMIN_PROHIBITED], F),
        ([Failure.HOST_UNREACHABLE], F),
    ],
)
def test_a_pinged_host(failures: list[Failure | None], status: Judgement) -> None:
    """Many ignore pings: silence is no proof of a block, an error that somebody sends is."""
    target = CheckTarget(transport="icmp")
    check = make_check("ping/a", scope=Scope.NAMED, proves=Step.ECHO, target=target, may_be_silent=True)
    echoes = [
        seen(Step.ECHO, Target(address=f"192.0.2.{n}", transport="icmp"), failure)
        for n, failure in enumerate(failures)
    ]
    found = judged(make_outcome(check, *echoes))
    assert found.status is status
    local = set(failures) <= LOCAL_FAILURES
    assert found.because.startswith("this host does not permit the test") is local


@pytest.mark.parametrize(
    ("failure", "offender", "may_be_silent", "status"),
    [
        (Failure.TIMED_OUT, None, True, I),
        (Failure.TIMED_OUT, None, False, F),
        (Failure.PORT_UNREACHABLE, "192.0.2.1", True, I),
        (Failure.PORT_UNREACHABLE, "192.0.2.1", False, F),
        (Failure.PORT_UNREACHABLE, "198.51.100.1", True, F),
    ],
)
def test_a_media_port_of_a_host_without_a_call(
    failure: Failure, offender: str | None, may_be_silent: bool, status: Judgement
) -> None:
    """The host itself may say that nobody listens just now; a stranger who says so is in the way."""
    target = CheckTarget(transport="udp", ports="16384")
    check = make_check("m/a", scope=Scope.NAMED, proves=Step.ECHO, target=target, may_be_silent=may_be_silent)
    place = Target(address="192.0.2.1", port=16384, transport="udp")
    echo = seen(Step.ECHO, place, failure, **({"offender": offender} if offender else {}))
    assert judged(make_outcome(check, echo)).status is status


@pytest.mark.parametrize(
    ("failure", "offender", "status"),
    [
        (Failure.ICMP_ADMIN_PROHIBITED, "198.51.100.1", F),  # policy says so
        (Failure.ICMP_ADMIN_PROHIBITED, "192.0.2.2", I),  # the host's own
        (Failure.HOST_UNREACHABLE, "198.51.100.1", I),  # one address is gone
        (Failure.PORT_UNREACHABLE, "192.0.2.2", I),
    ],
)
def test_the_silence_of_one_address_excuses_no_prohibition_of_another(
    failure: Failure, offender: str, status: Judgement
) -> None:
    target = CheckTarget(transport="udp", ports="16384")
    check = make_check("m/a", scope=Scope.NAMED, proves=Step.ECHO, target=target, may_be_silent=True)
    silent, other = (Target(address=f"192.0.2.{n}", port=16384, transport="udp") for n in (1, 2))
    echoes = seen(Step.ECHO, silent, Failure.TIMED_OUT), seen(Step.ECHO, other, failure, offender=offender)
    assert judged(make_outcome(check, *echoes)).status is status


def call(port: int, failure: Failure | None = None, *, shut: bool = False) -> Observation:
    facts = {"purpose": "call", "transport": "udp", "port": port, "shut": shut}
    return Observation(
        step=Step.ECHO,
        target=Target(address="203.0.113.99", port=3478),
        started_ms=0.0,
        elapsed_ms=9.0,
        failure=failure,
        facts=facts,
    )


OPEN, SHUT = call(5060), call(10000, Failure.TIMED_OUT, shut=True)
UNHEARD = call(443, Failure.PERMISSION_DENIED)


@pytest.mark.parametrize(
    ("calls", "partner", "status", "words"),
    [
        ([OPEN], True, Judgement.PASS, "comes in at udp port 5060"),
        ([SHUT], False, Judgement.FAIL, "udp port 10000 does not arrive"),
        ([SHUT], True, Judgement.INCONCLUSIVE, "the partner's own addresses alone"),
        ([OPEN, SHUT], True, Judgement.FAIL, "udp port 10000 does not arrive"),
        ([UNHEARD], False, Judgement.INCONCLUSIVE, "permission_denied"),
        ([OPEN, UNHEARD], False, Judgement.INCONCLUSIVE, "permission_denied"),
        ([], False, Judgement.INCONCLUSIVE, "the responder shows nothing"),
    ],
)
def test_calls_from_outside(calls: list[Observation], partner: bool, status: Judgement, words: str) -> None:
    """Silence is a fault where anybody has to come in, and where others of the same author did."""
    outcome = named(*calls)
    check = replace(outcome.check, scope=Scope.FAR_END, proves=Step.ECHO, may_be_silent=partner)
    verdict = judged(replace(outcome, check=check))
    assert (verdict.status, verdict.strength is not None) == (status, status is Judgement.PASS)
    assert words in verdict.because


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.CRASHED])
def test_what_did_not_run_is_inconclusive_and_says_why(status: Status) -> None:
    found = judged(replace(named(*ANSWERED), status=status, because="the reason"))
    assert found.status is I
    assert "the reason" in found.because


# --- limits and pins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "limit", "status"),
    [
        (199.9, Limit(warn=200, fail=400), P),
        (200, Limit(warn=200, fail=400), W),
        (400, Limit(warn=200, fail=400), F),
        (-400, Limit(warn=200, fail=400), F),
        (None, Limit(warn=200, fail=400), P),
        (14, Limit(warn=14, higher=True), P),
        (13.9, Limit(warn=14, higher=True), W),
        (-1, Limit(warn=14, fail=0, higher=True), F),
        (500, Limit(fail=400), F),
        (1e9, Limit(), P),
    ],
)
def test_a_number_against_its_band(value: float | None, limit: Limit, status: Judgement) -> None:
    found, text = against("rtt_ms", value, limit)
    assert found is status
    assert ("rtt_ms" in text) is (status is not P)


@pytest.mark.parametrize(("value", "status", "margin"), [(100, P, 0.5), (200, W, 0.0), (300, W, -0.5)])
def test_the_worst_number_decides_and_the_margin_is_kept(
    value: float, status: Judgement, margin: float
) -> None:
    limits = {"rtt_ms": {"warn": 200}, "handshake_ms": {"warn": 1000}}
    found = judged(named(*ANSWERED, metrics={"rtt_ms": value, "handshake_ms": 10}), limits=limits)
    assert (found.status, found.margin) == (status, margin)
    assert found.strength is Strength.ANSWERED


def test_a_number_that_was_not_measured_is_not_judged() -> None:
    found = judged(named(*ANSWERED, metrics={"rtt_ms": None}), limits={"rtt_ms": {"fail": 1}})
    assert (found.status, found.margin) == (P, None)


@pytest.mark.parametrize(
    ("pins", "status"),
    [([PIN], P), ([PIN, "x"], P), (["x"], W), ([], W)],
    ids=["pin", "both", "other", "none"],
)
def test_a_pinned_service_must_show_a_pin(pins: list[str], status: Judgement) -> None:
    handshake = seen(Step.TLS_HANDSHAKE, HOST, tls=tls(pins=pins))
    assert judged(named(handshake), pinned=True).status is status
    assert judged(named(handshake), pinned=False).status is P


def test_every_handshake_must_show_a_pin_and_a_missing_one_is_no_pass() -> None:
    good, bad = (seen(Step.TLS_HANDSHAKE, HOST, tls=tls(pins=[pin])) for pin in (PIN, "x"))
    assert judged(named(good, bad), pinned=True).status is W
    assert judged(named(seen(Step.TLS_HANDSHAKE, HOST)), pinned=True).status is W


def test_without_any_accepted_pin_nothing_is_pinned() -> None:
    assert judged(named(*ANSWERED), pins=(), pinned=True).status is W


# --- the requirement ----------------------------------------------------------------------------------

DEAD = (seen(Step.CONNECT, HOST, Failure.TIMED_OUT),)
GONE = (seen(Step.RESOLVE, NAME, Failure.DNS_NXDOMAIN),)
LOST = (seen(Step.RESOLVE, NAME, Failure.TIMED_OUT),)


def whole(*parts: tuple[Observation, ...], certain: bool = True) -> Verdict:
    outcomes = [named(*part, name=f"web/{n}", certain=certain) for n, part in enumerate(parts)]
    asked = need()
    return judge(asked, outcomes, bench([asked], gather(outcomes), (PIN,)))


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([ANSWERED, ANSWERED], P),
        ([ANSWERED, DEAD], F),
        ([ANSWERED, LOST], I),
        ([LOST, LOST], I),
        ([DEAD, LOST], F),
        ([GONE, ANSWERED], W),  # vendors retire names
        ([GONE, GONE], F),
        ([GONE, DEAD, ANSWERED], F),
        ([], I),
    ],
)
def test_a_requirement_is_as_good_as_its_worst_check(
    parts: list[tuple[Observation, ...]], status: Judgement
) -> None:
    found = whole(*parts)
    assert found.status is status
    assert found.because
    assert (found.strength is not None) is (status in (P, W))


def test_names_of_a_wildcard_that_are_all_gone_prove_nothing() -> None:
    assert whole(GONE, GONE, certain=False).status is I
    assert whole(GONE, ANSWERED, certain=False).status is P


# --- name servers of the product -----------------------------------------------------------------------


@pytest.mark.parametrize("scope", [Scope.NAMED, Scope.SAMPLED])
@pytest.mark.parametrize(
    ("failure", "by_server", "in_a_name", "in_a_sample"),
    [
        (None, True, P, P),
        (Failure.DNS_NXDOMAIN, True, P, P),
        (Failure.DNS_REFUSED, True, P, P),
        (Failure.TIMED_OUT, False, F, I),
        (Failure.CONNECTION_REFUSED, False, F, I),
    ],
)
def test_a_name_server_of_the_product(
    failure: Failure | None, by_server: bool, in_a_name: Judgement, in_a_sample: Judgement, scope: Scope
) -> None:
    """Whatever it answers shows that it is reached; silence of a sample is no proof."""
    network = "198.51.100.53/32" if scope is Scope.SAMPLED else None
    server = Target(network=network, address="198.51.100.53", port=53, transport="udp")
    where = CheckTarget(network=network, address=server.address, ports="53", transport="udp")
    check = make_check("web/a", scope=scope, proves=Step.RESPONSE, target=where)
    asked = make_outcome(check, seen(Step.RESPONSE, server, failure, answered_by_server=by_server))
    assert judged(asked).status is (in_a_name if scope is Scope.NAMED else in_a_sample)


# --- resolvers ----------------------------------------------------------------------------------------


def resolver(*failures: Failure | None, name: str = "dns/a", cut: bool = False) -> Outcome:
    server = Target(address="192.168.1.53", port=53, transport="udp")
    said = (None, Failure.DNS_NXDOMAIN, Failure.DNS_REFUSED)
    check = make_check(name, scope=Scope.RESOLVERS, proves=Step.RESPONSE)
    observations = [seen(Step.RESPONSE, server, f, answered_by_server=f in said) for f in failures]
    return make_outcome(check, *observations, cut=cut)


def names(*outcomes: Outcome) -> Verdict:
    asked = need(targets={"resolvers": True}, probe="dns", ports=["53"], transport="udp")
    return judge(asked, outcomes, bench([asked], gather(outcomes), ()))


@pytest.mark.parametrize(("failure", "status"), [(Failure.DNS_REFUSED, W), (Failure.TIMED_OUT, F)])
def test_what_is_refused_in_a_rush_is_a_warning_and_silence_is_none(
    failure: Failure, status: Judgement
) -> None:
    server = Target(host="a.example.com", address="192.168.1.53", port=53, transport="udp")
    answered = failure is Failure.DNS_REFUSED
    check = make_check(
        "dns/a", scope=Scope.RESOLVERS, proves=Step.RESPONSE, target=CheckTarget(address="192.168.1.53")
    )
    asked = make_outcome(check, seen(Step.RESPONSE, server, failure, answered_by_server=answered))
    basis = bench([], gather((asked,)), ())
    basis = replace(basis, evidence=replace(basis.evidence, capricious=frozenset({"192.168.1.53"})))
    need_names = need(targets={"resolvers": True}, probe="dns", ports=["53"], transport="udp")
    assert judge(need_names, (asked,), basis).status is status


@pytest.mark.parametrize(
    ("servers", "status"),
    [
        ([[None, None]], P),
        ([[None, Failure.TIMED_OUT]], P),
        ([[Failure.DNS_NXDOMAIN]], P),  # it answered: whether the name is there is another question
        ([[Failure.DNS_REFUSED, Failure.DNS_NXDOMAIN]], P),
        ([[Failure.DNS_REFUSED, Failure.DNS_REFUSED]], F),  # it is there, and of no use
        ([[Failure.DNS_REFUSED], [None]], W),
        ([[Failure.TIMED_OUT]], F),
        ([[Failure.TIMED_OUT], [None]], W),
        ([[Failure.TIMED_OUT], [Failure.TIMED_OUT]], F),
        ([[]], I),
    ],
)
def test_one_name_server_that_works_is_enough(servers: list[list[Failure | None]], status: Judgement) -> None:
    assert names(*(resolver(*each, name=f"dns/{n}") for n, each in enumerate(servers))).status is status


def test_a_name_server_that_the_deadline_cut_is_inconclusive() -> None:
    assert names(resolver(Failure.TIMED_OUT, cut=True)).status is I


def test_a_host_without_a_name_server_fails() -> None:
    world = World(selection=make_selection(resolvers=()), environment=make_environment(resolvers=()))
    found = conclude(world).verdict("dns-udp")
    assert (found.status, found.because) == (F, "this host knows no name server")


# --- the grid -----------------------------------------------------------------------------------------


def test_egress_needs_packets_that_left_and_replies_that_return() -> None:
    found = conclude(World(lively=2))
    by_check = {c.check: c for v in found.verdicts for c in v.checks}
    silent = [c for name, c in by_check.items() if name.startswith(f"stun/{NETWORKS[3]}")]
    assert {c.strength for c in silent if c.status is P} == {Strength.EGRESS}
    assert found.verdict("stun").strength is Strength.EGRESS
    assert found.verdict("web").strength is Strength.ANSWERED


def test_egress_alone_is_inconclusive() -> None:
    found = conclude(World(lively=0))
    assert {found.verdict(name).status for name in ("sip", "stun", "range", "ntp")} == {I}
    assert any("nothing shows that replies come back" in c.because for c in found.verdict("sip").checks)


def test_an_answer_proves_more_than_egress() -> None:
    assert conclude(World(dense=True)).verdict("stun").strength is Strength.ANSWERED


def test_addresses_of_several_networks_that_refuse_are_a_failure() -> None:
    found = conclude(World(dense=True, icmp=False, closed=lambda t: t.port == 8934))
    assert found.verdict("sip").status is F
    alone = conclude(World(icmp=False, closed=lambda t: t.port == 8934))
    assert alone.verdict("sip").status is I
    assert "refused; by whom is not known" in alone.verdict("sip").because


# --- not measured is never pass -----------------------------------------------------------------------

FAILURES = st.sampled_from([None, *Failure])
STEPS = st.sampled_from([Step.RESOLVE, Step.CONNECT, Step.TLS_HANDSHAKE, Step.ECHO, Step.RESPONSE])


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    made = []
    for number in range(draw(st.integers(0, 5))):
        network = draw(st.sampled_from(NETWORKS))
        scope = draw(st.sampled_from([Scope.SAMPLED, Scope.NAMED, Scope.RESOLVERS]))
        observations = []
        for _ in range(draw(st.integers(0, 4))):
            address = network.replace("0/24", "7").replace("0/16", "7")
            target = Target(
                host="h.example" if scope is Scope.NAMED else None,
                network=network if scope is Scope.SAMPLED else None,
                address=address,
                port=draw(st.sampled_from([1, 2])),
                transport="tcp",
            )
            observations.append(seen(draw(STEPS), target, draw(FAILURES)))
        check = make_check(
            f"web/{number}",
            scope=scope,
            certain=draw(st.booleans()),
            target=CheckTarget(network=network, ports=draw(st.sampled_from(["1", "2"])), transport="tcp"),
        )
        status = draw(st.sampled_from(Status))
        made.append(
            make_outcome(check, *observations, status=status, because="because", cut=draw(st.booleans()))
        )
    survey = []
    for _ in range(draw(st.integers(0, 4))):
        network = draw(st.sampled_from(NETWORKS))
        address = network.replace("0/24", "9").replace("0/16", "9")
        target = Target(network=network, address=address, port=draw(st.sampled_from([1, 2])), transport="tcp")
        fate = draw(st.sampled_from(["left", "stopped", "rejected", "unknown"]))
        survey.append(seen(Step.HOP, target, purpose="survey", fate=fate, edge_ttl=2, edge_proven=True))
    path = make_check("path/egress", scope=Scope.PATH, requirement=None, probe="path", proves=Step.HOP)
    return [*made, *([make_outcome(path, *survey)] if survey else [])]


@settings(deadline=None, max_examples=300)
@given(outcomes(), st.booleans())
def test_what_was_not_measured_never_passes(found: list[Outcome], hops: bool) -> None:
    asked = need(targets={"networks": ["service"]})
    evidence = gather(found)
    mine = [o for o in found if o.check.requirement == "web"]
    verdict = judge(asked, mine, bench([asked], evidence, (PIN,), hops=hops))
    measured = [o for o in mine if o.status is Status.MEASURED]
    answers = {
        o.check.id
        for o in measured
        if any(
            (x.failure is None and x.step is o.check.proves) or x.facts.get("answered_by_server")
            for x in o.observations
        )
    }
    left = any(cell.sign.value == "left" for cell in evidence.cells)
    for check in verdict.checks:
        outcome = next(o for o in mine if o.check.id == check.check)
        assert check.because
        if check.status in (P, W):
            assert outcome.status is Status.MEASURED
            assert (check.strength is Strength.ANSWERED and check.check in answers) or (
                check.strength is Strength.EGRESS and left and outcome.check.scope is Scope.SAMPLED
            )
        if outcome.status is not Status.MEASURED:
            assert check.status is I
        local = {o.failure for o in outcome.observations} <= LOCAL_FAILURES
        if outcome.observations and local and outcome.check.scope is Scope.NAMED:
            assert check.status is I
    if verdict.status is P:
        assert any(check.status is P for check in verdict.checks)
        assert all(check.status in (P, S) for check in verdict.checks)
        assert verdict.strength is not None
    if not answers:
        assert verdict.status not in (P, W)


# --- the run ------------------------------------------------------------------------------------------


def verdict(
    status: Judgement,
    importance: Importance = Importance.REQUIRED,
    area: Area = Area.SIGNALLING,
    **changes: Any,
) -> Verdict:
    """A verdict whose one check is as it is; `strength` is that of the check."""
    positive = Strength.ANSWERED if status in (P, W) else None
    strength = changes.pop("strength", positive)
    return Verdict(
        requirement=make_profile(requirement("r", importance=importance, area=area)).requirements[0],
        status=status,
        because="",
        strength=strength,
        checks=(CheckVerdict(check="c", status=status, because="", strength=strength),),
        **changes,
    )


MEDIA = Area.MEDIA_REACHABILITY
BASE = (verdict(P), verdict(P, area=MEDIA))
DONE = RunState.COMPLETE


@pytest.mark.parametrize(
    ("more", "readiness"),
    [
        ([], Readiness.READY),
        ([verdict(F)], Readiness.NOT_READY),
        ([verdict(F), verdict(I)], Readiness.NOT_READY),
        ([verdict(I)], Readiness.WARNINGS),
        ([verdict(W)], Readiness.WARNINGS),
        ([verdict(W, Importance.RECOMMENDED)], Readiness.WARNINGS),
        ([verdict(F, Importance.RECOMMENDED)], Readiness.WARNINGS),
        ([verdict(I, Importance.RECOMMENDED)], Readiness.READY),
        ([verdict(S, testable=False)], Readiness.READY),
        ([verdict(S, deselected=True)], Readiness.WARNINGS),
        ([verdict(S, Importance.RECOMMENDED, deselected=True)], Readiness.READY),
        *(
            ([verdict(status, importance)], Readiness.READY)
            for status in (F, W, I)
            for importance in (
                Importance.OPTIONAL,
                Importance.FALLBACK,
                Importance.LEGACY,
                Importance.INFORMATIONAL,
            )
        ),
    ],
)
def test_the_verdict_of_a_run(more: list[Verdict], readiness: Readiness) -> None:
    assert overall([*BASE, *more], DONE) is readiness


@pytest.mark.parametrize(
    ("verdicts", "readiness"),
    [
        ([verdict(P), verdict(I, area=MEDIA)], Readiness.UNKNOWN),
        ([verdict(I), verdict(P, area=MEDIA)], Readiness.UNKNOWN),
        ([verdict(P), verdict(P, area=MEDIA, strength=Strength.EGRESS)], Readiness.UNKNOWN),
        ([verdict(P), verdict(S, area=MEDIA, deselected=True)], Readiness.UNKNOWN),
        ([verdict(F), verdict(I, area=MEDIA)], Readiness.NOT_READY),
        ([verdict(W), verdict(P, area=MEDIA)], Readiness.WARNINGS),
        ([verdict(P), verdict(P, Importance.OPTIONAL, MEDIA)], Readiness.READY),
        ([verdict(P)], Readiness.READY),  # a product without media
        ([verdict(P, area=Area.NAMES_AND_TIME)], Readiness.READY),
        ([verdict(S, testable=False)], Readiness.UNKNOWN),
        ([], Readiness.UNKNOWN),
    ],
)
def test_without_a_positive_measurement_nothing_is_known(
    verdicts: list[Verdict], readiness: Readiness
) -> None:
    assert overall(verdicts, DONE) is readiness


@pytest.mark.parametrize(
    ("untestable", "readiness"),
    [("inbound: needs a far end outside", Readiness.READY), ("", Readiness.UNKNOWN)],
)
def test_media_that_only_comes_in_is_listed_and_media_that_nobody_named_is_unknown(
    untestable: str, readiness: Readiness
) -> None:
    row = requirement("media", area=MEDIA, untestable=untestable, direction="inbound")
    media = Verdict(
        requirement=make_profile(row).requirements[0],
        status=S,
        because=untestable or "needs --set media-node=VALUE",
        strength=None,
        checks=(),
        testable=False,
    )
    assert overall([verdict(P), media], DONE) is readiness


@pytest.mark.parametrize(
    ("state", "status", "readiness"),
    [
        (RunState.COMPLETE, P, Readiness.READY),
        (RunState.DEADLINE, P, Readiness.WARNINGS),
        (RunState.DEADLINE, F, Readiness.NOT_READY),
        (RunState.INTERRUPTED, P, Readiness.UNKNOWN),
        (RunState.INTERRUPTED, F, Readiness.UNKNOWN),
        (RunState.CRASHED, P, Readiness.UNKNOWN),
        (RunState.CRASHED, F, Readiness.UNKNOWN),
    ],
)
def test_how_the_run_ended(state: RunState, status: Judgement, readiness: Readiness) -> None:
    assert overall([*BASE, verdict(status)], state) is readiness


VERDICTS = st.lists(
    st.builds(
        verdict,
        st.sampled_from(Judgement),
        st.sampled_from(Importance),
        st.sampled_from([Area.SIGNALLING, MEDIA, Area.NAMES_AND_TIME]),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=100)
@given(VERDICTS, st.sampled_from(RunState))
def test_ready_is_only_said_of_what_was_seen_to_work(verdicts: list[Verdict], state: RunState) -> None:
    readiness = overall(verdicts, state)
    required = [v for v in verdicts if v.requirement.importance is Importance.REQUIRED]
    if readiness is Readiness.READY:
        assert state is RunState.COMPLETE
        assert all(v.status in (P, S) for v in required)
        assert all(has_positive(verdicts, area) for area in vital_areas(verdicts))
        assert any(has_positive(verdicts, area) for area in Area)
    if readiness is Readiness.NOT_READY:
        assert any(v.status is F for v in required)


def test_what_this_installation_cannot_probe_is_inconclusive() -> None:
    world = World(profile=make_profile(requirement("a", probe="quic"), requirement("b")))
    a, _ = judge_all(world.plan, [], bench(world.plan.selected, gather([]), ()))
    assert (a.status, a.testable) == (I, True)
    assert "not installed" in a.because


def test_what_was_not_selected_and_what_cannot_be_tested_is_skipped_and_says_so() -> None:
    rows = [
        requirement("a"),
        requirement("b", probe=None, untestable="inbound"),
        requirement("c", probe="stun"),
    ]
    world = World(profile=make_profile(*rows), selection=make_selection(skip=("stun",)))
    a, b, c = judge_all(world.plan, [], bench(world.plan.selected, gather([]), ()))
    assert (a.status, a.because) == (I, "nothing was measured")
    assert (b.status, b.testable, b.because) == (S, False, "inbound")
    assert (c.status, c.deselected, c.testable) == (S, True, True)


@pytest.mark.parametrize(
    ("idle_s", "died_s", "status", "because"),
    [
        (1800.0, None, Judgement.PASS, "measured with the responder"),
        (1800.0, 3600.0, Judgement.PASS, "measured with the responder"),
        (900.0, 1800.0, Judgement.WARN, "idle_s 900 is below 1800"),
        (
            115.0,
            None,
            Judgement.INCONCLUSIVE,
            "idle_s: at least 115, and whether it reaches 1800 was not seen",
        ),
    ],
)
def test_a_ladder_that_is_too_short_says_up_to_what_it_proves(
    idle_s: float, died_s: float | None, status: Judgement, because: str
) -> None:
    limit = {"warn": 1800, "higher": True, "ended_by": "idle_died_s"}
    asked = make_profile(requirement("idle", limits={"idle_s": limit})).requirements[0]
    check = make_check("idle/x", scope=Scope.FAR_END, proves=Step.ECHO)
    metrics = {"idle_s": idle_s, "idle_died_s": died_s}
    outcome = make_outcome(check, seen(Step.ECHO, Target(address="203.0.113.99", port=3478)), metrics=metrics)
    verdict = judge_check(asked, outcome, bench([asked], gather([outcome]), ()))
    assert (verdict.status, verdict.because) == (status, because)


@pytest.mark.parametrize(
    ("metrics", "status"),
    [
        ({"binding_s": None}, Judgement.INCONCLUSIVE),
        ({"binding_s": 115.0}, Judgement.PASS),
        ({"binding_s": 30.0}, Judgement.WARN),
    ],
)
def test_a_far_end_that_answers_proves_no_figure_that_was_not_measured(
    metrics: dict[str, Any], status: Judgement
) -> None:
    asked = make_profile(
        requirement("nat", limits={"binding_s": {"warn": 115, "higher": True}})
    ).requirements[0]
    check = make_check("nat/x", scope=Scope.FAR_END, proves=Step.ECHO)
    outcome = make_outcome(check, seen(Step.ECHO, Target(address="203.0.113.99", port=3478)), metrics=metrics)
    verdict = judge_check(asked, outcome, bench([asked], gather([outcome]), ()))
    assert verdict.status is status
