"""Asks web servers for one page: any answer short of an error of theirs will do."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from readycheck.net.proxy import NO_PROXY_STATUSES
from readycheck.probe import (
    Better,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    PlainRequest,
    Step,
    Stream,
    Target,
    TlsSettings,
    Unit,
)
from readycheck_probes.dialling import dial, patience, reached
from readycheck_probes.greeting import greet
from readycheck_probes.hostile import tame
from readycheck_probes.tally import (
    COMMON_METRICS,
    HANDSHAKE_METRICS,
    median_of,
    successes,
    tally,
    tally_handshakes,
)

_SHOWN = ("server", "location", "alt-svc")
_MAX_HEADERS = 24
_MAX_BODY = 400
_DIGEST = 16
_SAFE = "/%?&=:@+,;~!$'()*"
_PORTS = {"http": 80, "https": 443}
_REFUSED = 400
_PRIVATE = frozenset({"set-cookie", "set-cookie2"})


@dataclass(frozen=True, slots=True)
class HttpParams:
    """Servers, by name or by address, what to ask them for, and a text that the page has if it is theirs."""

    targets: tuple[Target, ...] = ()
    scheme: Literal["http", "https"] = "https"
    path: str = "/"
    method: Literal["HEAD", "GET"] = "HEAD"
    contains: str = ""


class HttpProbe:
    """One request each; redirects are noted, not followed."""

    name: ClassVar[str] = "http"
    title: ClassVar[str] = "HTTP requests"
    Params: ClassVar[type[HttpParams]] = HttpParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("response_ms", Unit.MILLISECONDS, Better.LOWER, "request to response, median"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: HttpParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        answers = successes(observations, Step.RESPONSE)
        return {
            **tally(observations, self.proves, timed=Step.CONNECT),
            **tally_handshakes(observations),
            "response_ms": median_of(one.elapsed_ms for one in answers),
        }


async def _visit(params: HttpParams, target: Target, net: Net) -> None:
    if params.scheme == "http" and target.via is not None:
        await _hand_over(params, target, net)
        return
    with closing(await dial(net, target)) as connected:
        if params.scheme == "http":
            await _request(params, target, connected, net)
            return
        settings = TlsSettings(server_name=target.host, verify_name=target.host, alpn=("http/1.1",))
        stream = await greet(net, connected, settings)
        if stream is not None:
            with closing(stream):
                await _request(params, target, stream, net)


async def _hand_over(params: HttpParams, target: Target, net: Net) -> None:
    """The proxy makes a plain request, as products have it do; who does not sign as a proxy has to open a tunnel."""
    asked = PlainRequest(params.method, target.host or target.address or "", target.port or 0, _path(params))
    handed = await net.forward(asked, timeout=patience(net, target))
    with closing(handed.stream):
        tunnel = None if handed.signed else await _tunnel(net, target, handed.status)
        if tunnel is None:
            await _request(params, target, handed.stream, net, sent=True)
            return
    with closing(tunnel):
        await _request(params, target, tunnel, net)


async def _tunnel(net: Net, target: Target, status: int) -> Stream | None:
    """None where a proxy that knows CONNECT refuses it, and its answer to the plain request was a page."""
    try:
        return await dial(net, target)
    except NetError as error:
        refused = error.failure is Failure.PROXY_DENIED
        if not refused or error.facts.get("status") in NO_PROXY_STATUSES or status >= _REFUSED:
            raise
        return None


async def _request(
    params: HttpParams, target: Target, stream: Stream, net: Net, *, sent: bool = False
) -> None:
    from readycheck_probes.exchange import Request  # h11 is slow to import

    deadline_ms = net.now_ms() + patience(net) * 1000
    request = Request(stream, lambda: max(0.0, deadline_ms - net.now_ms()) / 1000)
    with net.step(Step.RESPONSE) as step:
        step.at(**reached(target, stream))
        status, headers = await request.ask(params.method, _path(params), _host(params, target), sent=sent)
        step.facts.update(status=status, **_facts(headers))
        step.facts["http"] = {"headers": _headers(headers)}
        body = await request.body()
        step.facts["body_bytes"] = len(body)
        step.facts["http"] |= _page(body, params.contains)
        if status >= 500:
            raise NetError(Failure.HTTP_STATUS, f"status {status}")


def _path(params: HttpParams) -> str:
    return quote(params.path, safe=_SAFE)


def _facts(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name in _SHOWN if (text := tame(headers.get(name)))}


def _headers(headers: Mapping[str, str]) -> dict[str, str | None]:
    """What the answer says of itself and of those who passed it on (RFC 9110 section 7.6.3), within bounds.

    A header that comes more than once is one value with commas already.
    """
    told = islice(headers.items(), _MAX_HEADERS)
    return {tame(name) or "": tame(text) for name, text in told if name not in _PRIVATE}


def _page(body: bytes, contains: str) -> dict[str, Any]:
    """The digest of the page, by which two hosts' are compared, and how it begins."""
    if not body:
        return {"expected": False} if contains else {}
    found: dict[str, Any] = {
        "sha256": sha256(body).hexdigest()[:_DIGEST],
        "body": tame(" ".join(body[:_MAX_BODY].decode("utf-8", "replace").split())),
    }
    return {**found, "expected": contains.encode() in body} if contains else found


def _host(params: HttpParams, target: Target) -> str:
    """RFC 9110 section 7.2: with the port, unless it is that of the scheme."""
    host = target.host or target.address or ""
    named = f"[{host}]" if ":" in host else host
    return named if target.port == _PORTS[params.scheme] else f"{named}:{target.port}"
