"""The ways by which a message goes out. None of them is ever shown with what is secret in its URL."""

import hashlib
import hmac
import json
import logging
import logging.handlers
import shlex
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from readycheck.alert.decision import Message
from readycheck.diagnose.finding import Severity
from readycheck.errors import UsageError
from readycheck.patience import within

TIMEOUT_S = 10.0
START_S = 3.0
"""For what the run waits for."""
COMMAND_S = 30.0
_PRIORITIES = {Severity.BLOCKING: "crit", Severity.DEGRADING: "warning", Severity.NOTE: "notice"}


class DeliveryError(Exception):
    """It did not arrive; the text says why, without the URL."""


class Channel(Protocol):
    """`id` is the same for the same URL, `name` may be shown."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None: ...


def body_of(message: Message) -> bytes:
    return json.dumps({"schema_version": 1, **asdict(message)}, sort_keys=True).encode()


def sign(secret: bytes, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 of `stamp.body`: who repeats what was sent is found out by its stamp, the time of sending."""
    return hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Webhook:
    """POST of JSON, signed where there is a secret."""

    id: str
    name: str
    url: str = field(repr=False)
    secret: bytes = field(default=b"", repr=False)

    def send(self, message: Message) -> None:
        body, stamp = body_of(message), f"{time.time():.0f}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
        if self.secret:
            headers["X-Readycheck-Signature"] = f"t={stamp},v1={sign(self.secret, stamp, body)}"
        _request("POST", self.url, body, headers)


