"""Place one call, stage by stage. Imported on use: it needs the extra `readycheck[call]`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from readycheck.call.attempt import Attempt, Quality, Reception
from readycheck.call.signalling import Signalling, greet, offer
from readycheck.call.stage import Ears, Ended, Progress, Stage, Via, is_doubtful, lost, media_failure
from readycheck.call.vouching import Vouched, vouched_by
from readycheck.failure import Failure
from readycheck.net.datagram import SocketOptions
from readycheck.net.interface import Endpoint, NetError, Network, Stream, TlsSettings
from readycheck.net.secure_media import FramePath, IcePath, Identity, Security, Sockets, socket_to
from readycheck.net.talk import Heard, Talk
from readycheck.wire.far_end import Kind

_NAMES_S, _CONNECT_S, _ANSWER_S, _ICE_S, _DTLS_S = 3.0, 4.0, 3.0, 4.5, 5.0
_GLANCE_S = 0.1
_ASK_S = 0.5
_WORST = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be called, and for how long; `proxies` lead there by some ways.

    With `strict` an authority or the key has to vouch for the certificate. What carries media is marked with `dscp`;
    over UDP it is sent from one of the `source_ports`.
    """

    host: str
    port: int
    key: bytes = field(default=b"", repr=False)
    seconds: float = 8.0
    strict: bool = False
    proxies: Mapping[Via, str] = field(default_factory=dict)
    interface: str | None = None
    dscp: int = 0
    source_ports: Sequence[int] = ()


