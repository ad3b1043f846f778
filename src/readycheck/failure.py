"""The closed vocabulary of failures and of the steps in which they happen."""

import errno
from enum import StrEnum


class Step(StrEnum):
    RESOLVE = "resolve"
    CONNECT = "connect"
    PROXY_CONNECT = "proxy_connect"
    TLS_HANDSHAKE = "tls_handshake"
    REQUEST = "request"
    RESPONSE = "response"
    ECHO = "echo"
    HOP = "hop"


class Failure(StrEnum):
    """What went wrong in one step. Flat, closed: a new kind is added here or it is `unknown`."""

    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECTION_CLOSED = "connection_closed"
    NETWORK_UNREACHABLE = "network_unreachable"
    HOST_UNREACHABLE = "host_unreachable"
    PORT_UNREACHABLE = "port_unreachable"
    ICMP_ADMIN_PROHIBITED = "icmp_admin_prohibited"
    HOP_LIMIT_EXCEEDED = "hop_limit_exceeded"
    MESSAGE_TOO_LONG = "message_too_long"
    PERMISSION_DENIED = "permission_denied"
    ADDRESS_NOT_AVAILABLE = "address_not_available"
    PLATFORM = "platform"
    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_SERVFAIL = "dns_servfail"
    DNS_REFUSED = "dns_refused"
    DNS_NO_RESOLVER = "dns_no_resolver"
    TLS_ALERT = "tls_alert"
    TLS_ALERT_HANDSHAKE_FAILURE = "tls_alert_handshake_failure"
    TLS_ALERT_PROTOCOL_VERSION = "tls_alert_protocol_version"
    TLS_ALERT_UNRECOGNIZED_NAME = "tls_alert_unrecognized_name"
    TLS_ALERT_CERTIFICATE_REQUIRED = "tls_alert_certificate_required"
    TLS_NOT_TLS = "tls_not_tls"
    TLS_VERSION = "tls_version"
    TLS_LOCAL = "tls_local"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NAME_MISMATCH = "certificate_name_mismatch"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_CHAIN_INCOMPLETE = "certificate_chain_incomplete"
    CERTIFICATE_NOT_PINNED = "certificate_not_pinned"
    PROXY_AUTH_REQUIRED = "proxy_auth_required"
    PROXY_DENIED = "proxy_denied"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROTOCOL_ERROR = "protocol_error"
    HTTP_STATUS = "http_status"
    RESPONDER_REFUSED = "responder_refused"
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """As it is told to people: `DNS NXDOMAIN`."""
        return " ".join(word.upper() if word in _ACRONYMS else word for word in self.value.split("_"))


_ACRONYMS = frozenset({"dns", "http", "icmp", "nxdomain", "servfail", "tls"})


LOCAL_FAILURES = frozenset(
    {Failure.PERMISSION_DENIED, Failure.PLATFORM, Failure.TLS_LOCAL, Failure.ADDRESS_NOT_AVAILABLE}
)
"""Failures that this host made before a byte left it: never a network failure."""

_BY_ERRNO = {
    errno.ETIMEDOUT: Failure.TIMED_OUT,
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_RESET,
    errno.EPIPE: Failure.CONNECTION_RESET,
    errno.ECONNABORTED: Failure.CONNECTION_RESET,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Failure.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.EMSGSIZE: Failure.MESSAGE_TOO_LONG,
    errno.EPERM: Failure.PERMISSION_DENIED,
    errno.EACCES: Failure.PERMISSION_DENIED,
    errno.EADDRNOTAVAIL: Failure.ADDRESS_NOT_AVAILABLE,
    errno.EADDRINUSE: Failure.ADDRESS_NOT_AVAILABLE,
    errno.EAFNOSUPPORT: Failure.NETWORK_UNREACHABLE,
    errno.EINVAL: Failure.NETWORK_UNREACHABLE,  # a blackhole route, or an address without its scope
}

_BY_ICMP = {
    "time_exceeded": Failure.HOP_LIMIT_EXCEEDED,
    "net_unreachable": Failure.NETWORK_UNREACHABLE,
    "host_unreachable": Failure.HOST_UNREACHABLE,
    "port_unreachable": Failure.PORT_UNREACHABLE,
    "protocol_unreachable": Failure.HOST_UNREACHABLE,
    "fragmentation_needed": Failure.MESSAGE_TOO_LONG,
    "admin_prohibited": Failure.ICMP_ADMIN_PROHIBITED,
}


def classify(error: BaseException) -> Failure:
    """Name an operating-system error; `unknown` when it is none that we know."""
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return Failure.TIMED_OUT
    if type(error).__module__ in ("ssl", "socket"):
        return Failure.UNKNOWN  # their numbers are not the system's
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    if isinstance(error, ConnectionResetError):
        return Failure.CONNECTION_RESET
    return Failure.UNKNOWN


def classify_icmp(meaning: str) -> Failure:
    """Name what an ICMP message says (words of `wire.extended_error.meaning`)."""
    return _BY_ICMP.get(meaning, Failure.UNKNOWN)
