"""Whole calls on loopback, and what is left of one that is cancelled."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from readycheck.call.attempt import Attempt
from readycheck.call.dial import Dial, Order
from readycheck.call.stage import Stage, Via
from readycheck.failure import Failure
from readycheck.net.interface import Endpoint, Stream, TlsSettings
from readycheck.net.resolver import Resolver
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.tls import handshake
from readycheck.net.trust import TrustStore
from readycheck.responder.offer import CallLimits
from readycheck.responder.server import Responder, Settings

KEY = b"of this site"
PHASES = (Stage.NAMES, Stage.SIGNALLING, Stage.DTLS, Stage.MEDIA_BOTH_WAYS)
NOBODY = TrustStore(())
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="call: UDP needs the sockets of Linux at the far end"
)


async def greet(stream: Stream, settings: TlsSettings, /, *, timeout: float) -> Stream:
    return await handshake(stream, settings, NOBODY, timeout=timeout)


def network() -> SystemNetwork:
    async def none(*_: object, **__: object) -> Stream:
        raise AssertionError("an address is its own answer")

    return SystemNetwork(NetworkOptions(), Resolver((), none, none), greet)  # type: ignore[arg-type]


@pytest.fixture(params=["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def place(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    serving = Responder(Settings(listen=((request.param, 0),), key=KEY, calls=CallLimits(calls=2)))
    serving.start()
    yield serving.places[0]
    serving.stop()


async def called(to: Endpoint, via: Via, key: bytes = KEY, seconds: float = 1.0) -> Attempt:
    return await Dial(network(), Order(host=to[0], port=to[1], key=key, seconds=seconds), via).place()


@linux
@pytest.mark.parametrize("via", Via)
async def test_a_call_there_and_back(place: Endpoint, via: Via) -> None:
    attempt = await called(place, via)
    assert attempt.failed is None
    assert attempt.srtp.startswith("SRTP_A")
    stages = [one.stage for one in attempt.passed]
    ice = [Stage.ICE] if via is Via.UDP else []
    assert stages == [Stage.NAMES, Stage.SIGNALLING, *ice, Stage.DTLS]
    assert attempt.quality.up is not None and attempt.quality.down is not None
    assert attempt.quality.up.lost == attempt.quality.down.lost == 0
    assert attempt.quality.down.packets > 20 and attempt.quality.rtt_ms is not None


async def test_another_key_ends_in_signalling_and_blames_nobody(place: Endpoint) -> None:
    attempt = await called(place, Via.TCP, b"another")
    assert attempt.failed is not None
    assert (attempt.failed.stage, attempt.failed.blame) == (Stage.SIGNALLING, False)
    assert attempt.connect_ms is None and attempt.srtp == ""


async def test_nobody_is_there() -> None:
    attempt = await called(("127.0.0.1", 9), Via.TLS)
    assert attempt.failed is not None
    assert (attempt.failed.stage, attempt.failed.failure) == (Stage.SIGNALLING, Failure.CONNECTION_REFUSED)


@linux
@pytest.mark.parametrize(
    ("via", "phase"),
    [(Via.UDP, Stage.ICE)] + [(via, phase) for via in (Via.UDP, Via.TLS) for phase in PHASES],
)
async def test_nothing_is_left_of_a_call_that_is_cancelled(place: Endpoint, via: Via, phase: Stage) -> None:
    await called(place, via, seconds=0.1)  # what is imported on use opens files
    before, tasks = files(), asyncio.all_tasks()

    def watch(stage: Stage) -> None:
        if stage is phase:
            asyncio.get_running_loop().call_soon(task.cancel)

    order = Order(host=place[0], port=place[1], key=KEY)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Dial(network(), order, via, watch).place())
    assert task.cancelled()
    for _ in range(3):  # transports close in the loop's next turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    while files() > before:  # noqa: ASYNC110  the responder's side, in its own threads
        await asyncio.sleep(0.01)


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_responder_that_dies_ends_the_call_in_media_both_ways() -> None:
    serving = Responder(Settings(listen=(("127.0.0.1", 0),)))
    serving.start()
    ending = threading.Timer(0.5, serving.stop)

    def watch(stage: Stage) -> None:
        if stage is Stage.MEDIA_BOTH_WAYS:
            ending.start()

    host, port = serving.places[0]
    attempt = await Dial(network(), Order(host=host, port=port), Via.TCP, watch).place()
    ending.join()
    assert attempt.failed is not None and attempt.failed.stage is Stage.MEDIA_BOTH_WAYS
    assert 0.2 < attempt.failed.talked_s < 1.5
