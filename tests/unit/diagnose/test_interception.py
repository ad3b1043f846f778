"""A proxy that nobody configured, by what it cannot hide; delivery networks of the vendor are none."""

from typing import Any

from readycheck.diagnose.finding import Confidence, Finding, Severity, Where
from readycheck.diagnose.interception import ask_nowhere, proxy_transparent
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import CheckTarget, Scope
from readycheck_probes.http import HttpProbe
from tests.unit.builders import (
    NETWORKS,
    NODES,
    PROBES,
    World,
    conclude,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    make_registry,
    requirement,
    seen,
)

RENEWAL = requirement(
    "renewal",
    targets={"hosts": ["renewal.example.com"]},
    ports=["80"],
    probe="http",
    params={"scheme": "http"},
    importance="optional",
)
FREE = {
    "service": {
        "title": "Service",
        "networks": ["198.18.0.0/16"],
        "source": {"document": "doc", "section": "1"},
    }
}


def answer(host: str, port: int = 80, failure: Failure | None = None, **headers: str) -> Observation:
    facts: dict[str, Any] = {"status": 503 if failure else 200, "http": {"headers": headers}}
    target = Target(host=host, port=port, transport="tcp", sni=host if port == 443 else None)
    return seen(Step.RESPONSE, target, failure, **facts)


def outcome(name: str, *observations: Observation, scope: Scope = Scope.NAMED, port: int = 80) -> Outcome:
    target = CheckTarget(host=observations[0].target.host, ports=str(port), transport="tcp")
    own = None if scope is Scope.FOLLOW_UP else name.partition("/")[0]
    check = make_check(name, requirement=own, probe="http", scope=scope, target=target, proves=Step.RESPONSE)
    return make_outcome(check, *observations)


def nowhere(status: int = 503, *, control: Failure | None = Failure.TIMED_OUT) -> list[Outcome]:
    """What a host that lives nowhere seems to say."""
    web = Target(address="203.0.113.1", port=80, transport="tcp")
    other = Target(address="203.0.113.1", port=7, transport="tcp")
    return [
        outcome(
            "nowhere/80",
            seen(Step.CONNECT, web),
            seen(Step.RESPONSE, web, Failure.HTTP_STATUS if status >= 500 else None, status=status),
            scope=Scope.FOLLOW_UP,
        ),
        outcome("nowhere/7", seen(Step.CONNECT, other, control), scope=Scope.FOLLOW_UP, port=7),
    ]


def world() -> World:
    return World(profile=make_profile(RENEWAL, networks=FREE), registry=make_registry(*PROBES, HttpProbe))


def findings(*outcomes: Outcome) -> list[Finding]:
    return list(proxy_transparent(conclude_from(world(), outcomes).case))


ODD = outcome("renewal/renewal.example.com", answer("renewal.example.com", failure=Failure.HTTP_STATUS))


def test_nowhere_is_only_asked_about_an_odd_answer() -> None:
    fine = outcome("renewal/renewal.example.com", answer("renewal.example.com"))
    assert not list(ask_nowhere(world().situation([fine])))
    checks = {c.id: c for c in ask_nowhere(world().situation([ODD]))}
    assert set(checks) == {"nowhere/80", "nowhere/7"}
    assert checks["nowhere/80"].params.scheme == "http"
    assert {t.address for t in checks["nowhere/7"].params.targets} == {
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
    }


def test_nowhere_is_asked_when_a_proxy_is_named() -> None:
    marked = outcome("renewal/a", answer("a.example.com", via="1.1 gate.corp.test:3128 (squid/5.7)"))
    plain = outcome("web/a", answer("a.example.com", 443), port=443)
    assert len(list(ask_nowhere(world().situation([marked, plain])))) == 2
    assert not list(ask_nowhere(world().situation([marked])))  # it may be the server's own


def test_addresses_that_a_product_uses_are_somewhere() -> None:
    made = World(profile=make_profile(RENEWAL), registry=make_registry(*PROBES, HttpProbe))
    assert "203.0.113.0/24" in NETWORKS and not list(ask_nowhere(made.situation([ODD])))


def test_a_port_of_nowhere_that_answers_is_a_proxy() -> None:
    (found,) = findings(ODD, *nowhere())
    assert (found.cause, found.confidence) == ("proxy-transparent", Confidence.CERTAIN)
    assert found.affects == ("renewal",) and "203.0.113.1" in found.summary
    assert conclude_from(world(), (ODD, *nowhere())).causes == ["proxy-transparent"]  # and no vendor


def test_what_else_answers_for_nowhere_is_no_proxy() -> None:
    assert not findings(ODD, *nowhere(control=None))  # every port does: a firewall that shakes hands itself
    assert not findings(ODD, *nowhere(302)) and not findings(ODD, *nowhere(511))  # a portal
    assert not findings(ODD)


def test_marks_on_plain_answers_alone() -> None:
    marked = answer("a.example.com", via="1.1 gate.corp.test:3128 (squid/5.7)")
    secure = answer("a.example.com", 443, via="1.1 edge.cdn.test (x)")
    (found,) = findings(outcome("renewal/a", marked), outcome("web/a", secure, port=443))
    assert (found.severity, found.confidence) == (Severity.NOTE, Confidence.LIKELY)
    assert "the answers name gate.corp.test" in found.summary


def test_without_an_answer_to_compare_it_takes_a_proxys_own_words_in_two_zones() -> None:
    words = {"x-cache": "MISS from gate", "x-cache-lookup": "MISS from gate:3128"}
    one = outcome("renewal/a", answer("a.example.com", **words))
    other = outcome("renewal/b", answer("b.example.org", **words))
    assert not findings(one)
    assert [f.confidence for f in findings(one, other)] == [Confidence.POSSIBLE]


def test_delivery_networks_are_no_proxies_of_the_way() -> None:
    plain = outcome("renewal/a", answer("a.example.com", via="1.1 edge7.cdn.test"))
    secure = outcome("web/a", answer("a.example.com", 443, via="1.1 edge8.cdn.test"), port=443)
    other = outcome("renewal/b", answer("b.example.org", **{"x-cache": "TCP_MISS from edge7.cdn.test (x)"}))
    assert not findings(plain, secure)
    assert not findings(plain, other)
    assert not findings(outcome("renewal/a", answer("a.example.com", via="1.1 varnish", server="x")))


def test_answers_through_a_proxy_that_was_configured_show_nothing() -> None:
    via = Target(host="a.example.com", port=80, transport="tcp", via="p:1")
    told = seen(Step.RESPONSE, via, status=200, http={"headers": {"via": "1.1 gate.corp.test"}})
    assert not findings(outcome("renewal/a", told))


# --- in the product's place ---------------------------------------------------------------------------


def test_a_port_of_tls_that_is_answered_without_any_everywhere() -> None:
    hangs_up = {NODES[2]: Failure.CONNECTION_CLOSED}
    stranger = lambda t: hangs_up.get(t.address, Failure.TLS_NOT_TLS) if t.port == 8934 else None  # noqa: E731
    only = conclude(World(greet=stranger, lively=3)).only
    assert (only.cause, only.where, only.confidence) == (
        "proxy-transparent",
        Where.UNKNOWN,
        Confidence.POSSIBLE,
    )
    assert "TCP 8934 is answered at" in only.summary and only.affects == ("sip",)


def test_where_one_server_speaks_tls_the_others_are_their_owners_affair() -> None:
    stranger = NODES[0]
    greet = lambda t: Failure.TLS_NOT_TLS if (t.port, t.address) == (8934, stranger) else None  # noqa: E731
    assert "proxy-transparent" not in conclude(World(greet=greet)).causes
