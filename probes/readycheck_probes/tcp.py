"""Opens TCP connections: the handshake of a port, or a proxy's word for it, shows that it is reachable.

Where the profile says what must answer, the connection is only the way to the answer.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from readycheck.probe import (
    Better,
    Metric,
    MetricValue,
    Net,
    Observation,
    Step,
    Target,
    TlsSettings,
    Unit,
)
from readycheck_probes.dialling import dial
from readycheck_probes.greeting import greet
from readycheck_probes.protocols import MUTE, SECURE, Speaks, converse
from readycheck_probes.tally import (
    COMMON_METRICS,
    HANDSHAKE_METRICS,
    median_of,
    successes,
    tally,
    tally_handshakes,
)


@dataclass(frozen=True, slots=True)
class TcpParams:
    """Ports, by address or by name, and the protocol that must answer there; empty asks for none.

    H.323, SCCP and MGCP backhaul are connected to only: they answer nobody who does not call or register.
    """

    targets: tuple[Target, ...] = ()
    speaks: Speaks = ""

    @property
    def proves(self) -> Step:
        return Step.RESPONSE if self.speaks and self.speaks not in MUTE else Step.CONNECT


class TcpProbe:
    """One connection to each target; with a protocol, its first answer."""

    name: ClassVar[str] = "tcp"
    title: ClassVar[str] = "TCP connections"
    Params: ClassVar[type[TcpParams]] = TcpParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("response_ms", Unit.MILLISECONDS, Better.LOWER, "connection to first answer, median"),
    )
    proves: ClassVar[Step] = Step.CONNECT

    async def measure(self, params: TcpParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        answers = successes(observations, Step.RESPONSE)
        return {
            **tally(observations, _proven_by(observations), timed=Step.CONNECT),
            **tally_handshakes(observations),
            "response_ms": median_of(one.elapsed_ms for one in answers),
        }


def _proven_by(observations: Sequence[Observation]) -> Step:
    """Where a protocol was wanted, every connection is followed by a step that asks for it."""
    asked = any(one.step in (Step.TLS_HANDSHAKE, Step.RESPONSE) for one in observations)
    return Step.RESPONSE if asked else Step.CONNECT


async def _visit(params: TcpParams, target: Target, net: Net) -> None:
    if params.speaks in MUTE:
        net = net.towards(target, speaks=params.speaks, exercised=False)
    with closing(await dial(net, target)) as connected:
        if params.proves is Step.CONNECT:
            return
        if params.speaks not in SECURE:
            await converse(params.speaks, target, connected, net)
            return
        stream = await greet(net, connected, TlsSettings(server_name=target.host, verify_name=target.host))
        if stream is not None:
            with closing(stream):
                await converse(params.speaks, target, stream, net)
