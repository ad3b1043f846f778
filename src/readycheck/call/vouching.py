"""Who vouches for the certificate of a responder. Pure."""

from enum import StrEnum

from readycheck.failure import Failure
from readycheck.net.certificate import refuse_another
from readycheck.net.interface import NetError, TlsFacts


class Vouched(StrEnum):
    """By whom: whoever has the key of `--responder-key`, or an authority that is trusted for its name."""

    KEY = "key"
    AUTHORITY = "authority"


def vouched_by(shown: TlsFacts, told_pin: object, *, keyed: bool, strict: bool) -> Vouched | None:
    """By what its greeting tells (`told_pin`), which a tag protects where it is `keyed`, and else by its chain.

    Raises `NetError` when the greeting tells of another certificate, and, when `strict`, when nobody vouches.
    """
    refuse_another(shown, told_pin)
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
