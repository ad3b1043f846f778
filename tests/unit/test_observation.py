"""Observations are kept in a trace that outlives the probe."""

import pytest

from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target, Trace

HERE = Target(host="sip.example.com", port=8934)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (HERE, "sip.example.com:8934"),
        (Target(host="sip.example.com", address="192.0.2.1"), "sip.example.com"),
        (Target(network="192.0.2.0/24", address="192.0.2.1", port=5004), "192.0.2.1:5004"),
        (Target(network="192.0.2.0/24"), "192.0.2.0/24"),
        (Target(), "?"),
    ],
)
def test_a_target_in_words(target: Target, text: str) -> None:
    assert str(target) == text


def test_a_step_that_has_ended() -> None:
    trace = Trace()
    step = trace.open(Step.CONNECT, HERE, 1.23456)
    step.at(address="192.0.2.1")
    step.facts["rtt_ms"] = 4.0
    step.end(6.0)
    (seen,) = trace.observations(99.0)
    assert seen.target == Target(host="sip.example.com", port=8934, address="192.0.2.1")
    assert (seen.started_ms, seen.elapsed_ms, seen.failure) == (1.235, 4.765, None)
    assert seen.facts == {"rtt_ms": 4.0}


def test_a_step_ends_once() -> None:
    step = Trace().open(Step.CONNECT, HERE, 0.0)
    first = step.end(5.0, Failure.CONNECTION_REFUSED, "told")
    assert step.end(9.0) is first
    assert (first.failure, first.detail) == (Failure.CONNECTION_REFUSED, "told")


def test_a_detail_is_one_short_line() -> None:
    seen = (
        Trace()
        .open(Step.RESPONSE, HERE, 0.0)
        .end(5.0, Failure.PROTOCOL_ERROR, "a\x1b[2J\n\u202e" + "x" * 9999)
    )
    assert seen.detail.startswith("a\ufffd[2J\ufffd\ufffdxxx")
    assert len(seen.detail) == 500


def test_a_step_under_way_ends_with_what_ended_it() -> None:
    trace = Trace()
    trace.open(Step.RESOLVE, HERE, 0.0).end(2.0)
    trace.open(Step.CONNECT, HERE, 2.0)
    done, pending = trace.observations(10.0, Failure.INTERRUPTED)
    assert (done.step, done.failure) == (Step.RESOLVE, None)
    assert (pending.failure, pending.elapsed_ms) == (Failure.INTERRUPTED, 8.0)


def test_time_that_runs_backwards_is_no_time() -> None:
    assert Trace().open(Step.ECHO, HERE, 10.0).end(9.0).elapsed_ms == 0.0


def test_a_step_that_the_caller_has_timed() -> None:
    trace = Trace()
    given = Observation(step=Step.ECHO, target=HERE, started_ms=1.0, elapsed_ms=2.0)
    trace.add(given)
    assert trace.observations(50.0) == (given,)
