"""Name servers that hide names, and name servers that make answers up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose import answers
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck_probes.hijack import HijackProbe
from tests.unit.builders import (
    GATEWAY,
    PROBES,
    RESOLVER,
    ROWS,
    SOURCE,
    Result,
    World,
    conclude,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    make_registry,
    make_selection,
    requirement,
    seen,
)

# --- hidden names -------------------------------------------------------------------------------------


def filtered(certain: int, uncertain: int, *, control: bool = True, answered: int = 0) -> World:
    """A resolver that denies the product's names, as many as a page prints and as many that stand for wildcards."""
    entries = [{"pattern": f"n{n}.example.com", "certain": True} for n in range(certain)]
    entries += [
        {"pattern": f"*.w{n}.example.com", "representatives": [f"a.w{n}.example.com"]}
        for n in range(uncertain)
    ]
    web = {"web": {"title": "Web", "domains": entries, "source": SOURCE}}
    row = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls", pinned=True)
    profile = make_profile(row, names=web)
    hosts = [host for entry in profile.names["web"].domains for host in entry.hosts]
    return World(
        profile=profile,
        selection=make_selection(controls=control),
        names=dict.fromkeys(hosts[answered:], Failure.DNS_NXDOMAIN),
    )


@pytest.mark.parametrize(
    ("certain", "uncertain", "confidence"),
    [(3, 0, Confidence.CERTAIN), (3, 4, Confidence.CERTAIN), (1, 4, Confidence.LIKELY)],
)
def test_a_resolver_that_denies_the_products_names(
    certain: int, uncertain: int, confidence: Confidence
) -> None:
    only = conclude(filtered(certain, uncertain)).only
    assert (only.cause, only.owner, only.confidence) == ("dns-filter", Owner.DNS, confidence)


def test_without_a_control_a_filter_is_possible_only() -> None:
    only = conclude(filtered(4, 0, control=False)).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.POSSIBLE)


@pytest.mark.parametrize(("certain", "uncertain", "answered"), [(2, 0, 0), (4, 0, 1), (0, 5, 1)])
def test_few_names_or_one_that_is_known_are_no_filter(certain: int, uncertain: int, answered: int) -> None:
    assert "dns-filter" not in conclude(filtered(certain, uncertain, answered=answered)).causes


OTHER = "192.168.1.54"
HOSTS = tuple(f"n{n}.example.com" for n in range(6))
SITE_SERVER = {"server": RESOLVER}
ITS_ZONE, NO_ZONE = {"zone": "example.com."}, dict[str, str]()
BLOCK_PAGE = "192.168.1.80"


def told(world: World, facts: Mapping[str, Mapping[str, Any]]) -> tuple[Outcome, ...]:
    """The outcomes of a world whose name server says more of some names."""

    def more(o: Observation) -> Observation:
        said = facts.get(o.target.host or "", {}) if o.step is Step.RESOLVE else None
        return o if said is None else replace(o, facts={**SITE_SERVER, **o.facts, **said})

    return tuple(replace(o, observations=tuple(map(more, o.observations))) for o in world.outcomes())


def again(*said: tuple[str, str, Failure | str, Mapping[str, Any]]) -> Outcome:
    """The follow-up: server, host, what it said, and more facts."""
    check = make_check(
        answers.AGAIN, requirement=None, probe="dns", scope=Scope.FOLLOW_UP, proves=Step.RESPONSE
    )
    observations = []
    for server, host, what, more in said:
        failure = what if isinstance(what, Failure) else None
        facts = {"type": "A", "records": [] if failure else [what], **more}
        observations.append(seen(Step.RESPONSE, Target(host=host, address=server, port=53), failure, **facts))
    return make_outcome(check, *observations)


def honesty(*observations: Observation) -> Outcome:
    check = make_check(
        "control/hijack", requirement=None, probe="hijack", scope=Scope.HONESTY, proves=Step.RESPONSE
    )
    return make_outcome(check, *observations)


def unknown(host: str, what: Failure | str, server: str = RESOLVER, **more: Any) -> Observation:
    failure = what if isinstance(what, Failure) else None
    facts = {"asked": "unknown", **({} if failure else {"records": [what], "rcode": "NOERROR"}), **more}
    return seen(Step.RESPONSE, Target(host=host, address=server, port=53), failure, **facts)


