"""Greets SIP servers over TLS: the handshake proves the port, an answer to OPTIONS is a bonus."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

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
from readycheck.wire import sip
from readycheck_probes.dialling import dial
from readycheck_probes.greeting import greet
from readycheck_probes.hostile import tame
from readycheck_probes.tally import COMMON_METRICS, HANDSHAKE_METRICS, successes, tally, tally_handshakes

# Vendors may stay silent on OPTIONS: waiting long for it would cost more than it tells.
_OPTIONS_S = {Effort.QUICK: 0.8, Effort.NORMAL: 1.5, Effort.THOROUGH: 3.0}
_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class SipParams:
    """SIP servers over TLS, by address or by name."""

    targets: tuple[Target, ...] = ()


class SipProbe:
    """TLS, then OPTIONS; a server that wants a client certificate has answered too."""

    name: ClassVar[str] = "sip"
    title: ClassVar[str] = "SIP over TLS"
    Params: ClassVar[type[SipParams]] = SipParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("options_answered", Unit.COUNT, Better.HIGHER, "targets that answered OPTIONS"),
    )
    proves: ClassVar[Step] = Step.TLS_HANDSHAKE

    async def measure(self, params: SipParams, net: Net) -> None:
        await net.each(params.targets, _visit)

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return {
            **tally(observations, self.proves, timed=Step.CONNECT),
            **tally_handshakes(observations),
            "options_answered": len(successes(observations, Step.RESPONSE)),
        }


async def _visit(target: Target, net: Net) -> None:
    with closing(await dial(net, target)) as connected:
        # Sampled addresses have no name to send or to check; their chain is checked all the same.
        stream = await greet(net, connected, TlsSettings(server_name=target.host, verify_name=target.host))
        if stream is not None:
            with closing(stream):
                await _send_options(target, stream, net)


async def _send_options(target: Target, stream: Stream, net: Net) -> None:
    with net.step(Step.RESPONSE) as step:
        step.at(address=stream.peer[0])
        try:
            step.facts.update(await _options(target, stream, net))
        except NetError as error:
            if error.failure is Failure.TLS_ALERT_CERTIFICATE_REQUIRED:
                step.facts["client_certificate_requested"] = True
            raise


async def _options(target: Target, stream: Stream, net: Net) -> Mapping[str, Any]:
    deadline_ms = net.now_ms() + _OPTIONS_S[net.effort] * 1000
    dialogue = _Dialogue(stream, lambda: max(0.0, deadline_ms - net.now_ms()) / 1000)
    try:
        response = await dialogue.options(target)
    except ValueError as error:
        raise NetError(Failure.PROTOCOL_ERROR, str(error)) from error
    return {
        "status": response.status,
        "reason": tame(response.reason),
        "server": tame(response.header("Server") or response.header("User-Agent")),
    }


class _Dialogue:
    """One request and its final response on a stream; raises ValueError at what is not SIP."""

    def __init__(self, stream: Stream, left_s: Callable[[], float]) -> None:
        self._stream = stream
        self._left_s = left_s
        self._buffer = sip.MessageBuffer()
        self._branch = sip.BRANCH_COOKIE + secrets.token_hex(8)
        self._call_id = secrets.token_hex(16)

    async def options(self, target: Target) -> sip.SipResponse:
        request = sip.pack_options(
            uri=_uri(target, self._stream),
            via_transport="TLS",
            local=self._stream.local,
            branch=self._branch,
            call_id=self._call_id,
            tag=secrets.token_hex(8),
        )
        await self._stream.write(request, timeout=self._left_s())
        while True:
            message = await self._message()
            if message[:4].upper() == b"SIP/":  # A server may send requests of its own.
                response = sip.unpack_response(message)
                if response.status >= 200 and self._is_ours(response):
                    return response

    def _is_ours(self, response: sip.SipResponse) -> bool:
        return sip.answers(response, call_id=self._call_id, branch=self._branch)

    async def _message(self) -> bytes:
        while (message := self._buffer.take()) is None:
            data = await self._stream.read(_READ_BYTES, timeout=self._left_s())
            if not data:
                raise NetError(Failure.CONNECTION_CLOSED, "closed without an answer to OPTIONS")
            self._buffer.feed(data)
        return message


def _uri(target: Target, stream: Stream) -> str:
    host, port = target.host or stream.peer[0], stream.peer[1]
    return f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}"
