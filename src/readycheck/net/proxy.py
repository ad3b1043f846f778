"""HTTP proxies: which one a run uses, and for which hosts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from readycheck.errors import UsageError
from readycheck.net.address import is_address

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https", "all")
_MAX_TEXT = 100
NO_PROXY_STATUSES = frozenset({400, 404, 405, 501})
"""A web server calls CONNECT a bad, unknown or forbidden method, or looks for a page of that name (RFC 9110, 15)."""


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
        return authority(self.host, self.port)


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """The proxy of a run, who named it, and the rules for hosts that are reached without it.

    `beside` is one that was found and is not used: what fails without it may be asked through it.
    """

    proxy: ProxyUrl | None = None
    source: str = ""
    exempt: tuple[str, ...] = ()
    beside: ProxyUrl | None = None


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
    if not host or port == 0 or not is_plain(host) or parts.path not in ("", "/") or parts.query:
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
    if wanted not in ("auto", "none"):
        return ProxyChoice(parse_proxy(wanted), "--proxy")
    found = discover(environ)
    proxy = _usable(found.get("https") or found.get("all"))
    if proxy is None or wanted == "none":
        return ProxyChoice(beside=proxy or _usable(found.get("http")))
    rules = (rule.strip() for rule in _variable(environ, "no_proxy").split(","))
    return ProxyChoice(proxy, "environment", tuple(rule for rule in rules if rule))


def _usable(url: str | None) -> ProxyUrl | None:
    try:
        return parse_proxy(url or "")
    except UsageError:
        return None


def is_exempt(host: str, rules: Iterable[str]) -> bool:
    """Whether the rules of `no_proxy` (domains, addresses, networks, `*`) have `host` reached directly."""
    return any(_exempts(rule, host) for rule in rules)


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


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text is not None else None


def is_plain(host: str) -> bool:
    return re.fullmatch(r"[\x21-\x7e]+", host) is not None and not set(host) & set("/@?#\\")


def authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