HONEST = honesty(
    unknown("x.example.org", Failure.DNS_NXDOMAIN), unknown("x.example.net", Failure.DNS_NXDOMAIN)
)


def with_names(names: Mapping[str, Failure | str], **changes: Any) -> World:
    return replace(filtered(len(HOSTS), 0, answered=len(HOSTS)), names=names, **changes)


def judged(world: World, *more: Outcome, facts: Mapping[str, Mapping[str, Any]] | None = None) -> Result:
    return conclude_from(world, (*told(world, facts or {}), *more))


GONE = {HOSTS[0]: Failure.DNS_NXDOMAIN}


DANGLING = {"zone": "cdn.example.net.", "alias": "gone.cdn.example.net."}
"""An alias that the vendor has left in place, to a host that he has given up."""


@pytest.mark.parametrize("facts", [NO_ZONE, ITS_ZONE, {"zone": "."}, DANGLING])
def test_a_name_that_the_vendor_has_retired_is_no_filter(facts: Mapping[str, Any]) -> None:
    assert "dns-filter" not in judged(with_names(GONE), facts={HOSTS[0]: facts}).causes


@pytest.mark.parametrize(
    ("failure", "facts", "confidence", "words"),
    [
        (Failure.DNS_NXDOMAIN, {"errors": [15]}, Confidence.CERTAIN, "15, blocked"),
        (Failure.DNS_REFUSED, {"errors": [17]}, Confidence.CERTAIN, "17, filtered"),
        (Failure.DNS_NO_ANSWER, {"errors": [4]}, Confidence.CERTAIN, "4, forged answer"),
        (Failure.DNS_REFUSED, {}, Confidence.LIKELY, "refuses to look up n0.example.com"),
        (Failure.DNS_NXDOMAIN, {"zone": "rpz.security.local."}, Confidence.LIKELY, "in whose zone"),
        (
            Failure.DNS_NXDOMAIN,
            DANGLING | {"zone": "rpz.security.local."},
            Confidence.LIKELY,
            "in whose zone",
        ),
    ],
)
def test_a_server_that_says_that_it_filters(
    failure: Failure, facts: Mapping[str, Any], confidence: Confidence, words: str
) -> None:
    only = judged(with_names({HOSTS[0]: failure}), facts={HOSTS[0]: facts}).only
    assert (only.cause, only.confidence, only.owner) == ("dns-filter", confidence, Owner.DNS)
    assert (only.where, only.evidence) == (Where.UNKNOWN, (f"web/{HOSTS[0]}:443",))
    assert words in only.summary and RESOLVER in only.summary


@pytest.mark.parametrize("failure", [Failure.DNS_NO_ANSWER, Failure.DNS_SERVFAIL, Failure.TIMED_OUT])
def test_what_is_no_denial_is_no_filter(failure: Failure) -> None:
    assert "dns-filter" not in judged(with_names({HOSTS[0]: failure})).causes


def test_another_server_knows_better() -> None:
    follow_up = again((RESOLVER, HOSTS[0], Failure.DNS_NXDOMAIN, {}), (OTHER, HOSTS[0], "192.88.99.9", {}))
    only = judged(with_names(GONE), follow_up).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.CERTAIN)
    assert f"{OTHER} knows better" in only.summary


@pytest.mark.parametrize("facts", [NO_ZONE, ITS_ZONE])
def test_who_makes_addresses_up_does_not_know_better(facts: Mapping[str, Any]) -> None:
    """The provider's server leads whatever is missing to a search page; the vendor has retired the name."""
    page = "192.88.99.80"
    follow_up = again(
        (RESOLVER, HOSTS[0], Failure.DNS_NXDOMAIN, facts),
        (OTHER, HOSTS[0], page, {}),
        *((OTHER, f"x.example.{zone}", page, {}) for zone in ("org", "net")),
        *((RESOLVER, f"x.example.{zone}", Failure.DNS_NXDOMAIN, {}) for zone in ("org", "net")),
    )
    assert "dns-filter" not in judged(with_names(GONE), HONEST, follow_up, facts={HOSTS[0]: facts}).causes


