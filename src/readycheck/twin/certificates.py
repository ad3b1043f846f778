"""The throw-away authorities of the twin and the chains that its servers present."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from readycheck.twin.blueprint import Chain

ROOT_FILE = "roots.pem"
KEY_FILE = "key.pem"

_DAY = timedelta(days=1)
_FOREIGN = {
    Chain.STRANGER: "Unknown authority",
    Chain.INSPECTED: "Example Company TLS Inspection",
}


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def write_certificates(folder: Path, names: Iterable[str], wanted: Iterable[Chain], now: datetime) -> None:
    """Write the root, the servers' one key and the file `<chain>.pem` for each wanted chain.

    The key is RSA, because TLS 1.2 suites that profiles ask for authenticate with RSA.
    """
    names = sorted(set(names))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root = _root("readycheck twin root", now)
    issuer = _intermediate(root, "readycheck twin issuing authority", now)
    (folder / ROOT_FILE).write_bytes(_pem(root.certificate))
    (folder / KEY_FILE).write_bytes(_private(key))
    (folder / KEY_FILE).chmod(0o600)
    makers: Mapping[Chain, tuple[_Authority | None, Iterable[str], datetime]] = {
        Chain.GOOD: (issuer, names, now + 90 * _DAY),
        Chain.INCOMPLETE: (issuer, names, now + 90 * _DAY),
        Chain.EXPIRED: (issuer, names, now - _DAY),
        Chain.MISNAMED: (issuer, ["somebody-else.example"], now + 90 * _DAY),
        Chain.STRANGER: (None, names, now + 90 * _DAY),
        Chain.INSPECTED: (None, names, now + 90 * _DAY),
    }
    for chain in {Chain.GOOD, *wanted}:
        authority, subjects, until = makers[chain]
        signer = authority or _intermediate(_root(_FOREIGN[chain], now), f"{_FOREIGN[chain]} issuing", now)
        leaf = _leaf(signer, key.public_key(), subjects, now, until)
        sent = [leaf] if chain is Chain.INCOMPLETE else [leaf, signer.certificate]
        (folder / f"{chain}.pem").write_bytes(b"".join(map(_pem, sent)))


def _root(title: str, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(title, title, key.public_key(), now, now + 365 * _DAY)
    certificate = _as_authority(builder, None, key.public_key(), key.public_key()).sign(key, hashes.SHA256())
    return _Authority(certificate, key)


def _intermediate(root: _Authority, title: str, now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    above = root.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    builder = _builder(title, str(above), key.public_key(), now, now + 180 * _DAY)
    builder = _as_authority(builder, 0, key.public_key(), root.key.public_key())
    return _Authority(builder.sign(root.key, hashes.SHA256()), key)


def _leaf(
    issuer: _Authority, key: rsa.RSAPublicKey, names: Iterable[str], now: datetime, until: datetime
) -> x509.Certificate:
    subjects = [x509.DNSName(name) for name in names] or [x509.DNSName("twin.example")]
    above = issuer.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    builder = _builder("readycheck twin server", str(above), key, now, until)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        builder.add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs=False), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
        .sign(issuer.key, hashes.SHA256())
    )


def _builder(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * _DAY)
        .not_valid_after(until)
    )


def _as_authority(
    builder: x509.CertificateBuilder,
    depth: int | None,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
