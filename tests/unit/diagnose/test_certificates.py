"""TLS trouble: one finding for each kind, and inspection told from a bad server by the controls."""

from collections.abc import Sequence
from typing import Any

import pytest

from readycheck.diagnose.certificates import _owner, _told
from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure
from readycheck.observation import Target
from readycheck.verdict import Judgement, Readiness
from tests.unit.builders import NETWORKS, World, conclude, make_selection, tls

KINDS = {
    Failure.CERTIFICATE_EXPIRED: ("certificate-expired", "expired"),
    Failure.CERTIFICATE_NAME_MISMATCH: ("certificate-name-mismatch", "another name"),
    Failure.CERTIFICATE_CHAIN_INCOMPLETE: ("certificate-chain-incomplete", "neither sent nor known"),
    Failure.CERTIFICATE_UNTRUSTED: ("certificate-untrusted", "no public authority"),
    Failure.TLS_VERSION: ("tls-version", "no TLS version"),
    Failure.TLS_ALERT_PROTOCOL_VERSION: ("tls-version", "no TLS version"),
    Failure.TLS_ALERT_HANDSHAKE_FAILURE: ("tls-cipher", "cipher suites"),
}
CORPORATE = ("CN=Corp Inspection", "CN=Corp Root")


def on_sip(failure: Failure) -> Any:
    return lambda target: failure if target.port == 8934 else None


@pytest.mark.parametrize("failure", KINDS)
def test_each_kind_has_its_cause(failure: Failure) -> None:
    cause, words = KINDS[failure]
    found = conclude(World(greet=on_sip(failure)))
    only = found.only
    assert only.cause == cause
    assert words in only.summary
    assert (only.severity, only.affects) == (Severity.BLOCKING, ("sip",))
    assert only.confidence is Confidence.CERTAIN  # two networks show it
    assert only.remedy
    assert found.verdict("sip").status is Judgement.FAIL
    assert found.readiness is Readiness.NOT_READY


@pytest.mark.parametrize("failure", KINDS)
def test_one_server_alone_is_only_likely(failure: Failure) -> None:
    found = conclude(World(lively=1, greet=on_sip(failure)))
    assert (found.only.cause, found.only.confidence) == (KINDS[failure][0], Confidence.LIKELY)
    assert "Each of" not in found.only.summary


def test_what_the_certificate_says_of_itself_is_told() -> None:
    leaf = {
        "issuer": "CN=An authority",
        "names": ["login.guest.example"],
        "not_before": "2026-01-02T00:00:00+00:00",
        "not_after": "2026-04-02T00:00:00+00:00",
    }
    assert list(_told("certificate-expired", [leaf])) == [
        "valid from 2026-01-02 to 2026-04-02",
        "issuer: CN=An authority",
    ]
    assert "made for login.guest.example" in list(_told("certificate-name-mismatch", [leaf]))
    assert list(_told("certificate-untrusted", [])) == []


def test_the_product_is_named_before_the_controls() -> None:
    found = conclude(World(greet=lambda target: Failure.CERTIFICATE_EXPIRED))
    summary = next(f.summary for f in found.findings if f.cause == "certificate-expired")
    assert summary.startswith("Each of ")
    assert "control.example.org" not in summary.partition(",")[0]


def test_a_bad_certificate_is_no_blocked_port() -> None:
    found = conclude(World(greet=on_sip(Failure.CERTIFICATE_EXPIRED)))
    assert not {"port-blocked", "port-rejected", "service-down"} & set(found.causes)


def test_one_bad_server_beside_a_good_one_is_a_warning() -> None:
    def greet(target: Target) -> Failure | None:
        bad = target.port == 8934 and target.address == "198.18.0.10"
        return Failure.CERTIFICATE_EXPIRED if bad else None

    found = conclude(World(greet=greet, dense=True))
    assert found.verdict("sip").status is Judgement.WARN
    assert found.only.cause == "certificate-expired"
    assert found.only.severity is Severity.DEGRADING


def test_the_same_issuer_on_a_control_is_inspection() -> None:
    found = conclude(
        World(
            greet=lambda t: Failure.CERTIFICATE_UNTRUSTED if t.port == 443 else None,
            handshake=lambda t: tls(issuers=CORPORATE) if t.port == 443 else tls(),
        )
    )
    only = found.only
    assert (only.cause, only.where, only.owner) == ("tls-inspection", Where.SITE, Owner.PROXY)
    assert only.confidence is Confidence.CERTAIN
    assert "Corp Root" in only.summary
    assert only.affects == ("web",)


def test_another_issuer_on_the_control_is_not_inspection_of_the_product() -> None:
    def handshake(target: Target) -> Any:
        return tls(issuers=CORPORATE) if target.host == "api.example.com" else tls(issuers=("CN=Else",) * 2)

    world = World(
        greet=lambda t: Failure.CERTIFICATE_UNTRUSTED if t.port == 443 else None, handshake=handshake
    )
    assert conclude(world).causes == ["certificate-untrusted"]


