"""Only the proxy leads out, or the proxy breaks what works beside it: told by the comparison, or not at all."""

from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.plan import Scope
from readycheck.verdict import Judgement
from tests.unit.builders import (
    Result,
    conclude_from,
    make_environment,
    make_profile,
    make_selection,
    requirement,
    seen,
)
from tests.unit.diagnose.proxied import (
    OPEN,
    OTHERS,
    PORTAL,
    PROXY,
    TALKING,
    WEB,
    Answer,
    Upgrade,
    always,
    beside,
    straight,
    through,
    world,
)

BAD_GATEWAY: Answer = (Failure.PROXY_DENIED, {"status": 503, "reason": ""})


def shut_web(target: Target) -> str | None:
    return "drop" if target.port in (443, 8443) else None


def test_only_the_proxy_leads_out() -> None:
    found = straight(always(OPEN), wall=shut_web)
    required = next(f for f in found.findings if f.cause == "proxy-required")
    assert (required.where, required.owner, required.confidence) == (
        Where.SITE,
        Owner.PROXY,
        Confidence.CERTAIN,
    )
    assert required.severity is Severity.BLOCKING
    assert set(required.affects) >= {"web", "portal"}
    assert f"through the proxy {PROXY} (from the environment)" in required.summary
    assert "site-offline" not in found.causes


PUSH = requirement("push", targets={"hosts": ["push.example.com"]}, ports=["443"], probe="tcp")


@pytest.mark.parametrize("open_too", ["", "api.example.com"])
def test_a_port_that_answers_nobody_is_one_finding_whoever_could_use_the_proxy(open_too: str) -> None:
    def wall(target: Target) -> str | None:
        return None if open_too and target.host == open_too else shut_web(target)

    found = straight(always(OPEN), wall=wall, profile=make_profile(*OTHERS, WEB, PORTAL, PUSH))
    required = next(f for f in found.findings if f.cause == "proxy-required")
    assert ("push" in required.affects) is (not open_too)


def test_a_datagram_to_the_port_of_the_web_is_no_matter_of_the_proxy() -> None:
    relay = requirement(
        "relay", transport="udp", targets={"hosts": ["relay.example.com"]}, ports=["443"], probe="stun"
    )
    found = straight(always(OPEN), wall=shut_web, profile=make_profile(*OTHERS, WEB, PORTAL, relay))
    required = next(f for f in found.findings if f.cause == "proxy-required")
    assert found.verdict("relay").status is not Judgement.PASS
    assert "web" in required.affects and "relay" not in required.affects


def test_that_packets_leave_hop_by_hop_is_no_answer_of_a_service() -> None:
    made = world(
        always(OPEN),
        wall=shut_web,
        profile=make_profile(*OTHERS, WEB, PORTAL, PUSH),
        selection=make_selection(),
    )
    done = made.followed()
    push = next(o for o in done if o.check.requirement == "push")
    check = replace(push.check, id="path/flows", requirement=None, scope=Scope.PATH, proves=Step.HOP)
    flow = replace(push, check=check, observations=(seen(Step.HOP, push.observations[-1].target),))
    required = next(f for f in conclude_from(made, (*done, flow)).findings if f.cause == "proxy-required")
    assert "push" in required.affects


def test_a_site_whose_names_only_the_proxy_knows() -> None:
    names = {n: Failure.DNS_NXDOMAIN for n in ("api.example.com", "portal.example.com", "maybe.example.net")}
    found = straight(always(OPEN), names=names)
    assert "proxy-required" in found.causes


@pytest.mark.parametrize("answer", [BAD_GATEWAY, (Failure.PROXY_UNREACHABLE, {"stage": "connect"})])
def test_a_proxy_that_leads_nowhere_either_is_not_required(answer: Answer) -> None:
    assert "proxy-required" not in straight(always(answer), wall=shut_web).causes


def test_a_port_that_only_the_service_refuses_is_no_matter_of_the_proxy() -> None:
    found = straight(
        lambda target: OPEN if target.port == 443 else BAD_GATEWAY,
        wall=lambda t: "drop" if t.port == 8443 else None,
    )
    assert "proxy-required" not in found.causes


def test_without_a_proxy_nothing_is_said_of_one() -> None:
    found = straight(always(OPEN), wall=shut_web, environment=make_environment())
    assert not [cause for cause in found.causes if cause.startswith("proxy")]


# --- WebSocket ----------------------------------------------------------------------------------------


def by_way(through_it: Upgrade, past_it: Upgrade, **changes: Any) -> Result:
    return beside(
        always(OPEN), profile=TALKING, upgrade=lambda t: through_it if t.via else past_it, **changes
    )


@pytest.mark.parametrize(
    ("upgrade", "words"),
    [
        ((502, None), "is not opened"),
        ((200, None), "is not opened"),  # a plain answer: the proxy has left the upgrade out
        ((403, None), "is not opened"),
        ((Failure.CONNECTION_CLOSED, None), "is not opened"),
        ((Failure.PROTOCOL_ERROR, None), "is not opened"),
        ((101, Failure.CONNECTION_CLOSED), "is cut after 2.5 s"),
        ((101, Failure.TIMED_OUT), "is cut after 2.5 s"),
    ],
)
def test_what_works_past_the_proxy_is_broken_by_it(upgrade: Upgrade, words: str) -> None:
    found = by_way(upgrade, (101, None))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("proxy-breaks-websocket", Where.SITE, Owner.PROXY)
    assert (only.confidence, only.affects) == (Confidence.CERTAIN, ("events",))
    assert words in only.summary and "past the proxy it works" in only.summary
    assert found.statuses()["web"] is Judgement.PASS


def test_without_a_way_past_it_a_plain_request_is_the_control() -> None:
    closed = {"wall": lambda t: "drop" if t.port == 443 and not t.network else None}
    found = by_way((502, None), (101, None), **closed)
    broken = next(f for f in found.findings if f.cause == "proxy-breaks-websocket")
    assert broken.confidence is Confidence.LIKELY
    assert "a plain request to the same host passes through the proxy" in broken.summary


@pytest.mark.parametrize("past", [(502, None), (101, Failure.CONNECTION_CLOSED)])
def test_what_fails_past_the_proxy_too_is_not_its_doing(past: Upgrade) -> None:
    assert "proxy-breaks-websocket" not in by_way(past, past).causes


def test_a_service_that_takes_no_strangers_is_no_fault() -> None:
    assert by_way((403, None), (403, None)).causes == []
    closed = {"wall": lambda t: "drop" if t.port == 443 and not t.network else None}
    assert "proxy-breaks-websocket" not in by_way((403, None), (101, None), **closed).causes


def test_without_follow_ups_nobody_is_blamed() -> None:
    found = through(always(OPEN), profile=TALKING, upgrade=lambda t: (502, None))
    assert "proxy-breaks-websocket" not in found.causes