def test_another_filter_does_not_know_better() -> None:
    follow_up = again((OTHER, HOSTS[0], "0.0.0.0", {}))
    assert "dns-filter" not in judged(with_names(GONE), follow_up).causes


@pytest.mark.parametrize("zone", ["example.org.", "."])
def test_a_server_that_names_the_zone_of_others_and_not_of_this_one(zone: str) -> None:
    follow_up = again(
        (RESOLVER, HOSTS[0], Failure.DNS_NXDOMAIN, {}),
        (RESOLVER, "x.example.org", Failure.DNS_NXDOMAIN, {"zone": zone}),
    )
    only = judged(with_names(GONE), HONEST, follow_up).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.LIKELY)


@pytest.mark.parametrize(("emptied", "found"), [(2, []), (3, ["dns-filter"])])
def test_a_server_that_knows_no_address_of_many_names(emptied: int, found: list[str]) -> None:
    """And does not say in whose zone: a server of the names that answers badly is one owner's, of few names."""
    hosts = HOSTS[:emptied]
    follow_up = again(
        *((RESOLVER, host, Failure.DNS_NO_ANSWER, {}) for host in hosts),
        (RESOLVER, "x.example.org", Failure.DNS_NXDOMAIN, {"zone": "example.org."}),
    )
    result = judged(with_names(dict.fromkeys(hosts, Failure.DNS_NO_ANSWER)), HONEST, follow_up)
    assert result.causes == found
    assert all("there is no address of n0.example.com" in f.summary for f in result.findings)


OWN_ZONE = {"zone": "corp.local."}


@pytest.mark.parametrize("zones", [({}, {}), (ITS_ZONE, {"zone": "example.org."}), (OWN_ZONE, OWN_ZONE)])
def test_a_server_that_treats_all_alike_hides_nothing(zones: tuple[Mapping[str, Any], ...]) -> None:
    own, others = zones
    follow_up = again(
        (RESOLVER, HOSTS[0], Failure.DNS_NXDOMAIN, own),
        (RESOLVER, "x.example.org", Failure.DNS_NXDOMAIN, others),
    )
    assert "dns-filter" not in judged(with_names(GONE), HONEST, follow_up, facts={HOSTS[0]: own}).causes


WILDCARDS = filtered(0, 2)
"""None of whose names a page prints."""


@pytest.mark.parametrize(
    ("what", "zone", "cause"),
    [
        (Failure.DNS_NXDOMAIN, "", "dns-filter"),
        (Failure.DNS_NXDOMAIN, "rpz.security.local.", "dns-filter"),
        (Failure.DNS_NXDOMAIN, "example.com.", None),  # who owns it has given it up
        (Failure.DNS_NO_ANSWER, "", None),  # the domain is there, and the name under it may be gone
        (Failure.TIMED_OUT, "", None),
    ],
)
def test_a_server_that_denies_the_domain_of_a_wildcard(what: Failure, zone: str, cause: str | None) -> None:
    facts = {"zone": zone} if zone else {}
    follow_up = again(
        *((RESOLVER, f"w{n}.example.com", what, facts) for n in range(2)),
        (RESOLVER, "x.example.org", Failure.DNS_NXDOMAIN, {"zone": "example.org."}),
    )
    result = judged(replace(WILDCARDS, names=WILDCARDS.names), HONEST, follow_up)
    assert [(f.cause, f.confidence, f.where) for f in result.findings] == (
        [(cause, Confidence.LIKELY, Where.UNKNOWN)] if cause else []
    )
    if cause:
        assert "denies the whole of w0.example.com" in result.only.summary


@pytest.mark.parametrize("sink", ["0.0.0.0", "127.0.0.1"])
def test_an_address_that_leads_nowhere(sink: str) -> None:
    world = with_names({HOSTS[0]: sink}, wall=lambda t: "reject" if t.address == sink else None)
    only = judged(world).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.CERTAIN)
    assert f"gives {sink} as the address of {HOSTS[0]}" in only.summary


