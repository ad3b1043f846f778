"""Greets TLS servers twice: as old devices do, and as a current client would."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from readycheck.probe import (
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Step,
    Stream,
    Target,
    TlsSettings,
)
from readycheck_probes.dialling import Way, ways
from readycheck_probes.greeting import greet
from readycheck_probes.tally import COMMON_METRICS, HANDSHAKE_METRICS, tally, tally_handshakes


@dataclass(frozen=True, slots=True)
class TlsParams:
    """Servers, and the TLS 1.2 cipher suites (OpenSSL names) of the first greeting; empty means any.

    Without `device` there is only the second.
    """

    targets: tuple[Target, ...] = ()
    cipher_suites: tuple[str, ...] = ()
    device: bool = True


class TlsProbe:
    """A TLS 1.2 handshake, then one that offers 1.3 too; the chain, the name and the expiry."""

    name: ClassVar[str] = "tls"
    title: ClassVar[str] = "TLS handshakes"
    Params: ClassVar[type[TlsParams]] = TlsParams
    metrics: ClassVar[tuple[Metric, ...]] = (*COMMON_METRICS, *HANDSHAKE_METRICS)
    proves: ClassVar[Step] = Step.TLS_HANDSHAKE

    async def measure(self, params: TlsParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.CONNECT) | tally_handshakes(observations)


async def _visit(params: TlsParams, target: Target, net: Net) -> None:
    # The second greeting goes to the first address that takes connections at all.
    for connect in await ways(net, target):
        with suppress(NetError):
            await _greet_as_each(params, target, connect, net)
            return


async def _greet_as_each(params: TlsParams, target: Target, connect: Way, net: Net) -> None:
    client = TlsSettings(server_name=target.host, verify_name=target.host)
    device = replace(client, maximum="1.2", cipher_suites=params.cipher_suites)
    if params.device:
        with closing(await connect()) as stream, suppress(NetError):
            await _greet(net, stream, device, purpose="tls1.2")
    with closing(await connect()) as stream:
        await _greet(net, stream, client, purpose="client")


async def _greet(net: Net, stream: Stream, settings: TlsSettings, *, purpose: str) -> None:
    secured = await greet(net, stream, settings, purpose=purpose)
    if secured is not None:
        secured.close()
