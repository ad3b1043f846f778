"""The lab's certificate authority, a stranger's, and what the servers of the lab show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = timedelta(days=1)
SIP_NAMES = ("sip.lab.example",)


@dataclass(frozen=True)
class Credentials:
    """Files of a server: the chain that it shows, and the key."""

    chain: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """`roots` is what the agent is given as the vendor's own authorities.

    `second` is signed by the younger of the vendor's two. `corporate` is an authority of the site, key and
    certificate in one file, for what re-signs TLS there. `early` begins in two days.
    """

    roots: Path
    corporate: Path
    second: Credentials
    web: Credentials
    sip: Credentials
    expired: Credentials
    early: Credentials
    unknown: Credentials
    misnamed: Credentials
    leaf_only: Credentials


@dataclass(frozen=True)
class _Authority:
    name: x509.Name
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


def make_certificates(folder: Path, names: Sequence[str]) -> Certificates:
    now = datetime.now(UTC)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_file = folder / "server.key"
    key_file.write_bytes(_key(key))
    key_file.chmod(0o600)  # some servers refuse a key that others may read
    root = _authority("Lab Root CA", None, now)
    issuer = _authority("Lab Issuing CA", root, now)
    stranger = _authority("Somebody Else CA", None, now)
    roots = folder / "lab-roots.pem"
    younger = _authority("Lab Root CA 2", None, now)
    roots.write_bytes(_pem(root.certificate) + _pem(younger.certificate))
    site = _authority("Site Inspection CA", None, now)
    corporate = folder / "corporate.pem"
    corporate.write_bytes(_key(site.key) + _pem(site.certificate))

    def credentials(
        label: str,
        by: _Authority,
        subjects: Sequence[str],
        until: datetime,
        *,
        since: datetime = now - 30 * _DAY,
        alone: bool = False,
    ) -> Credentials:
        leaf = _leaf(by, key.public_key(), subjects, since, until)
        chain = folder / f"{label}.pem"
        chain.write_bytes(_pem(leaf) + (b"" if alone else _pem(by.certificate)))
        return Credentials(chain, key_file)

    later, past = now + 90 * _DAY, now - 2 * _DAY
    return Certificates(
        roots=roots,
        corporate=corporate,
        second=credentials("second", younger, names, later),
        web=credentials("web", issuer, names, later),
        sip=credentials("sip", issuer, names, later),
        expired=credentials("expired", issuer, names, past),
        early=credentials("early", issuer, names, later, since=now + 2 * _DAY),
        unknown=credentials("unknown", stranger, names, later),
        misnamed=credentials("misnamed", issuer, ["elsewhere.example"], later),
        leaf_only=credentials("leaf-only", issuer, names, later, alone=True),
    )


def _authority(title: str, parent: _Authority | None, now: datetime) -> _Authority:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "readycheck lab"),
            x509.NameAttribute(NameOID.COMMON_NAME, title),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(parent.name if parent else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 400 * _DAY)
        .not_valid_after(now + 400 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(parent.key if parent else key, hashes.SHA256())
    )
    return _Authority(name, key, certificate)


def _leaf(
    by: _Authority, key: rsa.RSAPublicKey, names: Sequence[str], since: datetime, until: datetime
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(by.name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False
        )
        .sign(by.key, hashes.SHA256())
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
