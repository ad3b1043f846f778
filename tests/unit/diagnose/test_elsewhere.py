"""Who is asked once no name is known, and what it tells of a site that may be cut off."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.elsewhere import ELSEWHERE, targets
from readycheck.diagnose.finding import Confidence
from readycheck.failure import Failure
from readycheck.observation import Target
from tests.unit.builders import (
    DEAF,
    Result,
    World,
    conclude,
    make_environment,
    make_profile,
    make_selection,
    requirement,
)

ROWS = (
    requirement("web", targets={"hosts": ["a.example.com", "b.example.com"]}, ports=["443"], probe="tls"),
    requirement("chat", targets={"hosts": ["c.example.com"]}, ports=["5222"], probe="tcp"),
)
CONTROLS = [{"host": "control.example.org", "port": 443, "purpose": "a host outside the product"}]
REMOTE: dict[str, Any] = {
    "environment": make_environment(resolvers=("192.88.99.53",)),
    "selection": make_selection(resolvers=(("192.88.99.53", 53),)),
}


def named(**changes: Any) -> World:
    """A product of names alone, whose name server is silent."""
    profile = make_profile(*ROWS, controls=changes.pop("controls", CONTROLS))
    return World(**{"profile": profile, "resolver": lambda transport: Failure.TIMED_OUT, **REMOTE, **changes})


def offline(**changes: Any) -> Result:
    return conclude(named(wall=lambda target: "drop", wall_ttl=1, **changes))


def test_whoever_needs_no_name_is_asked_when_no_name_is_known() -> None:
    made = named()
    first = [made.measure(check) for check in made.plan.checks]
    assert {t.address for t in targets(first)} == {"1.1.1.1", "8.8.8.8", "185.199.108.153"}
    healthy = World(profile=made.profile)
    assert targets([healthy.measure(check) for check in healthy.plan.checks]) == []
    alone = named(controls=[])
    assert targets([alone.measure(check) for check in alone.plan.checks]) == []


def test_a_product_of_names_alone_on_a_site_that_is_cut_off() -> None:
    only = offline().only
    assert (only.cause, only.confidence) == ("site-offline", Confidence.LIKELY)
    assert set(only.affects) == {"web", "chat"}


def test_where_no_router_is_heard_it_is_a_guess() -> None:
    deaf = make_environment(**{**DEAF, "resolvers": ("192.88.99.53",)})
    only = offline(environment=deaf, icmp=False).only
    assert (only.cause, only.confidence) == ("site-offline", Confidence.POSSIBLE)


@pytest.mark.parametrize("answers", [True, False])
def test_a_site_whose_names_alone_are_lost_is_not_cut_off(answers: bool) -> None:
    """Those that need no name answer, or their packets are seen to leave."""
    mute = {} if answers else {"mute": lambda target: target.port == 443}
    found = conclude(named(**mute))
    assert found.causes == ["dns-unreachable"]
    made = [o for outcome in found.outcomes if outcome.check.id == ELSEWHERE for o in outcome.observations]
    assert {o.failure for o in made} == {None if answers else Failure.TIMED_OUT}


def test_a_site_that_forbids_public_name_servers_is_not_cut_off() -> None:
    """Its own is dead: one who serves no names is reached all the same."""
    servers = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
    found = conclude(named(wall=lambda target: "drop" if target.address in servers else None, wall_ttl=1))
    assert found.causes == ["dns-unreachable"]


def test_who_refuses_them_is_somebody() -> None:
    refusing = lambda t: "reject" if t.port == 443 else "drop"  # noqa: E731
    assert conclude(named(wall=refusing, wall_ttl=1)).causes == ["dns-unreachable"]


def test_behind_a_proxy_names_need_not_be_known() -> None:
    made = named()
    first = [made.measure(check) for check in made.plan.checks]
    tunnelled = [replace(o, check=replace(o.check, target=replace(o.check.target, via="p:1"))) for o in first]
    assert targets(tunnelled) == [] and Target(address="1.1.1.1", port=443, transport="tcp") in targets(first)
