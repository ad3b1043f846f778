"""TLS handshakes in which a service that wants to know who we are has answered, too."""

from dataclasses import asdict
from typing import Any

from readycheck.probe import Failure, Net, NetError, Step, Stream, TlsSettings
from readycheck_probes.dialling import patience, reached

# How servers turn away a client without a certificate, at TLS 1.2 within the handshake.
_REFUSALS = {
    Failure.TLS_ALERT,
    Failure.TLS_ALERT_HANDSHAKE_FAILURE,
    Failure.CONNECTION_RESET,
    Failure.CONNECTION_CLOSED,
}


async def greet(net: Net, stream: Stream, settings: TlsSettings, **facts: Any) -> Stream | None:
    """Handshake, with `facts` on its step; None when it ended with the wish for a client certificate."""
    with net.step(Step.TLS_HANDSHAKE) as step:
        transport = step.target.transport or "tls"
        step.at(**reached(step.target, stream), transport=transport, sni=settings.server_name)
        step.facts.update(facts)
        try:
            secured = await net.plain.start_tls(stream, settings, timeout=patience(net))
        except NetError as error:
            if not _wants_certificate(error):
                raise
            step.facts.update(error.facts, client_certificate_requested=True)
            return None
        if secured.tls is not None:
            step.facts["tls"] = asdict(secured.tls)
            step.facts["client_certificate_requested"] = secured.tls.client_certificate_requested
        return secured


def _wants_certificate(error: NetError) -> bool:
    """Whoever asks without having shown a certificate may be anybody."""
    if not error.facts.get("tls"):
        return False
    asked = bool(error.facts.get("client_certificate_requested"))
    return error.failure is Failure.TLS_ALERT_CERTIFICATE_REQUIRED or (asked and error.failure in _REFUSALS)
