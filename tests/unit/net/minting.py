"""Certificates of every sort, made in the test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
Lifetime = tuple[datetime, datetime]
CURRENT: Lifetime = (NOW - 30 * DAY, NOW + 60 * DAY)
PAST: Lifetime = (NOW - 60 * DAY, NOW - DAY)
FUTURE: Lifetime = (NOW + DAY, NOW + 60 * DAY)

_serials = count(1)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """One key for each name."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Party:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def secret(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def mint(
    title: str,
    issuer: Party | None = None,
    *,
    names: Sequence[str] = (),
    ca: bool = False,
    path_length: int | None = None,
    lifetime: Lifetime = CURRENT,
    extensions: Sequence[x509.ExtensionType] = (),
    keyed: str | None = None,
    says_issuer: str | None = None,
) -> Party:
    """Sign a certificate; without `issuer` it signs itself. `says_issuer` lies about who did."""
    own = key(keyed or title)
    signer = issuer.key if issuer else own
    above = _name(says_issuer) if says_issuer else issuer.certificate.subject if issuer else _name(title)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(title))
        .issuer_name(above)
        .public_key(own.public_key())
        .serial_number(next(_serials))
        .not_valid_before(lifetime[0])
        .not_valid_after(lifetime[1])
        .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Party(builder.sign(signer, hashes.SHA256()), own)


def _name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
