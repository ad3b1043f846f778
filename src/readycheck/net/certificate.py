"""Certificates as they come from strangers: read without a crash, told without control characters."""

import base64
import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import accumulate
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from readycheck.failure import Failure
from readycheck.net.interface import CertificateFacts, NetError, TlsFacts

_MAX_TEXT = 200
_MAX_NAMES = 64
_MAX_NAMES_BYTES = 1500
_USUAL_BYTES = 8192
KEPT = 256
_SERVER_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}

Address = IPv4Address | IPv6Address
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """What path building needs; `sound` is False when its extensions cannot be read."""

    parsed: x509.Certificate
    fingerprint: bytes
    subject: bytes
    issuer: bytes
    pin: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    path_length: int | None
    serves: bool
    sound: bool
    dns_names: tuple[str, ...]
    addresses: tuple[Address, ...]

    def is_current(self, now: datetime) -> bool:
        return self.not_before <= now <= self.not_after

    def facts(self) -> CertificateFacts:
        """The part that a report shows."""
        return _facts(self)


@lru_cache(maxsize=KEPT)
def _facts(one: Certificate) -> CertificateFacts:
    return CertificateFacts(
        subject=told(one.parsed.subject),
        issuer=told(one.parsed.issuer),
        names=_told_names(one),
        not_before=one.not_before.isoformat(),
        not_after=one.not_after.isoformat(),
        spki_sha256=one.pin,
    )


def _told_names(one: Certificate) -> tuple[str, ...]:
    """The first names, as far as a report has room for them."""
    names = [*one.dns_names[:_MAX_NAMES], *map(str, one.addresses[:_MAX_NAMES])][:_MAX_NAMES]
    shown = tuple(map(cleaned, names))
    sizes = accumulate(len(name.encode()) for name in shown)
    return tuple(name for name, size in zip(shown, sizes, strict=True) if size <= _MAX_NAMES_BYTES)


def read_certificate(der: bytes) -> Certificate | None:
    """None when it is not a certificate that can be used at all."""
    return _kept(der) if len(der) <= _USUAL_BYTES else _read(der)


@lru_cache(maxsize=KEPT)
def _kept(der: bytes) -> Certificate | None:
    """Every server is greeted more than once, and most show the same authorities."""
    return _read(der)


def _read(der: bytes) -> Certificate | None:
    # The parser meets hostile bytes, and raises more kinds of errors than it documents.
    try:
        with unwarned():
            return examine(x509.load_der_x509_certificate(der))
    except Exception:
        return None


def examine(parsed: x509.Certificate) -> Certificate:
    """Read all that is wanted, once; raises whatever the parser raises."""
    with unwarned():
        extensions = _extensions(parsed)
        constraints = _extension(extensions, x509.BasicConstraints)
        return Certificate(
            parsed=parsed,
            fingerprint=fingerprint(parsed),
            subject=parsed.subject.public_bytes(),
            issuer=parsed.issuer.public_bytes(),
            pin=spki_pin(parsed),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            is_ca=constraints is not None and constraints.ca and _may_sign(extensions),
            path_length=constraints.path_length if constraints is not None else None,
            serves=_may_serve(extensions),
            sound=extensions is not None,
            dns_names=_dns_names(extensions),
            addresses=_addresses(extensions),
        )


def spki_pin(parsed: x509.Certificate) -> str:
    """The base64 SHA-256 of the public key (RFC 7469)."""
    try:
        key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # a key of a kind that is not known, or no key
        raise ValueError("the certificate has no readable key") from error
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def refuse_another(shown: TlsFacts, told_pin: object) -> None:
    """Raises `NetError` when a handshake showed another key than the far end says, inside it, that it has.

    One that says nothing of its key is refused nothing.
    """
    pin = shown.chain[0].spki_sha256 if shown.chain else ""
    if isinstance(told_pin, str) and told_pin != pin:
        issuer = f": this one is by {shown.chain[0].issuer}" if shown.chain else ""
        raise NetError(
            Failure.CERTIFICATE_NOT_PINNED,
            f"TLS is opened on the way, for the responder has another certificate{issuer}",
        )


def fingerprint(parsed: x509.Certificate) -> bytes:
    return hashlib.sha256(parsed.public_bytes(Encoding.DER)).digest()


def matches_name(certificate: Certificate, wanted: str) -> bool:
    """The identity check of RFC 9525: subject alternative names only, one left-most wildcard label."""
    with suppress(ValueError):
        return ip_address(wanted.strip("[]").partition("%")[0]) in certificate.addresses
    host = _ascii(wanted)
    return bool(host) and any(_covers(name.lower().rstrip("."), host) for name in certificate.dns_names)


def told(name: x509.Name) -> str:
    """A distinguished name, short and printable."""
    try:
        return cleaned(name.rfc4514_string())
    except Exception:
        return "(unreadable)"


def cleaned(text: str) -> str:
    """Short, and without what a terminal would obey or what would reorder a line."""
    kept = text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in kept)


@contextmanager
def unwarned() -> Iterator[None]:
    """Public bundles hold certificates that cryptography warns about; nobody here can mend them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _extensions(parsed: x509.Certificate) -> x509.Extensions | None:
    try:
        return parsed.extensions
    except Exception:
        return None


def _extension(extensions: x509.Extensions | None, kind: type[_Extension]) -> _Extension | None:
    try:
        return extensions.get_extension_for_class(kind).value if extensions is not None else None
    except x509.ExtensionNotFound:
        return None


def _may_sign(extensions: x509.Extensions | None) -> bool:
    usage = _extension(extensions, x509.KeyUsage)
    return usage is None or usage.key_cert_sign


def _may_serve(extensions: x509.Extensions | None) -> bool:
    usage = _extension(extensions, x509.ExtendedKeyUsage)
    return usage is None or not _SERVER_USAGES.isdisjoint(usage)


def _dns_names(extensions: x509.Extensions | None) -> tuple[str, ...]:
    names = _extension(extensions, x509.SubjectAlternativeName)
    return tuple(names.get_values_for_type(x509.DNSName)) if names is not None else ()


def _addresses(extensions: x509.Extensions | None) -> tuple[Address, ...]:
    names = _extension(extensions, x509.SubjectAlternativeName)
    found = names.get_values_for_type(x509.IPAddress) if names is not None else []
    return tuple(one for one in found if isinstance(one, IPv4Address | IPv6Address))


def _ascii(name: str) -> str:
    try:
        return name.rstrip(".").encode("ascii" if name.isascii() else "idna").decode().lower()
    except UnicodeError:
        return ""


def _covers(pattern: str, host: str) -> bool:
    label, _, rest = pattern.partition(".")
    if label != "*":
        return pattern == host
    return "." in rest and rest == host.partition(".")[2] and not host.startswith(".")
