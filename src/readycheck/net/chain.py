"""What a presented chain is worth: every valid path from the leaf to the trust set, and what they show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from readycheck.failure import Failure
from readycheck.net.certificate import KEPT, Certificate, matches_name, read_certificate, told
from readycheck.net.interface import CertificateFacts
from readycheck.net.trust import TrustStore

_MAX_DEPTH = 8
_MAX_STEPS = 200
_MAX_VERIFIED = 64  # the largest keys that OpenSSL takes need ten milliseconds each
_MAX_PRESENTED = 16
_MAX_TOLD = 8
_DAY_SECONDS = 86400

Path = tuple[Certificate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerdict:
    """`pins` are of every certificate in every valid path; `expires_days` is when the last path ends.

    `anchor` is the name of the anchor of the first path; a certificate that is not valid yet counts as
    expired.
    """

    chain: tuple[CertificateFacts, ...]
    pins: tuple[str, ...]
    anchor: str | None
    trust_failure: Failure | None
    name_matches: bool | None
    expires_days: float
    age_days: float | None


def assess_chain(
    chain_der: Sequence[bytes], trust: TrustStore, *, verify_name: str | None, now: datetime
) -> ChainVerdict:
    """Judge the certificates that a server sent, leaf first."""
    read = [read_certificate(der) for der in chain_der[:_MAX_PRESENTED]]
    presented = tuple(one for one in read if one is not None)
    leaf = read[0] if read else None
    search = _Search(presented, trust)
    paths = tuple(search.from_leaf(leaf)) if leaf is not None else ()
    valid = tuple(path for path in paths if all(one.is_current(now) for one in path))
    best = (valid or paths or ((),))[0]
    return ChainVerdict(
        chain=tuple(one.facts() for one in presented[:_MAX_TOLD]),
        pins=tuple(dict.fromkeys(one.pin for path in valid for one in path)),
        anchor=told(best[-1].parsed.subject) if best else None,
        trust_failure=None if valid else _failure(leaf, search, expired=bool(paths)),
        name_matches=None if verify_name is None else leaf is not None and matches_name(leaf, verify_name),
        expires_days=_days_left(leaf, valid or paths, now),
        age_days=_days(now - leaf.not_before) if leaf else None,
    )


def _failure(leaf: Certificate | None, search: "_Search", *, expired: bool) -> Failure:
    if expired:
        return Failure.CERTIFICATE_EXPIRED
    if leaf is not None and leaf.sound and leaf.subject != leaf.issuer and not search.knows_issuer(leaf):
        return Failure.CERTIFICATE_CHAIN_INCOMPLETE
    return Failure.CERTIFICATE_UNTRUSTED


def _days_left(leaf: Certificate | None, paths: Sequence[Path], now: datetime) -> float:
    ends = [min(one.not_after for one in path) for path in paths] or ([leaf.not_after] if leaf else [now])
    return _days(max(ends) - now)


def _days(span: timedelta) -> float:
    return round(span.total_seconds() / _DAY_SECONDS, 3)


@dataclass(slots=True)
class _Search:
    """Depth first over issuers, anchors before presented ones, within bounds that hostile chains meet."""

    presented: tuple[Certificate, ...]
    trust: TrustStore
    steps: int = 0
    signed: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    def from_leaf(self, leaf: Certificate) -> Iterator[Path]:
        if not leaf.sound or not leaf.serves:
            return
        if leaf.fingerprint in {anchor.fingerprint for anchor in self.trust.named(leaf.subject)}:
            yield (leaf,)
        yield from self._extend((leaf,))

    def knows_issuer(self, leaf: Certificate) -> bool:
        """Something bears the issuer's name, whether it signed the leaf or not."""
        return bool(self.trust.named(leaf.issuer)) or any(
            one.subject == leaf.issuer for one in self.presented
        )

    def _extend(self, path: Path) -> Iterator[Path]:
        if len(path) >= _MAX_DEPTH:
            return
        for anchor in self.trust.named(path[-1].issuer):
            if self._follows(path, anchor):
                yield (*path, anchor)
        for issuer in self.presented:
            if issuer.subject == path[-1].issuer and self._follows(path, issuer):
                yield from self._extend((*path, issuer))

    def _follows(self, path: Path, issuer: Certificate) -> bool:
        if self.steps >= _MAX_STEPS or _repeats(path, issuer) or not _may_follow(path, issuer):
            return False
        self.steps += 1
        return self._is_signed_by(path[-1], issuer)

    def _is_signed_by(self, child: Certificate, issuer: Certificate) -> bool:
        key = (child.fingerprint, issuer.fingerprint)
        if key not in self.signed and len(self.signed) >= _MAX_VERIFIED:
            return False
        if key not in self.signed:
            self.signed[key] = _verifies(child, issuer)
        return self.signed[key]


def _repeats(path: Path, issuer: Certificate) -> bool:
    # A cross-signed certificate is the same authority again, and would make a loop.
    return any(one.subject == issuer.subject and one.pin == issuer.pin for one in path)


def _may_follow(path: Path, issuer: Certificate) -> bool:
    limit = issuer.path_length
    return issuer.is_ca and issuer.sound and (limit is None or len(path) - 1 <= limit)


@lru_cache(maxsize=KEPT)
def _verifies(child: Certificate, issuer: Certificate) -> bool:
    try:
        child.parsed.verify_directly_issued_by(issuer.parsed)
    except Exception:  # a bad signature, an unknown algorithm, a key that is none
        return False
    return True
