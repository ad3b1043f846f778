"""A throw-away certificate authority."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_UNKNOWN = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")  # of documentation (RFC 5612)
SUITE_OF_12 = "ECDHE-ECDSA-AES128-GCM-SHA256"


class Authority:
    """Issues certificates into `folder`; `certificate` is its own, as PEM."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._own = self._issue(self._name, self._key, (), timedelta(days=365), authority=True)
        self.certificate = self._own.public_bytes(serialization.Encoding.PEM).decode()

    def context(
        self,
        *names: str,
        lifetime: timedelta = timedelta(days=30),
        versions: tuple[str, str] = ("TLSv1_2", "TLSv1_3"),
        ciphers: str = "",
        wants_client: bool = False,
        subject: str = "",
        ballast: int = 0,
        links: int = 0,
    ) -> ssl.SSLContext:
        """A server's context with a certificate for `names`, which may be addresses.

        `ballast` is the size of an extension that nobody knows, `links` how many certificates follow the leaf.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = (ssl.TLSVersion[one] for one in versions)
        context.load_cert_chain(self._leaf(names, lifetime, subject, ballast, links))
        if ciphers:
            context.set_ciphers(ciphers)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.certificate)
        return context

    def chain(self, *names: str, lifetime: timedelta = timedelta(days=30)) -> Path:
        """A file with a certificate for `names` and its key."""
        return self._leaf(names, lifetime, names[0], 0, 0)

    def _leaf(
        self, names: tuple[str, ...], lifetime: timedelta, title: str = "", ballast: int = 0, links: int = 0
    ) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title or names[0])])
        leaf = self._issue(subject, key, names, lifetime, ballast=ballast)
        path = self._folder / f"{leaf.serial_number:x}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = self.certificate.encode() * links
        path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + chain + secret)
        return path

    def _issue(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: tuple[str, ...],
        lifetime: timedelta,
        *,
        authority: bool = False,
        ballast: int = 0,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        begin = now - timedelta(days=1) if lifetime > timedelta() else now - timedelta(days=60)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(now + lifetime)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        if ballast:
            unknown = x509.UnrecognizedExtension(_UNKNOWN, bytes(ballast))
            builder = builder.add_extension(unknown, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
