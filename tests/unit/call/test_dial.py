"""Whole calls on loopback, and what is left of one that is cancelled."""

import asyncio
import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("aiortc", reason="call: aiortc is not installed")
from readycheck.call.attempt import Attempt
from readycheck.call.dial import Dial, Order, _mark_in
from readycheck.call.stage import Stage, Via
from readycheck.call.vouching import Vouched
from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions, open_socket
from readycheck.net.interface import Endpoint, Stream, TlsSettings
from readycheck.net.resolver import Resolver
from readycheck.net.secure_media import socket_to
from readycheck.net.system import NetworkOptions, SystemNetwork
from readycheck.net.tls import handshake
from readycheck.net.trust import TrustStore
from readycheck.responder.identity import make_identity
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
    assert attempt.vouched is (None if via is Via.TCP else Vouched.KEY)


async def test_a_count_that_is_none_breaks_no_call(place: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readycheck.responder.call.Call.counted", lambda _: {"received": "many"})
    attempt = await called(place, Via.TCP)
    assert attempt.failed is None


async def test_a_certificate_that_somebody_else_made_ends_it_in_signalling(place: Endpoint) -> None:
    """A box that opens TLS on the way: a responder's own certificate, and another one is shown to the caller."""
    other = make_identity()

    class Opened(SystemNetwork):
        async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
            secured = await super().start_tls(stream, settings, timeout=timeout)
            assert secured.tls is not None
            leaf = replace(secured.tls.chain[0], spki_sha256=other.pin, issuer="CN=box")
            secured.tls = replace(secured.tls, chain=(leaf,))  # type: ignore[misc]
            return secured

    opened = Opened(NetworkOptions(), network()._resolver, greet)
    order = Order(host=place[0], port=place[1], key=KEY, seconds=1.0)
    failed = (await Dial(opened, order, Via.TLS).place()).failed
    assert failed is not None and failed.blame
    assert (failed.stage, failed.failure) == (Stage.SIGNALLING, Failure.CERTIFICATE_NOT_PINNED)
    assert "CN=box" in failed.detail


@linux
@pytest.mark.parametrize("via", [Via.TCP, Via.TLS])
async def test_a_connection_that_carries_media_is_marked(place: Endpoint, via: Via) -> None:
    order = Order(host=place[0], port=place[1], key=KEY, seconds=0.5, dscp=46)
    attempt = await Dial(network(), order, via).place()
    assert (attempt.failed, attempt.dscp, attempt.dscp_seen) == (None, 46, 46)


async def test_a_port_that_is_closed_is_told_as_what_it_may_be() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        failed = (await called(closed.getsockname(), Via.TCP)).failed
    assert failed is not None and failed.failure is Failure.CONNECTION_REFUSED
    assert failed.detail.startswith(
        f"connecting: {os.strerror(errno.ECONNREFUSED)}: no responder listens there"
    )


@pytest.mark.parametrize(
    ("hello", "mark"),
    [
        ({"hop_limit": 60, "traffic_class": 0xB9}, 46),
        ({"hop_limit": 60, "traffic_class": 0}, 0),
        ({"hop_limit": 0, "traffic_class": 0}, None),
        ({}, None),
        ({"hop_limit": "60", "traffic_class": 0}, None),
        ({"hop_limit": 60, "traffic_class": 4000}, None),
        ({"hop_limit": True, "traffic_class": None}, None),
    ],
)
def test_the_mark_is_as_a_far_end_tells_it(hello: dict[str, object], mark: int | None) -> None:
    assert _mark_in(hello) == mark


def test_media_is_marked_and_comes_from_a_port_of_its_class() -> None:
    way_out = SocketOptions(source="127.0.0.1", tos=46 << 2)
    with open_socket(socket.SOCK_DGRAM, way_out) as taken:
        first = taken.getsockname()[1]
        with socket_to(("127.0.0.1", 9), way_out, (first, 0)) as made:
            assert made.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
            assert made.getsockname()[1] not in (0, first)


async def test_a_proxy_leads_where_the_way_may_have_one(place: Endpoint) -> None:
    asked: list[tuple[str, int, str | None]] = []

    class Behind(SystemNetwork):
        async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
            asked.append((host, port, via))
            return await self.connect(place, timeout=timeout)

    behind = Behind(NetworkOptions(), network()._resolver, greet)
    proxies = {Via.TLS: "proxy.example:3128"}
    order = Order(host="far.example", port=3478, key=KEY, seconds=0.3, proxies=proxies)
    attempt = await Dial(behind, order, Via.TLS).place()
    assert attempt.failed is None and attempt.proxy == "proxy.example:3128"
    assert asked == [("far.example", 3478, "proxy.example:3128")]
    assert attempt.passed[0].stage is Stage.SIGNALLING, "it finds the responder by itself"


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
    before, tasks = await files_at_rest(), asyncio.all_tasks()

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


async def files_at_rest() -> int:
    """When the responder, in threads of its own, has closed what was the last call's."""
    seen = [files()]
    while len(seen) < 10 or seen[-1] < max(seen[-10:]):
        await asyncio.sleep(0.01)
        seen.append(files())
    return seen[-1]


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
