"""The proxy script: wrong ones are named, good ones are not, and a dead network is not its fault."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure
from readycheck.net.environment import FoundScript, ScriptAnswer
from tests.unit.builders import (
    ROWS,
    Result,
    World,
    conclude,
    make_environment,
    make_profile,
    requirement,
)

URL = "http://wpad.corp/wpad.dat"
WEB = requirement("web", targets={"names": ["web", "wild"]}, ports=["443"], probe="tls", proxied=True)
PROFILE = make_profile(*[row for row in ROWS if row["id"] != "web"], WEB)


def script(**facts: Any) -> FoundScript:
    return FoundScript(**{"place": URL, "source": "DHCP option 252", **facts})


def answered(*answers: ScriptAnswer) -> FoundScript:
    return script(sha256="a" * 64, answers=answers)


def met(found: FoundScript | None, **world: Any) -> Result:
    environment = make_environment(script=found)
    return conclude(World(**{"profile": PROFILE, "environment": environment, **world}))


RIGHT = ScriptAnswer(text="DIRECT", hosts=("config.example.com",), number=1)
THROWS = ScriptAnswer(text="", hosts=("a.example", "b.example"), number=9, error="ReferenceError: x", line=3)
MISNAMED = ScriptAnswer(
    text="PROXY http://p",
    hosts=("c.example",),
    number=1,
    error="it names 'PROXY http://p', which is no proxy",
)


@pytest.mark.parametrize("found", [None, script(sha256="a" * 64), answered(RIGHT)])
def test_a_script_that_works_is_no_finding(found: FoundScript | None) -> None:
    assert met(found).causes == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            script(error="it is not there (status 404)"),
            f"The proxy script {URL} (from DHCP option 252) is of no use: it is not there (status 404). ",
        ),
        (
            script(sha256="a" * 64, error="SyntaxError: x", line=7, source="environment"),
            f"The proxy script {URL} (from the environment) is of no use: SyntaxError: x (line 7). ",
        ),
        (
            script(sha256="a" * 64, error="it runs for more than 1 s", source="the name wpad.corp"),
            f"The proxy script {URL} (from the name wpad.corp) is of no use: it runs for more than 1 s. ",
        ),
        (
            answered(RIGHT, THROWS, MISNAMED),
            "fails for a.example, b.example and 7 more: ReferenceError: x (line 3); "
            "fails for c.example: it names 'PROXY http://p', which is no proxy.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(found: FoundScript, words: str) -> None:
    (finding,) = met(found).findings
    assert words in finding.summary
    assert (finding.cause, finding.where, finding.owner) == ("pac-error", Where.SITE, Owner.PROXY)
    assert finding.confidence is Confidence.CERTAIN
    assert (finding.affects, finding.severity, finding.evidence) == (("web",), Severity.DEGRADING, ())


def test_what_the_network_kept_away_is_less_certain() -> None:
    (finding,) = met(script(error="it cannot be fetched (timed_out)", failure=Failure.TIMED_OUT)).findings
    assert finding.confidence is Confidence.LIKELY
    assert "where it is named" in finding.remedy


def test_it_explains_what_fails_only_where_nothing_passes_without_it() -> None:
    broken = script(sha256="a" * 64, error="SyntaxError: x", line=1)
    (finding,) = met(broken, wall=lambda t: "drop" if t.port == 443 else None).findings
    assert (finding.cause, finding.affects, finding.severity) == ("pac-error", ("web",), Severity.BLOCKING)
    assert set(finding.evidence) == {"web/api.example.com:443", "web/maybe.example.net:443"}
    elsewhere = met(broken, wall=lambda t: "drop" if t.port == 8934 else None)
    assert set(elsewhere.causes) == {"pac-error", "port-blocked"}


def test_name_servers_that_are_away_are_not_the_fault_of_a_script() -> None:
    found = met(
        script(error="it cannot be fetched (timed_out)", failure=Failure.TIMED_OUT),
        resolver=lambda _: Failure.TIMED_OUT,
    )
    assert found.causes == ["dns-unreachable"]


def test_a_dead_network_is_not_the_fault_of_a_script() -> None:
    found = met(
        script(error="it cannot be fetched (timed_out)", failure=Failure.TIMED_OUT),
        unrouted=Failure.NETWORK_UNREACHABLE,
    )
    assert "pac-error" not in found.causes
