"""What is an offer of a call."""

import pytest

from readycheck.responder.offer import CallLimits, read_offer
from readycheck.responder.session import Refused

OFFER = {
    "via": "udp",
    "user": "abcd",
    "password": "p" * 22,
    "fingerprint": ":".join(["0A"] * 32),
    "seconds": 10,
}
LIMITS = CallLimits(seconds=20.0)


@pytest.mark.parametrize(
    ("key", "value", "because"),
    [
        ("via", "sctp", "via is to be"),
        ("via", ["udp"], "via is to be"),
        ("user", "a:b:", "user is not one"),
        ("user", None, "user is not one"),
        ("password", "short", "password is not one"),
        ("fingerprint", "0A:0B", "fingerprint is not one"),
        ("fingerprint", 7, "fingerprint is not one"),
        ("seconds", 0, "seconds is to be"),
        ("seconds", True, "seconds is to be"),
        ("seconds", float("inf"), "seconds is to be"),
        ("seconds", "10", "seconds is to be"),
    ],
)
def test_what_is_no_offer_is_refused_in_words(key: str, value: object, because: str) -> None:
    with pytest.raises(Refused, match=because):
        read_offer({**OFFER, key: value}, LIMITS)


def test_no_call_is_longer_than_the_limit() -> None:
    assert read_offer({**OFFER, "seconds": 1e6}, LIMITS).seconds == 20.0
    assert (
        read_offer({"via": "tls", "fingerprint": OFFER["fingerprint"], "seconds": 5}, LIMITS).seconds == 5.0
    )
