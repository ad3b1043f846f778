"""A call in words and as JSON."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from readycheck.call.attempt import Attempt, Quality, Reception
from readycheck.call.document import Called, document
from readycheck.call.stage import Direction, Failed, Passed, Stage, Via
from readycheck.call.text import render
from readycheck.call.vouching import Vouched
from readycheck.failure import Failure
from readycheck.profile import Limit

PASSED = (
    Passed(stage=Stage.NAMES, took_ms=2.0),
    Passed(stage=Stage.SIGNALLING, took_ms=31.0),
    Passed(stage=Stage.ICE, took_ms=22.0),
    Passed(stage=Stage.DTLS, took_ms=1204.0),
)
SOUND = Attempt(
    via=Via.TCP,
    place="192.0.2.1",
    passed=(*PASSED[:2], PASSED[3]),
    failed=None,
    connect_ms=1237.0,
    srtp="SRTP_AEAD_AES_256_GCM",
    talked_s=8.0,
    quality=Quality(
        up=Reception(packets=400, lost=6, jitter_ms=1.25),
        down=Reception(packets=401, lost=0, jitter_ms=0.5),
        rtt_ms=20.0,
        late_ms=0.2,
    ),
)
MUTE = Attempt(
    via=Via.UDP,
    place="192.0.2.1",
    passed=PASSED,
    failed=Failed(
        stage=Stage.MEDIA_ONE_WAY,
        after_s=4.26,
        failure=Failure.TIMED_OUT,
        detail="no sound arrives here",
        lost=Direction.DOWN,
        talked_s=3.0,
    ),
    connect_ms=1259.0,
    srtp="SRTP_AEAD_AES_256_GCM",
    talked_s=3.0,
    vouched=Vouched.KEY,
    dscp=46,
)
REFUSED = Attempt(
    via=Via.UDP,
    place="192.0.2.1",
    passed=PASSED[:1],
    failed=Failed(
        stage=Stage.SIGNALLING,
        after_s=0.1,
        failure=Failure.RESPONDER_REFUSED,
        detail="the responder refused: all calls are taken",
        blame=False,
    ),
    connect_ms=None,
)


def called(*attempts: Attempt) -> Called:
    return Called(
        title="Product",
        profile="product",
        revision="2026-01",
        roles=("app",),
        place="far.example:3478",
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        duration_ms=5000.04,
        seconds=8.0,
        attempts=attempts,
        limits={"loss_up_ratio": Limit(warn=0.01, source="a vendor")},
    )


def test_the_failing_stage_leads_and_what_saved_the_call_ends_it() -> None:
    assert (
        render(called(MUTE, SOUND))
        == """Product: a call to far.example:3478

by UDP: FAILS at media one way, 4.3 s after it began, after 3.0 s of talk
  names            passed in 2 ms: 192.0.2.1
  signalling       passed in 31 ms: TLS, its certificate vouched for by the key
  ICE              passed in 22 ms
  DTLS             passed in 1.2 s: SRTP_AEAD_AES_256_GCM
  media one way    FAILED: no sound arrives here (timed_out)

by TCP: works, with a quality beyond what is recommended; connected in 1.2 s
  names            passed in 2 ms: 192.0.2.1
  signalling       passed in 31 ms
  DTLS             passed in 1.2 s: SRTP_AEAD_AES_256_GCM
  media both ways  passed for 8.0 s
  to the far end:   6 of 400 packets lost (1.5%), jitter 1.2 ms
  from the far end: 0 of 401 packets lost (0.0%), jitter 0.5 ms
  round trip 20.0 ms
  loss to the far end 1.50% is more than recommended: 1.00% (a vendor)

WARNINGS: the call works, but not as it should (by TCP alone, UDP fails)
"""
    )


@pytest.mark.parametrize(("seen", "words"), [(46, "arrives at"), (0, "arrives as 0 at")])
def test_what_became_of_the_mark_is_told(seen: int, words: str) -> None:
    text = render(called(replace(SOUND, dscp=46, dscp_seen=seen)))
    assert f"  marked with DSCP 46, which {words} the far end\n" in text
    assert "DSCP" not in render(called(SOUND, replace(SOUND, dscp=46)))


def test_a_refusal_says_nothing_of_the_network() -> None:
    text = render(called(REFUSED))
    assert "by UDP: FAILS at signalling, 0.1 s after it began\n" in text
    assert text.endswith("UNKNOWN: the far end took no call, which says nothing of this network\n")
    (told,) = document(called(REFUSED))["calls"]
    assert (told["verdict"], told["failed"]["says_of_network"], told["connect_ms"]) == (
        "unknown",
        False,
        None,
    )


def test_a_proxy_and_a_certificate_that_nobody_vouches_for_are_named() -> None:
    by_proxy = replace(SOUND, via=Via.TLS, proxy="proxy.example:3128")
    assert (
        "31 ms: through the proxy proxy.example:3128, TLS, its certificate vouched for by nobody\n"
        in render(called(by_proxy))
    )
