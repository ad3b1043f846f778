"""The ways in which the stand-in world can be broken, and what the agent is expected to say."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from readycheck.errors import UsageError
from readycheck.twin.blueprint import RESOLVER, Blueprint, Chain, Faults
from readycheck.twin.offer import Offer
from readycheck.twin.population import place
from readycheck.twin.rules import GreetingRule, Range, Rule, Transport
from readycheck.twin.topology import is_long

T = TypeVar("T")

_HOUR_S = 3600.0
_LATE_MS = 600.0
_SEARCH_PAGE = "192.88.99.254"
_PORTAL = "login.guest.example"


def _no_rules(_: Offer) -> tuple[Rule, ...]:
    return ()


def _no_faults(_: Offer) -> Faults:
    return Faults()


def _no_greetings(_: Offer) -> GreetingRule | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to break the world: the causes and the exit status to expect, and what it does."""

    name: str
    summary: str
    causes: tuple[str, ...] = ()
    exit_status: int = 0
    rules: Callable[[Offer], tuple[Rule, ...]] = _no_rules
    faults: Callable[[Offer], Faults] = _no_faults
    greetings: Callable[[Offer], GreetingRule | None] = _no_greetings
    carrier_nat: bool = False
    scattered: bool = False
    delay_ms: float = 0.0
    wan_mtu: int = 0
    quic: bool = False

    @property
    def needs_namespaces(self) -> bool:
        """Loopback has no narrow links and no NAT, and its one UDP socket speaks no QUIC."""
        return bool(self.wan_mtu) or self.quic or self.carrier_nat or self.scattered

    def missing(self, offer: Offer) -> str:
        """Why a profile cannot be broken in this way; empty when it can."""
        try:
            self.rules(offer), self.faults(offer), self.greetings(offer)
        except UsageError as error:
            return str(error)
        return ""


def draw(offer: Offer, scenario: Scenario, *, seed: int, ratio: float) -> Blueprint:
    """The plan of a world in which `scenario` is the case."""
    return Blueprint(
        networks=offer.networks,
        addresses=place(offer.names, seed),
        literals=offer.literals,
        name_servers=(RESOLVER, *offer.name_servers),
        tcp=offer.tcp,
        udp=offer.udp,
        echo=offer.echo,
        sip=offer.sip,
        mutual=offer.mutual,
        spoken=offer.spoken,
        seed=seed,
        ratio=ratio,
        rules=scenario.rules(offer),
        faults=scenario.faults(offer),
        greetings=scenario.greetings(offer),
        carrier_nat=scenario.carrier_nat,
        scattered=scenario.scattered,
        delay_ms=scenario.delay_ms,
        page=offer.page,
        ping=offer.ping,
        wan_mtu=scenario.wan_mtu,
        quic=scenario.quic,
    )


def _some(found: tuple[T, ...], what: str) -> tuple[T, ...]:
    """An empty field of a rule would mean "any", so what the profile lacks cannot be broken."""
    if not found:
        raise UsageError(f"this profile has no {what} that could be broken")
    return found


def _media(offer: Offer) -> tuple[Range, ...]:
    return _some(offer.media, "media ports")


def _signalling(offer: Offer) -> tuple[Range, ...]:
    """The one port whose loss hurts most."""
    port = _some(offer.vital, "TCP ports")[0]
    return ((port, port),)


def _servers(offer: Offer) -> tuple[int, ...]:
    """The ports of the servers that matter most: of SIP where the default roles need it, else that one port."""
    port = _some(offer.vital, "TCP ports")[0]
    return offer.sip if port in offer.sip else (port,)


def _chain(chain: Chain) -> Callable[[Offer], Faults]:
    return lambda offer: Faults(chains={port: chain for port in _servers(offer)}, spared=offer.controls)


def _inspected(offer: Offer) -> Faults:
    return Faults(chains={port: Chain.INSPECTED for port in _singles(offer.tcp) if port not in offer.sip})


def _singles(ranges: tuple[Range, ...]) -> tuple[int, ...]:
    return tuple(port for low, high in ranges if not is_long((low, high)) for port in range(low, high + 1))


def _some_networks(offer: Offer) -> tuple[str, ...]:
    """About a fifth of the networks that are large enough to be sampled, spread over the list."""
    networks = _some(offer.networks, "networks")
    large = tuple(n for n in networks if ipaddress.ip_network(n).num_addresses >= 256) or networks
    return large[1::5] or large[:1]


def _upper_half(offer: Offer) -> tuple[str, ...]:
    networks = _some(offer.networks, "networks")
    largest = min(networks, key=lambda n: ipaddress.ip_network(n).prefixlen)
    return (str(list(ipaddress.ip_network(largest).subnets())[-1]),)


