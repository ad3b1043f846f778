"""The seam to the network: the verbs that probes are given, and the values that pass through them.

Every verb raises `NetError` and nothing else; a timeout is an argument in seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from readycheck.failure import Failure
from readycheck.observation import Target

if TYPE_CHECKING:  # nothing of them is needed before a stream is played
    from readycheck.media.stream import Stamp
    from readycheck.media.two_way import Account, Returned
    from readycheck.wire.far_end import Kind

Endpoint = tuple[str, int]


class NetError(Exception):
    """A step on the network failed; `facts` is what was learned all the same."""

    def __init__(self, failure: Failure, detail: str = "", facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{failure.value}: {detail}" if detail else failure.value)
        self.failure = failure
        self.detail = detail
        self.facts = dict(facts or {})


class Capability(StrEnum):
    """What this host lets the program do."""

    RAW_SOCKETS = "raw_sockets"
    ICMP_ERRORS = "icmp_errors"
    KERNEL_TIMESTAMPS = "kernel_timestamps"
    HOP_LIMIT = "hop_limit"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The addresses of a name, and who said so (`server` is "hosts file", an address, or "system")."""

    addresses: tuple[str, ...]
    server: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How to greet. `server_name` None sends no SNI; `verify_name` None checks no name.

    `cipher_suites` are OpenSSL names of TLS 1.2 suites; empty means what the platform offers.
    """

    server_name: str | None = None
    verify_name: str | None = None
    verify: bool = True
    minimum: str = "1.2"
    maximum: str = "1.3"
    cipher_suites: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a certificate says, cleaned of control characters and bounded."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    spki_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What a handshake showed.

    `pins` are the key hashes of every certificate in every valid path from the leaf to an anchor of the
    trust set; `trust_failure` is set when there is no such path, `name_matches` None when no name was asked.
    `host_anchor` names the authority of this host's own that vouches for a chain that the trust set does not,
    and `age_days` is how long ago the leaf began to be valid.
    """

    version: str
    cipher: str
    alpn: str | None
    chain: tuple[CertificateFacts, ...]
    pins: tuple[str, ...]
    anchor: str | None
    trust_failure: Failure | None
    name_matches: bool | None
    expires_days: float
    client_certificate_requested: bool
    host_anchor: str | None = None
    age_days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a handshake that was made elsewhere (in QUIC) showed, before anybody judged it; the chain is in DER."""

    version: str
    cipher: str
    alpn: str | None
    chain: tuple[bytes, ...]
    client_certificate_requested: bool = False


class Stream(Protocol):
    """A connected byte stream."""

    @property
    def local(self) -> Endpoint: ...
    @property
    def peer(self) -> Endpoint: ...
    @property
    def tls(self) -> TlsFacts | None: ...
    async def read(self, limit: int, *, timeout: float) -> bytes:
        """Up to `limit` bytes; empty at the end of the stream."""

    async def write(self, data: bytes, *, timeout: float) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request without TLS, for a proxy to make."""

    method: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As `Host` has it: with the port, unless it is the usual one (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _HTTP else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """In absolute form (RFC 9112 section 3.2.2)."""
        return f"http://{self.authority}{self.path}"


_HTTP = 80


@dataclass(frozen=True, slots=True)
class Handed:
    """What a proxy answered to a plain request: `stream` begins with it.

    `signed` says that it bears the mark of somebody who handed it on: without, a web server may have answered that
    is no proxy at all.
    """

    stream: Stream
    status: int
    signed: bool


@runtime_checkable
class HopLimited(Protocol):
    """A stream that can be told how far its packets go, as those over this host's own sockets can."""

    def limit_hops(self, ttl: int) -> None:
        """What is written from now on goes no further than that; a router's word of it ends the stream."""


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram. `at_ns` is the kernel's receive stamp where there is one (nanoseconds since the epoch)."""

    payload: bytes
    source: Endpoint
    at_ns: int
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class IcmpReport:
    """An ICMP error about a datagram that went to `destination`, as told by `offender`."""

    destination: Endpoint
    offender: str | None
    meaning: str
    at_ns: int
    payload: bytes = b""


class Datagrams(Protocol):
    """An unconnected socket with its own hop limit and marking: of UDP, or of ICMP, where ports are 0."""

    @property
    def local(self) -> Endpoint: ...
    async def send(self, payload: bytes, to: Endpoint) -> int:
        """Send; returns the time it left (nanoseconds since the epoch)."""

    async def receive(self, *, timeout: float) -> Received | IcmpReport: ...
    def close(self) -> None: ...


class Rtcp(StrEnum):
    """How the reports of a stream go."""

    NONE = "none"
    ODD = "odd"
    MUX = "mux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What came of RTCP beside a stream: `counted` is how many reports the far end says that it received."""

    local: Endpoint
    to: Endpoint
    sent: int
    answered: int
    round_trips_ms: tuple[float, ...]
    counted: int | None = None
    lost: int | None = None
    jitter_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stream as an endpoint would send it; `burst` packets leave back to back, as a frame of video does.

    RTCP goes beside it from the odd port above (RFC 3550 section 11), or from the same one (RFC 5761), or not at all.
    """

    payload_type: int
    payload_bytes: int
    packets_per_second: float
    seconds: float
    clock_step: int = 160
    tos: int = 0
    source_port: int = 0
    burst: int = 1
    rtcp: Rtcp = Rtcp.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a leg. `paced_late_ns` is how late each packet left; `seen_as` how the far end sees us."""

    leg: Leg
    sent: "tuple[Stamp, ...]"
    returned: "tuple[Returned, ...]"
    counted: int | None
    paced_late_ns: tuple[int, ...]
    local: Endpoint
    seen_as: Endpoint
    reported: Reported | None = None
    account: "Account | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Bytes that whoever took them counted in windows of time, of all connections of one way (up or down) together.

    `bits_per_second` is what the far end lets through at most; `spent` says that it ended it for having let through
    enough, and `shared` that others were measured at the same time: what is missing may be theirs.
    """

    way: str
    connections: int
    windows: tuple[int, ...]
    window_s: float
    seconds: float
    bits_per_second: float
    spent: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fathomed:
    """The longest datagrams, with their headers, that pass in one piece; None where none of the tried ones does."""

    up: int | None
    down: int | None
    tried: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What came of a connection that was left idle: did the far end come through when it `rang`?

    If not, `ended` says how the connection died (`timed_out`: in silence), after how long where that was seen, or
    `revived` that it lives as soon as this host speaks. `outlived_s` is the time in which it was seen to live.
    """

    rang: bool
    outlived_s: float
    ended: Failure | None = None
    ended_after_s: float | None = None
    revived: bool = False


class Network(Protocol):
    """The small interface that probes receive."""

    async def resolve(self, host: str, *, timeout: float) -> Resolution: ...
    async def connect(
        self,
        to: Endpoint,
        *,
        timeout: float,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        max_segment: int | None = None,
    ) -> Stream:
        """Open a TCP connection, marked with `tos`. With `ttl`, `hop_limit_exceeded` carries the fact `offender`.

        `max_segment` bounds the segments of both directions (`platform` where that cannot be had).
        """

    async def tunnel(self, host: str, port: int, *, timeout: float, via: str | None = None) -> Stream:
        """Reach a host through a proxy of this run, which resolves the name; the peer is the proxy.

        `via` tells which (`host:port`), where there are several.
        """

    async def forward(self, request: PlainRequest, *, timeout: float, via: str | None = None) -> Handed:
        """Have a proxy of this run make a request of plain HTTP in this host's place."""

    async def start_tls(self, stream: Stream, settings: TlsSettings, *, timeout: float) -> Stream:
        """Handshake on a stream. A certificate that does not verify fails, with the `TlsFacts` as facts."""

    def vouch(self, shown: Shown, settings: TlsSettings) -> TlsFacts:
        """Judge a handshake that was made elsewhere, as `start_tls` judges its own."""

    async def open_datagram(
        self,
        *,
        family: int = 4,
        ttl: int | None = None,
        tos: int = 0,
        source_port: int = 0,
        whole: bool = False,
    ) -> Datagrams:
        """`whole` datagrams are not cut into fragments, neither here nor on the way (RFC 8899 section 3)."""

    async def open_echo(self, *, family: int = 4) -> Datagrams:
        """A socket whose datagrams travel in ICMP echo requests, and come back in the replies to them."""

    async def play(self, to: Endpoint, legs: Sequence[Leg]) -> Sequence[Played]:
        """Send all legs at once to a responder, which returns them; as long as they are, and a little more."""

    async def fill(self, to: Endpoint, ways: Sequence[str], seconds: float) -> Sequence[Filled]:
        """Send a responder as much as it takes (up), or take as much as it sends (down), or both at once."""

    async def fathom(self, to: Endpoint) -> Fathomed:
        """How long a datagram may be on its way to a responder and back, in one piece."""

    async def hold(self, to: Endpoint, pauses_s: Sequence[float], *, secure: bool) -> Held:
        """Leave a TCP connection to a responder idle, pause after pause, with TLS when `secure`."""

    async def be_called(self, to: Endpoint, transport: str, ports: Sequence[int]) -> Sequence["Call"]:
        """Listen at ports of this host, ask a responder to call them, and tell what came."""

    async def converse(self, to: Endpoint, kind: "Kind", body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Prove this address to a responder and ask it one thing; HELLO is to be known to it, and no more."""

    async def sleep(self, seconds: float) -> None: ...
    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""

    def resolvers(self) -> Sequence[Endpoint]:
        """The name servers in use."""

    def proxy(self, via: str | None = None) -> str | None:
        """The proxy that `via` names, or this run's only one, as `host:port`, without credentials."""

    def capabilities(self) -> frozenset[Capability]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to a port of this host: whether it `came`, what the responder says of it (`outcome`: sent, connected,
    refused, unreachable, silent, failed; empty when it does not say), and why the port could not be listened at.
    """

    port: int
    came: bool
    outcome: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to ask again, in milliseconds after the first time; `give_up_ms` ends it."""

    again_ms: tuple[float, ...]
    give_up_ms: float


@dataclass(frozen=True, slots=True)
class Question:
    """A datagram that a live service answers.

    `payload(attempt)` makes it (attempts differ, so that an answer names the one it answers);
    `recognise(data)` returns the facts of an answer, with its `attempt`, None when `data` answers
    something else, and raises ValueError when it is malformed. `any_port` says that the answer may come
    from any port of the address; `farewell(data)` is what its sender is told then, if anything.
    """

    target: Target
    payload: Callable[[int], bytes]
    recognise: Callable[[bytes], Mapping[str, Any] | None]
    any_port: bool = False
    farewell: Callable[[bytes], bytes | None] = lambda data: None