@pytest.mark.parametrize("failure", [Failure.DNS_REFUSED, Failure.DNS_SERVFAIL])
def test_what_is_looked_up_at_another_time_is_not_hidden(failure: Failure) -> None:
    """Whoever asks too fast is refused by some; by name it would be refused each time."""
    later = again((RESOLVER, HOSTS[0], "192.88.99.9", {}), (RESOLVER, HOSTS[1], "192.88.99.9", {}))
    found = judged(
        with_names(dict.fromkeys(HOSTS[:4], failure)), later, facts={host: {} for host in HOSTS[:4]}
    )
    only = found.only
    assert (only.cause, only.owner, only.where) == ("intermittent", Owner.DNS, Where.UNKNOWN)
    assert HOSTS[0] in only.summary and RESOLVER in only.summary


@pytest.mark.parametrize(("later", "found"), [(Failure.DNS_SERVFAIL, ["dns-filter"]), ("192.88.99.9", [])])
def test_a_server_that_fails_for_the_products_names_alone(later: Failure | str, found: list[str]) -> None:
    """A filter does so, and so does a server whose way to the vendor's own is broken: no more than possible."""
    asked = again((RESOLVER, HOSTS[0], later, {"rcode": "SERVFAIL"}))
    seen = judged(with_names({HOSTS[0]: Failure.DNS_SERVFAIL}), asked, facts={host: {} for host in HOSTS})
    assert seen.causes == found
    assert {f.confidence for f in seen.findings} <= {Confidence.POSSIBLE}
    assert all("SERVFAIL" in f.summary and "DNSSEC" in f.remedy for f in seen.findings)
    assert {f.where for f in seen.findings} <= {Where.UNKNOWN}


def test_the_hosts_file_is_this_hosts() -> None:
    world = with_names({HOSTS[0]: "127.0.0.1"}, wall=lambda t: "reject" if t.address == "127.0.0.1" else None)
    only = judged(world, facts={HOSTS[0]: {"server": "hosts file"}}).only
    assert (only.where, only.owner) == (Where.HOST, Owner.HOST_ADMIN)
    assert "hosts file" in only.summary


@pytest.mark.parametrize(
    ("page", "where"), [(BLOCK_PAGE, Where.UNKNOWN), (RESOLVER, Where.SITE), (GATEWAY, Where.SITE)]
)
def test_a_block_page_at_a_private_address(page: str, where: Where) -> None:
    """Providers have such pages as well; they know nothing of a forwarder's own address, nor of a gateway's."""

    def greet(target: Target) -> Failure | None:
        return Failure.CERTIFICATE_NAME_MISMATCH if target.address == page else None

    only = judged(with_names(dict.fromkeys(HOSTS[:2], page), greet=greet)).only
    assert (only.cause, only.where, only.confidence) == ("dns-filter", where, Confidence.LIKELY)
    assert page in only.summary and "certificate-name-mismatch" in only.explains


def test_a_private_address_whose_server_pins_right_is_nobodys_fault() -> None:
    assert judged(with_names(dict.fromkeys(HOSTS[:2], BLOCK_PAGE))).findings == ()


# --- follow-ups ---------------------------------------------------------------------------------------


def asked_again(world: World) -> list[str]:
    checks = answers.ask_again(world.situation(world.outcomes()))
    return [name for check in checks for name in check.params.names]


WEB = (requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls"), ROWS[4])
WILD = make_profile({**WEB[0], "targets": {"names": ["web", "wild"]}}, ROWS[4])


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ({}, []),
        ({"maybe.example.net": Failure.DNS_NXDOMAIN}, ["example.net"]),  # it merely stands for a wildcard
        ({"maybe.example.net": Failure.DNS_SERVFAIL}, ["maybe.example.net"]),
        ({"api.example.com": Failure.DNS_SERVFAIL}, ["api.example.com"]),
        ({"api.example.com": Failure.TIMED_OUT}, []),
        ({"api.example.com": Failure.DNS_NXDOMAIN}, ["api.example.com"]),
        ({"api.example.com": "10.0.0.80"}, ["api.example.com"]),
    ],
)
def test_what_was_denied_is_asked_again(names: Mapping[str, Failure | str], wanted: list[str]) -> None:
    assert asked_again(World(profile=WILD, names=names)) == wanted


