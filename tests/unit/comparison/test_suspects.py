"""The first suspect is the difference that is known to bring about what is new, nearest to the host."""

import pytest

from readycheck.comparison.change import Aspect, Change, Circumstance, Difference, Direction
from readycheck.comparison.suspects import _WHYS, BRINGS_ABOUT, suspects
from readycheck.diagnose.causes import CAUSES

C = Circumstance


def worse(of: str, aspect: Aspect = Aspect.FINDING, direction: Direction = Direction.WORSE) -> Change:
    return Change(aspect=aspect, of=of, title=of, before="", after="blocking, certain", direction=direction)


def other(*circumstances: Circumstance) -> list[Difference]:
    return [Difference(circumstance=each, before=("a",), after=("b",)) for each in circumstances]


@pytest.mark.parametrize(
    ("cause", "around", "first"),
    [
        ("dns-filter@site", [C.RESOLVER, C.EGRESS], C.RESOLVER),
        ("tls-inspection@site", [C.LINK, C.ISSUER], C.ISSUER),
        ("tls-inspection@site", [C.PROXY, C.ISSUER], C.PROXY),
        ("proxy-required@site", [C.PROXY, C.AGENT], C.PROXY),
        ("udp-blocked@site", [C.LINK, C.GATEWAY, C.EGRESS, C.PATH], C.LINK),
        ("jitter@isp", [C.PATH, C.EGRESS], C.EGRESS),
        ("jitter@isp", [C.PROFILE, C.PATH], C.PATH),
        ("wifi-weak@host", [C.LINK, C.RESOLVER], C.LINK),
        ("service-down@vendor", [C.AGENT], C.AGENT),
    ],
)
def test_the_first_suspect(cause: str, around: list[Circumstance], first: Circumstance) -> None:
    found = suspects([worse(cause)], other(*around))
    assert (found[0].circumstance, found[0].explains) == (first, (cause,))


@pytest.mark.parametrize("around", [[C.RESOLVER], [C.DHCP], [C.ISSUER], []])
def test_nobody_is_suspected_for_what_they_do_not_bring_about(around: list[Circumstance]) -> None:
    assert suspects([worse("jitter@isp")], other(*around)) == ()


def test_nobody_is_suspected_where_nothing_became_worse() -> None:
    better = worse("udp-blocked@site", direction=Direction.BETTER)
    assert suspects([better], other(*C)) == ()


def test_a_requirement_that_asks_for_something_else_points_at_the_profile() -> None:
    changes = [worse("media", Aspect.REQUIREMENT)]
    assert suspects(changes, other(C.PROFILE, C.OPTIONS), redefined={"media"})[0].circumstance is C.PROFILE
    assert suspects(changes, other(C.PROFILE, C.OPTIONS))[0].circumstance is C.OPTIONS


def test_the_table_knows_only_causes_that_there_are() -> None:
    for circumstance, begins in BRINGS_ABOUT.items():
        for begin in begins:
            assert any(cause.startswith(begin) for cause in CAUSES), f"{circumstance}: {begin}"


def test_all_of_them_have_their_sentence() -> None:
    assert set(_WHYS) == set(C)


def test_what_a_finding_explains_points_nowhere_else() -> None:
    changes = [worse("dns-filter@site"), worse("web", Aspect.REQUIREMENT), worse("web/rtt_ms", Aspect.FIGURE)]
    found = suspects(changes, other(C.PROFILE, C.RESOLVER), explained={"web"}, redefined={"web"})
    assert [(s.circumstance, s.explains[0]) for s in found] == [
        (C.RESOLVER, "dns-filter@site"),
        (C.PROFILE, "dns-filter@site"),
    ]
