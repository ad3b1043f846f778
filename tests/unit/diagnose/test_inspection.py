"""TLS that is re-signed on the way: by which evidence, and what is none of it."""

from collections.abc import Callable
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Where
from readycheck.failure import Failure
from readycheck.observation import Target
from tests.unit.builders import (
    SOURCE,
    Result,
    World,
    conclude,
    make_profile,
    make_selection,
    requirement,
    tls,
)
from tests.unit.diagnose.boxes import Box, behind

CORPORATE = ("CN=Corp Inspection", "CN=Corp Root")
HOSTS = ("api.example.com", "img.example.net", "app.example.org")
LONE = make_selection(controls=False)
UNTRUSTED, INCOMPLETE = Failure.CERTIFICATE_UNTRUSTED, Failure.CERTIFICATE_CHAIN_INCOMPLETE


def product(*hosts: str, **changes: Any) -> Any:
    domains = [{"pattern": host} for host in hosts]
    names = {"web": {"title": "Web", "domains": domains, "source": SOURCE}}
    web = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls")
    return make_profile(web, names=names, **changes)


def leaf(target: Target, **said: Any) -> Any:
    """What an inspecting box shows; each host has a certificate of its own."""
    issuers = said.pop("issuers", CORPORATE)
    shown = tls(pins=(), issuers=issuers) | {"trust_failure": "certificate_untrusted", "host_anchor": None}
    spki = said.pop("spki", f"key of {target.host}")
    shown["chain"][0] |= {"names": [target.host], "spki_sha256": spki}
    return shown | said


def inspected(
    *hosts: str,
    shows: Callable[[Target], Any] = leaf,
    failure: Failure = UNTRUSTED,
    profile: Any = None,
    **changes: Any,
) -> Result:
    given: dict[str, Any] = {"selection": LONE, **changes}
    return conclude(
        World(
            profile=profile or product(*hosts),
            greet=lambda t: failure if t.port == 443 else None,
            handshake=shows,
            **given,
        )
    )


def test_a_control_makes_it_certain() -> None:
    only = inspected(HOSTS[0], selection=make_selection()).only
    assert (only.cause, only.confidence) == ("tls-inspection", Confidence.CERTAIN)
    assert (only.where, only.owner) == (Where.SITE, Owner.PROXY)
    assert "CN=Corp Root re-signs TLS here (api.example.com:443)" in only.summary
    assert "This host does not trust it either" in only.summary


def test_what_a_control_shows_is_not_said_twice() -> None:
    summary = inspected(*HOSTS, selection=make_selection()).only.summary
    assert "nothing to do with the product" in summary
    assert "nothing else in common" not in summary


SIGNS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "an authority for it": (HOSTS[:1], {"host_anchor": "CN=Corp Root"}),
    "nothing else in common": (HOSTS, {}),
    "have the same key": (("a.example.com", "b.example.com"), {"spki": "one key"}),
    "within the last day": (("a.example.com", "b.example.com"), {"age_days": 0.2}),
}


@pytest.mark.parametrize("words", SIGNS)
def test_one_sign_is_not_enough(words: str) -> None:
    hosts, said = SIGNS[words]
    found = inspected(*hosts, shows=lambda target: leaf(target, **said))
    assert found.causes == ["certificate-untrusted"]


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in SIGNS for b in SIGNS if a < b])
def test_two_signs_make_it_likely(one: str, other: str) -> None:
    hosts = max(SIGNS[one][0], SIGNS[other][0], key=len)
    said = {**SIGNS[one][1], **SIGNS[other][1]}
    found = inspected(*hosts, shows=lambda target: leaf(target, **said))
    assert (found.only.cause, found.only.confidence) == ("tls-inspection", Confidence.LIKELY)
    assert one in found.only.summary and other in found.only.summary
    assert found.only.explains == ("certificate-untrusted",)


def test_whether_this_host_trusts_it_is_said() -> None:
    found = inspected(*HOSTS, shows=lambda target: leaf(target, host_anchor="CN=Corp Root"))
    assert "This host trusts it (CN=Corp Root)" in found.only.summary


def test_a_report_from_before_that_was_asked_says_nothing_of_it() -> None:
    def shows(target: Target) -> Any:
        shown = leaf(target, spki="one key")
        del shown["host_anchor"]
        return shown

    found = inspected(*HOSTS, shows=shows)
    assert found.only.cause == "tls-inspection"
    assert "This host" not in found.only.summary


def test_a_certificate_for_many_names_is_one_certificate() -> None:
    """A vendor's shared certificate has one key, because it is one."""

    def shows(target: Target) -> Any:
        shown = leaf(target, spki="one key", host_anchor="CN=Corp Root")
        shown["chain"][0]["names"] = ["a.example.com", "b.example.com"]
        return shown

    found = inspected("a.example.com", "b.example.com", shows=shows)
    assert found.causes == ["certificate-untrusted"]


def test_the_private_authority_of_an_own_cloud_is_not_blamed() -> None:
    """Installed on this host, met at the hosts of one owner only."""
    found = inspected(
        "a.example.com", "b.example.com", shows=lambda target: leaf(target, host_anchor="CN=Corp Root")
    )
    assert found.causes == ["certificate-untrusted"]


