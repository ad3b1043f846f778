"""TLS by hand: OpenSSL over memory, so that phases are exact and the chain is seen even when it fails."""

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from cryptography import x509

from readycheck.failure import Failure
from readycheck.net.certificate import cleaned
from readycheck.net.chain import assess_chain
from readycheck.net.interface import Endpoint, NetError, Shown, Stream, TlsFacts, TlsSettings
from readycheck.net.tls_failure import greeting_failure, looks_like_tls
from readycheck.net.trust import TrustStore

_CHUNK = 16384
_MAX_HANDSHAKE_BYTES = 256 << 10
_MAX_FRUITLESS_BYTES = 512 << 10  # tickets, renegotiations and the like: there is no other end to them
_ALERT, _HANDSHAKE, _CERTIFICATE_REQUEST = 21, 22, 13
_FATAL = b"\2"
_UNVOUCHED = (Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE)
_Result = TypeVar("_Result")
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


async def handshake(stream: Stream, settings: TlsSettings, trust: TrustStore, *, timeout: float) -> Stream:
    """Greet on `stream`, which stays the caller's to close when this fails.

    A server of TLS 1.3 that wants a client certificate says so only at the first read of the result.
    """
    secured = _prepare(stream, settings)
    try:
        await secured.greet(timeout)
    except NetError as error:
        demanded = error.failure is Failure.TLS_ALERT_CERTIFICATE_REQUIRED
        if demanded or error.facts.get("client_certificate_requested"):
            error.facts.update(_shown_by(secured.learn(settings, trust), settings))
        raise
    if secured.learn(settings, trust).trust_failure in _UNVOUCHED:
        secured.learn_of_host(await asyncio.to_thread(trust.of_host))
    assert secured.tls is not None
    _verify(secured.tls, settings)
    return secured


def vouch(shown: Shown, settings: TlsSettings, trust: TrustStore) -> TlsFacts:
    """Judge a handshake that was made elsewhere; a certificate that does not verify fails, with the facts."""
    facts = _facts_of(shown, settings, trust)
    _verify(facts, settings)
    return facts


def _facts_of(shown: Shown, settings: TlsSettings, trust: TrustStore) -> TlsFacts:
    found = assess_chain(shown.chain, trust, verify_name=settings.verify_name, now=datetime.now(UTC))
    return TlsFacts(
        version=shown.version,
        cipher=shown.cipher,
        alpn=shown.alpn,
        chain=found.chain,
        pins=found.pins,
        anchor=found.anchor,
        trust_failure=found.trust_failure,
        name_matches=found.name_matches,
        expires_days=found.expires_days,
        client_certificate_requested=shown.client_certificate_requested,
        age_days=found.age_days,
    )


def _shown_by(facts: TlsFacts, settings: TlsSettings) -> dict[str, Any]:
    """What a server showed before it turned us away; whether it may be trusted matters more than that."""
    if not facts.chain:  # TLS 1.3 asks before it shows
        return {}
    _verify(facts, settings)
    return {"tls": asdict(facts)}


def _verify(facts: TlsFacts, settings: TlsSettings) -> None:
    if settings.verify and facts.trust_failure is not None:
        raise NetError(facts.trust_failure, _issued(facts), {"tls": asdict(facts)})
    if settings.verify and facts.name_matches is False:
        detail = f"the certificate is not for {settings.verify_name}"
        raise NetError(Failure.CERTIFICATE_NAME_MISMATCH, detail, {"tls": asdict(facts)})


@dataclass(slots=True)
class _Heard:
    """What OpenSSL's message callback tells, which no public interface does."""

    alert: int | None = None
    certificate_requested: bool = False

    def __call__(
        self, _conn: object, direction: str, _version: int, content: int, kind: int, data: bytes
    ) -> None:
        if direction == "read" and content == _ALERT and data[:1] == _FATAL:
            self.alert = data[-1]
        elif direction == "read" and content == _HANDSHAKE and kind == _CERTIFICATE_REQUEST:
            self.certificate_requested = True


