"""Fetches a proxy script from where it was named: never through a proxy, of bounded size, in bounded time."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from readycheck.failure import Failure
from readycheck.net.address import is_address
from readycheck.net.interface import NetError, Network, Stream, TlsSettings

_Octets = TypeVar("_Octets", bytes, bytearray)

MAX_BYTES = 1 << 20
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = 3
_CHUNK = 16 << 10
_ADDRESSES = 2


class FetchError(Exception):
    """No script came; the text is the rest of a sentence about it, `failure` what the network did."""

    def __init__(self, reason: str, failure: Failure | None = None) -> None:
        super().__init__(reason)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Place:
    """Where a script is: a URL of http or https, or the path of a file."""

    text: str

    @property
    def shown(self) -> str:
        """Without credentials."""
        return _bare(urlsplit(self.text)) if self.is_url else self.text

    @property
    def is_url(self) -> bool:
        return re.match(r"https?://", self.text, re.IGNORECASE) is not None


def place_of(text: str) -> Place:
    """`file://` URLs and paths name a file. Raises `ValueError` for what names nothing."""
    if "\0" in text or not text.strip() or not text.isprintable():
        raise ValueError("names no script")
    text = text.strip()
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", text)
    if scheme is None:
        return Place(text)
    if scheme[1].lower() == "file":
        path = unquote(urlsplit(text).path)
        if not path:
            raise ValueError("names no file")
        return Place(path.lstrip("/") if re.match(r"/[A-Za-z]:", path) else path)
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
        raise ValueError("is no URL of http, https or file")
    return Place(text)


async def fetch(place: Place, network: Network, *, timeout: float) -> bytes:
    """Raises `FetchError`."""
    if not place.is_url:
        return await asyncio.to_thread(read, Path(place.text))
    try:
        async with asyncio.timeout(timeout):
            return await _follow(place.text, network, timeout)
    except TimeoutError:
        raise FetchError(f"does not come within {timeout:g} s", Failure.TIMED_OUT) from None
    except NetError as error:
        raise FetchError(f"cannot be fetched ({error.failure.value})", error.failure) from error


def text_of(script: bytes) -> str:
    """As browsers read it: UTF-8 where it is that, and else a letter for each byte."""
    try:
        return script.decode("utf-8-sig")
    except UnicodeDecodeError:
        return script.decode("latin-1")


def read(path: Path) -> bytes:
    """Raises `FetchError`."""
    try:
        if not path.is_file():
            raise FetchError("is no file" if path.exists() else "does not exist")
        with path.open("rb") as file:
            return _bounded(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise FetchError(f"cannot be read: {error.strerror or type(error).__name__}") from None


def _bounded(data: _Octets) -> _Octets:
    if len(data) > MAX_BYTES:
        raise FetchError(f"is larger than {MAX_BYTES >> 20} MB")
    return data


async def _follow(url: str, network: Network, timeout: float) -> bytes:
    for _ in range(_REDIRECTS + 1):
        async with _opened(urlsplit(url), network, timeout) as stream:
            status, headers, body = await _get(urlsplit(url), stream, timeout)
        if 300 <= status < 400 and "location" in headers:
            url = urljoin(url, headers["location"])
            if not place_of_redirect(url):
                raise FetchError("is redirected to what is no URL of http or https")
            continue
        if status != 200:
            raise FetchError(f"is not there (status {status})")
        return body
    raise FetchError(f"is redirected more than {_REDIRECTS} times")


def place_of_redirect(url: str) -> bool:
    """A server may not lead to a file of this host."""
    try:
        return place_of(url).is_url
    except ValueError:
        return False


@asynccontextmanager
async def _opened(parts: SplitResult, network: Network, timeout: float) -> AsyncIterator[Stream]:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    stream = await _connected(network, host, port, timeout)
    try:
        if parts.scheme == "https":
            settings = TlsSettings(server_name=None if is_address(host) else host, verify_name=host)
            stream = await network.start_tls(stream, settings, timeout=timeout)
        yield stream
    finally:
        stream.close()


async def _connected(network: Network, host: str, port: int, timeout: float) -> Stream:
    *others, last = (await network.resolve(host, timeout=timeout)).addresses[:_ADDRESSES]
    for address in others:
        try:
            return await network.connect((address, port), timeout=timeout / 2)
        except NetError:
            continue
    return await network.connect((last, port), timeout=timeout)


async def _get(parts: SplitResult, stream: Stream, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
    from readycheck.wire.http import Exchange, NotHttp  # h11 is slow to import

    try:
        exchange = Exchange("GET", urlunsplit(("", "", parts.path or "/", parts.query, "")), _headers(parts))
    except NotHttp:
        raise NetError(Failure.PROTOCOL_ERROR, "not a URL that can be asked for") from None
    await stream.write(exchange.request, timeout=timeout)
    while not exchange.ended:
        try:
            exchange.feed(await stream.read(_CHUNK, timeout=timeout))
        except NotHttp:
            raise NetError(Failure.PROTOCOL_ERROR, "not an HTTP answer") from None
        _bounded_length(exchange.headers.get("content-length", ""))
        _bounded(exchange.body)
    return exchange.status or 0, exchange.headers, bytes(exchange.body)


def _headers(parts: SplitResult) -> dict[str, str]:
    return {
        "Host": _bare(parts, authority_only=True),
        "User-Agent": "readycheck",
        "Accept": "application/x-ns-proxy-autoconfig, */*",
        "Connection": "close",
    }


def _bounded_length(told: str) -> None:
    if told.isdecimal() and int(told) > MAX_BYTES:
        raise FetchError(f"is larger than {MAX_BYTES >> 20} MB")


def _bare(parts: SplitResult, *, authority_only: bool = False) -> str:
    authority = parts.netloc.rpartition("@")[2]
    return authority if authority_only else urlunsplit((parts.scheme, authority, parts.path, parts.query, ""))
