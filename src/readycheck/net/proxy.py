"""HTTP proxies: which one a run uses, and tunnels through it."""

import asyncio
import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from readycheck.errors import UsageError
from readycheck.failure import LOCAL_FAILURES, Failure
from readycheck.net.address import is_address
from readycheck.net.interface import Endpoint, NetError, Network, Stream, TlsFacts, TlsSettings

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https", "all")
_MAX_HEAD_BYTES = 32 << 10
_CHUNK = 4096
_MAX_TEXT = 100
_MAX_OFFERS, _MAX_OFFER_CHARACTERS = 16, 1000
_ADDRESSES = 2
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})(?: (.*))?")
_OFFER = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s|,|$)(?!\s*=)")
_AUTH_REQUIRED = 407
_KNOWN_OFFERS = {"basic", "bearer", "digest", "kerberos", "negotiate", "ntlm"}


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """A proxy; its text has no credentials."""

    scheme: str
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"

    @property
    def place(self) -> str:
        """`host:port`: how checks name the proxy that they go through."""
        return _authority(self.host, self.port)


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """The proxy of a run, who named it, and the rules for hosts that are reached without it."""

    proxy: ProxyUrl | None = None
    source: str = ""
    exempt: tuple[str, ...] = ()


def parse_proxy(url: str) -> ProxyUrl:
    """Read `[http[s]://][user[:password]@]host[:port]`; raises `UsageError` without its credentials."""
    shown = re.sub(r"[^\x21-\x7e]", "?", url.rpartition("@")[2])[:_MAX_TEXT]
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError("--proxy: not the URL of a proxy") from None  # what it holds may be a password
    if parts.scheme not in _PORTS:
        raise UsageError(f"--proxy: {shown}: only http and https proxies can be used")
    if not host or port == 0 or not _is_plain(host) or parts.path not in ("", "/") or parts.query:
        raise UsageError(f"--proxy: {shown} is not the URL of a proxy")
    return ProxyUrl(
        parts.scheme, host, port or _PORTS[parts.scheme], _decoded(parts.username), _decoded(parts.password)
    )


