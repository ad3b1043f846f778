"""Asks web servers for one page: any answer short of an error of theirs will do."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from readycheck.probe import (
    Better,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
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


@dataclass(frozen=True, slots=True)
class HttpParams:
    """Servers, by name or by address, and what to ask them for."""

    targets: tuple[Target, ...] = ()
    scheme: Literal["http", "https"] = "https"
    path: str = "/"
    method: Literal["HEAD", "GET"] = "HEAD"


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
    with closing(await dial(net, target)) as connected:
        if params.scheme == "http":
            await _request(params, target, connected, net)
            return
        settings = TlsSettings(server_name=target.host, verify_name=target.host, alpn=("http/1.1",))
        stream = await greet(net, connected, settings)
        if stream is not None:
            with closing(stream):
                await _request(params, target, stream, net)


async def _request(params: HttpParams, target: Target, stream: Stream, net: Net) -> None:
    from readycheck_probes.exchange import drain, request  # httpx is slow to import

    deadline_ms = net.now_ms() + patience(net) * 1000
    with net.step(Step.RESPONSE) as step:
        step.at(**reached(target, stream))
        url = _url(params, target)
        async with request(params.method, url, stream, deadline_ms=deadline_ms, now_ms=net.now_ms) as answer:
            step.facts.update(status=answer.status_code, **_facts(answer.headers))
            step.facts["body_bytes"] = await drain(answer)
        if answer.status_code >= 500:
            raise NetError(Failure.HTTP_STATUS, f"status {answer.status_code}")


def _facts(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name in _SHOWN if (text := tame(headers.get(name)))}


def _url(params: HttpParams, target: Target) -> str:
    host = target.host or target.address or ""
    return f"{params.scheme}://{f'[{host}]' if ':' in host else host}:{target.port}{params.path}"
