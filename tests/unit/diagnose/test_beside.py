"""Follow-ups with and without the proxy: few, of what failed, and none where all is well."""

from readycheck.diagnose import beside
from readycheck.diagnose.beside import past_the_proxy, through_the_proxy, unused_proxy
from readycheck.failure import Failure
from readycheck.net.environment import FoundProxy
from readycheck.plan import Scope
from tests.unit.builders import make_selection
from tests.unit.diagnose.proxied import OPEN, PROXY, TALKING, always, world

DENIED = Failure.PROXY_DENIED, {"status": 403, "reason": ""}


def test_a_healthy_network_pays_nothing() -> None:
    for made in (world(always(OPEN)), world(always(OPEN), selection=make_selection())):
        situation = made.situation(made.outcomes())
        assert not [*past_the_proxy(situation), *through_the_proxy(situation)]
        assert "case" not in vars(situation)


def test_what_fails_through_the_proxy_is_asked_without_it() -> None:
    made = world(always(DENIED))
    checks = list(past_the_proxy(made.situation(made.outcomes())))
    assert len(checks) <= beside.MOST
    assert {c.id for c in checks} >= {
        "past-proxy/tls/api.example.com:443",
        "past-proxy/tcp/portal.example.com:8443",
    }
    assert {(c.scope, c.requirement, c.target.via) for c in checks} == {(Scope.FOLLOW_UP, None, None)}
    assert not [t for c in checks for t in c.params.targets if t.via or t.network]
    assert all(beside.has_answered(made.measure(check)) for check in checks)
    assert not list(through_the_proxy(made.situation(made.outcomes())))


def test_websocket_is_asked_for_a_plain_page_too() -> None:
    made = world(always(OPEN), profile=TALKING, upgrade=lambda t: (502, None))
    checks = {c.id: c for c in past_the_proxy(made.situation(made.outcomes()))}
    plain = checks["plain-through-proxy/http/events.example.com:443"]
    assert (plain.probe, plain.target.via, plain.params.targets[0].via) == ("http", PROXY, PROXY)
    assert checks["past-proxy/websocket/events.example.com:443"].must_stay


def test_what_fails_without_a_proxy_is_asked_through_the_one_that_was_found() -> None:
    made = world(always(OPEN), selection=make_selection(), wall=lambda t: "drop" if t.port == 443 else None)
    checks = list(through_the_proxy(made.situation(made.outcomes())))
    assert {c.target.via for c in checks} == {PROXY} == {t.via for c in checks for t in c.params.targets}
    assert {c.target.ports for c in checks} == {"443"}
    assert all(beside.has_answered(made.measure(check)) for check in checks)


def test_no_time_no_follow_up() -> None:
    made = world(always(DENIED))
    assert not list(past_the_proxy(made.situation(made.outcomes(), left_s=0.2)))


def test_a_proxy_that_cannot_be_used_is_none() -> None:
    assert unused_proxy([FoundProxy(scheme="all", url="unusable", source="environment")]) is None
    assert unused_proxy([]) is None
