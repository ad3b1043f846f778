"""Speaks QUIC with servers: the Initial, the handshake, and one HTTP/3 request."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from readycheck.probe import (
    Better,
    Datagrams,
    Endpoint,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Target,
    TlsSettings,
    Unit,
)
from readycheck_probes.dialling import endpoints, family_of, patience
from readycheck_probes.hostile import tame
from readycheck_probes.tally import (
    COMMON_METRICS,
    HANDSHAKE_METRICS,
    median_of,
    successes,
    tally,
    tally_handshakes,
)

if TYPE_CHECKING:
    from readycheck_probes.quic_session import Session

HTTP_3 = "h3"
_SPARE_S = 0.05  # of the budget, to say what came of it
_SHOWN = ("server", "location", "alt-svc")


@dataclass(frozen=True, slots=True)
class QuicParams:
    """Servers, and how to greet them.

    `server_name` stands in for the target's own name, and empty sends none; then the certificate is shown and
    not judged. `padding` bytes make the ClientHello longer: from about 900 on it takes two packets, which
    filters that look into the first packet only do not put together. `path` empty asks for no page.
    """

    targets: tuple[Target, ...] = ()
    server_name: str | None = None
    padding: int = 0
    alpn: tuple[str, ...] = (HTTP_3,)
    path: str = "/"

    @property
    def proves(self) -> Step:
        return Step.RESPONSE if self.asks else Step.TLS_HANDSHAKE

    @property
    def asks(self) -> bool:
        return bool(self.path) and HTTP_3 in self.alpn


class QuicProbe:
    """One connection to each target: whether UDP is answered, what the handshake shows, whether HTTP/3 is."""

    name: ClassVar[str] = "quic"
    title: ClassVar[str] = "QUIC handshakes and HTTP/3"
    Params: ClassVar[type[QuicParams]] = QuicParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("response_ms", Unit.MILLISECONDS, Better.LOWER, "request to response, median"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: QuicParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        answers = successes(observations, Step.RESPONSE)
        asked = any(one.step is Step.RESPONSE for one in observations)
        return {
            **tally(observations, Step.RESPONSE if asked else Step.TLS_HANDSHAKE, timed=Step.CONNECT),
            **tally_handshakes(observations),
            "response_ms": median_of(one.elapsed_ms for one in answers),
        }


async def _visit(params: QuicParams, target: Target, net: Net) -> None:
    *others, last = await endpoints(net, target)
    for endpoint in others:
        with suppress(NetError):
            await _speak(params, target, endpoint, net)
            return
    await _speak(params, target, last, net)


async def _speak(params: QuicParams, target: Target, to: Endpoint, net: Net) -> None:
    """All steps at one address; raises only when nothing there answered the Initial."""
    name = target.host if params.server_name is None else params.server_name or None
    target = replace(target, address=to[0], port=to[1], transport=target.transport or "udp", sni=name)
    with net.step(Step.CONNECT, target) as step:
        step.facts.update(padding=params.padding)
        session, datagrams = await _open(params, target, net)
        with ExitStack() as failing:
            failing.callback(datagrams.close)
            began_ms = net.now_ms()
            await session.knock(timeout=_patience(net))
            step.facts.update(rtt_ms=round(net.now_ms() - began_ms, 3), **session.heard.facts())
            failing.pop_all()
    with closing(datagrams), suppress(NetError):
        await _greet(params, target, session, net)
        if params.asks:
            await _request(params, target, session, net)
        await session.farewell()


async def _open(params: QuicParams, target: Target, net: Net) -> "tuple[Session, Datagrams]":
    if find_spec("aioquic") is None:
        raise NetError(Failure.PLATFORM, "the library aioquic is not installed")
    from readycheck_probes.quic_session import Session  # aioquic is slow to import

    to = (target.address or "", target.port or 0)
    datagrams = await net.plain.open_datagram(family=family_of(to[0]))
    try:
        session = Session(datagrams, to, server_name=target.sni, alpn=params.alpn, padding=params.padding)
    except BaseException:
        datagrams.close()
        raise
    return session, datagrams


def _patience(net: Net) -> float:
    return max(0.0, min(patience(net), net.left_s() - _SPARE_S))


async def _greet(params: QuicParams, target: Target, session: "Session", net: Net) -> None:
    settings = TlsSettings(server_name=target.sni, verify_name=target.host, verify=params.server_name is None)
    with net.step(Step.TLS_HANDSHAKE, target) as step:
        shown = await session.greet(timeout=_patience(net))
        facts = net.vouch(shown, settings)
        step.facts["tls"] = asdict(facts)


async def _request(params: QuicParams, target: Target, session: "Session", net: Net) -> None:
    with net.step(Step.RESPONSE, target) as step:
        headers = await session.head(_authority(target), params.path, timeout=_patience(net))
        step.facts.update({name: text for name in _SHOWN if (text := tame(headers.get(name)))})
        status = headers.get(":status", "")
        if not (status.isascii() and status.isdecimal() and len(status) == 3):
            raise NetError(Failure.PROTOCOL_ERROR, "an answer without a status")
        step.facts["status"] = int(status)
        if int(status) >= 500:
            raise NetError(Failure.HTTP_STATUS, f"status {status}")


def _authority(target: Target) -> str:
    host = target.host or target.address or ""
    return f"{f'[{host}]' if ':' in host else host}:{target.port}"