def _upper_ports(offer: Offer) -> tuple[Range, ...]:
    low, high = max(_some(offer.ranges, "media ranges"), key=lambda r: r[1] - r[0])
    return (((low + high) // 2 + 1, high),)


_WRONG_SCRIPT = """\
function FindProxyForURL(url, host) {
  if (isPlainHostName(host) || dnsDomainIs(host, ".corp.example")) return "DIRECT";
  if (shExpMatch(host, "*.example.net") return "DIRECT";
  return "PROXY proxy.corp.example:3128";
}
"""
"""A parenthesis is missing in its third line."""


def _zones(offer: Offer) -> tuple[str, ...]:
    """The zones of the names that matter most."""
    names = _some(offer.https, "names of servers that speak TLS")
    return tuple(dict.fromkeys(".".join(name.split(".")[-2:]) for name in names))


def _vendors(offer: Offer) -> tuple[str, ...]:
    """The names of the vendor's own servers: those in its networks, if it has any."""
    at_home = tuple(name for name, homes in offer.names.items() if homes)
    return at_home or tuple(name for name in offer.names if name not in offer.controls)


def _all_but(*ports: int) -> tuple[Range, ...]:
    edges = (0, *sorted(ports), 65536)
    return tuple((low + 1, high - 1) for low, high in pairwise(edges) if low + 1 <= high - 1)


def _drop(transport: Transport, port: int) -> tuple[Rule, ...]:
    return (Rule(transport=transport, ports=((port, port),)),)


_ALL = (
    Scenario(name="none", summary="nothing is wrong"),
    Scenario(
        name="udp-blocked",
        summary="the firewall drops UDP to every media port",
        causes=("udp-blocked",),
        exit_status=2,
        rules=lambda offer: (Rule(transport="udp", ports=_media(offer)),),
    ),
    Scenario(
        name="sip-port-rejected",
        summary="the firewall refuses TCP to the SIP port, or the one that matters most, with a reset",
        causes=("port-rejected",),
        exit_status=2,
        rules=lambda offer: (Rule(action="reject", transport="tcp", ports=_signalling(offer)),),
    ),
    Scenario(
        name="sip-port-dropped",
        summary="the firewall drops TCP to the SIP port, or the one that matters most, without a word",
        causes=("port-blocked",),
        exit_status=2,
        rules=lambda offer: (Rule(transport="tcp", ports=_signalling(offer)),),
    ),
    Scenario(
        name="subnet-blocked",
        summary="the firewall drops everything to some of the vendor's networks",
        causes=("subnet-blocked",),
        exit_status=2,
        rules=lambda offer: (Rule(networks=_some_networks(offer)),),
    ),
    Scenario(
        name="half-subnet-blocked",
        summary="the firewall's list has half of the largest network only",
        causes=("subnet-blocked",),
        exit_status=2,
        rules=lambda offer: (Rule(networks=_upper_half(offer)),),
    ),
    Scenario(
        name="rtp-range-partial",
        summary="the firewall drops the upper half of the widest media port range",
        causes=("rtp-range-partial",),
        exit_status=2,
        rules=lambda offer: (Rule(transport="udp", ports=_upper_ports(offer)),),
    ),
    Scenario(
        name="udp-return-blocked",
        summary="media packets leave, and the firewall drops the answers",
        causes=("udp-return-blocked",),
        exit_status=3,
        rules=lambda offer: (Rule(transport="udp", ports=_media(offer), incoming=True),),
    ),
    Scenario(
        name="icmp-filtered",
        summary="no ICMP comes back through the firewall, so that silence cannot be told from distance",
        exit_status=1,
        rules=lambda _: (Rule(transport="icmp", incoming=True),),
    ),
    Scenario(
        name="all-dropped",
        summary="the firewall drops everything",
        causes=("site-offline",),
        exit_status=2,
        rules=lambda _: (Rule(),),
    ),
    Scenario(
        name="dns-unreachable",
        summary="the firewall drops port 53, UDP and TCP",
        causes=("dns-unreachable",),
        exit_status=2,
        rules=lambda _: _drop("udp", 53) + _drop("tcp", 53),
    ),
    Scenario(
        name="dns-tcp-blocked",
        summary="the firewall drops port 53 over TCP only",
        causes=("dns-tcp-blocked",),
        exit_status=1,
        rules=lambda _: _drop("tcp", 53),
    ),
    Scenario(
        name="dns-filter",
        summary="the resolver says that the vendor's names do not exist",
        causes=("dns-filter",),
        exit_status=2,
        faults=lambda offer: Faults(filtered=_vendors(offer)),
    ),
    Scenario(
        name="dns-hijack",
        summary="the resolver gives one address for names that do not exist, and for the vendor's",
        causes=("dns-hijack",),
        exit_status=2,
        faults=lambda offer: Faults(filtered=_vendors(offer), rewritten=_SEARCH_PAGE),
    ),
    Scenario(
        name="dns-slow",
        summary="the resolver takes more than half a second to answer",
        causes=("dns-slow",),
        exit_status=1,
        faults=lambda _: Faults(dns_delay_ms=_LATE_MS),
    ),
    Scenario(
        name="captive-portal",
        summary="a guest network: names resolve, plain HTTP leads to a login page, and nothing else passes",
        causes=("captive-portal",),
        exit_status=2,
        rules=lambda _: (
            Rule(transport="udp", ports=_all_but(53)),
            Rule(action="reject", transport="tcp", ports=_all_but(53, 80)),
        ),
        faults=lambda _: Faults(portal=_PORTAL),
    ),
    Scenario(
        name="ntp-blocked",
        summary="the firewall drops UDP port 123",
        causes=("ntp-blocked",),
        exit_status=2,
        rules=lambda _: _drop("udp", 123),
    ),
    Scenario(
        name="clock-skew",
        summary="the time servers are an hour ahead of this machine",
        causes=("clock-skew",),
        exit_status=2,
        faults=lambda _: Faults(clock_skew_s=_HOUR_S),
    ),
    Scenario(
        name="certificate-untrusted",
        summary="the SIP servers show a chain from an unknown authority",
        causes=("certificate-untrusted",),
        exit_status=2,
        faults=_chain(Chain.STRANGER),
    ),
    Scenario(
        name="certificate-expired",
        summary="the certificate of the SIP servers ran out yesterday",
        causes=("certificate-expired",),
        exit_status=2,
        faults=_chain(Chain.EXPIRED),
    ),
    Scenario(
        name="certificate-chain-incomplete",
        summary="the SIP servers do not send the intermediate certificate",
        causes=("certificate-chain-incomplete",),
        exit_status=2,
        faults=_chain(Chain.INCOMPLETE),
    ),
    Scenario(
        name="certificate-name-mismatch",
        summary="an HTTPS service shows the certificate of another name",
        causes=("certificate-name-mismatch",),
        exit_status=2,
        faults=lambda offer: Faults(misnamed=offer.https),
    ),
    Scenario(
        name="tls-inspection",
        summary="a company authority signs the certificates of all web servers anew",
        causes=("tls-inspection",),
        exit_status=2,
        faults=_inspected,
    ),
    Scenario(
        name="sni-filter",
        summary="a web filter on the uplink resets TLS connections that name the vendor's most important servers",
        causes=("sni-filter",),
        exit_status=2,
        greetings=lambda offer: GreetingRule(zones=_zones(offer)),
    ),
    Scenario(
        name="sni-filter-silent",
        summary="the same web filter drops such greetings without a word",
        causes=("sni-filter",),
        exit_status=2,
        greetings=lambda offer: GreetingRule(zones=_zones(offer), action="drop"),
    ),
    Scenario(
        name="sni-required",
        summary="a web filter on the uplink resets TLS connections that name no server",
        causes=("sni-required",),
        exit_status=2,
        greetings=lambda _: GreetingRule(nameless=True),
    ),
    Scenario(
        name="tls-version",
        summary="the servers speak nothing newer than TLS 1.1",
        causes=("tls-version",),
        exit_status=2,
        faults=lambda _: Faults(old_tls=True),
    ),
    Scenario(
        name="pac-error",
        summary="the proxy script that this machine is set to follow has an error; the way out is open",
        causes=("pac-error",),
        faults=lambda _: Faults(proxy_script=_WRONG_SCRIPT),
    ),
    Scenario(
        name="pmtu-blackhole",
        summary="packets of more than 1400 bytes are lost on the site's line, and no ICMP message says so",
        causes=("pmtu-blackhole",),
        exit_status=2,
        wan_mtu=1400,
    ),
    Scenario(
        name="service-down",
        summary="the vendor's SIP servers refuse connections, and the way to them is open",
        causes=("service-down",),
        exit_status=2,
        faults=lambda offer: Faults(closed=_servers(offer), spared=offer.controls),
    ),
    Scenario(
        name="sip-silent",
        summary="the SIP servers complete the handshake and ignore OPTIONS",
        faults=lambda _: Faults(sip_silent=True),
    ),
    Scenario(
        name="nat-symmetric",
        summary="the NAT gives each destination another port",
        causes=("nat-symmetric",),
        scattered=True,
    ),
    Scenario(
        name="carrier-nat",
        summary="the provider translates addresses once more",
        causes=("nat-double",),
        carrier_nat=True,
    ),
    Scenario(
        name="quic",
        summary="web servers speak HTTP/3 too, and say so; nothing is wrong",
        quic=True,
    ),
    Scenario(
        name="quic-blocked",
        summary="the firewall drops UDP 443, on which web servers speak HTTP/3",
        causes=("quic-blocked",),
        rules=lambda _: _drop("udp", 443),
        quic=True,
    ),
    Scenario(name="slow", summary="40 ms round trip; nothing is wrong", delay_ms=40.0),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
"""By name; `none` is the world as it should be."""
