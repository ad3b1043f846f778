"""The public bundle of certificate authorities, as a file: what reads certificates takes long to import."""

from pathlib import Path

from readycheck.errors import ReadycheckError

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def public_bundle() -> bytes:
    """Raises `ReadycheckError` for one that is of no use: every chain would be called untrusted."""
    import certifi

    path = certifi.where()
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror or error}") from None
    if _CERTIFICATE not in content:
        raise _unusable(path, "holds no certificate")
    return content


def _unusable(path: str, why: str) -> ReadycheckError:
    return ReadycheckError(f"{path}: the public certificate authorities (package certifi): {why}")