class Dial:
    """One call by one way."""

    def __init__(
        self, network: Network, order: Order, via: Via, watch: Callable[[Stage], None] = lambda stage: None
    ) -> None:
        self._network, self._order, self._via = network, order, via
        self._progress = Progress(asyncio.get_running_loop().time, watch)
        self._place = order.host
        self._security: Security | None = None
        self._talk: Talk | None = None
        self._connect_ms: float | None = None
        self._talk_began_s = 0.0
        self._vouched: Vouched | None = None
        self._dscp = order.dscp if via not in order.proxies else None
        self._dscp_seen: int | None = None
        self._far_received = 0
        self._far_s: float | None = None

    async def place(self) -> Attempt:
        """Until it fails, or has lasted as long as it should."""
        with suppress(Ended):
            await self._call(await self._resolved())
        failed = self._progress.failed
        talk_s = self._order.seconds if failed is None else failed.talked_s
        return Attempt(
            via=self._via,
            place=self._place,
            passed=tuple(self._progress.passed),
            failed=failed,
            connect_ms=self._connect_ms,
            srtp=self._security.profile if self._security and self._connect_ms is not None else "",
            proxy=self._order.proxies.get(self._via),
            vouched=self._vouched,
            dscp=self._dscp,
            dscp_seen=self._dscp_seen,
            talked_s=talk_s,
            quality=_quality(self._talk),
        )

    async def _resolved(self) -> str:
        """A proxy finds the responder by itself."""
        if self._via in self._order.proxies:
            return self._place
        with self._progress.stage(Stage.NAMES):
            found = await self._network.resolve(self._order.host, timeout=_NAMES_S)
            self._place = found.addresses[0]
        return self._place

    async def _call(self, address: str) -> None:
        with self._progress.stage(Stage.SIGNALLING):
            stream = await self._connected((address, self._order.port))
        try:
            async with asyncio.TaskGroup() as group:
                line = Signalling(stream, self._order.key)
                listening = group.create_task(line.listen())
                try:
                    await self._converse(line, group)
                finally:
                    listening.cancel()
        except* Ended:
            pass
        finally:
            stream.close()

    async def _connected(self, to: Endpoint) -> Stream:
        proxy = self._order.proxies.get(self._via)
        if proxy is not None:
            stream = await self._network.tunnel(*to, timeout=_CONNECT_S, via=proxy)
        else:
            stream = await self._dialled(to)
        if self._via is Via.TCP:
            return stream
        try:
            # Who vouches for it is told in the greeting.
            settings = TlsSettings(verify_name=self._order.host, verify=False)
            return await self._network.start_tls(stream, settings, timeout=_ANSWER_S)
        except BaseException:
            stream.close()
            raise

    async def _dialled(self, to: Endpoint) -> Stream:
        """Marked, where it is to carry media."""
        tos = 0 if self._via is Via.UDP else self._order.dscp << 2
        try:
            return await self._network.connect(to, timeout=_CONNECT_S, tos=tos)
        except NetError as error:
            if error.failure is not Failure.CONNECTION_REFUSED:
                raise
            detail = f"{error.detail}: no responder listens there, or a firewall refuses in its place"
            raise NetError(error.failure, detail, error.facts) from None

    async def _converse(self, line: Signalling, group: asyncio.TaskGroup) -> None:
        with self._progress.stage(Stage.SIGNALLING):
            path = await self._path(line)
            self._security = Security(path, "client")
            self._talk = Talk(self._security.dtls)
            try:
                other, token = await self._agree(line, path)
            except BaseException:
                await path.close()
                raise
        try:
            await self._secure(line, path, other, token)
            await self._speak(line, token, group)
        finally:
            await self._security.close()
            await path.close()
            await _hang_up(line, token)

    async def _path(self, line: Signalling) -> IcePath | FramePath:
        if self._via is not Via.UDP:
            path = FramePath(_as_media(line), "controlling")
            line.media = path.feed
            return path
        peer = line.stream.peer
        sockets = Sockets()
        sock = socket_to(peer, self._way_out(line.stream), self._order.source_ports)
        await sockets.connect(sock, peer)
        ice = IcePath(sockets, line.stream.local, controlling=True)
        await ice.gather()
        return ice

    def _way_out(self, stream: Stream) -> SocketOptions:
        """From the address that the signalling has."""
        host, order = stream.local[0], self._order
        family = 6 if ":" in host else 4
        return SocketOptions(family=family, source=host, interface=order.interface, tos=order.dscp << 2)

    async def _agree(self, line: Signalling, path: IcePath | FramePath) -> tuple[Identity, str]:
        assert self._security is not None
        hello = await greet(line, timeout=_ANSWER_S)
        if self._dscp is not None and self._via is not Via.UDP:
            self._dscp_seen = _mark_in(hello)
        if line.stream.tls is not None:
            keyed, strict = bool(self._order.key), self._order.strict
            self._vouched = vouched_by(line.stream.tls, hello.get("pin"), keyed=keyed, strict=strict)
        user, password = path.credentials if isinstance(path, IcePath) else ("", "")
        mine = {
            "cookie": hello["cookie"],
            "via": self._via.value,
            "user": user,
            "password": password,
            "fingerprint": self._security.fingerprint,
            "seconds": self._order.seconds + 10.0,
        }
        told = await offer(line, mine, timeout=_ANSWER_S)
        try:
            other = Identity(
                user=str(told["user"]), password=str(told["password"]), fingerprint=str(told["fingerprint"])
            )
            return other, str(told["token"])
        except KeyError as error:
            raise NetError(Failure.PROTOCOL_ERROR, f"the responder's answer has no {error}") from None

    async def _secure(self, line: Signalling, path: IcePath | FramePath, other: Identity, token: str) -> None:
        assert self._security is not None
        if isinstance(path, IcePath):
            with self._progress.stage(Stage.ICE):
                try:
                    async with asyncio.timeout(_ICE_S):
                        await path.connect(other, line.stream.peer)
                except (TimeoutError, ConnectionError) as error:
                    raise await self._explained(error, line, token, "heard_from", _ICE_WORDS) from None
        with self._progress.stage(Stage.DTLS):
            try:
                async with asyncio.timeout(_DTLS_S):
                    await self._security.handshake(other)
            except (TimeoutError, ConnectionError) as error:
                raise await self._explained(error, line, token, "secured", _DTLS_WORDS) from None

    async def _explained(
        self, error: Exception, line: Signalling, token: str, fact: str, words: tuple[str, str]
    ) -> NetError:
        """What the far end saw of a stage that failed here tells which way is lost."""
        if isinstance(error, ConnectionError) and str(error):
            return NetError(Failure.CONNECTION_CLOSED, str(error))
        with suppress(NetError):
            told = (await line.ask(Kind.REPORT, {"token": token}, timeout=1.0)).body
            return NetError(Failure.TIMED_OUT, words[bool(told.get(fact))])
        return NetError(Failure.TIMED_OUT, "no answer, and the signalling is dead by now, too")

    async def _speak(self, line: Signalling, token: str, group: asyncio.TaskGroup) -> None:
        assert self._talk is not None
        self._connect_ms = self._progress.connect_ms
        self._talk_began_s = self._progress.now()
        self._progress.watch(Stage.MEDIA_BOTH_WAYS)
        tasks = [group.create_task(_until_lost(self._talk)), group.create_task(self._follow(line, token))]
        try:
            await self._listen()
        finally:
            for task in tasks:
                task.cancel()

    async def _listen(self) -> None:
        """Until the end of the talk, or of the sound; sound that has just stopped is waited for."""
        now = self._progress.now
        ends_s = now() + self._order.seconds
        while now() < ends_s or is_doubtful(self._ears(), now()):
            await asyncio.sleep(_GLANCE_S)
            self._judge(now())

    def _judge(self, now_s: float) -> None:
        ears = self._ears()
        found = lost(ears, now_s)
        if found is not None:
            self._progress.failed = media_failure(ears, *found, self._progress.began_s)
            raise Ended

    def _ears(self) -> Ears:
        assert self._talk is not None
        told = [one for one in (self._talk.told_s, self._far_s) if one is not None]
        return Ears(began_s=self._talk_began_s, down_s=self._talk.heard_s, up_s=max(told) if told else None)

    async def _follow(self, line: Signalling, token: str) -> None:
        """What arrives there, as the signalling has it: RTCP says nothing when its way is lost."""
        while True:
            with suppress(NetError):
                told = (await line.ask(Kind.REPORT, {"token": token}, timeout=_ANSWER_S)).body
                received = told.get("received")
                if isinstance(received, int) and received > self._far_received:
                    self._far_received, self._far_s = received, self._progress.now()
            await asyncio.sleep(_ASK_S)


