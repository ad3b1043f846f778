"""TLS trouble: one finding for each kind, and inspection told from a bad server by the controls."""

from typing import Any

import pytest

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