def test_two_servers_without_the_same_public_intermediate_are_no_inspection() -> None:
    found = inspected(HOSTS[0], failure=INCOMPLETE, selection=make_selection())
    assert found.causes == ["certificate-chain-incomplete"]


def test_a_box_that_sends_its_leaf_alone_is_told_by_two_signs() -> None:
    found = inspected(
        HOSTS[0],
        failure=INCOMPLETE,
        selection=make_selection(),
        shows=lambda target: leaf(target, issuers=CORPORATE[:1], host_anchor="CN=Corp Inspection"),
    )
    assert (found.only.cause, found.only.confidence) == ("tls-inspection", Confidence.LIKELY)


def test_pinned_servers_and_somebody_elses_have_nothing_in_common() -> None:
    names = {
        "own": {"title": "Own", "domains": [{"pattern": "a.example.com"}], "source": SOURCE},
        "web": {"title": "Web", "domains": [{"pattern": "b.example.net"}], "source": SOURCE},
    }
    rows = [
        requirement("own", targets={"names": ["own"]}, ports=["443"], probe="tls", pinned=True),
        requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls"),
    ]
    found = inspected(
        profile=make_profile(*rows, names=names),
        shows=lambda target: leaf(target, host_anchor="CN=Corp Root"),
    )
    assert found.only.cause == "tls-inspection"
    assert found.only.affects == ("own", "web")


def test_what_the_vendor_allows_is_said() -> None:
    said = [
        {"product": "the app", "support": "supported", "source": SOURCE},
        {"product": "the connector", "support": "unsupported", "source": SOURCE},
        {"product": "the node", "support": "unstated", "source": SOURCE},
    ]
    exempt = [{"names": ["*pi.example.com"], "reason": "media", "source": SOURCE}]
    profile = product(*HOSTS, inspection=said, exemptions=exempt)
    only = inspected(profile=profile, selection=make_selection()).only
    assert "The vendor forbids it for *pi.example.com." in only.summary
    assert "these can live with it: the app." in only.summary
    assert "these cannot: the connector." in only.summary
    assert "the node" not in only.summary
    assert only.remedy.startswith("Exempt *pi.example.com first of all")


def test_some_names_alone_may_be_re_signed() -> None:
    """The control is not inspected, and shows it: asked for the name, it is."""
    stranger = leaf(Target(host=HOSTS[0]))
    world = World(
        profile=product(HOSTS[0]),
        greet=lambda t: UNTRUSTED if t.host == HOSTS[0] else None,
        handshake=lambda t: stranger if t.host == HOSTS[0] else tls(),
    )
    found = behind(world, Box(minds=lambda name: name == HOSTS[0], kill=None, signs=stranger))
    assert (found.only.cause, found.only.confidence) == ("tls-inspection", Confidence.CERTAIN)
    assert "a greeting hides the name" in found.only.summary


@pytest.mark.parametrize("failure", [UNTRUSTED, INCOMPLETE])
def test_certificates_for_names_that_exist_nowhere_are_made_on_the_way(failure: Failure) -> None:
    """No control answers, and one host is all that there is."""

    def shows(target: Target) -> Any:
        return leaf(Target(host=target.sni or target.host), trust_failure=failure.value)

    world = World(profile=product(HOSTS[0]), selection=LONE, greet=lambda t: failure, handshake=shows)
    found = behind(world, Box(kill=None, signs=shows, minds=lambda name: True, reassembles=True))
    assert (found.only.cause, found.only.confidence) == ("tls-inspection", Confidence.CERTAIN)
    assert "names that exist nowhere" in found.only.summary

    def the_same(target: Target) -> Any:
        return leaf(Target(host=HOSTS[0]), trust_failure=failure.value)

    own = behind(world, Box(kill=None, signs=the_same, minds=lambda name: True, reassembles=True))
    assert own.only.cause != "tls-inspection"


def test_a_server_with_an_unknown_authority_shows_it_in_every_shape() -> None:
    stranger = leaf(Target(host=HOSTS[0]))
    world = World(
        profile=product(HOSTS[0]),
        greet=lambda t: UNTRUSTED if t.host == HOSTS[0] else None,
        handshake=lambda t: stranger if t.host == HOSTS[0] else tls(),
        names={"control.example.org": "192.88.99.77"},
    )
    own = Box(signs=stranger, minds=lambda name: name == HOSTS[0], kill=None, reassembles=True)
    own.spares = lambda target: target.address == "192.88.99.77"
    assert behind(world, own).causes == ["certificate-untrusted"]


def test_greetings_that_take_much_longer_than_connections_are_relayed() -> None:
    """The sign counts only beside servers of the same run that answer at once."""
    hosts = HOSTS[:2]
    world = World(
        profile=product(*hosts, "far.example.org"),
        selection=LONE,
        greet=lambda t: UNTRUSTED if t.host in hosts else None,
        handshake=lambda t: leaf(t, host_anchor="CN=Corp Root") if t.host in hosts else tls(),
    )
    quick = conclude(world)
    assert quick.causes == ["certificate-untrusted"]
    world.took_ms = lambda target: 150.0 if target.host in hosts else 45.0
    slow = conclude(world)
    assert slow.only.cause == "tls-inspection"
    assert "much sooner" in slow.only.summary
