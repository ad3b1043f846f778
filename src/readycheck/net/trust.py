"""The trust set of a run: the public bundle, and what `--trust-roots` adds to it."""

import os
import re
import ssl
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from readycheck.errors import UsageError
from readycheck.net.bundle import public_bundle
from readycheck.net.certificate import (
    Certificate,
    cleaned,
    examine,
    read_certificate,
    spki_pin,
    told,
    unwarned,
)

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_MAX_BUNDLE_BYTES = 4 << 20
_MAX_ROOTS = 256
_MAX_LOCAL_FILES = 4096
_ANCHOR_DIRS = (
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/pki/ca-trust/extracted/pem",
    "/usr/local/share/ca-certificates",
)
_ANCHOR_ENDINGS = frozenset({"pem", "crt", "cer"})


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Anchors. `accepted_pins` and `fingerprints` (SHA-256) are those of the `--trust-roots` alone.

    `of_host` reads, once, what this host trusts besides: no part of the trust set, but worth knowing of a stranger.
    """

    anchors: tuple[x509.Certificate, ...]
    accepted_pins: frozenset[str] = frozenset()
    fingerprints: tuple[str, ...] = ()
    of_host: Callable[[], tuple[x509.Certificate, ...]] = field(default=tuple, repr=False, compare=False)
    _by_subject: dict[bytes, tuple[x509.Certificate, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _examined: dict[bytes, tuple[Certificate, ...]] = field(default_factory=dict, repr=False, compare=False)

    def named(self, subject: bytes) -> tuple[Certificate, ...]:
        """The anchors of this subject; only those are looked into further."""
        if not self._by_subject:
            self._sort_by_subject()
        if subject in self._by_subject and subject not in self._examined:
            self._examined[subject] = tuple(map(examine, self._by_subject[subject]))
        return self._examined.get(subject, ())

    def _sort_by_subject(self) -> None:
        with unwarned():
            for anchor in self.anchors:
                subject = anchor.subject.public_bytes()
                self._by_subject[subject] = (*self._by_subject.get(subject, ()), anchor)


def load_trust(roots_files: Sequence[Path] = ()) -> TrustStore:
    """The public bundle and the authorities in `roots_files`, which must not be locally installed ones."""
    public = public_anchors()
    given = [root for file in roots_files for root in _read_roots(file)]
    if given:
        _refuse_installed(given, public)
    return TrustStore(
        anchors=(*public, *(root.parsed for _, root in given)),
        accepted_pins=frozenset(root.pin for _, root in given),
        fingerprints=tuple(dict.fromkeys(root.fingerprint.hex() for _, root in given)),
        of_host=_read_once(lambda: tuple(_installed_besides(public))),
    )


def _read_once(
    read: Callable[[], tuple[x509.Certificate, ...]],
) -> Callable[[], tuple[x509.Certificate, ...]]:
    """Handshakes that fail together wait for one reading."""
    lock, kept = Lock(), list[tuple[x509.Certificate, ...]]()

    def get() -> tuple[x509.Certificate, ...]:
        with lock:
            if not kept:
                kept.append(read())
            return kept[0]

    return get


def public_anchors() -> tuple[x509.Certificate, ...]:
    """The public bundle. Raises `ReadycheckError`."""
    return tuple(_parse(_pem_blocks(public_bundle())))


def installed_pins(public: Iterable[x509.Certificate]) -> frozenset[str]:
    """The keys of trust anchors that this host has and the public bundle lacks."""
    public = tuple(public)
    found = _pins(_installed_besides(public))
    return found - _pins(public) if found else found


def _installed_besides(public: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
    shipped = {anchor.public_bytes(Encoding.DER) for anchor in public}
    return _parse_der(_installed_anchors() - shipped)


def _pins(anchors: Iterable[x509.Certificate]) -> frozenset[str]:
    found: set[str] = set()
    for anchor in anchors:
        with suppress(ValueError), unwarned():
            found.add(spki_pin(anchor))
    return frozenset(found)


def _refuse_installed(given: Iterable[tuple[Path, Certificate]], public: Iterable[x509.Certificate]) -> None:
    installed = installed_pins(public)
    for file, root in given:
        if root.pin in installed:
            raise _unusable(
                file,
                f"{told(root.parsed.subject)} is a trust anchor of this host that no public bundle has, "
                "as an inspecting proxy's would be",
            )


def _read_roots(file: Path) -> list[tuple[Path, Certificate]]:
    blocks = _pem_blocks(_read_bundle(file))
    if not blocks:
        raise _unusable(file, "holds no PEM certificate")
    if len(blocks) > _MAX_ROOTS:
        raise _unusable(file, f"holds more than {_MAX_ROOTS} certificates")
    return [(file, _authority(file, number, block)) for number, block in enumerate(blocks, 1)]


def _read_bundle(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise _unusable(file, f"cannot be read: {reason}") from error
    if not content.strip():
        raise _unusable(file, "is empty")
    if len(content) > _MAX_BUNDLE_BYTES:
        raise _unusable(file, "is too large for a file of certificates")
    return content


def _authority(file: Path, number: int, block: bytes) -> Certificate:
    with suppress(ValueError):
        found = read_certificate(ssl.PEM_cert_to_DER_cert(block.decode()))
        if found is not None and found.is_ca:
            return found
        if found is not None:
            raise _unusable(file, f"{told(found.parsed.subject)} is not a certificate authority")
    raise _unusable(file, f"certificate {number} is damaged")


def _unusable(file: Path, why: str) -> UsageError:
    return UsageError(f"--trust-roots {cleaned(str(file))}: {why}")


def _installed_anchors() -> set[bytes]:
    """Certificates in DER; what is none of them is left to whoever parses it."""
    # Windows alone has them in no file; to have OpenSSL read the files takes ten times as long.
    found = set(
        ssl.create_default_context().get_ca_certs(binary_form=True) if sys.platform == "win32" else ()
    )
    for block in set(_blocks_in_files()):  # most are in a folder and in a bundle
        with suppress(ValueError):
            found.add(ssl.PEM_cert_to_DER_cert(block.decode()))
    return found


def _blocks_in_files() -> Iterator[bytes]:
    paths = ssl.get_default_verify_paths()
    folders = dict.fromkeys(filter(None, (paths.capath, paths.openssl_capath, *_ANCHOR_DIRS)))
    files = chain(filter(None, (paths.cafile,)), (file for folder in folders for file in _files(folder)))
    for file in _distinct(islice(files, _MAX_LOCAL_FILES)):
        with suppress(OSError), open(file, "rb") as opened:
            yield from _pem_blocks(opened.read(_MAX_BUNDLE_BYTES))


def _distinct(files: Iterable[str]) -> Iterator[str]:
    """Each file once: most of the folders are links to one another."""
    seen: set[tuple[int, int]] = set()
    for file in files:
        with suppress(OSError):
            found = os.stat(file)
            if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                yield file


def _files(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in names if _may_hold_anchors(name))


def _may_hold_anchors(name: str) -> bool:
    """OpenSSL numbers those that it finds by the hash of their names."""
    ending = name.rpartition(".")[2].lower()
    return "." in name and (ending in _ANCHOR_ENDINGS or ending.isdecimal())


def _pem_blocks(content: bytes) -> list[bytes]:
    return _PEM.findall(content)


def _parse(blocks: Iterable[bytes]) -> Iterator[x509.Certificate]:
    for block in blocks:
        with suppress(ValueError), unwarned():  # one that a newer parser refuses must not cost the others
            yield x509.load_pem_x509_certificate(block)


def _parse_der(certificates: Iterable[bytes]) -> Iterator[x509.Certificate]:
    for der in certificates:
        with suppress(ValueError), unwarned():
            yield x509.load_der_x509_certificate(der)