_ICE_WORDS = (
    "UDP of this host does not reach the far end",
    "UDP of this host reaches the far end, and what it answers does not come back",
)
_DTLS_WORDS = (
    "UDP passes, and the DTLS handshake got no end",
    "the far end has ended its DTLS handshake, and its last message does not come back",
)


def _mark_in(hello: Mapping[str, Any]) -> int | None:
    """Of the packet that opened the connection, as a far end saw it whose system tells what it sees."""
    shown = hello.get("hop_limit"), hello.get("traffic_class")
    if not all(isinstance(one, int) and 0 <= one < 256 for one in shown) or not shown[0]:
        return None
    return int(shown[1]) >> 2  # type: ignore[arg-type]


async def _until_lost(talk: Talk) -> None:
    with suppress(ConnectionError):
        await talk.speak()


async def _hang_up(line: Signalling, token: str) -> None:
    with suppress(NetError):
        await line.ask(Kind.CLOSE, {"token": token}, timeout=_GLANCE_S)


def _as_media(line: Signalling) -> Callable[[bytes], Any]:
    async def write(framed: bytes) -> None:
        try:
            await line.write(framed)
        except NetError as error:
            raise ConnectionError(error.detail) from error

    return write


def _quality(talk: Talk | None) -> Quality:
    if talk is None:
        return Quality()
    rtts, late = sorted(talk.rtt_ms), sorted(talk.late_ms)
    return Quality(
        up=_reception(talk.up),
        down=_reception(talk.down),
        rtt_ms=rtts[len(rtts) // 2] if rtts else None,
        late_ms=late[int(len(late) * _WORST)] if late else None,
    )


def _reception(heard: Heard | None) -> Reception | None:
    if heard is None:
        return None
    return Reception(packets=heard.expected, lost=heard.lost, jitter_ms=heard.jitter_ms)
