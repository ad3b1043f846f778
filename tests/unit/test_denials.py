"""What name servers deny: names that are gone, and domains that they hide."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from readycheck.check import CheckTarget
from readycheck.denials import (
    AGAIN,
    capricious,
    denied,
    domain_of,
    doubtful,
    forthright,
    is_bogon,
    liars,
    said,
)
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from tests.unit.builders import make_check, make_outcome, seen

WILDCARD, DOMAIN, NOBODY, SERVER = "*.example.com", "example.com", "x.example.org", "192.168.1.1"
GONE = Failure.DNS_NXDOMAIN
Facts = Mapping[str, Any]


def name(host: str, failure: Failure | None = GONE, *, certain: bool = False, **facts: Any) -> Outcome:
    check = make_check(
        f"web/{host}",
        scope=Scope.NAMED,
        certain=certain,
        group=host if certain else WILDCARD,
        target=CheckTarget(host=host, ports="443", transport="tcp"),
    )
    return make_outcome(
        check, seen(Step.RESOLVE, Target(host=host, port=443), failure, server=SERVER, **facts)
    )


def again(*said: tuple[str, Failure | None, Facts]) -> tuple[Outcome, ...]:
    """The follow-up, after names that nobody has were asked for once."""
    scopes = {"names/again": Scope.FOLLOW_UP, "control/hijack": Scope.HONESTY}
    hosts = {AGAIN: said, "control/hijack": [one for one in said if one[0] == NOBODY]}
    return tuple(
        make_outcome(
            make_check(check, requirement=None, probe="dns", scope=scopes[check]),
            *(
                seen(Step.RESPONSE, Target(host=host, address=SERVER, port=53), failure, type="A", **facts)
                for host, failure, facts in some
            ),
        )
        for check, some in hosts.items()
    )


FRANK = (NOBODY, GONE, {"zone": "example.org."})
OTHER = (NOBODY, GONE, {"zone": "corp.local."})


def test_a_server_that_names_the_zone_is_forthright() -> None:
    assert forthright(again(FRANK)) == {SERVER}
    assert not forthright(again((NOBODY, GONE, {})))
    assert not forthright(again(OTHER))


def test_a_server_that_knows_what_nobody_has_is_a_liar() -> None:
    other = ("y.example.net", GONE, {})
    assert liars(again((NOBODY, None, {}))) == {SERVER}
    assert not liars(again(FRANK))
    assert not liars(again((DOMAIN, None, {})))
    one_zone = again((NOBODY, None, {}), other)  # whose owner answers for all names in it
    asked = replace(one_zone[1], observations=(*one_zone[1].observations, one_zone[0].observations[1]))
    assert not liars((one_zone[0], asked))


@pytest.mark.parametrize("pattern", ["*.example.com", "*example.com", "example.com"])
def test_the_domain_of_a_wildcard(pattern: str) -> None:
    assert domain_of(pattern) == DOMAIN


@pytest.mark.parametrize(
    ("outcomes", "is_doubtful"),
    [
        ([name("a.example.com")], True),
        ([name("a.example.com", zone="example.com.")], False),  # a vendor retires one name
        ([name("a.example.com", zone="com.")], True),
        ([name("a.example.com", zone="cdn.net.", alias="gone.cdn.net.")], False),
        ([name(f"{n}.example.com", zone="example.com.") for n in "ab"], False),
        ([name("a.example.com"), name("b.example.com", None)], False),
        ([name("a.example.com", Failure.TIMED_OUT)], False),
        ([name("a.example.com", certain=True)], False),
        ([name("a.example.com"), *again((DOMAIN, None, {}))], False),
        ([name("a.example.com"), *again((DOMAIN, Failure.DNS_NO_ANSWER, {}))], False),
        ([name("a.example.com"), *again((DOMAIN, GONE, {}))], True),
        ([], False),
    ],
)
def test_a_wildcard_of_which_no_name_is_known(outcomes: list[Outcome], is_doubtful: bool) -> None:
    assert doubtful(outcomes) == ({WILDCARD} if is_doubtful else set())


@pytest.mark.parametrize(
    ("said", "is_denied"),
    [
        ([FRANK, (DOMAIN, GONE, {})], True),
        ([FRANK, (DOMAIN, GONE, {"zone": "rpz.local."})], True),
        ([OTHER, (DOMAIN, GONE, {"zone": "rpz.local."})], True),
        ([(DOMAIN, GONE, {}), (DOMAIN, None, {})], True),  # another server knows it
        (
            [FRANK, (DOMAIN, GONE, {"zone": "cdn.net.", "alias": "gone.cdn.net."})],
            False,
        ),  # a host he has given up
        ([FRANK, (DOMAIN, GONE, {"zone": "com."})], False),  # the vendor has given it up
        ([FRANK, (DOMAIN, GONE, {"zone": "."})], False),  # a server that is cut off
        ([OTHER, (DOMAIN, GONE, {"zone": "corp.local."})], False),  # so it denies whatever it does not serve
        ([(NOBODY, GONE, {}), (DOMAIN, GONE, {})], False),
        (
            [(NOBODY, None, {}), (DOMAIN, GONE, {}), (DOMAIN, None, {})],
            False,
        ),  # it knows whatever it is asked for
        ([FRANK, (DOMAIN, Failure.DNS_NO_ANSWER, {})], False),
        ([FRANK, (DOMAIN, Failure.TIMED_OUT, {})], False),
        ([FRANK], False),
    ],
)
def test_a_domain_that_a_server_denies_of_its_own_accord(
    said: list[tuple[str, Failure | None, Facts]], is_denied: bool
) -> None:
    assert denied([name("a.example.com"), *again(*said)]) == ({WILDCARD} if is_denied else set())
    assert not denied([name("a.example.com", None), *again(*said)])


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "10.0.0.1", "240.0.0.1", "::"])
def test_addresses_that_no_server_has(address: str) -> None:
    assert is_bogon(address)
    assert not is_bogon("192.88.99.9")


@pytest.mark.parametrize(("server", "found"), [(SERVER, {SERVER}), ("", set())])
def test_who_refuses_and_looks_up_by_turns(server: str, found: set[str]) -> None:
    """Nothing is said of who nobody knows."""
    refused = name("a.example.com", Failure.DNS_REFUSED)
    known = name("a.example.com", None, addresses=["192.88.99.9"])
    turns = [
        replace(
            o, observations=tuple(replace(s, facts={**s.facts, "server": server}) for s in o.observations)
        )
        for o in (refused, known)
    ]
    assert set(capricious(said(turns))) == found
