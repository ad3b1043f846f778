"""Names that are killed in greetings: what is asked for, who is blamed, and who is not."""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from readycheck.diagnose import egress
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck_probes.sni import SniParams
from tests.unit.builders import (
    DEAF,
    FIREWALL,
    GATEWAY,
    SOURCE,
    World,
    make_environment,
    make_profile,
    make_selection,
    requirement,
    tls,
)
from tests.unit.diagnose.boxes import Box, asked, behind

FILTERED = ("api.example.com", "cdn.example.com", "login.example.net")
CONTROL = "control.example.org"
DOMAINS = [{"pattern": "*.example.com", "representatives": [*FILTERED[:2], "gone.example.com"]}]
DOMAINS += [{"pattern": "*.example.net", "representatives": [FILTERED[2]]}]
WEB = {"title": "Web", "domains": DOMAINS, "source": SOURCE}
CUTS = (Failure.CONNECTION_RESET, Failure.CONNECTION_CLOSED)


def product(*rows: dict[str, Any]) -> Any:
    names = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls")
    return make_profile(*(rows or (requirement("sip"), names)), names={"web": WEB})


def greet(failure: Failure, *names: str) -> Callable[[Target], Failure | None]:
    return lambda target: failure if target.host in (names or FILTERED) else None


def world(failure: Failure = Failure.CONNECTION_RESET, *names: str, **changes: Any) -> World:
    return World(**{"profile": product(), "greet": greet(failure, *names), **changes})


def minds(*names: str) -> Callable[[str | None], bool]:
    return lambda name: name in (names or FILTERED)


# --- what is asked ---


def test_a_healthy_network_is_asked_nothing() -> None:
    assert asked(World(profile=product())) == []


@pytest.mark.parametrize(
    "failure", [Failure.TLS_ALERT_UNRECOGNIZED_NAME, Failure.TLS_VERSION, Failure.CERTIFICATE_EXPIRED]
)
def test_what_a_server_says_itself_is_believed(failure: Failure) -> None:
    assert asked(world(failure)) == []


def test_one_name_stands_for_those_that_end_alike() -> None:
    (check,) = asked(world())
    params = check.params
    assert isinstance(params, SniParams)
    assert (check.requirement, check.scope, check.probe) == (None, Scope.FOLLOW_UP, "sni")
    assert [t.host for t in params.targets] == ["api.example.com"]
    assert [t.host for t in params.witnesses] == ["cdn.example.com", "login.example.net"]
    assert params.decoy == CONTROL
    assert [(t.host, t.port) for t in params.controls] == [(None, 443)]


def test_names_that_end_in_other_ways_are_asked_apart() -> None:
    ends = {FILTERED[0]: Failure.CONNECTION_RESET, FILTERED[1]: Failure.TIMED_OUT}
    checks = asked(world(greet=lambda target: ends.get(target.host or "")))
    assert [check.params.targets[0].host for check in checks] == list(ends)


def test_a_name_of_the_product_stands_in_for_a_control() -> None:
    found = world(Failure.TIMED_OUT, *FILTERED[:2], selection=make_selection(controls=False))
    (check,) = asked(found)
    assert check.params.decoy == FILTERED[2]


def test_without_any_name_that_works_two_of_different_zones_are_tried() -> None:
    names = (*FILTERED, "gone.example.com")
    (check,) = asked(world(Failure.TIMED_OUT, *names, selection=make_selection(controls=False)))
    assert [t.host for t in check.params.targets] == ["api.example.com", "login.example.net"]
    assert check.params.controls == ()
    assert check.params.decoy


def test_a_control_is_in_no_question() -> None:
    assert asked(world(Failure.CONNECTION_RESET, CONTROL)) == []


def test_a_name_that_worked_on_another_try_is_in_no_question() -> None:
    rows = [
        requirement(name, targets={"names": ["web"]}, ports=["443"], probe="tls") for name in ("web", "more")
    ]
    tried: list[str] = []

    def by_turns(target: Target) -> Failure | None:
        if target.host == FILTERED[0]:
            tried.append(target.host)
        return Failure.CONNECTION_RESET if target.host == FILTERED[0] and len(tried) == 1 else None

    assert asked(World(profile=product(*rows), greet=by_turns)) == []
    assert len(tried) == 2


# --- who is blamed ---


