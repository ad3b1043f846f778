"""One QUIC connection (RFC 9000) of aioquic's, without its sockets: ours tell of refusals, and every wait ends."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aioquic._buffer import Buffer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from cryptography.hazmat.primitives.serialization import Encoding

from readycheck.net.interface import IcmpReport
from readycheck.net.stream import icmp_failure
from readycheck.net.tls_failure import alert_failure
from readycheck.probe import Datagrams, Endpoint, Failure, NetError, Shown
from readycheck_probes.hostile import tame

MAX_DATAGRAMS = 256
MAX_BYTES = 256 * 1024
MAX_HEADERS = 64

_MAX_TURNS = 4 * MAX_DATAGRAMS
_MAX_VERSIONS = 16
_ALERTS = range(0x100, 0x200)  # RFC 9001 section 4.8
_PADDING = 200
_T = TypeVar("_T")

# What a stranger sends is measured, and no news for the log.
for _name in ("quic", "http3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(slots=True)
class Heard:
    """What came in before anything was decrypted."""

    answered: bool = False
    retry: bool = False
    versions: tuple[str, ...] = ()
    datagrams: int = 0
    received_bytes: int = 0
    strange: int = 0

    def facts(self) -> dict[str, Any]:
        return {
            "retry": self.retry,
            "received_bytes": self.received_bytes,
            **({"versions": list(self.versions)} if self.versions else {}),
        }


class _Connection(QuicConnection):
    """Knows who ended it."""

    ended_here = False

    def close(self, *given: Any, **named: Any) -> None:
        self.ended_here = True
        super().close(*given, **named)


class Session:
    """A client's connection to `peer`; `padding` bytes make the ClientHello longer, from about 900 on than a packet.

    Its verbs raise `NetError`, also for whatever aioquic makes of bytes that are none of QUIC's.
    """

    def __init__(
        self,
        datagrams: Datagrams,
        peer: Endpoint,
        *,
        server_name: str | None,
        alpn: tuple[str, ...],
        padding: int = 0,
    ) -> None:
        self.heard = Heard()
        self._datagrams, self._peer, self._deadline = datagrams, peer, 0.0
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=[*alpn, *_filler(padding)],
            server_name=server_name,
            verify_mode=ssl.CERT_NONE,  # we judge the chain ourselves, and see it whatever it is
            idle_timeout=60.0,
        )
        self._quic = _Connection(configuration=configuration)
        self._h3: H3Connection | None = None
        self._greeted: HandshakeCompleted | None = None
        self._ended: ConnectionTerminated | None = None
        self._headers: Mapping[str, str] | None = None
        self._spare: list[QuicEvent] = []

    async def knock(self, *, timeout: float) -> None:
        """Send the Initial, and wait for any packet that answers it: of the handshake, Retry or versions."""
        self._guarded(lambda: self._quic.connect(self._peer, now=_now()))
        await self._until(lambda: self.heard.answered or self._ended is not None, timeout)
        if not self.heard.answered:
            raise self._told()

    async def greet(self, *, timeout: float) -> Shown:
        """The handshake."""
        await self._until(lambda: self._greeted is not None or self._ended is not None, timeout)
        if self._greeted is None:
            raise self._told()
        return self._guarded(self._shown)

    async def head(self, authority: str, path: str, *, timeout: float) -> Mapping[str, str]:
        """The headers of an HTTP/3 answer (RFC 9114), pseudo-headers included."""
        self._guarded(lambda: self._ask(authority, path))
        await self._until(lambda: self._headers is not None or self._ended is not None, timeout)
        if self._headers is None:
            raise self._told()
        return self._headers

    async def farewell(self) -> None:
        """Tell the server that we are done; it may be gone."""
        try:
            self._guarded(self._quic.close)
            await self._flush()
        except NetError:
            return

    # --- what goes to and fro ---

    async def _until(self, done: Callable[[], bool], timeout: float) -> None:
        self._deadline = _now() + timeout
        for _ in range(_MAX_TURNS):
            await self._flush()
            if done():
                return
            await self._turn()
        raise NetError(Failure.PROTOCOL_ERROR, "the server keeps this host busy with nothing")

    async def _turn(self) -> None:
        timer = self._guarded(self._quic.get_timer)
        until = self._deadline if timer is None else min(timer, self._deadline)
        try:
            item = await self._datagrams.receive(timeout=max(0.0, until - _now()))
        except NetError as error:
            if error.failure is not Failure.TIMED_OUT:
                raise
            if _now() >= self._deadline:
                raise self._silence() from None
            self._guarded(lambda: self._quic.handle_timer(_now()))
        else:
            if isinstance(item, IcmpReport):
                raise icmp_failure(item)
            if item.source == self._peer:
                self._take(item.payload)
        self._guarded(self._read_events)

    def _silence(self) -> NetError:
        if self.heard.strange and not self.heard.answered:
            return NetError(Failure.PROTOCOL_ERROR, "what answers does not speak QUIC", self.heard.facts())
        return NetError(Failure.TIMED_OUT, "nothing more in time", self.heard.facts())

    async def _flush(self) -> None:
        for payload, to in self._guarded(lambda: self._quic.datagrams_to_send(now=_now())):
            if (
                to == self._peer
            ):  # a server may ask us to send elsewhere (RFC 9000 section 9.6); nobody else does
                await self._datagrams.send(payload, self._peer)

    def _take(self, payload: bytes) -> None:
        self.heard.datagrams += 1
        self.heard.received_bytes += len(payload)
        if self.heard.datagrams > MAX_DATAGRAMS or self.heard.received_bytes > MAX_BYTES:
            raise NetError(Failure.PROTOCOL_ERROR, "the server sends too much", self.heard.facts())
        self._look_at(payload)
        self._guarded(lambda: self._quic.receive_datagram(payload, self._peer, now=_now()))

    def _look_at(self, payload: bytes) -> None:
        """The headers, which are in clear."""
        try:
            header = pull_quic_header(Buffer(data=payload), host_cid_length=len(self._quic.host_cid))
        except ValueError:
            self.heard.strange += 1
            return
        # Only who has seen our Initial knows the identifier that we chose in it.
        if header.destination_cid != self._quic.host_cid:
            self.heard.strange += 1
            return
        self.heard.answered = True
        self.heard.retry = self.heard.retry or header.packet_type is QuicPacketType.RETRY
        if header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            versions = header.supported_versions[:_MAX_VERSIONS]
            self.heard.versions = tuple(f"{version:#010x}" for version in versions)

    def _read_events(self) -> None:
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self._greeted = event
            elif isinstance(event, ConnectionTerminated):
                self._ended = event
            elif self._h3 is None:
                self._spare.append(event)
            else:
                self._read_answer(self._h3.handle_event(event))

    def _read_answer(self, events: list[H3Event]) -> None:
        for event in events:
            if isinstance(event, HeadersReceived) and self._headers is None:
                pairs = event.headers[:MAX_HEADERS]
                self._headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in pairs}

    def _ask(self, authority: str, path: str) -> None:
        self._h3 = H3Connection(self._quic)
        for event in self._spare:
            self._read_answer(self._h3.handle_event(event))
        headers = {":method": "HEAD", ":scheme": "https", ":authority": authority, ":path": path}
        headers["user-agent"] = "readycheck"
        pairs = [(name.encode(), text.encode("ascii", "replace")) for name, text in headers.items()]
        self._h3.send_headers(self._quic.get_next_available_stream_id(), pairs, end_stream=True)

    def _shown(self) -> Shown:
        # The chain has no public door in aioquic.
        tls, greeted = self._quic.tls, self._greeted
        leaf = tls._peer_certificate
        presented = [*([leaf] if leaf is not None else []), *tls._peer_certificate_chain]
        suite = tls.key_schedule.cipher_suite.name if tls.key_schedule is not None else ""
        return Shown(
            version="TLSv1.3",
            cipher=f"TLS_{suite}",
            alpn=greeted.alpn_protocol if greeted is not None else None,
            chain=tuple(one.public_bytes(Encoding.DER) for one in presented),
            client_certificate_requested=tls._certificate_request is not None,
        )

    def _told(self) -> NetError:
        """Why the connection ended."""
        ended = self._ended
        reason = tame(ended.reason_phrase) if ended is not None else ""
        facts = self.heard.facts()
        if self.heard.versions and self._greeted is None:
            offered = ", ".join(self.heard.versions)
            return NetError(Failure.PROTOCOL_ERROR, f"the server speaks other versions: {offered}", facts)
        if ended is None or self._quic.ended_here:
            return NetError(Failure.PROTOCOL_ERROR, f"aioquic says {reason or 'nothing'}", facts)
        if ended.error_code in _ALERTS:
            failure, words = alert_failure(ended.error_code - _ALERTS.start)
            return NetError(failure, words, {**facts, "alert": ended.error_code - _ALERTS.start})
        return NetError(
            Failure.CONNECTION_CLOSED, f"closed with {ended.error_code:#x}: {reason or 'no reason'}", facts
        )

    def _guarded(self, act: Callable[[], _T]) -> _T:
        """Hostile bytes make aioquic and the parsers below it raise more than they say."""
        try:
            return act()
        except NetError:
            raise
        except Exception as error:
            words = f"aioquic fails: {type(error).__name__}: {tame(str(error))}"
            raise NetError(Failure.PROTOCOL_ERROR, words, self.heard.facts()) from error


def _filler(padding: int) -> list[str]:
    """Names of protocols that nobody speaks: the one part of the ClientHello that may be of any length."""
    return [f"x{start:05d}".ljust(_PADDING, ".") for start in range(0, padding, _PADDING)]


def _now() -> float:
    return asyncio.get_running_loop().time()
