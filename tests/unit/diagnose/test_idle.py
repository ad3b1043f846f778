"""Connections that are cut while they are idle: what is said of them, and when nothing is."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.engine import Outcome
from readycheck.failure import Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from readycheck_probes.idle import IdleProbe
from tests.unit.builders import (
    MEDIA,
    Result,
    World,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    requirement,
    seen,
)

PAUSES = (15.0, 60.0, 115.0, 300.0)


def ladder(
    lives_s: float, *, how: dict[str, Any] | None = None, busy_s: float = 300.0, transports: str = "tcp tls"
) -> Outcome:
    told = [
        seen(
            Step.ECHO,
            Target(address="203.0.113.99", port=3478, transport=transport),
            **facts,
            transport=transport,
        )
        for transport in transports.split()
        for facts in (
            {"purpose": "busy", "rang": True, "outlived_s": busy_s},
            *(
                {"purpose": "idle", "pause_s": pause_s, "rang": pause_s < lives_s}
                | {"ended": None, "ended_after_s": None, "revived": False, "outlived_s": 0.0}
                | ((how or {"ended": "timed_out"}) if pause_s >= lives_s else {})
                for pause_s in PAUSES
            ),
        )
    ]
    return outcome_of(*told)


def outcome_of(*told: Observation) -> Outcome:
    check = make_check("idle/x", requirement=None, probe="idle", scope=Scope.FOLLOW_UP)
    return make_outcome(check, *told, metrics=IdleProbe().summarize(told))


def beside(outcome: Outcome) -> Result:
    stun = requirement("stun", **MEDIA, ports=["3478"], probe="stun")
    world = World(profile=make_profile(stun), dense=True)
    return conclude_from(world, (*world.outcomes(), outcome))


@pytest.mark.parametrize(
    ("lives_s", "how", "words"),
    [
        (
            100,
            {"ended": "timed_out"},
            "outlives 60 s of silence and not 115 s, by TCP and by TLS: what is sent on it",
        ),
        (10, {"ended": "timed_out"}, "outlives no silence of 15 s"),
        (
            200,
            {"ended": "connection_reset", "ended_after_s": 180.2},
            "has it reset 180 s after the last packet",
        ),
        (200, {"ended": "connection_closed", "ended_after_s": 180.2}, "has it closed 180 s after"),
        (200, {"ended": "connection_reset"}, "has it reset as soon as it is used"),
        (200, {"revived": True}, "until this host speaks first, so that no telephone rings"),
    ],
)
def test_a_connection_that_is_cut(lives_s: float, how: dict[str, Any], words: str) -> None:
    only = beside(ladder(lives_s, how=how)).only
    assert (only.cause, only.severity, only.confidence) == (
        "idle-timeout-short",
        Severity.DEGRADING,
        Confidence.CERTAIN,
    )
    assert words in only.summary
    assert "with traffic lived on for 300 s. The product needs 7440 s" in only.summary
    assert "above 7440 s for the signalling ports" in only.remedy
    assert (only.where, only.owner) == (Where.UNKNOWN, Owner.NETWORK)


def test_one_that_died_is_less_than_certain() -> None:
    only = beside(ladder(200, transports="tls")).only
    assert only.confidence is Confidence.LIKELY and "300 s, by TLS:" in only.summary


@pytest.mark.parametrize("outcome", [ladder(1e6), ladder(100, busy_s=50.0), outcome_of()])
def test_nothing_is_said_of_a_network_that_keeps_them(outcome: Outcome) -> None:
    assert beside(outcome).findings == ()
