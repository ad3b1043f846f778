"""Names of several domains that lead to one place, and who answers there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Where
from readycheck.engine import Outcome
from readycheck.failure import Failure, Step
from readycheck.observation import Observation, Target
from readycheck.plan import Scope
from tests.unit.builders import (
    NODES,
    RESOLVER,
    SOURCE,
    Result,
    World,
    conclude_from,
    make_check,
    make_outcome,
    make_profile,
    requirement,
    seen,
    tls,
)

HOSTS = ("api.example.com", "cdn.example.com", "app.example.net", "api.example.org")
SINK = "192.88.99.80"
CONTROL = "192.88.99.9"
PAGE = ("CN=Blocked",)


def shown(issuer: str = PAGE[0], key: str = "key of the page", *, matches: bool = False) -> Mapping[str, Any]:
    leaf = tls(pins=(), issuers=(issuer,))
    leaf["chain"][0]["spki_sha256"] = key
    return {**leaf, "trust_failure": "certificate_untrusted", "name_matches": matches}


def greeted_elsewhere(shows: Mapping[str, Any], host: str = HOSTS[0]) -> Outcome:
    """The follow-up: another host is greeted with a name in question."""
    check = make_check("sni/x", requirement=None, probe="sni", scope=Scope.FOLLOW_UP)
    target = Target(host=host, address=CONTROL, port=443, transport="tls", sni=host)
    facts = {"variant": "elsewhere", "asked": host, "about": f"{SINK}:443", "tls": shows}
    return make_outcome(check, seen(Step.TLS_HANDSHAKE, target, None, **facts))


ITS_OWN = greeted_elsewhere(shown("CN=Example Root", "key of another"))


def concluded(
    *more: Outcome,
    hosts: tuple[str, ...] = HOSTS,
    sink: str = SINK,
    shows: Any = lambda target: shown(),
    failure: Failure | None = Failure.CERTIFICATE_UNTRUSTED,
    names: Mapping[str, str] | None = None,
    refuses: bool = False,
) -> Result:
    """A name server that leads all of these to one place, and what answers there."""
    domains = [{"pattern": host} for host in hosts]
    web = requirement("web", targets={"names": ["web"]}, ports=["443"], probe="tls")
    profile = make_profile(web, names={"web": {"title": "Web", "domains": domains, "source": SOURCE}})
    world = World(
        profile=profile,
        names=names or dict.fromkeys(hosts, sink),
        greet=lambda target: failure if target.address == sink else None,
        closed=lambda target: refuses and target.address == sink,
        handshake=lambda target: shows(target) if target.address == sink else tls(),
    )

    def told(o: Observation) -> Observation:
        return replace(o, facts={**o.facts, "server": RESOLVER}) if o.step is Step.RESOLVE else o

    outcomes = tuple(
        replace(o, observations=tuple(map(told, o.observations)))
        for o in map(world.measure, world.plan.checks)
    )
    return conclude_from(world, (*outcomes, *more))


def test_one_certificate_for_nobody_answers_for_names_of_several_domains() -> None:
    only = concluded(ITS_OWN).only
    assert (only.cause, only.where, only.owner) == ("dns-filter", Where.UNKNOWN, Owner.DNS)
    assert (only.confidence, only.explains) == (Confidence.LIKELY, ("certificate-untrusted",))
    assert f"{RESOLVER} gives {SINK}, in no network of the product" in only.summary
    assert "names in 3 domains (api.example.com, " in only.summary and "made for none" in only.summary
    assert only.affects == ("web",)


def test_without_another_host_that_was_greeted_it_is_a_guess() -> None:
    only = concluded().only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.POSSIBLE)


def test_a_certificate_that_the_public_vouches_for_may_be_that_of_the_vendors_front() -> None:
    only = concluded(ITS_OWN, failure=Failure.CERTIFICATE_NAME_MISMATCH).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.POSSIBLE)


def test_an_authority_that_signs_there_alone() -> None:
    """A service that answers in place of all that it blocks makes certificates for whatever name is asked.

    So does a vendor who signs for his own names, all at one front.
    """
    made = lambda target: shown("CN=Block Root", f"key of {target.host}", matches=True)  # noqa: E731
    only = concluded(ITS_OWN, shows=made).only
    assert (only.cause, only.confidence) == ("dns-filter", Confidence.POSSIBLE)
    assert "signs for all of them" in only.summary and "CN=Block Root" in only.summary
    assert "dns-filter" not in concluded(shows=made).causes


@pytest.mark.parametrize("extra", [(), ("img.example.com",)])
def test_where_no_connection_stands_it_takes_more_names(extra: tuple[str, ...]) -> None:
    """A vendor's one front may be down; a filter that leads names to nobody looks the same, and leads many."""
    found = concluded(hosts=HOSTS + extra, refuses=True)
    assert [(f.cause, f.confidence) for f in found.findings] == (
        [("dns-filter", Confidence.POSSIBLE)] if extra else []
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": HOSTS[:2]},  # of one domain
        {"hosts": HOSTS[1:3]},  # few
        {"sink": NODES[0]},  # the vendor's own network
        {"shows": lambda target: shown(matches=True)},  # the vendor's own names
        {"shows": lambda target: shown(key=f"key of {target.host}")},  # each its own
        {"failure": None},
        {"names": {host: f"192.88.99.{80 + n}" for n, host in enumerate(HOSTS)}},
    ],
)
def test_what_is_no_sinkhole(changes: Mapping[str, Any]) -> None:
    assert "dns-filter" not in concluded(**changes).causes


@pytest.mark.parametrize("shows", [shown(), shown("CN=Corp", "another key")])
def test_what_answers_for_a_name_wherever_it_leads_is_on_the_way(shows: Mapping[str, Any]) -> None:
    """One page for all that a box blocks, or one authority that signs for all."""
    corporate = lambda target: shown(shows["chain"][0]["issuer"], str(target.host), matches=True)  # noqa: E731
    page = shows["chain"][0]["issuer"] == PAGE[0]
    found = concluded(greeted_elsewhere(shows), **({} if page else {"shows": corporate})).causes
    assert "dns-filter" not in found
