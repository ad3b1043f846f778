"""Sends OPTIONS to SIP servers: over TLS and TCP the connection proves the port, over UDP the answer does."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from readycheck.net.interface import Received
from readycheck.probe import (
    Better,
    Effort,
    Endpoint,
    Failure,
    Metric,
    MetricValue,
    Net,
    NetError,
    Observation,
    Question,
    Step,
    Stream,
    Target,
    TlsSettings,
    Unit,
)
from readycheck.wire import sip
from readycheck_probes.asking import ask_all
from readycheck_probes.dialling import dial, family_of, own_address, reached
from readycheck_probes.greeting import greet
from readycheck_probes.options import Options
from readycheck_probes.tally import COMMON_METRICS, HANDSHAKE_METRICS, successes, tally, tally_handshakes

# Vendors may stay silent on OPTIONS: waiting long for it would cost more than it tells.
_OPTIONS_S = {Effort.QUICK: 0.8, Effort.NORMAL: 1.5, Effort.THOROUGH: 3.0}
_SIGNED_S = 0.8
_READ_BYTES = 16 * 1024
_MAX_RECEIVED_BYTES = 128 * 1024
_PROOFS = {"tls": Step.TLS_HANDSHAKE, "tcp": Step.CONNECT, "udp": Step.ECHO}


@dataclass(frozen=True, slots=True)
class SipParams:
    """SIP servers, by address or by name, and how they are spoken to.

    `tcp` is SIP in clear. There the connection is what is proven, and no more: many servers ignore the
    OPTIONS of a stranger. A profile that wants the answer sets a limit on `options_answered`.
    """

    targets: tuple[Target, ...] = ()
    transport: Literal["tls", "tcp", "udp"] = "tls"

    @property
    def proves(self) -> Step:
        return _PROOFS[self.transport]

    @property
    def may_be_silent(self) -> bool:
        """Over UDP there is only OPTIONS to be answered, and many servers ignore a stranger's."""
        return self.transport == "udp"


class SipProbe:
    """A connection where there is one, then OPTIONS; a wish for a client certificate is an answer too."""

    name: ClassVar[str] = "sip"
    title: ClassVar[str] = "SIP over TLS, TCP or UDP"
    Params: ClassVar[type[SipParams]] = SipParams
    metrics: ClassVar[tuple[Metric, ...]] = (
        *COMMON_METRICS,
        *HANDSHAKE_METRICS,
        Metric("options_answered", Unit.COUNT, Better.HIGHER, "targets that answered OPTIONS"),
    )
    proves: ClassVar[Step] = Step.TLS_HANDSHAKE

    async def measure(self, params: SipParams, net: Net) -> None:
        if params.transport == "udp":
            heard: dict[Target, Mapping[str, Any]] = {}
            await ask_all(net, params.targets, partial(_question, heard), once=True)
            behind = [target for target, facts in heard.items() if _is_told(target, facts)]
            if net.effort is not Effort.QUICK:
                await net.each(behind, partial(_sign, heard))
        else:
            await net.each(params.targets, partial(_visit, params.transport))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        proves = _proven_by(observations)
        answers = Step.ECHO if proves is Step.ECHO else Step.RESPONSE
        return {
            **tally(observations, proves, timed=Step.ECHO if proves is Step.ECHO else Step.CONNECT),
            **tally_handshakes(observations),
            "options_answered": len(successes(observations, answers)),
        }


def _proven_by(observations: Sequence[Observation]) -> Step:
    """Over TLS every connection is followed by a handshake, over UDP there is none."""
    seen = {one.step for one in observations}
    return next((step for step in (Step.ECHO, Step.TLS_HANDSHAKE) if step in seen), Step.CONNECT)


def _question(heard: dict[Target, Mapping[str, Any]], target: Target, local: Endpoint) -> Question:
    options = Options(target, "udp", local)

    def recognise(data: bytes) -> Mapping[str, Any] | None:
        facts = options.recognise(data)
        if facts is not None:
            heard[target] = facts
        return facts

    return Question(target, options.payload, recognise)


def _is_told(target: Target, facts: Mapping[str, Any]) -> bool:
    """A host that says where a request came from, which did not say it itself."""
    return bool(target.address and not target.network and facts.get("received"))


async def _sign(heard: Mapping[Target, Mapping[str, Any]], target: Target, net: Net) -> None:
    """Behind a translator, once more with our own address: a server says that it came from another, by RFC 3261 18.2.1.

    A gateway that mends SIP replaces that address, so that the server sees no difference.
    """
    address = target.address or ""
    local = await own_address(net, (address, target.port or 0))
    if local in (None, heard[target]["received"]):
        return
    with closing(await net.plain.open_datagram(family=family_of(address))) as sock:
        options = Options(target, "udp", (local or "", sock.local[1]))
        began_ms, facts = net.now_ms(), None
        with suppress(NetError, ValueError):
            await sock.send(options.payload(0), (address, target.port or 0))
            while facts is None and (left_s := _SIGNED_S - (net.now_ms() - began_ms) / 1000) > 0:
                reply = await sock.receive(timeout=left_s)
                facts = options.recognise(reply.payload) if isinstance(reply, Received) else None
    if facts is not None:
        told = {"purpose": "signed", "as": local, "seen_as": heard[target]["received"], **facts}
        net.record(
            Observation(
                step=Step.RESPONSE,
                target=target,
                started_ms=round(began_ms, 3),
                elapsed_ms=round(net.now_ms() - began_ms, 3),
                facts=told,
            )
        )


async def _visit(transport: str, target: Target, net: Net) -> None:
    with closing(await dial(net, target)) as connected:
        if transport == "tcp":
            await _send_options(transport, target, connected, net)
            return
        # Sampled addresses have no name to send or to check; their chain is checked all the same.
        stream = await greet(net, connected, TlsSettings(server_name=target.host, verify_name=target.host))
        if stream is not None:
            with closing(stream):
                await _send_options(transport, target, stream, net)


async def _send_options(transport: str, target: Target, stream: Stream, net: Net) -> None:
    deadline_ms = net.now_ms() + _OPTIONS_S[net.effort] * 1000
    options = Options(target, transport, stream.local)
    with net.step(Step.RESPONSE) as step:
        step.at(**reached(target, stream))
        try:
            facts = await _answer(options, stream, lambda: max(0.0, deadline_ms - net.now_ms()) / 1000)
        except ValueError as error:
            if isinstance(error, sip.NotSip):
                step.facts["foreign"] = True
            raise NetError(Failure.PROTOCOL_ERROR, str(error)) from error
        except NetError as error:
            if error.failure is Failure.TLS_ALERT_CERTIFICATE_REQUIRED:
                step.facts["client_certificate_requested"] = True
            raise
        step.facts.update(facts)


async def _answer(options: Options, stream: Stream, left_s: Callable[[], float]) -> Mapping[str, Any]:
    """Ask once; what a server sends besides its final response is passed over, as long as it has an end."""
    buffer, received = sip.MessageBuffer(), 0
    await stream.write(options.payload(0), timeout=left_s())
    while True:
        while (message := buffer.take()) is None:
            data = await stream.read(_READ_BYTES, timeout=left_s())
            if not data:
                raise NetError(Failure.CONNECTION_CLOSED, "closed without an answer to OPTIONS")
            received += len(data)
            if received > _MAX_RECEIVED_BYTES:
                raise ValueError(f"more than {_MAX_RECEIVED_BYTES} bytes without an answer to OPTIONS")
            buffer.feed(data)
        facts = options.recognise(message)
        if facts is not None:
            return facts
