"""HTTP proxies: what the environment names, and a tunnel through one."""

import asyncio
import base64
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from readycheck.errors import UsageError
from readycheck.failure import Failure
from readycheck.net.address import is_address
from readycheck.net.interface import Endpoint, NetError, Network, Stream, TlsFacts, TlsSettings

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https", "all")
_MAX_HEAD_BYTES = 32 << 10
_CHUNK = 4096
_MAX_TEXT = 100
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})(?: (.*))?")
_OFFER = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?=\s|,|$)(?!\s*=)")
_AUTH_REQUIRED = 407


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """A proxy; its text has no credentials."""

    scheme: str
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{_authority(self.host, self.port)}"


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


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """The proxy URL that the environment wants for `host`; None means the direct way."""
    if any(_exempts(one.strip(), host) for one in _variable(environ, "no_proxy").split(",")):
        return None
    found = discover(environ)
    return found.get(scheme) or found.get("all")


async def open_tunnel(
    network: Network, proxy: ProxyUrl, to_host: str, to_port: int, *, timeout: float
) -> Stream:
    """CONNECT, first without credentials: a proxy that wants none of them must not get to log them."""
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
    try:
        addresses = (await network.resolve(proxy.host, timeout=_left(deadline))).addresses
        stream = await network.connect((addresses[0], proxy.port), timeout=_left(deadline))
    except NetError as error:
        facts = {**error.facts, "because": error.failure.value}
        raise NetError(Failure.PROXY_UNREACHABLE, f"{proxy}: {error}", facts) from error
    if proxy.scheme == "http":
        return stream
    try:
        settings = TlsSettings(server_name=proxy.host, verify_name=proxy.host)
        return await network.start_tls(stream, settings, timeout=_left(deadline))
    except NetError as error:
        stream.close()
        facts = {"because": error.failure.value}
        raise NetError(Failure.PROXY_UNREACHABLE, f"{proxy}: TLS with the proxy: {error}", facts) from error


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
        offered = _offered(fields)
        detail = f"{proxy} offers {', '.join(offered) or 'no way'} to log in"
        raise NetError(Failure.PROXY_AUTH_REQUIRED, detail, {"offered": offered, "tried": tried})
    reason = _told(matched[2] or "", proxy, credentials)
    raise NetError(Failure.PROXY_DENIED, f"{proxy} says {status}", {"status": status, "reason": reason})


def _offered(fields: list[str]) -> tuple[str, ...]:
    values = [
        value
        for name, _, value in (one.partition(":") for one in fields)
        if name.lower() == "proxy-authenticate"
    ]
    unquoted = (re.sub(r'"(?:\\.|[^"\\])*"', "", value) for value in values)
    return tuple(dict.fromkeys(scheme[:32] for value in unquoted for scheme in _OFFER.findall(value)))[:8]


def _told(text: str, proxy: ProxyUrl, credentials: str | None) -> str:
    # A reason phrase may echo what was sent.
    for secret in filter(None, (credentials, proxy.password, proxy.username)):
        text = text.replace(secret, "…")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:_MAX_TEXT])


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
