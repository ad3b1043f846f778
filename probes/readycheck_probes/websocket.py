"""Opens WebSocket connections, and sees whether they stay open."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from readycheck.probe import (
    Better,
    Effort,
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
from readycheck_probes.tally import (
    COMMON_METRICS,
    HANDSHAKE_METRICS,
    successes,
    tally,
    tally_handshakes,
)

if TYPE_CHECKING:
    from readycheck_probes.upgrade import WebSocket

_UPGRADED = 101
_PONG_S = {Effort.QUICK: 1.0, Effort.NORMAL: 2.0, Effort.THOROUGH: 3.0}
_QUICK_S = 1.0
_SPARE_S = 0.1


@dataclass(frozen=True, slots=True)
class WebsocketParams:
    """Servers, what to ask them for, and how long a connection must stay open.

    A quick run holds it for a second at most, and no run for longer than its check may take.
    """

    targets: tuple[Target, ...] = ()
    scheme: Literal["wss", "ws"] = "wss"
    path: Annotated[str, Field(pattern=r"^/[!\"$-~]*$")] = "/"
    hold_s: Annotated[float, Field(ge=0, le=60)] = 5.0

    @property
    def must_stay(self) -> bool:
        """With no time to hold it, the upgrade is all that is asked for."""
        return self.hold_s > 0


class WebsocketProbe:
    """The upgrade, and on a connection that it opens a ping at the middle and at the end of the time.

    Services refuse the upgrade to strangers (401, 403, 404). Such an answer shows that the question came as far
    as the service, and nothing of whether the way lets WebSocket through: `upgraded` counts those who agreed.
    """

    name: ClassVar[str] = "websocket"
    title: ClassVar[str] = "WebSocket connections"
    Params: ClassVar[type[WebsocketParams]] = WebsocketParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("upgraded", Unit.COUNT, Better.HIGHER, "connections that became WebSocket"),
        Metric("held_s", Unit.SECONDS, Better.HIGHER, "how long they stayed open, the shortest"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: WebsocketParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        answers = successes(observations, Step.RESPONSE)
        held = [float(one.facts["held_s"]) for one in observations if "held_s" in one.facts]
        return {
            **tally(observations, self.proves, timed=Step.CONNECT),
            **tally_handshakes(observations),
            "upgraded": sum(one.facts["status"] == _UPGRADED for one in answers),
            "held_s": min(held, default=None),
        }


async def _visit(params: WebsocketParams, target: Target, net: Net) -> None:
    with closing(await dial(net, target)) as connected:
        if params.scheme == "ws":
            await _upgrade(params, target, connected, net)
            return
        settings = TlsSettings(server_name=target.host, verify_name=target.host, alpn=("http/1.1",))
        stream = await greet(net, connected, settings)
        if stream is not None:
            with closing(stream):
                await _upgrade(params, target, stream, net)


async def _upgrade(params: WebsocketParams, target: Target, stream: Stream, net: Net) -> None:
    from readycheck_probes.upgrade import WebSocket  # websockets is slow to import

    socket = WebSocket(_url(params, target), stream, net.now_ms)
    with net.step(Step.RESPONSE) as step:
        step.at(**reached(target, stream))
        status = step.facts["status"] = await socket.upgrade(net.now_ms() + patience(net) * 1000)
        if status >= 500:
            raise NetError(Failure.HTTP_STATUS, f"status {status}")
    if status == _UPGRADED:
        await _hold(params.hold_s, socket, target, stream, net)


async def _hold(wanted_s: float, socket: "WebSocket", target: Target, stream: Stream, net: Net) -> None:
    """Where no time is left for it, nothing is said of it."""
    began_ms = socket.heard_ms
    hold_s = _within(wanted_s, net)
    if hold_s <= 0:
        return
    with net.step(Step.ECHO) as step:
        step.at(**reached(target, stream))
        try:
            for share in (0.5, 1.0):
                await socket.listen(began_ms + share * hold_s * 1000)
                took_ms = await socket.ping(net.now_ms() + _PONG_S[net.effort] * 1000)
                step.facts["rtt_ms"] = round(took_ms, 3)
        finally:
            step.facts.update(hold_s=round(hold_s, 3), held_s=round((socket.heard_ms - began_ms) / 1000, 3))
    with suppress(NetError):
        await socket.part()


def _within(wanted_s: float, net: Net) -> float:
    """What the effort and the budget of the check allow, the wait for a last pong included."""
    allowed_s = net.left_s() - _PONG_S[net.effort] - _SPARE_S
    return min(wanted_s, allowed_s, *([_QUICK_S] if net.effort is Effort.QUICK else []))


def _url(params: WebsocketParams, target: Target) -> str:
    host = target.host or target.address or ""
    return f"{params.scheme}://{f'[{host}]' if ':' in host else host}:{target.port}{params.path}"
