"""Words for the ways in which a TLS handshake fails."""

import re
import ssl
from contextlib import suppress

from readycheck.failure import Failure

_FAILURES = {
    "handshake_failure": Failure.TLS_ALERT_HANDSHAKE_FAILURE,
    "protocol_version": Failure.TLS_ALERT_PROTOCOL_VERSION,
    "unrecognized_name": Failure.TLS_ALERT_UNRECOGNIZED_NAME,
    "certificate_required": Failure.TLS_ALERT_CERTIFICATE_REQUIRED,
}
# Alerts that `ssl.AlertDescription` does not have (RFC 7507, RFC 8446, RFC 7301).
_NEWER_ALERTS = {
    86: "inappropriate_fallback",
    109: "missing_extension",
    116: "certificate_required",
    120: "no_application_protocol",
}
_ALERT_PREFIX = re.compile(r"(?:TLSV1_ALERT_|TLSV13_ALERT_|SSLV3_ALERT_|SSL/TLS_ALERT_|TLSV1_|TLSV13_)")
_NOT_TLS = ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL")
_OTHER_VERSION = (
    "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION",
    "WRONG_VERSION_NUMBER",
    "VERSION_TOO_LOW",
    "BAD_PROTOCOL_VERSION_NUMBER",
)
_RECORD_TYPES = range(20, 25)  # change_cipher_spec to heartbeat
_MAJOR_VERSION = 3


def looks_like_tls(first: bytes) -> bool:
    """Whether a server's first bytes can begin a record."""
    return not first or (first[0] in _RECORD_TYPES and first[1:2] in (b"", bytes([_MAJOR_VERSION])))


def greeting_failure(error: Exception, alert: int | None) -> tuple[Failure, str]:
    """Name what OpenSSL raised after bytes were exchanged; `alert` is the fatal one received."""
    reason = getattr(error, "reason", None) or ""
    if alert is not None or _ALERT_PREFIX.match(reason):
        return _alert_failure(_alert_name(alert, reason))
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure.CONNECTION_CLOSED, "closed in the handshake"
    if reason in _OTHER_VERSION:
        return Failure.TLS_VERSION, f"OpenSSL says {reason.lower()}"
    if reason in _NOT_TLS:
        return Failure.TLS_NOT_TLS, f"OpenSSL says {reason.lower()}"
    return Failure.PROTOCOL_ERROR, f"OpenSSL says {reason.lower() or type(error).__name__}"


def alert_failure(alert: int) -> tuple[Failure, str]:
    """Name the alert that a server ended a handshake with (RFC 8446 section 6)."""
    return _alert_failure(_alert_name(alert, ""))


def _alert_failure(name: str) -> tuple[Failure, str]:
    return _FAILURES.get(name, Failure.TLS_ALERT), f"the server's alert: {name}"


def _alert_name(alert: int | None, reason: str) -> str:
    if alert is None:
        return _ALERT_PREFIX.sub("", reason, count=1).lower()
    with suppress(ValueError):
        return ssl.AlertDescription(alert).name.removeprefix("ALERT_DESCRIPTION_").lower()
    return _NEWER_ALERTS.get(alert, str(alert))