@pytest.mark.parametrize(
    ("kill", "words"),
    [
        (Failure.CONNECTION_RESET, "The connection ends at"),
        (Failure.CONNECTION_CLOSED, "The connection ends at"),
        (Failure.TIMED_OUT, "No answer"),
        (Failure.TLS_NOT_TLS, "such as a block page"),
        (Failure.TLS_ALERT, "answered by an alert"),
    ],
)
def test_a_box_that_reads_names(kill: Failure, words: str) -> None:
    found = behind(world(kill), Box(minds=minds(), kill=kill))
    only = found.only
    assert (only.cause, only.confidence, only.severity) == (
        "sni-filter",
        Confidence.CERTAIN,
        Severity.BLOCKING,
    )
    assert (only.where, only.owner) == (Where.SITE, Owner.PROXY)
    assert words in only.summary
    assert "api.example.com, cdn.example.com, login.example.net" in only.summary
    assert "in two segments or in two records" in only.summary
    assert "The same address answers other names" in only.summary
    assert "*.example.com, *.example.net" in only.remedy
    assert only.affects == ("web",)
    assert len(only.evidence) == 4  # three names, and the follow-up


def test_a_box_that_puts_greetings_together_is_shown_by_another_server() -> None:
    found = behind(world(), Box(minds=minds(), reassembles=True))
    assert (found.only.cause, found.only.confidence) == ("sni-filter", Confidence.CERTAIN)
    assert "to a host outside the product ends in the same way" in found.only.summary
    assert "segments" not in found.only.summary


def test_a_box_that_bears_a_grudge_is_shown_by_another_server() -> None:
    """Every greeting to an address is dead for a while after one that it minds."""
    box = Box(minds=minds(), grudge=True, hated={"192.88.99.9"})
    found = behind(world(names={CONTROL: "192.88.99.77"}), box)
    assert (found.only.cause, found.only.confidence) == ("sni-filter", Confidence.CERTAIN)


def test_without_a_server_to_compare_with_it_is_likely() -> None:
    deaf = {"environment": make_environment(**DEAF), "selection": make_selection(controls=False)}
    names = (*FILTERED, "gone.example.com")
    found = behind(world(Failure.CONNECTION_RESET, *names, **deaf), Box(minds=minds(*names), looks=0))
    assert (found.only.cause, found.only.confidence) == ("sni-filter", Confidence.LIKELY)
    assert (found.only.where, found.only.owner) == (Where.UNKNOWN, Owner.UNKNOWN)
    assert "gone.example.com" in found.only.summary or "1 more" in found.only.summary


@pytest.mark.parametrize(
    ("hop", "kill", "where", "words"),
    [
        (
            3,
            Failure.CONNECTION_RESET,
            Where.SITE,
            "no further than 100.64.0.1 (hop 3); 192.168.2.1 (hop 2) still let it pass",
        ),
        (2, Failure.CONNECTION_RESET, Where.SITE, "no further than 192.168.2.1 (hop 2)"),
        (5, Failure.CONNECTION_RESET, Where.UNKNOWN, "no further than hop 5"),
        (1, Failure.CONNECTION_RESET, Where.UNKNOWN, "this host or its first router"),
        (9, Failure.CONNECTION_RESET, Where.UNKNOWN, ""),
        (
            3,
            Failure.TIMED_OUT,
            Where.SITE,
            "reaches 192.168.2.1 (hop 2) and no further; with another name it goes on to 100.64.0.1 (hop 3)",
        ),
        (6, Failure.TIMED_OUT, Where.UNKNOWN, "reaches hop 5 and no further"),
        (1, Failure.TIMED_OUT, Where.UNKNOWN, ""),
        (9, Failure.TIMED_OUT, Where.UNKNOWN, ""),
    ],
)
def test_the_place_is_that_of_the_least_hop_limit(hop: int, kill: Failure, where: Where, words: str) -> None:
    found = behind(world(kill), Box(minds=minds(), kill=kill, hop=hop))
    assert (found.only.cause, found.only.where) == ("sni-filter", where)
    assert words in found.only.summary


