"""Who vouches for a responder's certificate, and what is said when somebody else's is shown."""

from typing import Any

import pytest

from readycheck.call.vouching import Vouched, vouched_by
from readycheck.failure import Failure
from readycheck.net.interface import CertificateFacts, NetError, TlsFacts
from readycheck.testing import tls_facts

PIN = "the key of the responder"
UNTRUSTED: dict[str, Any] = {"trust_failure": Failure.CERTIFICATE_UNTRUSTED}


def shown(pin: str = PIN, **said: Any) -> TlsFacts:
    leaf = CertificateFacts(
        subject="CN=far", issuer="CN=box of the site", names=(), not_before="", not_after="", spki_sha256=pin
    )
    return tls_facts(chain=(leaf,), **said)


@pytest.mark.parametrize(
    ("facts", "told", "keyed", "strict", "by"),
    [
        (UNTRUSTED, PIN, True, False, Vouched.KEY),
        (UNTRUSTED, PIN, True, True, Vouched.KEY),
        ({"name_matches": True}, PIN, False, True, Vouched.AUTHORITY),
        ({"name_matches": True}, None, True, True, Vouched.AUTHORITY),
        ({"name_matches": False}, PIN, False, False, None),
        (UNTRUSTED, PIN, False, False, None),
        (UNTRUSTED, None, True, False, None),
    ],
)
def test_by_whom(facts: dict[str, Any], told: object, keyed: bool, strict: bool, by: Vouched | None) -> None:
    assert vouched_by(shown(**facts), told, keyed=keyed, strict=strict) is by


@pytest.mark.parametrize("keyed", [False, True])
def test_who_opens_tls_on_the_way_is_caught_whoever_trusts_it(keyed: bool) -> None:
    with pytest.raises(NetError, match="CN=box of the site") as caught:
        vouched_by(shown("of the box", name_matches=True), PIN, keyed=keyed, strict=False)
    assert caught.value.failure is Failure.CERTIFICATE_NOT_PINNED and not caught.value.facts


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        (UNTRUSTED, Failure.CERTIFICATE_UNTRUSTED),
        ({"name_matches": False}, Failure.CERTIFICATE_NAME_MISMATCH),
    ],
)
def test_whoever_names_authorities_wants_one_of_them(facts: dict[str, Any], failure: Failure) -> None:
    with pytest.raises(NetError) as refused:
        vouched_by(shown(**facts), PIN, keyed=False, strict=True)
    assert (refused.value.failure, refused.value.facts) == (failure, {"far_end": True})
