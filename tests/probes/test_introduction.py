"""Being known to a responder: it is asked at its address, and stops nobody by its silence."""

from readycheck.probe import Failure, Step, Target
from readycheck.testing import run_probe
from readycheck_probes.nat import NatParams, NatProbe
from readycheck_probes.sip_alg import SipAlgParams, SipAlgProbe

from .translation import FAR, Translation

FAR_END = Target(address=FAR[0], port=FAR[1])


def test_the_far_end_of_sip_and_nat_is_told_who_asks() -> None:
    network = Translation()
    run_probe(SipAlgProbe(), SipAlgParams(targets=(FAR_END,)), network)
    run_probe(NatProbe(), NatParams(targets=(FAR_END,), behaviour=True), network)
    assert network.known_to == [FAR, FAR]


def test_a_vendors_server_is_not() -> None:
    network = Translation()
    run_probe(NatProbe(), NatParams(targets=(FAR_END,)), network)
    assert not network.known_to


def test_its_silence_stops_nobody() -> None:
    seen, metrics = run_probe(SipAlgProbe(), SipAlgParams(targets=(FAR_END,)), Translation())
    assert [o.failure for o in seen if o.step is Step.REQUEST] == [Failure.TIMED_OUT]
    assert metrics["answered"] == 2
