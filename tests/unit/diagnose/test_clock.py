"""A clock that time servers call wrong, and certificates that are out of date by it alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from readycheck.diagnose.clock import is_valid_after
from readycheck.diagnose.finding import Confidence, Finding, Owner, Severity, Where
from readycheck.failure import Failure, Step
from readycheck.observation import Target
from readycheck.verdict import Readiness
from tests.unit.builders import NETWORKS, Result, World, conclude, seen, tls

DAY_MS = 86_400_000.0
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXPIRED = Failure.CERTIFICATE_EXPIRED


# --- the clock ----------------------------------------------------------------------------------------


def test_servers_that_agree_show_a_wrong_clock() -> None:
    found = conclude(World(offsets=lambda t: 3_600_000.0))
    only = found.only
    assert (only.cause, only.where, only.owner) == ("clock-skew", Where.HOST, Owner.HOST_ADMIN)
    assert (only.confidence, only.severity) == (Confidence.LIKELY, Severity.BLOCKING)
    assert "clock is 3600.0 s behind the time servers" in only.summary
    assert found.readiness is Readiness.NOT_READY


def test_a_clock_that_is_a_little_off_is_a_warning() -> None:
    found = conclude(World(offsets=lambda t: -5_000.0))
    assert (found.only.cause, found.only.severity) == ("clock-skew", Severity.DEGRADING)
    assert "5.0 s ahead of the time servers" in found.only.summary
    assert found.readiness is Readiness.WARNINGS


def test_a_clock_that_is_right_is_no_finding() -> None:
    assert conclude(World(offsets=lambda t: 900.0)).findings == ()


def wrong_in(*networks: str, sign: float = 1.0) -> World:
    def offset(target: Target) -> float:
        return sign * 3_600_000.0 if target.network in networks else 2.0

    return World(lively=4, offsets=offset)


def test_one_server_against_others_is_not_this_hosts_clock() -> None:
    found = conclude(wrong_in(NETWORKS[0]))
    assert all(f.where is not Where.HOST and f.confidence is Confidence.POSSIBLE for f in found.findings)


def test_servers_that_disagree_are_not_this_hosts_clock() -> None:
    found = conclude(wrong_in(*NETWORKS[:2]))
    assert all(f.where is not Where.HOST and f.confidence is Confidence.POSSIBLE for f in found.findings)


def test_servers_that_err_to_both_sides_are_not_this_hosts_clock() -> None:
    world = World(offsets=lambda t: 3_600_000.0 if t.network == NETWORKS[0] else -3_600_000.0)
    found = conclude(world)
    assert all(f.where is not Where.HOST and f.confidence is Confidence.POSSIBLE for f in found.findings)


# --- certificates -------------------------------------------------------------------------------------


def dated(*, begun_days: float, left_days: float, issuer_begun_days: float = 900.0) -> dict[str, Any]:
    """A public chain for the product's names, whose leaf began and ends so many days from now."""
    leaf = {
        "subject": "CN=leaf",
        "issuer": "CN=Issuing",
        "names": ["sip.example.com"],
        "not_before": (NOW - timedelta(days=begun_days)).isoformat(),
        "not_after": (NOW + timedelta(days=left_days)).isoformat(),
    }
    issuer = {
        "subject": "CN=Issuing",
        "issuer": "CN=Root",
        "not_before": (NOW - timedelta(days=issuer_begun_days)).isoformat(),
    }
    return {
        **tls(expires_days=left_days),
        "chain": [leaf, issuer],
        "anchor": "CN=Root",
        "age_days": begun_days,
    }


RAN_OUT = dated(begun_days=30.0, left_days=-2.0)
NOT_YET = dated(begun_days=-2.0, left_days=88.0)
LONG_PAST = dated(begun_days=110.0, left_days=-20.0)


def met(offset_days: float, **shown_at: Mapping[str, Any]) -> Result:
    """A run by a clock that is so far behind, with these certificates on SIP and on the web."""
    shown = {8934: shown_at.get("sip"), 443: shown_at.get("web")}
    world = World(
        offsets=lambda t: offset_days * DAY_MS,
        greet=lambda t: EXPIRED if shown.get(t.port or 0) else None,
        handshake=lambda t: shown.get(t.port or 0) or tls(),
    )
    return conclude(world)


def one(found: Result, cause: str) -> Finding:
    (finding,) = (f for f in found.findings if f.cause == cause)
    return finding