class TlsStream:
    """`Stream` over another one."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, server_name: str | None) -> None:
        self.tls: TlsFacts | None = None
        self._stream = stream
        self._heard = _listen(context)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._sending = asyncio.Lock()
        self._first = b""
        self._received = 0
        self._fruitless = 0
        self._sent = 0

    @property
    def local(self) -> Endpoint:
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        return self._stream.peer

    async def greet(self, timeout: float) -> None:
        """The handshake, with a failure for each way in which it can end."""
        deadline = _now() + timeout
        try:
            await self._drive(self._session.do_handshake, deadline, self._fill_greeting)
            await self._flush(deadline)
        except NetError as error:
            error.facts.update(self._facts(), received_bytes=self._received, **self._acknowledged())
            raise
        except ssl.SSLError as error:
            told = self._told(error)
            if self._sent:
                with suppress(NetError):  # let the server know why; it may be gone
                    await self._flush(deadline)
            raise told from error

    def learn(self, settings: TlsSettings, trust: TrustStore) -> TlsFacts:
        """Keep and return what the handshake showed."""
        cipher = self._session.cipher()
        shown = Shown(
            version=self._session.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=self._session.selected_alpn_protocol(),
            chain=tuple(_presented(self._session)),
            client_certificate_requested=self._heard.certificate_requested,
        )
        self.tls = _facts_of(shown, settings, trust)
        return self.tls

    def learn_of_host(self, anchors: tuple[x509.Certificate, ...]) -> None:
        """Add who of this host's own authorities vouches for the chain."""
        if anchors and self.tls is not None:
            shown, now = _presented(self._session), datetime.now(UTC)
            found = assess_chain(shown, TrustStore(anchors), verify_name=None, now=now)
            if found.trust_failure is None:
                self.tls = replace(self.tls, host_anchor=found.anchor)

    async def read(self, limit: int, *, timeout: float) -> bytes:
        """Up to `limit` bytes; empty at the end of the stream."""
        self._fruitless = 0
        try:
            return await self._drive(lambda: self._session.read(limit), _now() + timeout, self._fill)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise self._told(error) from error

    async def write(self, data: bytes, *, timeout: float) -> None:
        deadline = _now() + timeout
        left = memoryview(data)
        try:
            while left:
                left = left[self._session.write(left) :]
                await self._flush(deadline)
        except ssl.SSLError as error:
            raise self._told(error) from error

    def tcp_rtt_ms(self) -> float | None:
        """What the connection below knows of its round trip."""
        measured: Callable[[], float | None] = getattr(self._stream, "tcp_rtt_ms", lambda: None)
        return measured()

    def _acknowledged(self) -> dict[str, int]:
        """Whether what was said came to somebody; left out where the connection below does not know."""
        told: Callable[[], int | None] = getattr(self._stream, "tcp_unacked", lambda: None)
        unacked = told()
        return {} if unacked is None else {"unacked": unacked}

    def close(self) -> None:
        self._stream.close()

    async def _drive(
        self, act: Callable[[], _Result], deadline: float, fill: Callable[[float], Awaitable[None]]
    ) -> _Result:
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                await self._flush(deadline)
                await fill(deadline)

    async def _fill_greeting(self, deadline: float) -> None:
        await self._fill(deadline)
        if self._incoming.eof:
            raise NetError(Failure.CONNECTION_CLOSED, "closed in the handshake", self._facts())
        if not looks_like_tls(self._first):
            said = cleaned(self._first.decode("latin-1"))
            raise NetError(Failure.TLS_NOT_TLS, f"the server said {said!r}", {"said": said})
        if self._received > _MAX_HANDSHAKE_BYTES:
            raise NetError(Failure.PROTOCOL_ERROR, "the handshake is too long", self._facts())

    async def _fill(self, deadline: float) -> None:
        data = await self._stream.read(_CHUNK, timeout=_left(deadline))
        self._first = self._first or data[:60]
        self._received += len(data)
        self._fruitless += len(data)
        if self._fruitless > _MAX_FRUITLESS_BYTES:
            raise NetError(Failure.PROTOCOL_ERROR, "too many TLS messages that bring no data", self._facts())
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self, deadline: float) -> None:
        async with self._sending:  # records must leave in the order in which they were made
            if data := self._outgoing.read():
                await self._stream.write(data, timeout=_left(deadline))
                self._sent += len(data)

    def _told(self, error: Exception) -> NetError:
        if not self._sent:
            return NetError(Failure.TLS_LOCAL, cleaned(str(error)))
        failure, detail = greeting_failure(error, self._heard.alert)
        return NetError(failure, detail, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {"alert": self._heard.alert, "client_certificate_requested": self._heard.certificate_requested}


def _prepare(stream: Stream, settings: TlsSettings) -> TlsStream:
    try:
        return TlsStream(stream, _context(settings), settings.server_name or None)
    except (ssl.SSLError, ValueError, TypeError, KeyError) as error:  # TypeError: a name with a NUL
        raise NetError(Failure.TLS_LOCAL, f"OpenSSL refuses: {cleaned(str(error))}") from error


_CLIENT_SUITES = "ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM:@SECLEVEL=2"
"""Of clients of today, forward secrecy and no SHA-1: what Python greets with differs, and Debian's accepts far more."""


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # we judge the chain ourselves, and see it whatever it is
    old = settings.minimum in ("1.0", "1.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is measured
        context.minimum_version = _VERSIONS[settings.minimum]
        context.maximum_version = _VERSIONS[settings.maximum]
    suites = ":".join(settings.cipher_suites) or ("DEFAULT" if old else _CLIENT_SUITES)
    context.set_ciphers(f"{suites}:@SECLEVEL=0" if old else suites)
    if settings.alpn:
        context.set_alpn_protocols(settings.alpn)
    return context


def _listen(context: ssl.SSLContext) -> _Heard:
    heard = _Heard()
    # Private: without it these facts are missing. Of the class below, because that of `ssl` turns every number of
    # every message into an enumeration first, which costs as much as the handshake.
    with suppress(AttributeError, ImportError, TypeError, ValueError):
        from _ssl import _SSLContext

        _SSLContext._msg_callback.__set__(context, heard)  # type: ignore[attr-defined]
    return heard


def _presented(session: ssl.SSLObject) -> list[bytes]:
    public = getattr(session, "get_unverified_chain", None)  # 3.13
    if public is not None:
        return list(public())
    with suppress(AttributeError, ImportError):
        from _ssl import ENCODING_DER

        chain = session._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
        return [one.public_bytes(ENCODING_DER) for one in chain or ()]
    with suppress(ValueError):  # the handshake failed
        leaf = session.getpeercert(binary_form=True)
        return [leaf] if leaf else []
    return []


def _issued(facts: TlsFacts) -> str:
    if not facts.chain:
        return "no usable certificate"
    leaf = facts.chain[0]
    return f"{leaf.subject}, issued by {leaf.issuer}, valid until {leaf.not_after}"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _left(deadline: float) -> float:
    left = deadline - _now()
    if left <= 0:
        raise NetError(Failure.TIMED_OUT, "the TLS peer is too slow")
    return left