@pytest.mark.parametrize("kill", [Failure.CONNECTION_RESET, Failure.TIMED_OUT])
def test_a_box_between_routers_of_the_provider_is_the_providers(kill: Failure) -> None:
    hops = (GATEWAY, FIREWALL, *(f"100.64.0.{n}" for n in range(1, 5)))
    found = behind(world(kill, hops=hops), Box(minds=minds(), kill=kill, hop=5))
    assert (found.only.cause, found.only.where) == ("sni-filter", Where.ISP)


def test_a_name_filter_is_not_placed_by_a_vendors_routers() -> None:
    hops = (GATEWAY, FIREWALL, "100.64.0.1", "203.0.113.1", "203.0.113.2")
    found = behind(world(hops=hops), Box(minds=minds(), hop=5))
    assert (found.only.cause, found.only.where) == ("sni-filter", Where.UNKNOWN)


def test_where_greetings_die_the_edge_is_looked_for() -> None:
    """A product of names alone has no network to survey."""
    names_alone = make_profile(
        requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls"), names={"web": WEB}
    )
    made = world(profile=names_alone)
    situation = made.situation([made.measure(check) for check in made.plan.checks])
    (check,) = egress.survey(situation)
    assert (check.params.targets, len(check.params.outside)) == ((), 1)
    sound = World(profile=names_alone)
    healthy = sound.situation([sound.measure(check) for check in sound.plan.checks])
    assert list(egress.survey(healthy)) == []


def test_without_routers_that_answer_a_reset_still_has_a_place_and_silence_has_none() -> None:
    cut = behind(world(), Box(minds=minds(), icmp=False))
    assert cut.only.where is Where.SITE
    silent = behind(world(Failure.TIMED_OUT), Box(minds=minds(), kill=Failure.TIMED_OUT, icmp=False))
    assert (silent.only.cause, silent.only.where) == ("sni-filter", Where.UNKNOWN)


# --- who is not ---


@pytest.mark.parametrize("end", [*CUTS, Failure.TIMED_OUT, Failure.TLS_ALERT, Failure.TLS_NOT_TLS])
def test_a_server_that_has_retired_a_name(end: Failure) -> None:
    """It ends the name in every shape, at its own address only, and as far away as it is."""

    def server(target: Target, name: str | None) -> Failure | None:
        return (
            end if (name or "").lower() == "gone.example.com" and target.port == 443 and own(target) else None
        )

    def own(target: Target) -> bool:
        return target.address == "192.88.99.8"

    retired = world(end, "gone.example.com", names={"gone.example.com": "192.88.99.8"})
    found = behind(retired, Box(server=server))
    assert "sni-filter" not in found.causes


@pytest.mark.parametrize("end", CUTS)
def test_a_control_that_minds_all_strange_names_shows_nothing(end: Failure) -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        strange = name not in (CONTROL, None)
        return end if strange and (target.address == "192.88.99.77" or name == "gone.example.com") else None

    retired = world(end, "gone.example.com", names={CONTROL: "192.88.99.77"})
    assert "sni-filter" not in behind(retired, Box(server=server)).causes


def test_a_vendors_own_box_that_reads_names_is_no_filter_of_the_network() -> None:
    """What stands before the vendor's servers reads packets too, and knows nothing of other hosts."""
    box = Box(minds=minds(FILTERED[0]), hop=9, spares=lambda target: target.address != "192.88.99.8")
    retired = world(Failure.CONNECTION_RESET, FILTERED[0], names={FILTERED[0]: "192.88.99.8"})
    assert "sni-filter" not in behind(retired, box).causes


def test_a_dead_service_is_no_filter() -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        return Failure.TIMED_OUT if target.address == "192.88.99.8" else None

    dead = world(Failure.TIMED_OUT, FILTERED[0], names={FILTERED[0]: "192.88.99.8"})
    assert "sni-filter" not in behind(dead, Box(server=server)).causes


def test_a_dead_service_beside_filtered_names_is_not_named_with_them() -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        return Failure.TIMED_OUT if target.address == "192.88.99.8" else None

    stuck = world(Failure.TIMED_OUT, *FILTERED, names={FILTERED[0]: "192.88.99.8"})
    found = behind(stuck, Box(minds=minds(*FILTERED[1:]), kill=Failure.TIMED_OUT, server=server))
    assert found.only.cause == "sni-filter"
    assert "names cdn.example.com, login.example.net (SNI)" in found.only.summary
    assert FILTERED[0] not in found.only.summary


