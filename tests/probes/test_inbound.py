"""Calls from outside: what came, what somebody else took, and what silence shows."""

from collections.abc import Mapping
from typing import Any

import pytest

from readycheck.net.interface import Call
from readycheck.observation import Observation
from readycheck.probe import Effort, Failure, Step, Target
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.inbound import InboundParams, InboundProbe

FAR = Target(address="198.51.100.1", port=3478)


def measured(
    *calls: Call, transport: Any = "tcp", failure: Failure | None = None
) -> tuple[list[Observation], Mapping[str, Any]]:
    network = FakeNetwork()
    network.calls = failure or {(transport, call.port): call for call in calls}
    ports = tuple(call.port for call in calls)
    params = InboundParams(targets=(FAR,), called=ports, transport=transport)
    seen, metrics = run_probe(InboundProbe(), params, network)
    return [o for o in seen if o.step is Step.ECHO], metrics


TAKEN = Failure.ADDRESS_NOT_AVAILABLE


@pytest.mark.parametrize(
    ("call", "transport", "failure", "shut"),
    [
        (Call(port=5060, came=True, outcome="sent"), "udp", None, False),
        (Call(port=5060, came=False, outcome="sent"), "udp", Failure.TIMED_OUT, True),
        (Call(port=5060, came=False, outcome="sent", failure=TAKEN), "udp", TAKEN, False),
        (Call(port=443, came=True, outcome="connected"), "tcp", None, False),
        (Call(port=443, came=False, outcome="connected", failure=TAKEN), "tcp", None, False),
        (Call(port=443, came=False, outcome="silent"), "tcp", Failure.TIMED_OUT, True),
        (Call(port=443, came=False, outcome="silent", failure=TAKEN), "tcp", TAKEN, True),
        (Call(port=80, came=False, outcome="silent", failure=Failure.PERMISSION_DENIED), "tcp",
         Failure.PERMISSION_DENIED, False),
        (Call(port=443, came=False, outcome="refused"), "tcp", Failure.CONNECTION_REFUSED, True),
        (Call(port=443, came=False, outcome="unreachable"), "tcp", Failure.HOST_UNREACHABLE, False),
        (Call(port=80, came=False, outcome="refused", failure=Failure.PERMISSION_DENIED), "tcp",
         Failure.PERMISSION_DENIED, False),
        (Call(port=443, came=False, outcome=""), "tcp", Failure.TIMED_OUT, False),
    ],
)  # fmt: skip
def test_what_comes_of_a_call(call: Call, transport: str, failure: Failure | None, shut: bool) -> None:
    (seen,), metrics = measured(call, transport=transport)
    assert (seen.failure, seen.facts["shut"]) == (failure, shut)
    assert metrics == {"sent": 1, "answered": int(failure is None)}


def test_a_far_end_that_does_not_call_shows_nothing() -> None:
    seen, metrics = measured(failure=Failure.RESPONDER_REFUSED)
    assert seen == [] and metrics["sent"] == 0


def test_it_says_how_long_it_takes_and_whom_a_wall_may_keep_out() -> None:
    assert InboundParams().lasts_s(Effort.QUICK) > 2.5
    assert InboundParams().may_be_silent and not InboundParams(open_to="anyone").may_be_silent
