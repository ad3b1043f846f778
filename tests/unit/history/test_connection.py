"""What a URL says of the connection's encryption, as libpq has it."""

import ssl

import certifi
import pytest

from readycheck.history.connection import _tls
from readycheck.history.place import StoreError, place_of

_CA = f"&sslrootcert={certifi.where()}"
_NOT, _NAMELESS, _WHOLE = (
    (ssl.CERT_NONE, False),
    (ssl.CERT_REQUIRED, False),
    (ssl.CERT_REQUIRED, True),
)


@pytest.mark.parametrize(
    ("asked", "checks"),
    [
        ("sslmode=require", _NOT),
        (f"sslmode=require{_CA}", _NAMELESS),
        ("sslmode=verify-ca", _NAMELESS),
        (f"sslmode=verify-ca{_CA}", _NAMELESS),
        ("sslmode=verify-full", _WHOLE),
        (f"sslmode=verify-full{_CA}", _WHOLE),
    ],
)
def test_what_is_checked_of_a_certificate(asked: str, checks: tuple[ssl.VerifyMode, bool]) -> None:
    context = _tls(place_of(f"postgresql://me@db.example/runs?{asked}"))
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == checks


def test_where_nothing_is_asked_for() -> None:
    """None is: encrypted if the server will, and not looked at."""
    assert _tls(place_of("postgresql://me@db.example/runs")) is None
    assert _tls(place_of("postgresql://me@localhost/runs")) is False
    assert _tls(place_of("postgresql://me@db.example/runs?sslmode=disable")) is False


def test_authorities_that_are_not_there() -> None:
    with pytest.raises(StoreError, match=r"me@db\.example:5432/runs: sslrootcert: No such file"):
        _tls(place_of("postgresql://me@db.example/runs?sslmode=verify-full&sslrootcert=/nosuch"))
