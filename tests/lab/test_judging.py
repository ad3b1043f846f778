"""A run is held against the truth of its network, without any network."""

from typing import Any

import pytest

from readycheck.score import Grade

from .agent import Run
from .judging import failed, judged
from .scenario import Scenario, Truth
from .today import Tool, in_few_words, meaning

BLOCKED = Truth(causes=("udp-blocked",), where=("site",), words="hop 2", affects=("media-stun",))


def finding(cause: str = "udp-blocked", where: str = "site", **more: Any) -> dict[str, Any]:
    fields = {"confidence": "certain", "severity": "blocking", "affects": ["media-stun"]}
    return {"cause": cause, "where": where, "summary": "Packets reach hop 2.", **fields, **more}


def run(*findings: dict[str, Any], status: int = 2, checks: Any = (), requirements: Any = ()) -> Run:
    report = {"findings": list(findings), "checks": list(checks), "requirements": list(requirements)}
    return Run(status, "", "", 12.34, report)


def scenario(*truths: Truth, **more: Any) -> Scenario:
    return Scenario(name="here", topic="blocks", exits=(2,), expect=truths, **more)


def wrong(told: Scenario, done: Run) -> list[str]:
    return judged(told, "webex-calling", False, done).wrong


def test_a_right_answer_has_nothing_wrong() -> None:
    assert wrong(scenario(BLOCKED), run(finding())) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"where": "isp"}, "udp-blocked at isp (certain) is the wrong place"),
        ({"where": "unknown"}, "udp-blocked is at unknown, not site"),
        ({"confidence": "possible"}, "udp-blocked is only possible"),
        ({"summary": "Packets reach hop 3."}, "udp-blocked does not say all that it must"),
        ({"affects": []}, "udp-blocked does not say all that it must"),
        ({"cause": "subnet-blocked"}, "subnet-blocked at site (certain) is not the case"),
    ],
)
def test_what_is_wrong_is_said(found: dict[str, Any], said: str) -> None:
    assert said in wrong(scenario(BLOCKED), run(finding(**found)))


@pytest.mark.parametrize(("called", "said"), [("good", []), ("poor", ["media is called poor, not good"])])
def test_media_is_called_what_it_is(called: str, said: list[str]) -> None:
    done = run()
    assert done.report is not None
    done.report["score"] = {"media": called}
    assert wrong(scenario(media=(Grade.GOOD,)), done) == said


def test_an_unknown_place_is_no_blame() -> None:
    row = judged(scenario(BLOCKED), "webex-calling", False, run(finding(where="unknown")))
    assert row.blamed == ()


def test_an_unknown_place_may_be_right_enough_and_is_not_the_place() -> None:
    lenient = Truth(causes=("udp-blocked",), where=("isp", "unknown"))
    row = judged(scenario(lenient), "webex-calling", False, run(finding(where="unknown")))
    assert (row.wrong, row.answers[0].located, row.answers[0].wanted_where) == ([], False, "isp")


def test_a_guess_is_enough_where_more_would_be_too_much() -> None:
    told = scenario(Truth(causes=("udp-blocked",), where=("site",), guess=True))
    assert wrong(told, run(finding(confidence="possible"))) == []


def test_a_forbidden_cause_is_blame_even_as_a_guess() -> None:
    told = scenario(BLOCKED, forbid=("service-down",))
    row = judged(told, "webex-calling", False, run(finding(), finding("service-down", confidence="possible")))
    assert row.blamed == ("service-down at site (possible) must not be found",)


def test_notes_and_what_is_allowed_are_no_blame() -> None:
    told = scenario(BLOCKED, allow=("delay",))
    row = judged(
        told, "webex-calling", False, run(finding(), finding("delay"), finding("x", severity="note"))
    )
    assert (row.blamed, row.guesses) == ((), ())


def test_guesses_are_counted() -> None:
    guess = finding("delay", confidence="possible")
    assert judged(scenario(), "webex-calling", False, run(guess)).guesses == ("delay",)


def test_a_pass_without_a_measurement_is_found() -> None:
    check = {
        "id": "a",
        "probe": "tcp",
        "status": "pass",
        "strength": "served",
        "observations": [],
        "metrics": {},
    }
    requirement = {"id": "r", "status": "pass", "checks": ["b"], "importance": "required"}
    row = judged(scenario(), "webex-calling", False, run(checks=[check], requirements=[requirement]))
    assert row.unmeasured == ("check a passed unmeasured", "requirement r passed unmeasured")


@pytest.mark.parametrize("probe", ["path", "flow"])
def test_hop_limited_packets_that_left_the_site_are_a_measurement(probe: str) -> None:
    silent = {"id": "a", "probe": "sip", "status": "pass", "strength": "egress", "observations": []}
    left = {
        "id": "f",
        "probe": probe,
        "status": "pass",
        "observations": [{"failure": None, "facts": {"fate": "left"}}],
    }
    row = judged(scenario(), "webex-calling", False, run(checks=[silent, left], requirements=[]))
    assert row.unmeasured == ()


@pytest.mark.parametrize(("offender", "passed"), [("192.0.2.9", True), ("192.0.2.1", False)])
def test_what_a_host_says_of_its_own_port_is_a_measurement_of_the_way(offender: str, passed: bool) -> None:
    refused = {
        "failure": "port_unreachable",
        "facts": {"offender": offender},
        "target": {"address": "192.0.2.9"},
    }
    check = {"id": "a", "probe": "rtp", "status": "pass", "strength": "egress", "observations": [refused]}
    row = judged(scenario(), "webex-calling", False, run(checks=[check], requirements=[]))
    assert (row.unmeasured == ()) is passed


@pytest.mark.parametrize(("failure", "passed"), [(None, True), ("timed_out", False)])
def test_a_check_may_measure_what_passes_beside_what_does_not(failure: str | None, passed: bool) -> None:
    check = {
        "id": "stream",
        "requirement": "audio",
        "status": "fail",
        "strength": None,
        "observations": [{"failure": failure, "facts": {}}],
    }
    beside = {"id": "rtcp", "status": "pass", "checks": ["stream"], "importance": "optional"}
    row = judged(scenario(), "webex-calling", False, run(checks=[check], requirements=[beside]))
    assert (row.unmeasured == ()) is passed


def test_a_run_without_a_report_is_a_problem() -> None:
    row = judged(scenario(), "webex-calling", False, Run(3, "", "no such profile\n", 0.1, None))
    assert row.problem == "status 3, no report: no such profile"
    assert failed(scenario(), "webex", True, "not installed: squid").wrong == ["not installed: squid"]


NMAP = Tool(name="nmap", command="", keep=r"\d+/\w+\s.*", drop=r"ttl \d+")


def test_a_tools_words_are_those_that_say_something() -> None:
    output = (
        "Starting Nmap\n443/tcp  open  https syn-ack ttl 60\n8934/tcp filtered unknown\nNmap done: 0.2 s\n"
    )
    assert in_few_words(output, NMAP) == "443/tcp open https syn-ack; 8934/tcp filtered unknown"
    assert in_few_words("Starting Nmap\n", NMAP) == "(nothing)"


def test_words_mean_something_when_they_differ_from_those_of_the_open_network() -> None:
    assert meaning("8934/tcp open", "8934/tcp open", ()) == "nothing"
    assert meaning("8934/tcp filtered", "8934/tcp open", ()) == "symptom"
    assert meaning("8934/tcp closed", "8934/tcp open", [["closed", "misleading"]]) == "misleading"
