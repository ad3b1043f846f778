"""Who vouches for the certificate of a responder. Pure."""

from enum import StrEnum

from readycheck.failure import Failure
from readycheck.net.interface import NetError, TlsFacts


class Vouched(StrEnum):
    """By whom: whoever has the key of `--responder-key`, or an authority that is trusted for its name."""

    KEY = "key"
    AUTHORITY = "authority"


def vouched_by(shown: TlsFacts, told_pin: object, *, keyed: bool, strict: bool) -> Vouched | None:
    """By what its greeting tells (`told_pin`), which a tag protects where it is `keyed`, and else by its chain.

    Raises `NetError` when the greeting tells of another certificate, and, when `strict`, when nobody vouches.
    """
    pin = shown.chain[0].spki_sha256 if shown.chain else ""
    if isinstance(told_pin, str) and told_pin != pin:
        issuer = f": this one is by {shown.chain[0].issuer}" if shown.chain else ""
        raise NetError(
            Failure.CERTIFICATE_NOT_PINNED,
            f"TLS is opened on the way, for the responder has another certificate{issuer}",
        )
    if keyed and told_pin:
        return Vouched.KEY
    if shown.trust_failure is None and shown.name_matches:
        return Vouched.AUTHORITY
    if strict:
        failure = shown.trust_failure or Failure.CERTIFICATE_NAME_MISMATCH
        raise NetError(
            failure, "nobody who is trusted vouches for the responder's certificate", {"far_end": True}
        )
    return None
