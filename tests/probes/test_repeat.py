"""The repeat probe on a network of fakes: each try is one packet, and all take little more than one timeout."""

from collections.abc import Callable

import pytest

from readycheck.failure import Failure, Step
from readycheck.net.interface import Endpoint
from readycheck.observation import Target
from readycheck.testing import FakeNetwork, FakeService, run_probe
from readycheck.wire import stun
from readycheck_probes.repeat import RepeatParams, RepeatProbe

HOST = "192.88.99.10"
WEB = Target(address=HOST, port=443, transport="tcp")
STUN = Target(address=HOST, port=3478, transport="udp")


class ByTurns(FakeNetwork):
    """Of every four connections one comes about."""

    _turn = 0

    def reaches(self, to: Endpoint, transport: str, ttl: int | None) -> bool:
        self._turn += 1
        return self._turn % 4 == 0


def test_what_answers_by_turns_is_counted() -> None:
    network = ByTurns(tcp={(HOST, 443): FakeService()})
    observations, metrics = run_probe(RepeatProbe(), RepeatParams(targets=(WEB,)), network)
    assert metrics == {"sent": 8, "answered": 2}
    assert {o.step for o in observations} == {Step.CONNECT}
    assert {o.failure for o in observations} == {None, Failure.TIMED_OUT}
    assert sorted(o.facts["turn"] for o in observations) == list(range(8))


def test_a_udp_port_is_asked_what_it_expects() -> None:
    network = FakeNetwork()
    params = RepeatParams(targets=(STUN,), kinds=((3478, "stun"),), tries=2)
    observations, _ = run_probe(RepeatProbe(), params, network)
    assert {o.step for o in observations} == {Step.ECHO}
    singles, pair = 2, 2
    assert [stun.unpack_message(payload).method for _, payload in network.sent] == [stun.BINDING] * (
        singles + pair
    )


@pytest.mark.parametrize(("rtt_ms", "answered"), [(850.0, {True}), (950.0, {False})])
def test_the_first_of_two_is_waited_for_no_longer_than_one_alone(rtt_ms: float, answered: set[bool]) -> None:
    """Else a long way would look as if the first packet of each flow were lost."""
    network = FakeNetwork(udp={(HOST, 3478): lambda payload: b"\x01\x01" + payload[2:]}, rtt_ms=rtt_ms)
    params = RepeatParams(targets=(STUN,), kinds=((3478, "stun"),), tries=2)
    observations, _ = run_probe(RepeatProbe(), params, network)
    assert {o.failure is None for o in observations} == answered


def mangled(payload: bytes) -> bytes:
    return b"\x01\x01" + payload[2:19] + bytes([payload[19] ^ 1])


@pytest.mark.parametrize("reply", [mangled, lambda payload: payload, lambda payload: b"no"])
def test_a_datagram_that_answers_another_question_is_no_answer(reply: Callable[[bytes], bytes]) -> None:
    """The transaction tells (RFC 8489 section 5), and a request that comes back is none."""
    network = FakeNetwork(udp={(HOST, 3478): reply})
    params = RepeatParams(targets=(STUN,), kinds=((3478, "stun"),), tries=2)
    observations, metrics = run_probe(RepeatProbe(), params, network)
    assert metrics["answered"] == 0
    assert {(o.failure, o.facts["foreign"]) for o in observations} == {(Failure.PROTOCOL_ERROR, True)}


def test_the_tries_overlap() -> None:
    observations, _ = run_probe(RepeatProbe(), RepeatParams(targets=(WEB, STUN)), FakeNetwork())
    assert len(observations) == 17
    assert max(o.started_ms + o.elapsed_ms for o in observations) < 3_000


def test_a_try_may_be_waited_for_longer() -> None:
    params = RepeatParams(targets=(WEB,), tries=2, wait_s=4.0)
    observations, _ = run_probe(RepeatProbe(), params, FakeNetwork())
    assert [(o.failure, o.elapsed_ms) for o in observations] == [(Failure.TIMED_OUT, 4_000.0)] * 2


class Policed(FakeNetwork):
    """Lets four packets pass in a tenth of a second."""

    _passed: list[int] = []

    def reaches(self, to: Endpoint, transport: str, ttl: int | None) -> bool:
        recent = [at for at in self._passed if self.now_ns() - at < 100_000_000]
        self._passed = [*recent, self.now_ns()] if len(recent) < 4 else recent
        return len(recent) < 4


def echo(payload: bytes) -> bytes:
    return payload


def test_what_is_whole_when_slow_is_asked_at_once() -> None:
    targets = tuple(Target(address=f"192.88.99.{n}", port=9000, transport="udp") for n in (1, 2))
    network = Policed(udp={(str(t.address), 9000): echo for t in targets})
    observations, metrics = run_probe(RepeatProbe(), RepeatParams(targets=targets), network)
    assert metrics == {"sent": 16, "answered": 16}
    burst = [o for o in observations if o.facts["purpose"] == "burst"]
    assert (len(burst), sum(o.failure is None for o in burst)) == (16, 4)


def test_one_address_or_tcp_is_not_asked_at_once() -> None:
    """The limit could be the server's own; and connections at once look like an attack."""
    targets = (Target(address=HOST, port=9000, transport="udp"), WEB)
    network = FakeNetwork(udp={(HOST, 9000): echo}, tcp={(HOST, 443): FakeService()})
    observations, _ = run_probe(RepeatProbe(), RepeatParams(targets=targets), network)
    assert {o.facts["purpose"] for o in observations} == {"repeat", "pair"}