def test_without_controls_inspection_is_not_claimed() -> None:
    world = World(
        selection=make_selection(controls=False),
        greet=lambda t: Failure.CERTIFICATE_UNTRUSTED if t.port == 443 else None,
        handshake=lambda t: tls(issuers=CORPORATE),
    )
    found = conclude(world)
    assert found.causes == ["certificate-untrusted"]
    assert found.only.where is Where.UNKNOWN


def test_trouble_of_a_control_alone_is_no_finding() -> None:
    world = World(greet=lambda t: Failure.CERTIFICATE_UNTRUSTED if t.host == "control.example.org" else None)
    assert conclude(world).findings == ()


def test_a_handshake_that_this_host_refuses_is_no_fault_of_the_network() -> None:
    found = conclude(World(greet=on_sip(Failure.TLS_LOCAL)))
    assert found.findings == ()
    assert found.verdict("sip").status is not Judgement.FAIL


def test_a_public_certificate_without_a_pin_is_a_warning_and_no_finding() -> None:
    found = conclude(World(handshake=lambda t: tls(pins=["B" * 43 + "="])))
    assert found.verdict("sip").status is Judgement.WARN
    assert "pinned" in found.verdict("sip").because
    assert found.verdict("web").status is Judgement.PASS


def test_several_kinds_are_several_findings() -> None:
    def greet(target: Target) -> Failure | None:
        if target.port == 8934:
            expired = target.network == NETWORKS[0]
            return Failure.CERTIFICATE_EXPIRED if expired else Failure.TLS_ALERT_HANDSHAKE_FAILURE
        return None

    assert sorted(conclude(World(greet=greet)).causes) == ["certificate-expired", "tls-cipher"]


# --- whose certificate it is ---------------------------------------------------------------------------

ISSUER = "CN=Public Issuing CA"


def shown(names: Sequence[str], *, ran_out_days: float = 20.0, anchor: str | None = "CN=Public Root") -> Any:
    """What a server showed whose leaf was good for 90 days."""
    leaf = {
        "subject": "CN=leaf",
        "issuer": ISSUER,
        "names": list(names),
        "not_before": "2026-01-01T00:00:00+00:00",
        "not_after": "2026-04-01T00:00:00+00:00",
    }
    return {**tls(), "chain": [leaf], "anchor": anchor, "age_days": 90 + ran_out_days}


def place_of_bad_sip(failure: Failure, told: Any, **changes: Any) -> Where:
    world = World(
        greet=on_sip(failure),
        handshake=lambda t: told if t.port == 8934 else shown(["api.example.com"]),
        **changes,
    )
    return conclude(world).only.where


@pytest.mark.parametrize("failure", [Failure.CERTIFICATE_EXPIRED, Failure.CERTIFICATE_CHAIN_INCOMPLETE])
def test_a_public_certificate_for_the_products_names_is_the_vendors(failure: Failure) -> None:
    told = shown(["sip.example.com"], anchor="CN=Public Root" if "expired" in failure.value else None)
    assert place_of_bad_sip(failure, told) is Where.VENDOR


@pytest.mark.parametrize("failure", [Failure.CERTIFICATE_EXPIRED, Failure.CERTIFICATE_CHAIN_INCOMPLETE])
def test_a_certificate_for_other_names_may_be_a_gateways(failure: Failure) -> None:
    assert place_of_bad_sip(failure, shown(["proxy.customer.example.net"])) is Where.UNKNOWN


def test_a_private_authority_places_no_certificate() -> None:
    told = shown(["sip.example.com"], anchor=None)
    assert place_of_bad_sip(Failure.CERTIFICATE_EXPIRED, told) is Where.UNKNOWN
    other = {**told, "chain": [{**told["chain"][0], "issuer": "CN=Corp Inspection"}]}
    assert place_of_bad_sip(Failure.CERTIFICATE_CHAIN_INCOMPLETE, other) is Where.UNKNOWN


@pytest.mark.parametrize("failure", [Failure.CERTIFICATE_NAME_MISMATCH, Failure.TLS_VERSION])
def test_what_a_gateway_does_as_well_has_no_place(failure: Failure) -> None:
    assert place_of_bad_sip(failure, shown(["sip.example.com"])) is Where.UNKNOWN


def test_without_a_time_server_nobody_vouches_for_the_clock() -> None:
    world = World(
        wall=lambda t: "drop" if t.port == 123 else None,
        greet=on_sip(Failure.CERTIFICATE_EXPIRED),
        handshake=lambda t: shown(["sip.example.com"]),
    )
    found = conclude(world).findings
    assert {f.where for f in found if f.cause == "certificate-expired"} == {Where.UNKNOWN}


@pytest.mark.parametrize("name", ["proxy.customer.com.au", "com.au"])
def test_a_suffix_that_all_share_makes_no_owner(name: str) -> None:
    assert _owner(name) != _owner("cisco.broadcloud.com.au")
    assert _owner("wx.broadcloud.com.au") == _owner("cisco.broadcloud.com.au")
