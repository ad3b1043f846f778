"""A connection that is left idle, against a responder that is made up, on a clock that jumps."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from readycheck.failure import Failure
from readycheck.net.idle import LATE_S, hold
from readycheck.net.interface import CertificateFacts, Endpoint, Held, NetError, TlsFacts
from readycheck.testing import FakeNetwork, run, tls_facts
from readycheck.wire.far_end import Kind, pack_message, unpack_message

TO = ("203.0.113.99", 3478)
KEY = b"of this site"
LEAF = CertificateFacts(
    subject="CN=far", issuer="CN=box", names=(), not_before="", not_after="", spki_sha256="shown"
)


class Far:
    """A responder behind a firewall that forgets a connection after `lives_s` of silence, and does `how` then.

    `how` is silent, `revives` (silent until the agent speaks), reset or closed; the last two at once.
    """

    local: Endpoint = ("192.0.2.200", 40000)
    peer: Endpoint = TO
    tls: TlsFacts | None = None

    def __init__(
        self, lives_s: float = 1e9, how: str = "silent", said: Mapping[Kind, Any] | None = None
    ) -> None:
        self.lives_s, self.how, self.said = lives_s, how, said or {}
        self.arrived: asyncio.Queue[bytes | Failure] = asyncio.Queue()
        self.asked: list[Kind] = []
        self.timers: list[asyncio.TimerHandle] = []
        self.dead = self.closed = False

    async def write(self, data: bytes, *, timeout: float) -> None:
        message = unpack_message(data[2:], KEY)
        self.asked.append(message.kind)
        self.dead = self.dead and self.how != "revives"
        for timer in self.timers:
            timer.cancel()
        if self.dead:
            return
        self._after(self.lives_s, self._die)
        if message.kind is Kind.HELLO:
            self._say(Kind.COOKIE, {"cookie": "c", **self.said.get(Kind.COOKIE, {})})
        if message.kind is Kind.HOLD:
            self._say(*self.said.get(Kind.HOLD, (Kind.HELD, {"seconds": message.body["seconds"]})))
            self._after(message.body["seconds"], lambda: self._say(Kind.HELD, {"rings": True}))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self.timers.append(asyncio.get_running_loop().call_later(seconds, act))

    def _say(self, kind: Kind, body: Mapping[str, Any]) -> None:
        frame = pack_message(kind, body, KEY)
        if not self.dead:
            self.arrived.put_nowait(len(frame).to_bytes(2, "big") + frame)

    def _die(self) -> None:
        self.dead = True
        if self.how in ("reset", "closed"):
            self.arrived.put_nowait(Failure.CONNECTION_RESET if self.how == "reset" else b"")

    async def read(self, limit: int, *, timeout: float) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                got = await self.arrived.get()
        except TimeoutError:
            raise NetError(Failure.TIMED_OUT, "nothing") from None
        if isinstance(got, Failure):
            raise NetError(got, "reading")
        return got

    def close(self) -> None:
        self.closed = True


class Net(FakeNetwork):
    def __init__(self, far: Far) -> None:
        super().__init__()
        self.far, self.secured = far, 0

    async def connect(self, to: Endpoint, **_: Any) -> Far:
        assert to == TO
        return self.far

    async def start_tls(self, stream: Any, settings: Any, *, timeout: float) -> Any:
        self.secured += 1
        stream.tls = tls_facts(chain=(LEAF,))
        return stream


def held(far: Far, *pauses_s: float, secure: bool = False) -> Held:
    found = run(hold(Net(far), TO, pauses_s, secure=secure, key=KEY))
    assert far.closed
    return found


@pytest.mark.parametrize("secure", [False, True])
def test_the_far_end_comes_through(secure: bool) -> None:
    far = Far(lives_s=60.0)
    network = Net(far)
    found = run(hold(network, TO, [30.0], secure=secure, key=KEY))
    assert found == Held(rang=True, outlived_s=pytest.approx(30.0))
    assert (network.secured, far.asked) == (secure, [Kind.HELLO, Kind.HOLD]), "nothing kept it alive"


def test_tls_that_somebody_else_opens_is_not_what_is_left_idle() -> None:
    assert held(Far(said={Kind.COOKIE: {"pin": "shown"}}), 5.0, secure=True).rang
    other = Far(said={Kind.COOKIE: {"pin": "another"}})
    with pytest.raises(NetError, match="CN=box") as caught:
        held(other, 5.0, secure=True)
    assert caught.value.failure is Failure.CERTIFICATE_NOT_PINNED and other.closed
    assert held(Far(said={Kind.COOKIE: {"pin": "another"}}), 5.0).rang, "in clear there is nothing to compare"


def test_traffic_keeps_it_alive() -> None:
    assert held(Far(lives_s=10.0), *[5.0] * 24) == Held(rang=True, outlived_s=pytest.approx(120.0))


def test_a_pause_that_is_not_outlived_ends_it() -> None:
    found = held(Far(lives_s=10.0), 5.0, 15.0, 5.0)
    assert (found.rang, found.outlived_s, found.ended) == (False, pytest.approx(5.0), Failure.TIMED_OUT)


@pytest.mark.parametrize(("how", "failure"), [("reset", "connection_reset"), ("closed", "connection_closed")])
def test_who_ends_it_is_seen_at_once(how: str, failure: str) -> None:
    assert held(Far(lives_s=20.0, how=how), 60.0) == Held(
        rang=False, outlived_s=0.0, ended=Failure(failure), ended_after_s=20.0
    )


def test_silence_is_told_from_what_comes_back_to_life() -> None:
    silent, revived = (held(Far(lives_s=20.0, how=how), 60.0) for how in ("silent", "revives"))
    assert silent == Held(rang=False, outlived_s=0.0, ended=Failure.TIMED_OUT)
    assert revived == Held(rang=False, outlived_s=0.0, revived=True)
    assert LATE_S > 0.2 * (2**5 - 1), "five repetitions of a segment"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((Kind.REFUSED, {"because": "no room"}), "no room"),
        ((Kind.HELD, {"seconds": 5}), "a shorter time only"),
        ((Kind.HELD, {}), "a shorter time only"),
        ((Kind.HELD, {"seconds": float("nan")}), "a shorter time only"),
    ],
)
def test_a_far_end_that_grants_it_not(answer: tuple[Kind, Any], words: str) -> None:
    with pytest.raises(NetError, match=words) as refused:
        held(Far(said={Kind.HOLD: answer}), 60.0)
    assert refused.value.failure is Failure.RESPONDER_REFUSED


def test_a_far_end_that_grants_for_ever_is_waited_for_as_long_as_was_asked() -> None:
    far = Far(lives_s=20.0, said={Kind.HOLD: (Kind.HELD, {"seconds": 1e12})})

    async def within_bounds() -> Held:
        async with asyncio.timeout(120.0):
            return await hold(Net(far), TO, [60.0], secure=False, key=KEY)

    assert run(within_bounds()).ended is Failure.TIMED_OUT


@pytest.mark.parametrize("frame", [b"\xff\xff", b"\0\x04RYFE", b"\0\x05hello"])
def test_what_is_no_responder(frame: bytes) -> None:
    far = Far()
    far.write = lambda data, timeout: asyncio.sleep(0, far.arrived.put_nowait(frame))  # type: ignore[method-assign, assignment]
    with pytest.raises(NetError) as refused:
        held(far, 60.0)
    assert refused.value.failure is Failure.PROTOCOL_ERROR
