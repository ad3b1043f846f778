"""A portal, and what is mistaken for one."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose import portal
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.verdict import Readiness
from readycheck_probes.http import HttpProbe
from tests.unit.builders import (
    PROBES,
    ROWS,
    World,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    make_registry,
    requirement,
    seen,
    tls,
)

CONTROL, PRODUCT = "www.example.net", "api.example.com"
LOGIN = "http://login.guest.example/start?to=x"
UNPINNED = [requirement("sip"), *ROWS[1:]]


def page(
    host: str, status: int = 200, *, scope: Scope = Scope.CONTROL, location: str = "", **said: Any
) -> Outcome:
    """What plain HTTP showed."""
    check = make_check(
        f"{scope.value}/{host}:80", requirement=None, probe="http", scope=scope, proves=Step.RESPONSE
    )
    target = Target(host=host, address="192.88.99.9", port=80, transport="tcp")
    facts = {"status": status, "http": said, **({"location": location} if location else {})}
    failure = Failure.HTTP_STATUS if status >= 500 else None
    return make_outcome(check, seen(Step.CONNECT, target), seen(Step.RESPONSE, target, failure, **facts))


def held(**changes: Any) -> World:
    """Names, time and port 80 pass and nothing else does."""

    def wall(target: Target) -> str | None:
        return None if target.port in (53, 80, 123) else "drop"

    return World(**{"profile": make_profile(*UNPINNED, controls=[]), "wall": wall, **changes})


def found(world: World, *pages: Outcome) -> list[Any]:
    return list(conclude_from(world, (*world.outcomes(), *pages)).findings)


def test_a_portal_explains_everything_else() -> None:
    world = held()
    result = conclude_from(world, (*world.outcomes(), page(CONTROL, 302, location=LOGIN)))
    only = result.only
    assert (only.cause, only.where, only.owner) == ("captive-portal", Where.SITE, Owner.NETWORK)
    assert (only.confidence, only.severity) == (Confidence.LIKELY, Severity.BLOCKING)
    assert "the portal login.guest.example" in only.summary and CONTROL in only.summary
    assert {"udp-blocked"} & set(only.explains)
    assert result.readiness is Readiness.NOT_READY


@pytest.mark.parametrize(
    "second",
    [
        page(PRODUCT, 302, location=LOGIN, scope=Scope.FOLLOW_UP),
        page(PRODUCT, 511, scope=Scope.FOLLOW_UP),
    ],
)
def test_two_unrelated_hosts_make_it_certain(second: Outcome) -> None:
    (only,) = found(held(), page(CONTROL, 302, location=LOGIN), second)
    assert (only.cause, only.confidence) == ("captive-portal", Confidence.CERTAIN)
    assert PRODUCT in only.summary


def test_a_portal_that_needs_no_redirect() -> None:
    login = {"sha256": "ab", "body": "Please log in"}
    pages = page(CONTROL, expected=False, **login), page(PRODUCT, scope=Scope.FOLLOW_UP, **login)
    (only,) = found(held(), *pages)
    assert (only.cause, only.confidence) == ("captive-portal", Confidence.CERTAIN)


@pytest.mark.parametrize(
    "shown",
    [
        page(CONTROL, expected=True, sha256="ab"),
        page(CONTROL, expected=False, sha256="ab"),  # the host may have a new page
        page(CONTROL, 301, location=f"https://{CONTROL}/"),
        page(CONTROL, 302, location="https://home.example.net/"),
        page(CONTROL, 302, location="/start"),
        page(CONTROL, 302, location="http://[::1"),
        page(CONTROL, 503),
        page(PRODUCT, 302, location=LOGIN, scope=Scope.FOLLOW_UP),  # the product alone: a filter
    ],
)
def test_what_a_host_may_answer_itself_is_no_portal(shown: Outcome) -> None:
    world = held()
    before = found(world)
    assert [f.cause for f in found(world, shown)] == [f.cause for f in before]


def test_a_proxy_for_http_is_no_portal() -> None:
    assert found(World(), page(CONTROL, 302, location=LOGIN)) == []


@pytest.mark.parametrize(
    ("second", "causes"),
    [
        (page(PRODUCT, 302, location=LOGIN, scope=Scope.FOLLOW_UP), ["proxy-transparent"]),
        (page(PRODUCT, 302, location="http://other.example/", scope=Scope.FOLLOW_UP), []),
        (page("home.example.net", 302, location=LOGIN), []),  # an owner who has moved his hosts
    ],
)
def test_where_plain_http_alone_is_led_away(second: Outcome, causes: list[str]) -> None:
    findings = found(World(), page(CONTROL, 302, location=LOGIN), second)
    assert [f.cause for f in findings] == causes
    assert all("login.guest.example" in f.summary and f.severity is Severity.NOTE for f in findings)


def test_a_vendor_sends_his_own_domains_to_one_page() -> None:
    """Nobody outside the product could be asked: what two of its domains lead to may be its own."""
    pages = [
        page(host, 301, location="https://www.vendor.example/", scope=Scope.NAMED)
        for host in (PRODUCT, "api.example.org")
    ]
    assert found(World(profile=make_profile(*ROWS, controls=[])), *pages) == []


def test_a_portal_has_no_certificate_for_the_products_names() -> None:
    def untrusted(target: Target) -> Failure | None:
        return Failure.CERTIFICATE_UNTRUSTED

    world = held(
        wall=lambda t: None if t.transport == "tcp" else "drop",
        greet=untrusted,
        handshake=lambda t: {**tls(), "name_matches": True},
    )
    assert "captive-portal" not in [f.cause for f in found(world, page(CONTROL, 302, location=LOGIN))]


def test_a_portal_that_greets_is_asked_again_in_vain() -> None:
    """Follow-ups greet whoever answers: that a handshake ends well there shows no more than a connection."""
    world = held(
        wall=lambda t: None if t.transport == "tcp" else "drop",
        greet=lambda target: Failure.CERTIFICATE_UNTRUSTED,
        handshake=lambda t: {**tls(), "name_matches": False},
    )
    asked_again = make_check(
        "names/again", requirement=None, scope=Scope.FOLLOW_UP, proves=Step.TLS_HANDSHAKE
    )
    greeted = seen(
        Step.TLS_HANDSHAKE, Target(host=PRODUCT, address="192.88.99.9", port=443), name_matches=None
    )
    causes = [
        f.cause for f in found(world, page(CONTROL, 302, location=LOGIN), make_outcome(asked_again, greeted))
    ]
    assert causes[0] == "captive-portal" and "tls-inspection" not in causes


def test_a_portal_lets_no_media_pass() -> None:
    world = held(wall=lambda t: "drop" if t.transport == "tcp" and t.port not in (53, 80) else None)
    assert "captive-portal" not in [f.cause for f in found(world, page(CONTROL, 302, location=LOGIN))]


def test_where_tls_was_not_tried_it_is_not_known_to_fail() -> None:
    rows = [requirement("open", probe="tcp"), *ROWS[1:3], ROWS[4]]
    world = held(profile=make_profile(*rows, controls=[]))
    assert "captive-portal" not in [f.cause for f in found(world, page(CONTROL, 302, location=LOGIN))]
    assert asked(world) == []


# --- follow-ups ---------------------------------------------------------------------------------------


def asked(world: World, *pages: Outcome) -> list[str]:
    world = replace(world, registry=make_registry(*PROBES, HttpProbe))
    situation = world.situation((*world.outcomes(), *pages))
    return [check.id for check in portal.ask_others(situation)]


def test_where_something_looks_like_a_portal_the_product_is_asked() -> None:
    assert asked(held(), page(CONTROL, 302, location=LOGIN)) == [f"portal/{PRODUCT}:80"]
    assert asked(held(), page(CONTROL, expected=False)) == [f"portal/{PRODUCT}:80"]


def test_without_a_control_the_product_is_asked_at_once() -> None:
    assert asked(held()) == [f"portal/{PRODUCT}:80"]


def test_nothing_is_asked_where_a_page_is_right_or_tls_passes() -> None:
    assert asked(held(), page(CONTROL, expected=True)) == []
    assert asked(World(), page(CONTROL, 302, location=LOGIN)) == []
