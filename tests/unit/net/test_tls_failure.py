"""How handshake failures are named."""

import ssl

import pytest

from readycheck.failure import Failure
from readycheck.net.tls_failure import alert_failure, greeting_failure, looks_like_tls


def raised(reason: str | None, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, "text")
    error.reason = reason  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("reason", "alert", "failure", "word"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", None, Failure.TLS_ALERT_HANDSHAKE_FAILURE, "handshake_failure"),
        ("SSL/TLS_ALERT_HANDSHAKE_FAILURE", None, Failure.TLS_ALERT_HANDSHAKE_FAILURE, "handshake_failure"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", None, Failure.TLS_ALERT_PROTOCOL_VERSION, "protocol_version"),
        ("TLSV1_UNRECOGNIZED_NAME", None, Failure.TLS_ALERT_UNRECOGNIZED_NAME, "unrecognized_name"),
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            None,
            Failure.TLS_ALERT_CERTIFICATE_REQUIRED,
            "certificate_req",
        ),
        ("TLSV1_ALERT_INTERNAL_ERROR", None, Failure.TLS_ALERT, "internal_error"),
        (None, 40, Failure.TLS_ALERT_HANDSHAKE_FAILURE, "handshake_failure"),
        (None, 116, Failure.TLS_ALERT_CERTIFICATE_REQUIRED, "certificate_required"),
        (None, 48, Failure.TLS_ALERT, "unknown_ca"),
        (None, 250, Failure.TLS_ALERT, "250"),
        ("UNSUPPORTED_PROTOCOL", None, Failure.TLS_VERSION, "unsupported_protocol"),
        ("WRONG_VERSION_NUMBER", None, Failure.TLS_VERSION, "wrong_version_number"),
        ("HTTP_REQUEST", None, Failure.TLS_NOT_TLS, "http_request"),
        ("BAD_ECPOINT", None, Failure.PROTOCOL_ERROR, "bad_ecpoint"),
        (None, None, Failure.PROTOCOL_ERROR, "sslerror"),
    ],
)
def test_reasons(reason: str | None, alert: int | None, failure: Failure, word: str) -> None:
    found, detail = greeting_failure(raised(reason), alert)
    assert found is failure
    assert word in detail.lower()


@pytest.mark.parametrize("kind", [ssl.SSLEOFError, ssl.SSLZeroReturnError])
def test_the_end_of_the_stream(kind: type[ssl.SSLError]) -> None:
    assert greeting_failure(raised(None, kind), None)[0] is Failure.CONNECTION_CLOSED


@pytest.mark.parametrize(
    ("first", "plausible"),
    [
        (b"", True),
        (b"\x16", True),
        (b"\x16\3\1", True),
        (b"\x15\3\3", True),
        (b"\x16\2", False),
        (b"HTTP/1.1 400", False),
        (b"\0", False),
    ],
)
def test_first_bytes(first: bytes, plausible: bool) -> None:
    assert looks_like_tls(first) is plausible


@pytest.mark.parametrize(
    ("alert", "failure", "word"),
    [
        (112, Failure.TLS_ALERT_UNRECOGNIZED_NAME, "unrecognized_name"),
        (120, Failure.TLS_ALERT, "no_application_protocol"),
        (250, Failure.TLS_ALERT, "250"),
    ],
)
def test_alerts_that_came_by_another_way(alert: int, failure: Failure, word: str) -> None:
    found, words = alert_failure(alert)
    assert found is failure
    assert word in words
