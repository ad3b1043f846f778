"""Ways to log in at a proxy: each answers the challenges of one scheme until it has nothing more to say."""

import asyncio
import base64
import binascii
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Protocol

from readycheck.failure import Failure
from readycheck.net import digest
from readycheck.net.challenge import Challenge
from readycheck.net.digest import Request
from readycheck.net.interface import NetError

EXTRA = "pip install 'readycheck[proxy]'"
_MOST_LEGS = 4
_SERVICE = "HTTP"


class Unable(Exception):
    """This host cannot log in by a scheme; the text says what it lacks."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of the proxy on `host`; without a name, whoever is logged on at this host."""

    host: str
    username: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)


class Login(Protocol):
    """`bound` logins belong to the connection on which they began."""

    scheme: str
    mechanism: str
    bound: bool

    async def answer(self, challenges: Sequence[Challenge]) -> str | None:
        """What `Proxy-Authorization` is to say next, None when all is said; raises `Unable`."""


def logins(credentials: Credentials, challenges: Sequence[Challenge], request: Request) -> Iterator[Login]:
    """Those of the offered schemes that may be tried, the best first.

    A password is only sent in clear (Basic) where nothing else is offered that takes one. Negotiate comes first
    where it can mean Kerberos, and last where only NTLM can come of it: many proxies take nothing but tickets.
    """
    offered = {challenge.name for challenge in challenges}
    tickets = has_kerberos()
    if credentials.username is None:
        yield from [Handshake("Negotiate", credentials)] if "negotiate" in offered and tickets else []
        return
    if "negotiate" in offered and tickets:
        yield Handshake("Negotiate", credentials)
    if "ntlm" in offered:
        yield Handshake("NTLM", credentials)
    if any(c.name == "digest" and digest.strength(c.params) is not None for c in challenges):
        yield Digest(credentials, request)
    if "basic" in offered:
        yield Basic(credentials)
    if "negotiate" in offered and not tickets:
        yield Handshake("Negotiate", credentials)


def has_kerberos() -> bool:
    """Whether there is a library that can get at tickets; Windows has its own."""
    return sys.platform == "win32" or find_spec("gssapi") is not None


class Basic:
    """RFC 7617."""

    scheme, mechanism, bound = "Basic", "", False

    def __init__(self, credentials: Credentials) -> None:
        pair = f"{credentials.username}:{credentials.password}"
        self._says: str | None = f"Basic {base64.b64encode(pair.encode()).decode()}"

    async def answer(self, challenges: Sequence[Challenge]) -> str | None:
        says, self._says = self._says, None
        return says


class Digest:
    """RFC 7616; a nonce that has become stale is no refusal, and is tried again once."""

    scheme, mechanism, bound = "Digest", "", False

    def __init__(self, credentials: Credentials, request: Request) -> None:
        self._credentials, self._request = credentials, request
        self._tries = 0

    async def answer(self, challenges: Sequence[Challenge]) -> str | None:
        found = [c.params for c in challenges if c.name == "digest" and digest.strength(c.params) is not None]
        if not found:
            return None
        best = min(found, key=lambda params: digest.strength(params) or 0)
        if self._tries and (self._tries > 1 or best.get("stale", "").lower() != "true"):
            return None
        self._tries += 1
        self.mechanism = best.get("algorithm", "MD5")
        username = self._credentials.username or ""
        return digest.respond(best, username, self._credentials.password, self._request)


class Handshake:
    """NTLM, or Negotiate (RFC 4559) with Kerberos or NTLM in it, by pyspnego."""

    bound = True

    def __init__(self, scheme: str, credentials: Credentials) -> None:
        self.scheme, self.mechanism = scheme, ""
        self._credentials = credentials
        self._context: Any = None
        self._legs = 0

    async def answer(self, challenges: Sequence[Challenge]) -> str | None:
        token = next((c.token for c in challenges if c.name == self.scheme.lower()), "")
        self._legs += 1
        if self._legs > _MOST_LEGS or (self._context is not None and (not token or self._context.complete)):
            return None  # a challenge without a token is a refusal, once the handshake has begun
        said = await _aside(lambda: self._step(token))
        return f"{self.scheme} {base64.b64encode(said).decode()}" if said else None

    def _step(self, token: str) -> bytes | None:
        try:
            if self._context is None:
                self._context = self._begin()
            said: bytes | None = self._context.step(base64.b64decode(token, validate=True) if token else None)
            self.mechanism = str(self._context.negotiated_protocol or "")
        except (ImportError, binascii.Error) as error:
            raise Unable(_reason(self.scheme, error)) from None
        except Exception as error:  # whatever a token from outside does to the library
            raise Unable(_reason(self.scheme, error)) from None
        return said

    def _begin(self) -> Any:
        import spnego  # slow to import, and an extra

        user = self._credentials
        password = user.password if user.username is not None else None
        # Without a name only a ticket may be used: an answer of NTLM to whoever asks gives a password away.
        kind = "kerberos" if user.username is None else self.scheme.lower()
        return spnego.client(user.username, password, user.host, _SERVICE, protocol=kind)


def _reason(scheme: str, error: Exception) -> str:
    """Nothing of the error's own words: they may hold what the other side sent."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "spnego":
        return f"{scheme} needs a library that is not installed: {EXTRA}"
    return f"{scheme}: {type(error).__name__}"


async def _aside(work: Callable[[], bytes | None]) -> bytes | None:
    """In a thread that nobody waits for at the end: Kerberos may ask servers that never answer."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes | None] = loop.create_future()

    def run() -> None:
        try:
            settle: Callable[[], None] = _settling(future, work())
        except Exception as error:
            settle = _settling(future, None, error)
        with suppress(RuntimeError):  # the run is over
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, daemon=True).start()
    return await future


def _settling(
    future: "asyncio.Future[bytes | None]", result: bytes | None, error: Exception | None = None
) -> Callable[[], None]:
    def settle() -> None:
        if future.done():  # nobody waits any more
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    return settle


@dataclass(slots=True)
class Access:
    """What a run knows of its login: credentials that were refused are not sent again and again.

    Until one has been accepted, logins are made one at a time, for many wrong ones at once would lock the
    account. A refusal comes at once; what takes longer is the proxy's way to a target, which is not waited for.
    """

    most_refusals: int = 2
    patience_s: float = 0.5
    is_open: bool = False
    accepted: bool = False
    refusals: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_closed(self) -> bool:
        return not self.accepted and self.refusals >= self.most_refusals

    def count(self, accepted: bool) -> None:
        self.accepted = self.accepted or accepted
        self.is_open = self.is_open or accepted
        self.refusals += not accepted

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[None]:
        """The time for one login; raises `NetError` when it does not come by then."""
        if self.is_open:
            yield
            return
        await self._wait(deadline)
        if self.is_open:
            self._lock.release()
            yield
            return
        turn = _Turn(self)
        timer = asyncio.get_running_loop().call_later(self.patience_s, turn.open_for_all)
        try:
            yield
        finally:
            timer.cancel()
            turn.end()

    async def _wait(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._lock.acquire()
        except TimeoutError:  # nothing was asked, so that nothing is shown
            raise NetError(Failure.INTERRUPTED, "another login at the proxy takes too long") from None


class _Turn:
    """Holds the lock of an `Access` until it ends, or until nobody has to wait any more."""

    def __init__(self, access: Access) -> None:
        self._access, self._held = access, True

    def open_for_all(self) -> None:
        self._access.is_open = True
        self.end()

    def end(self) -> None:
        if self._held:
            self._held = False
            self._access._lock.release()
