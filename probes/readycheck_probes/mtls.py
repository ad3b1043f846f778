"""Greets services that know their clients by certificate: that they ask for one shows who answers.

There is no way to give this probe a certificate: profiles are shared, and secrets are not for them. So a
service that accepts the right client only is proven as far as its question.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from readycheck.probe import (
    Better,
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
from readycheck_probes.dialling import dial, reached
from readycheck_probes.greeting import greet
from readycheck_probes.tally import COMMON_METRICS, HANDSHAKE_METRICS, successes, tally, tally_handshakes


@dataclass(frozen=True, slots=True)
class MtlsParams:
    """Servers, and the TLS 1.2 cipher suites (OpenSSL names) to offer; empty means any.

    With `require` the wish for a certificate is the proof: a gateway that opens TLS completes the handshake
    without one. Without it the handshake is, and `client_certificate_requested` is there for limits.
    """

    targets: tuple[Target, ...] = ()
    cipher_suites: tuple[str, ...] = ()
    require: bool = True

    @property
    def proves(self) -> Step:
        return Step.RESPONSE if self.require else Step.TLS_HANDSHAKE


class MtlsProbe:
    """A handshake without a certificate of ours; the chain of the server's is checked all the same."""

    name: ClassVar[str] = "mtls"
    title: ClassVar[str] = "TLS handshakes in which a client certificate is asked for"
    Params: ClassVar[type[MtlsParams]] = MtlsParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("client_certificate_requested", Unit.COUNT, Better.HIGHER, "targets that asked for one"),
    )
    proves: ClassVar[Step] = Step.RESPONSE

    async def measure(self, params: MtlsParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        greeted = successes(observations, Step.TLS_HANDSHAKE)
        asked = [one for one in greeted if one.facts.get("client_certificate_requested")]
        return {
            **tally(observations, _proven_by(observations), timed=Step.CONNECT),
            **tally_handshakes(observations),
            "client_certificate_requested": len(asked),
        }


def _proven_by(observations: Sequence[Observation]) -> Step:
    """Where the wish is required, every handshake that succeeds is followed by the step that looks for it."""
    required = any(one.step is Step.RESPONSE for one in observations)
    return Step.RESPONSE if required else Step.TLS_HANDSHAKE


async def _visit(params: MtlsParams, target: Target, net: Net) -> None:
    client = TlsSettings(server_name=target.host, verify_name=target.host, cipher_suites=params.cipher_suites)
    with closing(await dial(net, target)) as connected:
        stream = await greet(net, connected, client)
        asked = stream is None or (stream.tls is not None and stream.tls.client_certificate_requested)
        if params.require:
            with net.step(Step.RESPONSE) as step:
                step.at(**reached(target, connected))
                step.facts["client_certificate_requested"] = asked
                if not asked:
                    raise NetError(Failure.PROTOCOL_ERROR, "no client certificate was asked for")
