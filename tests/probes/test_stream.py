"""The stream probe against a real responder on loopback, over ways with known faults."""

import asyncio
import random
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.media.stream import Stamp
from readycheck.media.two_way import Returned
from readycheck.probe import Effort, Endpoint, Failure, Leg, Played, Step, Target
from readycheck.responder.control import Control
from readycheck.responder.guard import Cookies, Sources
from readycheck.responder.reflector import Reflector
from readycheck.responder.session import Limits, Sessions
from readycheck.testing import FakeNetwork, run_probe
from readycheck_probes.capacity import CapacityParams, CapacityProbe
from readycheck_probes.mtu import MtuParams, MtuProbe
from readycheck_probes.stream import SHAPES, StreamParams, StreamProbe

from .conftest import Bench
from .servers.way import Fate, way_to

MARKS = (("app", 46, "48500-48599"), ("device", 46, "49560-49660"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.net.far_end._TRIES_S", (0.3, 0.3))
    monkeypatch.setattr("readycheck.net.far_end._LINGER_S", 0.2)


@pytest.fixture
def responder() -> Iterator[Reflector]:
    control = Control(
        Sessions(Limits()), Cookies(secrets.token_bytes(16)), Sources(1000.0, 1000.0, 9999.0), b""
    )
    reflector = Reflector(("127.0.0.1", 0), control)
    thread = threading.Thread(target=reflector.run)
    thread.start()
    yield reflector
    reflector.stop()
    thread.join(5.0)


def params(to: Endpoint, **changes: Any) -> StreamParams:
    target = Target(address=to[0], port=to[1], transport="udp")
    return StreamParams(**{"targets": (target,), "seconds": 1.0, **changes})


def losing(*turns: int) -> Fate:
    gone = frozenset(turns)
    return lambda turn: () if turn in gone else (0.0,)


async def test_a_clean_way_leaves_a_summary_of_each_leg(bench: Bench, responder: Reflector) -> None:
    seen = await bench.measure(StreamProbe(), params(responder.local, marks=MARKS))
    app, device = (one.facts for one in seen.of(Step.ECHO))
    assert (app["role"], device["role"]) == ("app", "device")
    assert app["dscp_seen"] == {"46": 50}
    assert 48500 <= app["local"][1] <= 48599 and app["local"][1] % 2 == 0
    assert app["e_model"]["up"]["one_way_ms"] > 20.0
    assert (seen.metrics["sent"], seen.metrics["answered"], seen.metrics["reached"]) == (100, 100, 100)
    assert (seen.metrics["loss_up_ratio"], seen.metrics["loss_down_ratio"]) == (0.0, 0.0)
    assert seen.metrics["marks_kept_ratio"] == 1.0
    assert seen.metrics["mos"] == pytest.approx(4.4, abs=0.02)


async def test_rtcp_goes_beside_from_the_odd_port(bench: Bench, responder: Reflector) -> None:
    seen = await bench.measure(StreamProbe(), params(responder.local, seconds=1.3, marks=MARKS))
    assert (seen.metrics["rtcp_sent"], seen.metrics["rtcp_answered_ratio"]) == (4, 1.0)
    for leg in seen.of(Step.ECHO):
        rtcp, (_, port) = leg.facts["rtcp"], leg.facts["local"]
        assert rtcp["local"][1] == port + 1 and port % 2 == 0
        assert (rtcp["to"], rtcp["counted"], rtcp["lost"]) == (list(responder.local), 2, 0)
        assert abs(rtcp["rtt_ms"] - leg.facts["rtt_ms"]) < 20


async def test_rtcp_on_the_port_of_the_stream_and_none(bench: Bench, responder: Reflector) -> None:
    seen = await bench.measure(StreamProbe(), params(responder.local, rtcp="mux"))
    (leg,) = seen.of(Step.ECHO)
    assert leg.facts["rtcp"]["local"] == leg.facts["local"] and leg.facts["rtcp"]["answered"] == 1
    assert seen.metrics["loss_down_ratio"] == 0
    seen = await bench.measure(StreamProbe(), params(responder.local, rtcp="none", seconds=0.2))
    assert seen.of(Step.ECHO)[0].facts["rtcp"] is None
    assert seen.metrics["rtcp_answered_ratio"] is None


async def on_time(bench: Bench, to: Endpoint, **fates: Fate) -> Any:
    """Measured; once more when somebody here was late, for what leaves all at once does not count."""
    for _ in range(6):
        with way_to(to, **fates) as way:
            seen = await bench.measure(StreamProbe(), params(way))
        (leg,) = seen.of(Step.ECHO)
        sent, up, down = leg.facts["sent"], leg.facts["up"], leg.facts["down"]
        if up["sent"] == sent and down["sent"] >= up["received"]:
            break
    return seen


async def test_losses_are_exact_each_way(bench: Bench, responder: Reflector) -> None:
    rng = random.Random(7)
    up, down = rng.sample(range(48), 5), rng.sample(range(40), 3)
    seen = await on_time(bench, responder.local, up=losing(*up), down=losing(*down))
    assert (seen.metrics["loss_up_ratio"], seen.metrics["loss_down_ratio"]) == (0.1, round(3 / 45, 6))
    (leg,) = seen.of(Step.ECHO)
    assert (leg.facts["up"]["lost"], leg.facts["down"]["lost"]) == (5, 3)


async def test_copies_and_overtaken_packets_are_exact_each_way(bench: Bench, responder: Reflector) -> None:
    def copying(turn: int) -> Sequence[float]:
        return (0.0, 0.0) if turn in (5, 20, 33) else (0.0,)

    def holding(turn: int) -> Sequence[float]:
        return (0.05,) if turn in (10, 30) else (0.0,)

    with way_to(responder.local, up=copying, down=holding) as way:
        seen = await bench.measure(StreamProbe(), params(way))
    (leg,) = seen.of(Step.ECHO)
    up, down = leg.facts["up"], leg.facts["down"]
    assert (up["duplicates"], up["reordered"], up["lost"]) == (3, 0, 0)
    assert (down["duplicates"], down["reordered"], down["lost"]) == (0, 2, 0)


async def test_a_copy_whose_answer_is_lost_hides_no_loss(bench: Bench, responder: Reflector) -> None:
    """Turns on the way back are answers: those of the copies of 5 and 20, and of what comes beside a loss."""

    def up(turn: int) -> Sequence[float]:
        return {5: (0.0, 0.0), 20: (0.0, 0.0), 6: (), 21: ()}.get(turn, (0.0,))

    seen = await on_time(bench, responder.local, up=up, down=losing(6, 19))
    (leg,) = seen.of(Step.ECHO)
    up_told, down = leg.facts["up"], leg.facts["down"]
    assert (up_told["lost"], up_told["longest_burst"], up_told["duplicates"]) == (2, 1, 2)
    assert (down["lost"], down["duplicates"]) == (2, 0)


async def test_bursts_and_delay(bench: Bench, responder: Reflector) -> None:
    seen = await on_time(bench, responder.local, up=losing(20, 21, 22, 23), down=lambda turn: (0.06,))
    (leg,) = seen.of(Step.ECHO)
    assert (leg.facts["up"]["longest_burst"], leg.facts["up"]["burst_ratio"]) == (4, 3.68)
    assert seen.metrics["worst_200_ms_up_ratio"] == 0.4
    assert seen.metrics["worst_200_ms_down_ratio"] == 0.0
    assert 60 <= (seen.metrics["rtt_ms"] or 0) < 70


async def test_what_comes_late_is_not_lost(bench: Bench, responder: Reflector) -> None:
    with way_to(responder.local, down=lambda turn: (1.1,)) as way:
        seen = await bench.measure(StreamProbe(), params(way))
    (leg,) = seen.of(Step.ECHO)
    assert (leg.facts["answered"], leg.facts["down"]["lost"]) == (50, 0)


async def test_jitter_is_that_of_its_direction(bench: Bench, responder: Reflector) -> None:
    rng = random.Random(3)
    delays = [rng.uniform(0, 0.018) for _ in range(50)]
    with way_to(responder.local, up=lambda turn: (delays[turn],)) as way:
        seen = await bench.measure(StreamProbe(), params(way))
    assert 3 < (seen.metrics["jitter_up_ms"] or 0) < 9
    assert (seen.metrics["jitter_down_ms"] or 0) < 1.5


async def test_nothing_comes_back(bench: Bench, responder: Reflector) -> None:
    with way_to(responder.local, down=lambda turn: ()) as way:
        seen = await bench.measure(StreamProbe(), params(way))
    (leg,) = seen.of(Step.ECHO)
    assert (leg.failure, leg.detail) == (
        Failure.TIMED_OUT,
        "50 of 50 packets arrive, and none comes back",
    )
    assert (seen.metrics["loss_up_ratio"], seen.metrics["loss_down_ratio"]) == (0.0, 1.0)
    assert seen.metrics["mos"] is None


async def test_nothing_arrives(bench: Bench, responder: Reflector) -> None:
    with way_to(responder.local, up=lambda turn: ()) as way:
        seen = await bench.measure(StreamProbe(), params(way))
    assert seen.of(Step.ECHO)[0].detail == "none of 50 packets arrives"
    assert (seen.metrics["loss_up_ratio"], seen.metrics["loss_down_ratio"]) == (1.0, None)


async def test_marks_that_are_cleared_on_the_way(bench: Bench, responder: Reflector) -> None:
    with way_to(responder.local, tos=0) as way:
        seen = await bench.measure(StreamProbe(), params(way, marks=MARKS[:1]))
    assert seen.of(Step.ECHO)[0].facts["dscp_seen"] == {"0": 50}
    assert seen.metrics["marks_kept_ratio"] == 0.0


async def test_a_port_in_use_is_passed_over(bench: Bench, responder: Reflector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 48700))
        seen = await bench.measure(
            StreamProbe(), params(responder.local, seconds=0.2, marks=(("app", 46, "48700-48709"),))
        )
    assert seen.of(Step.ECHO)[0].facts["local"][1] == 48702


async def test_nobody_is_there(bench: Bench) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        seen = await bench.measure(StreamProbe(), params(silent.getsockname()))
    assert seen.failures(Step.REQUEST) == [Failure.TIMED_OUT]
    assert seen.of(Step.ECHO) == []
    assert seen.metrics == {"sent": 0, "answered": 0}


@pytest.mark.parametrize("after_s", [0.05, 0.6])
async def test_nothing_is_left_when_it_is_cancelled(
    bench: Bench, responder: Reflector, after_s: float
) -> None:
    """In the conversation and in mid-stream; an unclosed socket is an error of the test run."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    seen = await bench.measure(StreamProbe(), params(responder.local, seconds=30.0), deadline_s=after_s)
    assert loop.time() - began < after_s + 1.0
    assert seen.failures(Step.REQUEST) == [Failure.TIMED_OUT]


async def test_nothing_is_left_when_it_is_cancelled_while_it_waits_for_the_last_answers(
    bench: Bench, responder: Reflector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readycheck.net.far_end._LINGER_S", 3.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with way_to(responder.local, down=lambda turn: ()) as way:
        seen = await bench.measure(StreamProbe(), params(way, seconds=0.2), deadline_s=0.8)
    assert loop.time() - began < 1.8
    assert seen.failures(Step.REQUEST) == [Failure.TIMED_OUT]


async def test_the_responder_is_looked_up(bench: Bench, responder: Reflector) -> None:
    bench.names["far.example"] = ["127.0.0.1"]
    target = Target(host="far.example", port=responder.local[1], transport="udp")
    seen = await bench.measure(StreamProbe(), StreamParams((target,), seconds=0.2))
    (leg,) = seen.of(Step.ECHO)
    assert (leg.target.host, leg.target.address) == ("far.example", "127.0.0.1")


async def test_a_frame_of_video_leaves_in_one_go(bench: Bench, responder: Reflector) -> None:
    seen = await bench.measure(StreamProbe(), params(responder.local, codec="video", seconds=0.4))
    assert (seen.metrics["sent"], seen.metrics["loss_up_ratio"]) == (60, 0.0)
    assert "mos" not in seen.of(Step.ECHO)[0].facts


def test_a_responder_that_ends_in_mid_stream_shows_no_loss() -> None:
    def half(leg: Leg) -> Played:
        sent = tuple(Stamp(n, n * 20_000_000) for n in range(500))
        back = tuple(
            Returned(number=n, count=n, received_ns=one.at_ns, held_ns=0, arrived_ns=one.at_ns, hop_limit=64)
            for n, one in enumerate(sent[:200])
        )
        here = ("192.0.2.200", 40000)
        return Played(
            leg=leg, sent=sent, returned=back, counted=None, paced_late_ns=(0,), local=here, seen_as=here
        )

    network = FakeNetwork(responder=half)
    observations, metrics = run_probe(StreamProbe(), params(("192.0.2.1", 3478)), network)
    (leg,) = (one for one in observations if one.step is Step.ECHO)
    assert leg.failure is Failure.CONNECTION_CLOSED
    assert leg.detail == "the responder fell silent after 200 of 500 packets"
    assert metrics == {"sent": 0, "answered": 0}


def test_counts_that_no_honest_responder_has() -> None:
    def lying(leg: Leg) -> Played:
        here = ("192.0.2.200", 40000)
        return Played(
            leg=leg,
            sent=(Stamp(0, 0),),
            returned=(),
            counted=10**15,
            paced_late_ns=(0,),
            local=here,
            seen_as=here,
        )

    observations, _ = run_probe(StreamProbe(), params(("192.0.2.1", 3478)), FakeNetwork(responder=lying))
    assert observations[-1].failure is Failure.PROTOCOL_ERROR


def test_what_it_adds_to_a_run() -> None:
    some = StreamParams()
    assert some.lasts_s(Effort.QUICK) < some.lasts_s(Effort.NORMAL) < some.lasts_s(Effort.THOROUGH)
    assert replace(some, seconds=60.0).lasts_s(Effort.QUICK) > 60


@pytest.mark.parametrize("wrong", [{"seconds": -1.0}, {"seconds": float("nan")}, {"calls": 0}, {"calls": 51}])
def test_what_it_may_not_be_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is to be"):
        StreamParams(**wrong)


@pytest.mark.parametrize("codec", SHAPES)
def test_every_shape_has_room_for_the_answer(codec: str) -> None:
    assert SHAPES[codec].payload_bytes >= 18


@pytest.mark.parametrize(
    ("probe", "made"),
    [(StreamProbe(), StreamParams), (CapacityProbe(), CapacityParams), (MtuProbe(), MtuParams)],
    ids=["stream", "capacity", "mtu"],
)
def test_a_responder_whose_name_has_no_address_is_no_crash(probe: Any, made: Callable[..., Any]) -> None:
    network = FakeNetwork(names={"far.example": ()})
    target = Target(host="far.example", port=5005, transport="udp")
    observations, _ = run_probe(probe, made(targets=(target,)), network)
    assert {one.step for one in observations} == {Step.RESOLVE}
