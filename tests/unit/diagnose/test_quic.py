"""QUIC that does not pass: whose word counts, and all that must not be taken for a block."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.diagnose.quic import CHECK, advertised
from readycheck.diagnose.table import follow_ups
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Check
from readycheck.probe import Effort
from readycheck.verdict import Judgement
from readycheck_probes.http import HttpProbe
from readycheck_probes.quic import QuicProbe
from tests.unit.builders import (
    FIREWALL,
    PROBES,
    ROWS,
    SOURCE,
    Result,
    World,
    conclude_from,
    make_outcome,
    make_profile,
    make_registry,
    make_selection,
    requirement,
    seen,
)

HOSTS = ("api.example.com", "www.example.net")
WEB = {
    "web": {"title": "Web", "domains": [{"pattern": host} for host in HOSTS], "source": SOURCE},
}
HTTP = requirement("pages", targets={"names": ["web"]}, ports=["443"], probe="http")
REGISTRY = make_registry(*PROBES, HttpProbe, QuicProbe)
QUIC_CONTROL = {"host": "control.example.org", "port": 443, "transport": "udp", "purpose": "QUIC"}
CONTROL = {"host": "control.example.org", "port": 443, "purpose": "TLS"}


def world(*rows: Any, controls: Any = (CONTROL,), **changes: Any) -> World:
    names = {**make_profile().model_dump()["names"], **WEB}
    profile = make_profile(*(rows or (*ROWS, HTTP)), names=names, controls=list(controls))
    return World(profile=profile, registry=REGISTRY, **changes)


def measured(network: World, said: str = 'h3=":443"; ma=86400') -> tuple[Outcome, ...]:
    """Pages say what they speak; what is asked in QUIC is silent."""

    def told(outcome: Outcome) -> Outcome:
        reached = next(
            (o for o in outcome.observations if o.step is Step.CONNECT and o.failure is None), None
        )
        if outcome.check.probe != "http" or reached is None:
            return outcome
        page = seen(Step.RESPONSE, reached.target, status=200, **({"alt-svc": said} if said else {}))
        return replace(outcome, observations=(*outcome.observations, page))

    return tuple(map(told, network.outcomes()))


def follow_up(network: World, said: str = 'h3=":443"') -> Check | None:
    found = list(advertised(network.situation(measured(network, said))))
    return found[0] if found else None


@pytest.mark.parametrize(("dense", "asked"), [(True, False), (False, True)])
def test_a_network_that_leaves_no_doubt_does_not_wait_for_it(dense: bool, asked: bool) -> None:
    """Among addresses that are mostly silent a survey is under way in any case."""
    network = world(dense=dense)
    first = measured(network)
    assert (CHECK in {c.id for c in follow_ups(network.situation(first, left_s=30.0))}) is asked


def knocked(check: Check, *failures: Failure | None, **facts: Any) -> Outcome:
    return make_outcome(
        check,
        *(
            seen(Step.CONNECT, replace(target, address="192.88.99.9"), failure, **facts)
            for target, failure in zip(check.params.targets, failures, strict=True)
        ),
    )


def concluded(network: World, *failures: Failure | None, **facts: Any) -> Result:
    check = follow_up(network)
    assert check is not None
    return conclude_from(network, (*measured(network), knocked(check, *failures, **facts)))


SILENT = (Failure.TIMED_OUT, Failure.TIMED_OUT)


# --- who is asked -------------------------------------------------------------------------------------


def test_hosts_are_asked_that_say_that_they_speak_it() -> None:
    check = follow_up(world())
    assert check is not None
    assert check.id == CHECK
    assert check.params.targets == tuple(Target(host=host, port=443, transport="udp") for host in HOSTS)


@pytest.mark.parametrize("said", ["", 'h2=":443"', 'h3=":8443"', "clear"])
def test_who_says_nothing_of_it_is_not_asked(said: str) -> None:
    assert follow_up(world(), said) is None


def test_a_quick_run_asks_nobody() -> None:
    quick = make_selection(effort=Effort.QUICK)
    network = world(selection=quick, controls=(CONTROL, QUIC_CONTROL))
    assert follow_up(network) is None
    assert not any(check.probe == "quic" for check in network.plan.checks)


def test_a_network_without_http_3_is_asked_nothing() -> None:
    network = World()
    assert CHECK not in {c.id for c in follow_ups(network.situation(network.outcomes()))}


# --- what is a block ----------------------------------------------------------------------------------


def test_silence_of_several_hosts_is_a_note() -> None:
    only = concluded(world(), *SILENT).only
    assert (only.cause, only.where, only.owner) == ("quic-blocked", Where.UNKNOWN, Owner.UNKNOWN)
    assert (only.confidence, only.severity, only.affects) == (Confidence.LIKELY, Severity.NOTE, ())
    assert "UDP 443" in only.summary and HOSTS[0] in only.summary


def test_a_router_of_the_site_that_refuses_is_named() -> None:
    refused = Failure.ICMP_ADMIN_PROHIBITED
    only = concluded(world(), refused, refused, offender=FIREWALL).only
    assert (only.where, only.owner) == (Where.SITE, Owner.NETWORK)
    assert FIREWALL in only.summary


def test_with_a_control_it_is_certain() -> None:
    network = world(controls=(CONTROL, QUIC_CONTROL))
    control = next(check for check in network.plan.checks if check.probe == "quic")
    check = follow_up(network)
    assert check is not None
    others = tuple(o for o in measured(network) if o.check.id != control.id)
    both = (knocked(control, Failure.TIMED_OUT), knocked(check, *SILENT))
    assert conclude_from(network, (*others, *both)).only.confidence is Confidence.CERTAIN


def test_a_requirement_is_affected() -> None:
    row = requirement("http3", targets={"names": ["web"]}, transport="udp", ports=["443"], probe="quic",
                      importance="recommended")  # fmt: skip
    network = world(*ROWS, HTTP, row)
    mine = [check for check in network.plan.checks if check.probe == "quic"]
    others = tuple(o for o in measured(network) if o.check not in mine)
    found = conclude_from(network, (*others, *(knocked(check, Failure.TIMED_OUT) for check in mine)))
    assert (found.only.cause, found.only.severity) == ("quic-blocked", Severity.DEGRADING)
    assert found.only.affects == ("http3",)
    assert found.verdict("http3").status is Judgement.FAIL


@pytest.mark.parametrize(
    "failures",
    [
        (None, None),
        (None, Failure.TIMED_OUT),
        (Failure.PORT_UNREACHABLE, Failure.PORT_UNREACHABLE),
        (Failure.PLATFORM, Failure.PLATFORM),
        (Failure.PERMISSION_DENIED, Failure.PERMISSION_DENIED),
        (Failure.PROTOCOL_ERROR, Failure.PROTOCOL_ERROR),
    ],
    ids=["answered", "one-answered", "their-own-refusal", "no-library", "host-firewall", "something-else"],
)
def test_what_is_no_block(failures: tuple[Failure | None, ...]) -> None:
    assert concluded(world(), *failures, offender="192.88.99.9").findings == ()


def test_one_host_alone_proves_nothing_much() -> None:
    only = concluded(world(), Failure.TIMED_OUT, Failure.PORT_UNREACHABLE, offender="192.88.99.9").only
    assert only.confidence is Confidence.POSSIBLE


def test_a_host_that_never_said_it_is_not_blamed_on_the_network() -> None:
    network = world()
    check = follow_up(network)
    assert check is not None
    assert conclude_from(network, (*measured(network, ""), knocked(check, *SILENT))).findings == ()


def test_where_no_udp_passes_quic_is_the_lesser_trouble() -> None:
    network = world(wall=lambda target: "drop" if target.transport == "udp" else None)
    check = follow_up(network)
    assert check is not None
    found = conclude_from(network, (*measured(network), knocked(check, *SILENT)))
    assert "udp-blocked" in found.causes
    assert "quic-blocked" not in found.causes
