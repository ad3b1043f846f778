"""What else differs between two runs, and what only looks as if it did."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from readycheck.comparison.change import Circumstance, Difference
from readycheck.comparison.circumstances import differences
from readycheck.failure import Step
from readycheck.net.environment import FoundProxy, FoundScript, Interface, Kind
from readycheck.observation import Observation, Target
from readycheck.report import Report, Tool
from tests.unit.builders import seen, tls
from tests.unit.test_report import report

RUN = report()
ETH = Interface(name="eth0", kind=Kind.WIRED, addresses=("192.168.1.20",), mtu=1500)
WLAN = Interface(name="wlan0", kind=Kind.WIFI, addresses=("192.168.7.20",), mtu=1500)


def shows(*observations: Observation, base: Report = RUN) -> Report:
    """A report that saw nothing but this."""
    return replace(base, checks=(replace(base.checks[0], observations=observations),))


def around(**changes: Any) -> Report:
    return replace(RUN, environment=replace(RUN.environment, **changes))


def of_run(**changes: Any) -> Report:
    return replace(RUN, run=replace(RUN.run, **changes))


def mapped(*addresses: str) -> Report:
    return shows(*(seen(Step.ECHO, Target(address="192.0.2.1"), mapped_address=one) for one in addresses))


def signed(**hosts: Sequence[str]) -> Report:
    steps = [
        seen(Step.TLS_HANDSHAKE, Target(host=f"{host}.example"), tls=tls(issuers=[issuer]))
        for host, issuers in hosts.items()
        for issuer in issuers
    ]
    return shows(*steps)


def way(*routers: str) -> Report:
    return shows(*(seen(Step.HOP, Target(), ttl=ttl, offender=one) for ttl, one in enumerate(routers, 1)))


def found(before: Report, after: Report, **systems: str) -> list[Difference]:
    return list(differences(before, after, {k.replace("_", "."): v for k, v in systems.items()}))


@pytest.mark.parametrize(
    ("circumstance", "other"),
    [
        (Circumstance.AGENT, replace(RUN, tool=Tool(version="9.9"))),
        (Circumstance.PROFILE, of_run(profile_revision="2")),
        (Circumstance.PROFILE, of_run(profile_hash="1" * 64)),
        (Circumstance.OPTIONS, of_run(options={"effort": "quick"})),
        (Circumstance.OPTIONS, of_run(roles=("gateway",))),
        (Circumstance.TRUST, of_run(trust_roots=("ab",))),
        (Circumstance.HOST, around(host="other")),
        (Circumstance.CAPABILITIES, around(capabilities=("raw_sockets",))),
        (Circumstance.GATEWAY, around(gateway="192.168.1.254")),
        (Circumstance.DHCP, around(dhcp_server="192.168.1.9")),
        (Circumstance.RESOLVER, around(resolvers=("9.9.9.9",))),
        (Circumstance.PROXY, around(proxies=(FoundProxy(scheme="https", url="http://p:3128", source="it"),))),
        (Circumstance.PROXY, around(script=FoundScript(place="http://wpad/wpad.dat", source="WPAD"))),
    ],
)
def test_each_of_them_shows_and_nothing_else_with_it(circumstance: Circumstance, other: Report) -> None:
    assert [difference.circumstance for difference in found(RUN, other)] == [circumstance]
    assert found(other, other) == []


def test_another_link_is_another_address_too() -> None:
    wired = around(interfaces=(ETH, WLAN), default_interface="eth0")
    wireless = around(interfaces=(ETH, WLAN), default_interface="wlan0")
    link, address = found(wired, wireless)
    assert (link.circumstance, link.after) == (Circumstance.LINK, ("wlan0 (wifi, MTU 1500)",))
    assert (address.circumstance, address.before) == (Circumstance.ADDRESS, ("192.168.1.20",))


def test_a_tunnel_beside_the_link_is_another_link() -> None:
    tunnel = Interface(name="tun0", kind=Kind.VPN, mtu=1400)
    (difference,) = found(around(interfaces=(ETH,)), around(interfaces=(ETH, tunnel)))
    assert (difference.circumstance, difference.after[-1]) == (Circumstance.LINK, "tun0 (vpn, MTU 1400)")


def test_another_public_address_and_whose_it_is() -> None:
    before, after = mapped("198.51.100.10:4000", "198.51.100.10:4001"), mapped("203.0.113.7:4000")
    systems = {"198_51_100_10": "AS64500", "203_0_113_7": "AS64501"}
    egress, system = found(before, after, **systems)
    assert (egress.circumstance, egress.before, egress.after) == (
        Circumstance.EGRESS,
        ("198.51.100.10",),
        ("203.0.113.7",),
    )
    assert (system.circumstance, system.after) == (Circumstance.SYSTEM, ("AS64501",))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (mapped("198.51.100.10:1", "198.51.100.11:1"), mapped("198.51.100.11:1")),
        (mapped("198.51.100.10:1"), mapped()),
        (signed(web=["CN=A"]), signed(other=["CN=B"])),
        (signed(web=["CN=A", "CN=B"]), signed(web=["CN=B"])),
        (way("10.0.0.1", "10.0.0.2"), way("10.0.0.1")),
        (mapped("198.51.100.10:1"), mapped("[2001:db8::1]:1")),
        (mapped("198.51.100.10:1", "[2001:db8::1]:1"), mapped("[2001:db8::1]:1")),
        (way("10.0.0.1"), way("fd00::1")),
    ],
    ids=[
        *("one of the pool", "not seen", "another host", "one of two", "a hop is silent"),
        *("of the other family", "of one family", "the way of the other family"),
    ],
)
def test_what_is_no_difference(before: Report, after: Report) -> None:
    assert found(before, after) == []


def test_hosts_that_somebody_else_signs_for_are_told_together() -> None:
    before = signed(a=["CN=Public"], b=["CN=Public"], c=["CN=Public"])
    (difference,) = found(before, signed(a=["CN=Box"], b=["CN=Box"], c=["CN=Public"]))
    assert (difference.circumstance, difference.of) == (Circumstance.ISSUER, "a.example, b.example")
    assert difference.after == ("CN=Box",)


def test_the_path_parts_at_the_first_hop_that_differs() -> None:
    (difference,) = found(way("10.0.0.1", "100.64.0.1", "1.1.1.1"), way("10.0.0.1", "100.99.0.1", "2.2.2.2"))
    assert (difference.circumstance, difference.of) == (Circumstance.PATH, "hop 2")


def test_an_ipv6_address_is_told_without_its_port() -> None:
    (difference,) = found(mapped("[2001:db8::1]:40000"), mapped("[2001:db8::2]:40000"))
    assert (difference.before, difference.after) == (("2001:db8::1",), ("2001:db8::2",))


@pytest.mark.parametrize(
    "facts",
    [
        {"tls": None},
        {"tls": {"chain": "x"}},
        {"tls": {"chain": []}},
        {"tls": {"chain": [3]}},
        {"mapped_address": 3},
        {"ttl": "1", "offender": 2},
    ],
)
def test_facts_may_be_anything(facts: dict[str, Any]) -> None:
    steps = [seen(step, Target(host="h"), **facts) for step in (Step.TLS_HANDSHAKE, Step.HOP, Step.ECHO)]
    assert found(shows(*steps), shows(*steps)) == []


def test_the_authorities_of_the_stand_in_world_are_new_each_time() -> None:
    assert found(of_run(site="twin"), of_run(site="twin", trust_roots=("ab",))) == []