def test_a_name_under_a_wildcard_that_its_owner_denies_is_not_asked_for() -> None:
    world = World(profile=WILD, names={"maybe.example.net": Failure.DNS_NXDOMAIN})
    outcomes = told(world, {"maybe.example.net": {"zone": "example.net."}})
    assert not list(answers.ask_again(world.situation(outcomes)))


@pytest.mark.parametrize("denied", [1, 6, 20])
def test_what_nobody_has_is_asked_again_for_comparison(denied: int) -> None:
    """However many names are denied."""
    hosts = ["api.example.com", *(f"h{n}.example.com" for n in range(denied - 1))]
    web = {"title": "Web", "domains": [{"pattern": host} for host in hosts], "source": SOURCE}
    world = World(
        profile=make_profile(*WEB, names={"web": web}),
        names=dict.fromkeys(hosts, Failure.DNS_NXDOMAIN),
        registry=make_registry(*PROBES, HijackProbe),
    )
    outcomes = [world.measure(check) for check in world.plan.checks if check.scope is not Scope.HONESTY]
    (check,) = answers.ask_again(world.situation(outcomes))
    assert len(check.params.names) == min(6, denied) + 2 and check.params.names[0] == "api.example.com"
    assert [name for name in check.params.names if name not in hosts] == list(check.params.names[-2:])
    assert [t.address for t in check.params.targets] == [RESOLVER]


# --- made-up answers ----------------------------------------------------------------------------------

LIE = "192.0.2.99"


def lies(*servers: str, records: str = LIE) -> Outcome:
    names = ("x.example.org", "x.example.net")
    return honesty(*(unknown(name, records, server) for server in servers for name in names))


@pytest.mark.parametrize(("address", "where"), [(RESOLVER, Where.SITE), (LIE, Where.UNKNOWN)])
def test_names_that_nobody_has_get_an_address(address: str, where: Where) -> None:
    """That of the server itself, or one that it may have been told."""
    found = judged(World(), lies(RESOLVER, records=address))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("dns-hijack", where, Owner.DNS)
    assert (only.confidence, only.severity) == (Confidence.CERTAIN, Severity.NOTE)
    assert address in only.summary and "x.example.org and x.example.net" in only.summary


def test_it_explains_what_its_address_breaks() -> None:
    def greet(target: Target) -> Failure | None:
        return Failure.CERTIFICATE_NAME_MISMATCH if target.address == LIE else None

    only = judged(World(names={"api.example.com": LIE}, greet=greet), lies(RESOLVER)).only
    assert (only.cause, only.affects, only.severity) == ("dns-hijack", ("web",), Severity.BLOCKING)
    assert only.explains


def test_a_wildcard_of_one_zone_is_its_owners_affair() -> None:
    one = honesty(unknown("x.example.org", LIE), unknown("x.example.net", Failure.DNS_NXDOMAIN))
    assert judged(World(), one).findings == ()
    assert judged(World(), HONEST).findings == ()


def test_the_place_of_a_lying_server_outside_is_not_known() -> None:
    assert judged(World(), lies("192.88.99.53")).only.where is Where.UNKNOWN


def test_different_addresses_are_less_sure() -> None:
    two = honesty(unknown("x.example.org", LIE), unknown("x.example.net", "192.0.2.98"))
    assert judged(World(), two).only.confidence is Confidence.LIKELY


@pytest.mark.parametrize("failure", [None, Failure.DNS_NXDOMAIN])
def test_an_answer_from_where_nobody_is(failure: Failure | None) -> None:
    target = Target(host="api.example.com", address="198.51.100.253", port=53)
    facts = {"asked": "nobody", "rcode": "NXDOMAIN" if failure else "NOERROR"}
    only = judged(World(), honesty(seen(Step.RESPONSE, target, failure, **facts))).only
    assert (only.cause, only.where, only.severity) == ("dns-hijack", Where.UNKNOWN, Severity.NOTE)
    assert "198.51.100.253" in only.summary