@dataclass(frozen=True, slots=True)
class Command:
    """A program that reads the message as JSON from its standard input."""

    id: str
    name: str
    arguments: tuple[str, ...] = field(repr=False)

    def send(self, message: Message) -> None:
        try:
            ended = subprocess.run(
                self.arguments,
                input=body_of(message),
                stdout=subprocess.DEVNULL,  # a pipe would have to be read until all that the program started end
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_S,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise DeliveryError(getattr(error, "strerror", None) or type(error).__name__) from None
        if ended.returncode:
            raise DeliveryError(f"it ended with status {ended.returncode}")


class _Strict(logging.handlers.SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        raise


@dataclass(frozen=True, slots=True)
class Syslog:
    """A line to the host's log, or by UDP to another's."""

    id: str
    name: str
    place: str | tuple[str, int]

    def send(self, message: Message) -> None:
        try:
            handler = _Strict(self.place)
            try:
                handler.ident = "readycheck: "
                title, text = message.title, message.text  # the one often ends with the other
                line = title if title.endswith(text) else f"{title} ({text})"
                record = logging.makeLogRecord({"msg": line, "levelname": "x"})
                handler.mapPriority = lambda levelName: _PRIORITIES[message.severity]  # type: ignore[method-assign]
                handler.emit(record)
            finally:
                handler.close()
        except OSError as error:
            raise DeliveryError(error.strerror or type(error).__name__) from None


@dataclass(frozen=True, slots=True)
class Notified:
    """A service that Apprise knows."""

    id: str
    name: str
    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        service = _apprise(self.url)
        if service is None or not service.notify(title=message.title, body=message.text):
            raise DeliveryError("the service did not take it")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Healthchecks: each run pings as it begins and as it ends; messages are not its business."""

    id: str
    name: str
    url: str = field(repr=False)

    def send(self, message: Message) -> None:
        """Healthchecks tells people itself."""

    def begin(self, run: str) -> None:
        self._ping("/start", run, "", START_S)

    def end(self, run: str, text: str, *, good: bool) -> None:
        self._ping("" if good else "/fail", run, text, TIMEOUT_S)

    def _ping(self, what: str, run: str, text: str, timeout_s: float) -> None:
        """With the run's id as UUID, by which Healthchecks measures how long each run takes."""
        rid = f"{run[:8]}-{run[8:12]}-{run[12:16]}-{run[16:20]}-{run[20:32]}"
        url = f"{self.url.rstrip('/')}{what}?rid={rid}"
        body = text.encode("utf-8", "replace")
        bounded(lambda: _request("POST", url, body, {}, timeout_s), 2 * timeout_s)


def bounded(send: Callable[[], None], seconds: float) -> None:
    """Of a name's look-up, and of an answer that trickles, no way has a bound. Raises `DeliveryError`."""
    try:
        within(seconds, send)
    except TimeoutError:
        raise DeliveryError(f"no end of it within {seconds:.0f} s") from None


def _request(
    method: str, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> None:
    import httpx

    from readycheck import __version__

    agent = {"User-Agent": f"readycheck/{__version__}"}
    try:
        with httpx.stream(
            method, url, content=body, headers={**agent, **headers}, timeout=timeout_s
        ) as answer:
            pass  # its status says all, and nobody knows how long the rest is
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        raise DeliveryError(type(error).__name__) from None
    if not answer.is_success:
        raise DeliveryError(f"it answered with status {answer.status_code}")


def _apprise(url: str) -> Any:
    """The service of a URL; None for one that it does not know."""
    with warnings.catch_warnings(action="ignore"):  # of its own use of old modules
        try:
            import apprise
        except ImportError:
            raise DeliveryError("it needs Apprise: pip install 'readycheck[alerts]'") from None
        log = logging.getLogger("apprise")
        log.addHandler(logging.NullHandler())
        log.propagate = False  # its lines may hold the URL
        service = apprise.Apprise()
        return service if service.add(url) else None


def channel(url: str, secret: bytes = b"") -> Channel:
    """The way that a URL names. Raises `UsageError` that shows no more of it than its beginning."""
    identity = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16]
    name = shown(url)
    scheme, _, rest = url.partition(":")
    if scheme in ("webhook+https", "webhook+http", "healthchecks+https", "healthchecks+http"):
        kind, _, plain = url.partition("+")
        if not _host(plain):
            raise UsageError(f"--alert {name}: no host in it")
        return (
            Webhook(identity, name, plain, secret) if kind == "webhook" else Heartbeat(identity, name, plain)
        )
    if scheme == "command":
        return Command(identity, name, _arguments(name, rest))
    if scheme == "syslog":
        return Syslog(identity, name, _log(name, rest))
    return _notified(identity, name, url)


def _notified(identity: str, name: str, url: str) -> Notified:
    try:
        known = _apprise(url) is not None
    except DeliveryError as error:
        raise UsageError(f"--alert {name}: {error}") from None
    if not known:
        raise UsageError(f"--alert {name}: not a URL that webhook+https:, command:, syslog: or Apprise know")
    return Notified(identity, name, url)


def shown(url: str) -> str:
    """What a URL is without what may be secret: user, password, path and query."""
    scheme, colon, _ = url.partition(":")
    plain = scheme if colon and scheme.replace("+", "").isalnum() else "?"
    if plain in ("command", "syslog"):
        return f"{plain}:..."
    # The services' tokens often stand where a host does.
    host = _host(url) if plain.startswith(("webhook+", "healthchecks+", "mail")) else ""
    return f"{plain[:40]}://{host or '...'}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _arguments(name: str, text: str) -> tuple[str, ...]:
    try:
        arguments = tuple(shlex.split(text))
    except ValueError:
        arguments = ()
    if not arguments:
        raise UsageError(f"--alert {name}: no program in it")
    return arguments


def _log(name: str, rest: str) -> str | tuple[str, int]:
    """`syslog:` is this host's, `syslog://HOST[:PORT]` another's."""
    if not rest.strip("/"):
        if sys.platform == "win32":
            raise UsageError(f"--alert {name}: this host has no such log; name another's as syslog://HOST")
        return "/dev/log"
    try:
        parts = urlsplit(f"syslog:{rest}")
        if parts.hostname:
            return parts.hostname, parts.port or 514
    except ValueError:
        pass
    raise UsageError(f"--alert {name}: not syslog: or syslog://HOST[:PORT]")
