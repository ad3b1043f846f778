"""The certificate that the responder shows: its owner's, or one of its own that nobody vouches for but its pin."""

import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from readycheck.errors import UsageError
from readycheck.net.certificate import spki_pin

_VALID = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Identity:
    """`pin` is the base64 SHA-256 of the public key."""

    context: ssl.SSLContext
    pin: str


def read_identity(path: Path) -> Identity:
    """From a PEM file with the chain and its key. Raises `UsageError` that names the file."""
    try:
        pem = path.read_bytes()
        return Identity(_context(path), spki_pin(x509.load_pem_x509_certificate(pem)))
    except ssl.SSLError:
        reason = "no certificate in PEM with its key, unencrypted"
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError:
        reason = "no certificate that can be read"
    raise UsageError(f"--certificate {path}: {reason}")


def make_identity(now: datetime | None = None) -> Identity:
    """A throw-away one; its key is nowhere else once this returns."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, now or datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="readycheck-") as folder:
        path = Path(folder) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Identity(_context(path), spki_pin(certificate))


def _context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, password=lambda: secrets.token_hex(8))  # never asks the terminal
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return context


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "readycheck responder")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("responder.invalid")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