@pytest.mark.parametrize(
    ("offset_days", "shown", "words"),
    [(-3.0, RAN_OUT, "3.0 days ahead of"), (3.0, NOT_YET, "3.0 days behind")],
    ids=["ahead", "behind"],
)
def test_certificates_that_the_right_time_makes_valid_are_the_clocks(
    offset_days: float, shown: Mapping[str, Any], words: str
) -> None:
    only = met(offset_days, sip=shown, web=shown).only
    assert (only.cause, only.where, only.explains) == ("clock-skew", Where.HOST, ("certificate-expired",))
    assert (only.severity, only.confidence) == (Severity.BLOCKING, Confidence.LIKELY)
    assert set(only.affects) == {"sip", "web", "ntp"}
    assert words in only.summary
    assert "By their time the certificates of " in only.summary and "api.example.com:443" in only.summary


def test_a_certificate_that_is_out_of_date_by_both_clocks_is_the_vendors() -> None:
    found = met(-3.0, sip=LONG_PAST)
    assert one(found, "clock-skew").affects == ("ntp",)
    assert "certificate" not in one(found, "clock-skew").summary
    expired = one(found, "certificate-expired")
    assert (expired.where, expired.confidence, expired.affects) == (
        Where.VENDOR,
        Confidence.CERTAIN,
        ("sip",),
    )


def test_each_certificate_has_its_own_cause() -> None:
    found = met(-3.0, sip=LONG_PAST, web=RAN_OUT)
    assert sorted(found.causes) == ["certificate-expired", "clock-skew"]
    assert set(one(found, "clock-skew").affects) == {"web", "ntp"}
    assert one(found, "clock-skew").explains == ()
    expired = one(found, "certificate-expired")
    assert expired.affects == ("sip",)
    assert "api.example.com" not in expired.summary


def test_a_clock_that_is_wrong_the_other_way_excuses_nothing() -> None:
    """It ran out by a clock that is behind, and by the right one all the more."""
    found = met(3.0, sip=RAN_OUT)
    expired = one(found, "certificate-expired")
    assert (expired.affects, expired.where, expired.confidence) == (
        ("sip",),
        Where.VENDOR,
        Confidence.CERTAIN,
    )
    assert one(found, "clock-skew").affects == ("ntp",)


def objected(*networks: str, asked: int) -> Result:
    """SIP's certificates ran out by this host's clock, and so many time servers answer, of which these object."""
    return conclude(
        World(
            lively=4,
            wall=lambda t: "drop" if t.port == 123 and t.network not in NETWORKS[:asked] else None,
            offsets=lambda t: -3 * DAY_MS if t.network in networks else 2.0,
            greet=lambda t: EXPIRED if t.port == 8934 else None,
            handshake=lambda t: RAN_OUT if t.port == 8934 else tls(),
        )
    )


def test_the_word_of_one_time_server_only_raises_doubt() -> None:
    """It may be wrong itself, or forged: it takes no blame from a certificate, and makes it no certain one."""
    found = objected(NETWORKS[0], asked=1)
    expired = one(found, "certificate-expired")
    assert (expired.where, expired.confidence) == (Where.UNKNOWN, Confidence.LIKELY)
    assert "this host's clock is wrong" in expired.summary
    skew = one(found, "clock-skew")
    assert (skew.confidence, skew.affects) == (Confidence.POSSIBLE, ("ntp",))


def test_a_time_server_that_others_contradict_raises_no_doubt() -> None:
    expired = one(objected(NETWORKS[0], asked=4), "certificate-expired")
    assert (expired.where, expired.confidence) == (Where.UNKNOWN, Confidence.CERTAIN)
    assert "clock" not in expired.summary


def test_a_certificate_that_is_not_valid_yet_is_not_called_expired() -> None:
    summary = one(met(0.0, sip=NOT_YET), "certificate-expired").summary
    assert "a certificate that is not valid yet (valid from 2026-03-03 to " in summary
    assert "presents an expired" in one(met(0.0, sip=RAN_OUT), "certificate-expired").summary


def test_a_certificate_that_says_nothing_of_its_dates_is_excused_by_nobody() -> None:
    assert "certificate-expired" in met(-3.0, sip=tls()).causes


@pytest.mark.parametrize(
    ("shown", "offset_days", "valid"),
    [
        (RAN_OUT, -3.0, True),
        (RAN_OUT, -1.0, False),
        (RAN_OUT, -31.0, False),
        (NOT_YET, 3.0, True),
        (NOT_YET, 1.0, False),
        (NOT_YET, 90.0, False),
        (dated(begun_days=10.0, left_days=80.0, issuer_begun_days=-2.0), 3.0, True),
        (dated(begun_days=10.0, left_days=80.0, issuer_begun_days=-2.0), 1.0, False),
        (tls(), -3.0, False),
    ],
)
def test_a_chain_is_valid_from_its_last_beginning_to_its_first_end(
    shown: Mapping[str, Any], offset_days: float, valid: bool
) -> None:
    greeted = seen(Step.TLS_HANDSHAKE, Target(host="sip.example.com"), EXPIRED, tls=shown)
    assert is_valid_after(greeted, offset_days * DAY_MS) is valid