def test_one_lost_greeting_to_the_control_is_no_filter() -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        lost = target.address == "192.88.99.77" and name == FILTERED[1]
        return Failure.TIMED_OUT if lost or target.address == "192.88.99.8" else None

    stuck = world(Failure.TIMED_OUT, names={FILTERED[0]: "192.88.99.8", CONTROL: "192.88.99.77"})
    assert "sni-filter" not in behind(stuck, Box(server=server)).causes


def test_a_name_that_is_lost_by_the_luck_of_each_flow_is_no_filter() -> None:
    """One of two links loses certificates: each greeting dies by turns, and by chance as if by its name."""
    lost = Failure.TIMED_OUT
    ends = {None: [None], FILTERED[0]: [lost, lost, None], CONTROL: [None, lost, None]}
    turns = {name: cycle(each) for name, each in ends.items()}

    def server(target: Target, name: str | None) -> Failure | None:
        return next(turns.get(name, turns[None]))

    found = behind(world(Failure.TIMED_OUT, FILTERED[0]), Box(server=server))
    assert "sni-filter" not in found.causes


def test_silence_that_no_hop_limit_repeats_is_no_more_than_possible() -> None:
    box = Box(minds=minds(FILTERED[0]), kill=Failure.TIMED_OUT, looks=0)
    assert behind(world(Failure.TIMED_OUT, FILTERED[0]), box).only.confidence is Confidence.POSSIBLE
    assert (
        behind(world(Failure.TIMED_OUT, FILTERED[0]), replace(box, looks=12)).only.confidence
        is Confidence.CERTAIN
    )


def test_a_name_that_lives_when_it_is_asked_again_is_no_filter() -> None:
    assert "sni-filter" not in behind(world(), Box()).causes


# --- greetings without a name ---


def nameless(failure: Failure, **changes: Any) -> World:
    def greet(target: Target) -> Failure | None:
        return failure if target.host is None else None

    return World(**{"profile": product(), "greet": greet, **changes})


@pytest.mark.parametrize("kill", [Failure.CONNECTION_RESET, Failure.TIMED_OUT])
def test_a_box_that_wants_a_name(kill: Failure) -> None:
    found = behind(nameless(kill), Box(minds=lambda name: name is None, kill=kill))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("sni-required", Where.SITE, Owner.PROXY)
    assert only.confidence is Confidence.CERTAIN
    assert "to TCP 8934 that names no server" in only.summary
    assert only.affects == ("sip",)


def test_two_addresses_are_asked_and_one_port_each_time() -> None:
    (check,) = asked(nameless(Failure.CONNECTION_RESET))
    assert [(t.host, t.port) for t in check.params.targets] == [(None, 8934)] * 2
    assert len({t.address for t in check.params.targets}) == 2


def test_without_hop_limits_the_control_makes_it_likely() -> None:
    box = Box(minds=lambda name: name is None, looks=0)
    found = behind(nameless(Failure.CONNECTION_RESET), box)
    assert (found.only.cause, found.only.confidence) == ("sni-required", Confidence.LIKELY)
    assert found.only.where is Where.UNKNOWN


def test_servers_that_want_a_name_themselves_are_no_box() -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        return Failure.CONNECTION_RESET if name is None and target.port == 8934 else None

    assert "sni-required" not in behind(nameless(Failure.CONNECTION_RESET), Box(server=server)).causes


def test_servers_that_are_dead_to_all_greetings_are_no_box() -> None:
    def server(target: Target, name: str | None) -> Failure | None:
        return Failure.CONNECTION_RESET if target.port == 8934 else None

    assert "sni-required" not in behind(nameless(Failure.CONNECTION_RESET), Box(server=server)).causes


def test_a_port_on_which_some_live_without_a_name_is_in_no_question() -> None:
    dense = nameless(Failure.CONNECTION_RESET, dense=True)
    dense.greet = lambda target: Failure.CONNECTION_RESET if target.address == "198.18.0.10" else None
    assert asked(dense) == []


def test_resigned_names_are_left_to_another_rule() -> None:
    signed = tls(pins=(), issuers=("CN=Corp",)) | {"trust_failure": "certificate_untrusted"}
    found = behind(
        world(Failure.CERTIFICATE_UNTRUSTED, handshake=lambda target: signed),
        Box(minds=minds(), kill=None, signs=signed),
    )
    assert "sni-filter" not in found.causes