@pytest.mark.parametrize(
    ("answered", "where", "words"),
    [
        ((2, 3), Where.SITE, "no further away than hop 2"),
        ((4,), Where.UNKNOWN, "hop 4"),
        ((), Where.UNKNOWN, "asked."),
    ],
)
def test_who_answers_for_nobody_is_looked_for(answered: tuple[int, ...], where: Where, words: str) -> None:
    target = Target(host="api.example.com", address="198.51.100.253", port=53)
    world = World(registry=make_registry(*PROBES, HijackProbe))
    taken = honesty(seen(Step.RESPONSE, target, asked="nobody", rcode="NOERROR"))
    (check,) = answers.ask_nearer(world.situation([taken]))
    nearer = [
        seen(Step.RESPONSE, target, None if ttl in answered else Failure.TIMED_OUT, asked="nobody", ttl=ttl)
        for ttl in check.params.hop_limits
    ]
    only = judged(World(), taken, make_outcome(check, *nearer)).only
    assert (only.cause, only.where) == ("dns-hijack", where)
    assert words in only.summary


def test_who_sends_questions_elsewhere_speaks_in_nobodys_name() -> None:
    target = Target(host="api.example.com", address="198.51.100.253", port=53)
    taken = honesty(seen(Step.RESPONSE, target, asked="nobody", rcode="NOERROR"))
    check = make_check("hijack/where", requirement=None, probe="hijack", scope=Scope.FOLLOW_UP)
    expired = [
        seen(Step.RESPONSE, target, Failure.HOP_LIMIT_EXCEEDED, asked="nobody", ttl=ttl, offender=offender)
        for ttl, offender in ((1, "192.168.1.1"), (2, target.address), (3, target.address))
    ]
    only = judged(World(), taken, make_outcome(check, *expired)).only
    assert only.where is Where.SITE and "hop 2" in only.summary


@pytest.mark.parametrize(
    ("told", "hop", "where"),
    [
        (LIE, 1, Where.SITE),
        (LIE, 4, Where.UNKNOWN),
        (LIE, None, Where.UNKNOWN),
        ("192.0.2.7", 1, Where.UNKNOWN),
    ],
)
def test_who_lies_in_nobodys_name_lies_in_the_servers(told: str, hop: int | None, where: Where) -> None:
    """Another address shows another liar: what is made up far away may be asked for from near by."""
    nobody = Target(host="api.example.com", address="198.51.100.253", port=53)
    taken = seen(Step.RESPONSE, nobody, asked="nobody", rcode="NOERROR", records=[told])
    made_up = (unknown(name, LIE, "192.88.99.53") for name in ("x.example.org", "x.example.net"))
    check = make_check("hijack/where", requirement=None, probe="hijack", scope=Scope.FOLLOW_UP)
    nearer = [seen(Step.RESPONSE, nobody, asked="nobody", ttl=hop, rcode="NOERROR")] if hop else []
    found = judged(World(), honesty(*made_up, taken), make_outcome(check, *nearer)).findings
    (liar,) = (each for each in found if LIE in each.summary)
    assert (liar.cause, liar.where) == ("dns-hijack", where)


def test_nobody_is_looked_for_where_nobody_answers() -> None:
    assert list(answers.ask_nearer(World().situation([HONEST]))) == []


def test_silence_from_where_nobody_is_is_as_it_should_be() -> None:
    target = Target(host="api.example.com", address="198.51.100.253", port=53)
    silent = seen(Step.RESPONSE, target, Failure.TIMED_OUT, asked="nobody")
    assert judged(World(), honesty(silent)).findings == ()


@pytest.mark.parametrize(
    ("other", "confidence"),
    [("NXDOMAIN", Confidence.LIKELY), ("NOERROR", Confidence.POSSIBLE)],
)
def test_two_answers_to_one_question(other: str, confidence: Confidence) -> None:
    target = Target(host="api.example.com", address=RESOLVER, port=53)
    facts = {"asked": "known", "rcode": "NOERROR", "other": {"rcode": other, "records": []}}
    only = judged(World(), honesty(seen(Step.RESPONSE, target, **facts))).only
    assert (only.cause, only.confidence) == ("dns-hijack", confidence)