def discover(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy URLs of the environment by scheme (`all` for the rest), credentials and all."""
    found = {scheme: _variable(environ, f"{scheme}_proxy") for scheme in _SCHEMES}
    if "REQUEST_METHOD" in environ:  # HTTP_PROXY is a request header of a CGI script (httpoxy)
        found["http"] = environ.get("http_proxy", "")
    if _variable(environ, "no_proxy").strip() == "*":
        return {}
    return {scheme: url for scheme, url in found.items() if url}


def choose(wanted: str, environ: Mapping[str, str]) -> ProxyChoice:
    """What `--proxy` comes to: `none`, a URL, or `auto` for the environment's.

    Raises `UsageError` for a URL that cannot be used. One of the environment is no proxy then: many programs
    share the variables, and some can use what this one cannot.
    """
    if wanted == "none":
        return ProxyChoice()
    if wanted != "auto":
        return ProxyChoice(parse_proxy(wanted), "--proxy")
    found = discover(environ)
    try:
        proxy = parse_proxy(found.get("https") or found.get("all") or "")
    except UsageError:
        return ProxyChoice()
    rules = (rule.strip() for rule in _variable(environ, "no_proxy").split(","))
    return ProxyChoice(proxy, "environment", tuple(rule for rule in rules if rule))


def is_exempt(host: str, rules: Iterable[str]) -> bool:
    """Whether the rules of `no_proxy` (domains, addresses, networks, `*`) have `host` reached directly."""
    return any(_exempts(rule, host) for rule in rules)


async def open_tunnel(
    network: Network, proxy: ProxyUrl, to_host: str, to_port: int, *, timeout: float
) -> Stream:
    """CONNECT, first without credentials: a proxy that wants none of them must not get to log them.

    The proxy resolves the name. A proxy that cannot be reached fails with the facts `stage` (`resolve`,
    `connect` or `tls`), `because` and, as far as it is known, its `proxy_address`.
    """
    deadline = _now() + timeout
    if not _is_plain(to_host):
        raise NetError(Failure.PROTOCOL_ERROR, "not a host name that can be asked for")
    target = _authority(to_host, to_port)
    try:
        return await _connect(network, proxy, target, None, deadline)
    except NetError as error:
        offered = error.facts.get("offered", ())
        if proxy.username is None or "basic" not in [scheme.lower() for scheme in offered]:
            raise
    return await _connect(network, proxy, target, _basic(proxy), deadline)


async def _connect(
    network: Network, proxy: ProxyUrl, target: str, credentials: str | None, deadline: float
) -> Stream:
    stream = await _reach(network, proxy, deadline)
    with ExitStack() as undo:
        undo.callback(stream.close)
        await stream.write(_request(target, credentials), timeout=_left(deadline))
        head, rest = await _read_head(stream, deadline)
        _judge(head, proxy, credentials)
        undo.pop_all()
    return _Tunnel(stream, rest)


async def _reach(network: Network, proxy: ProxyUrl, deadline: float) -> Stream:
    with _told_as_unreachable(proxy, "resolve"):
        addresses = (await network.resolve(proxy.host, timeout=_left(deadline))).addresses[:_ADDRESSES]
        if not addresses:
            raise NetError(Failure.DNS_NO_ANSWER, f"{proxy.host} has no address")
    stream = await _connect_to_any(network, proxy, addresses, deadline)
    if proxy.scheme == "http":
        return stream
    with ExitStack() as undo, _told_as_unreachable(proxy, "tls", proxy_address=stream.peer[0]):
        undo.callback(stream.close)
        name = None if is_address(proxy.host) else proxy.host
        settings = TlsSettings(server_name=name, verify_name=proxy.host)
        secured = await network.start_tls(stream, settings, timeout=_left(deadline))
        undo.pop_all()
        return secured


async def _connect_to_any(
    network: Network, proxy: ProxyUrl, addresses: tuple[str, ...], deadline: float
) -> Stream:
    *others, last = addresses
    for address in others:
        with suppress(NetError):
            return await network.connect((address, proxy.port), timeout=_left(deadline) / 2)
    with _told_as_unreachable(proxy, "connect", proxy_address=last):
        return await network.connect((last, proxy.port), timeout=_left(deadline))


@contextmanager
def _told_as_unreachable(proxy: ProxyUrl, stage: str, **known: str) -> Iterator[None]:
    try:
        yield
    except NetError as error:
        if error.failure in LOCAL_FAILURES:  # this host did it, whatever the proxy is like
            raise
        facts = {"because": error.failure.value, "stage": stage, **known}
        if "offender" in error.facts:
            facts["offender"] = error.facts["offender"]
        raise NetError(Failure.PROXY_UNREACHABLE, f"{proxy}: {stage}: {error}", facts) from error


def _request(target: str, credentials: str | None) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: readycheck"]
    if credentials is not None:
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _read_head(stream: Stream, deadline: float) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.read(_CHUNK, timeout=_left(deadline))
        if not more:
            failure = Failure.PROTOCOL_ERROR if data else Failure.CONNECTION_CLOSED
            raise NetError(failure, "the proxy closed the connection before its answer was complete")
        data += more
        if len(data) > _MAX_HEAD_BYTES or not (
            b"HTTP/1.".startswith(data[:7]) or data.startswith(b"HTTP/1.")
        ):
            raise NetError(Failure.PROTOCOL_ERROR, "the proxy's answer is not that of an HTTP proxy")
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def _judge(head: str, proxy: ProxyUrl, credentials: str | None) -> None:
    status_line, *fields = head.split("\r\n")
    matched = _STATUS.fullmatch(status_line)
    if matched is None:
        raise NetError(Failure.PROTOCOL_ERROR, "the proxy's answer is not that of an HTTP proxy")
    status = int(matched[1])
    if 200 <= status < 300:
        return
    tried = "Basic" if credentials else None
    if status == _AUTH_REQUIRED:
        offered = _offered(fields, proxy, credentials)
        detail = f"{proxy} offers {', '.join(offered) or 'no way'} to log in"
        raise NetError(Failure.PROXY_AUTH_REQUIRED, detail, {"offered": offered, "tried": tried})
    reason = _told(matched[2] or "", proxy, credentials)
    raise NetError(Failure.PROXY_DENIED, f"{proxy} says {status}", {"status": status, "reason": reason})


def _offered(fields: list[str], proxy: ProxyUrl, credentials: str | None) -> tuple[str, ...]:
    values = [
        value[:_MAX_OFFER_CHARACTERS]
        for name, _, value in (one.partition(":") for one in fields)
        if name.lower() == "proxy-authenticate"
    ]
    unquoted = (re.sub(r'"(?:\\.|[^"\\])*"', "", value) for value in values[:_MAX_OFFERS])
    schemes = [scheme[:32] for value in unquoted for scheme in _OFFER.findall(value)]
    secrets = _secrets(proxy, credentials)
    told = [s for s in schemes if s.lower() in _KNOWN_OFFERS or not any(s in x or x in s for x in secrets)]
    return tuple(dict.fromkeys(told))[:8]


def _told(text: str, proxy: ProxyUrl, credentials: str | None) -> str:
    for secret in _secrets(proxy, credentials):
        text = text.replace(secret, "…")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:_MAX_TEXT])


def _secrets(proxy: ProxyUrl, credentials: str | None) -> list[str]:
    """What a proxy that was told the credentials may echo."""
    return [secret for secret in (credentials, proxy.password, proxy.username) if credentials and secret]


class _Tunnel:
    """What lies beyond the proxy; `early` is what that said at once, along with the proxy's answer."""

    tls: TlsFacts | None = None

    def __init__(self, stream: Stream, early: bytes) -> None:
        self._stream = stream
        self._early = early

    @property
    def local(self) -> Endpoint:
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        return self._stream.peer

    async def read(self, limit: int, *, timeout: float) -> bytes:
        if self._early:
            data, self._early = self._early[:limit], self._early[limit:]
            return data
        return await self._stream.read(limit, timeout=timeout)

    async def write(self, data: bytes, *, timeout: float) -> None:
        await self._stream.write(data, timeout=timeout)

    def close(self) -> None:
        self._stream.close()


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _exempts(rule: str, host: str) -> bool:
    if not rule:
        return False
    if is_address(host):
        try:
            return ip_address(host) in ip_network(rule, strict=False)
        except (ValueError, TypeError):
            return rule == "*"
    suffix = rule.lower().lstrip("*").lstrip(".").rstrip(".")
    name = host.lower().rstrip(".")
    return rule == "*" or (bool(suffix) and (name == suffix or name.endswith(f".{suffix}")))


def _basic(proxy: ProxyUrl) -> str:
    return base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text is not None else None


def _is_plain(host: str) -> bool:
    return re.fullmatch(r"[\x21-\x7e]+", host) is not None and not set(host) & set("/@?#\\")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _left(deadline: float) -> float:
    left = deadline - _now()
    if left <= 0:
        raise NetError(Failure.TIMED_OUT, "the proxy is too slow")
    return left
