"""The vendor's cloud: which addresses live, where names lead, and which real server answers which port."""

import ipaddress
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from readycheck.net.address import is_address
from readycheck.profile import Profile

from .ports import Kind, Ports, dash

RESOLVER = "203.0.113.53"
SERVERS = "203.0.113.80"
"""Where coturn and Kamailio listen; whatever address was asked is translated to it, and the answer back."""
ELSEWHERE = ipaddress.IPv4Network("192.88.99.0/24")
"""Names that are not the vendor's own live here."""

IPV6 = "2001:db8:ffff::/48"
ELSEWHERE_IPV6 = "3fff:ff::/48"
"""Where the names live that have an IPv6 address: the vendor's own, and others (RFC 9637)."""
RESOLVER_IPV6 = "2001:db8:ffff::53"

# Addresses that the vendor's own pages pair with a name, and networks in which others plausibly live.
_HOMES = {
    "cloudupgrader.webex.com": "3.20.185.219/32",
    "cscan.webex.com": "199.59.64.197/32",
    "activate.cisco.com": "72.163.10.128/25",
    "webapps.cisco.com": "72.163.24.0/23",
    "upgrade.cisco.com": "173.36.127.128/26",
    "sudirenewal.cisco.com": "173.37.146.128/25",
    "activation.webex.com": "173.37.26.0/23",
    "idbroker.webex.com": "64.68.96.0/19",
    "idbroker-b-us.webex.com": "207.182.160.0/19",
    "idbroker-eu.webex.com": "62.109.192.0/18",
    "u2c.wbx2.com": "170.72.0.0/16",
    "wdm-a.wbx2.com": "170.72.0.0/16",
    "jp.bcld.webex.com": "150.253.128.0/17",
    "client-jp.bcld.webex.com": "150.253.128.0/17",
    "ty6-wxt-jp.bcld.webex.com": "150.253.128.0/17",
    "os1-wxt-jp.bcld.webex.com": "150.253.128.0/17",
}
RESPONDER = "192.88.99.200"
"""The far end of media streams, where a scenario has one; no rule of the product's servers holds for it."""
NODES = ("170.72.29.77", "135.84.173.152", "199.59.65.10")
"""Live nodes of signalling, media and time in three networks, as an administrator would know them."""

OLD_TLS_OFFSET = 10000


class Population(StrEnum):
    """Which of the vendor's addresses are alive, besides those of names and of the known nodes."""

    DENSE = "dense"
    SPARSE = "sparse"
    NAMED = "named"


class Sip(StrEnum):
    """How the SIP servers behave."""

    ANSWERING = "answering"
    SILENT = "silent"
    MUTUAL = "mutual"
    UNKNOWN_AUTHORITY = "unknown-authority"
    EXPIRED = "expired"
    LEAF_ONLY = "leaf-only"
    OLD_TLS = "old-tls"
    DOWN = "down"
    UNAVAILABLE = "unavailable"


class Web(StrEnum):
    GOOD = "good"
    OLD_TLS = "old-tls"
    MISNAMED = "misnamed"
    SECOND_ROOT = "second-root"
    UNKNOWN_AUTHORITY = "unknown-authority"
    EXPIRED = "expired"
    LEAF_ONLY = "leaf-only"
    OLD_CIPHERS = "old-ciphers"
    HTTP3 = "http3"
    CLOSING = "closing"
    FAILING = "failing"
    EARLY = "early"
    DOWN = "down"


SIP_OFFSET = {mode: 1000 * index for index, mode in enumerate(Sip)}
WEB_OFFSET = {Web.GOOD: 0} | {mode: OLD_TLS_OFFSET + 2111 * i for i, mode in enumerate(list(Web)[1:])}


@dataclass(frozen=True, kw_only=True)
class CloudMode:
    """What varies from one scenario to the next.

    `named_serve_all`: the addresses of names answer on every port of the product, not on those of the web
    alone. `udp_refused`: closed UDP ports of live addresses answer with ICMP instead of silence.
    `media_answers`: live addresses answer STUN in the whole of the media ranges, as ICE has them do in a call.
    `web_at`: the names whose web servers `web` is about, all of them when empty. `retired`: names that are gone from
    the DNS. `ipv6`: names have an IPv6 address, too. `clock_s`: how far ahead the time servers are. `responder`: a
    responder of our own listens, and the run is told of it.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    population: Population = Population.SPARSE
    ratio: float = 0.02
    seed: int = 7
    sip: Sip = Sip.ANSWERING
    web: Web = Web.GOOD
    named_serve_all: bool = False
    udp_refused: bool = False
    media_answers: bool = False
    web_at: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    ipv6: bool = False
    clock_s: int = 0
    responder: bool = False


def shifted(port: int, mode: Web) -> int:
    """Where the servers of this mode listen."""
    offset = WEB_OFFSET[mode]
    return port + offset if port + offset < 0x10000 else port - offset


def names_of(profile: Profile) -> list[str]:
    groups = (host for group in profile.names.values() for entry in group.domains for host in entry.hosts)
    hosts = (host for r in profile.requirements for host in r.targets.hosts if not is_address(host))
    return sorted({*groups, *hosts, *(control.host for control in profile.controls), "ntp.lab.example"})


def networks_of(profile: Profile) -> list[str]:
    found = {n for group in profile.networks.values() for n in group.networks if ":" not in n}
    return sorted(found, key=ipaddress.IPv4Network)


def place(names: Iterable[str], networks: Iterable[str]) -> dict[str, str]:
    """The address of each name, the same in every run; a home that is none of the product's is not there."""
    placed: dict[str, str] = {}
    there = [ipaddress.IPv4Network(network) for network in networks]
    for index, name in enumerate(sorted(names)):
        home = ipaddress.IPv4Network(_HOMES.get(name, str(ELSEWHERE)))
        home = home if any(home.subnet_of(network) for network in there) else ELSEWHERE
        offset = random.Random(name).randrange(1, home.num_addresses - 1) if home.prefixlen < 31 else 0
        placed[name] = str(home[index + 1] if home == ELSEWHERE else home[offset])
    return placed


def alive(networks: Iterable[str], mode: CloudMode) -> Iterator[str]:
    """The addresses that answer on every port of the product, apart from names and nodes."""
    if mode.population is not Population.SPARSE:
        return
    for network in map(ipaddress.IPv4Network, networks):
        if network.prefixlen >= 31:
            yield from map(str, network)
            continue
        rng = random.Random(f"{mode.seed}/{network}")
        count = round(network.num_addresses * mode.ratio)
        yield from (str(network[i]) for i in rng.sample(range(1, network.num_addresses - 1), count))


def cloud_rules(
    networks: Iterable[str],
    placed: Mapping[str, str],
    ports: Ports,
    mode: CloudMode,
    leads: Iterable[str] = (),
) -> str:
    """The rules of the cloud: dead addresses and unserved ports are silent, the rest is led to its server.

    `leads` are further translations, to servers that were started for this mode.
    """
    networks = list(networks)
    named = sorted(set(placed.values()))
    living = sorted({*NODES, *alive(networks, mode), *(named if mode.named_serve_all else ())})
    translations = [*leads, f"udp dport {dash(ports.of(Kind.STUN))} dnat to {SERVERS}"]
    if clear := ports.of(Kind.CLEAR_SIP):
        translations += [f"{transport} dport {dash(clear)} dnat to {SERVERS}" for transport in ("udp", "tcp")]
    if mode.sip is not Sip.DOWN:
        translations += [
            f"tcp dport {p} dnat to {SERVERS}:{p + SIP_OFFSET[mode.sip]}" for p in ports.of(Kind.SIP)
        ]
    if mode.web not in (Web.GOOD, Web.DOWN):
        at = _at(mode, placed)
        translations += [
            f"{at}tcp dport {p} redirect to :{shifted(p, mode.web)}" for p in ports.of(Kind.HTTPS)
        ]
    if mode.media_answers:
        lead = f"dnat to {SERVERS}:{ports.of(Kind.STUN)[0]}"
        translations += [f"udp dport {media} {lead}" for media in ports.media]
    comes, leaves = ([f"ip {end}addr {RESPONDER} notrack"] if mode.responder else [] for end in ("d", "s"))
    silence = comes
    if mode.population is not Population.DENSE:
        silence += [
            f"ip daddr @named tcp dport {dash(ports.web)} accept",
            "ip daddr @named udp dport 443 accept",
            "ip daddr @vendor ip daddr != @living drop",
        ]
    down = [f"{_at(mode, placed)}tcp dport {dash(ports.of(Kind.HTTPS))} reject with tcp reset"]
    accepts = down if mode.web is Web.DOWN else []
    accepts += ["iifname lo accept", "ct state established,related accept", "ct status dnat accept"]
    accepts += [
        f"tcp dport {dash([*ports.tcp, 53])} accept",
        f"udp dport {dash([53, 123, *ports.of(Kind.TFTP)])} accept",
    ]
    accepts += ["icmp type echo-request accept"]
    accepts += [f"ip daddr {RESPONDER} accept"] if mode.responder else []
    accepts += ["meta l4proto udp reject"] if mode.udp_refused else []
    return "\n".join(
        [
            "table ip cloud",
            "delete table ip cloud",
            "table ip cloud {",
            _address_set("vendor", networks, interval=True),
            _address_set("living", living),
            _address_set("named", named),
            _chain("silence", "type filter hook prerouting priority raw; policy accept;", silence),
            _chain("leave", "type filter hook output priority raw; policy accept;", leaves),
            _chain("lead", "type nat hook prerouting priority dstnat; policy accept;", translations),
            _chain("serve", "type filter hook input priority filter; policy drop;", accepts),
            "}",
            "",
        ]
    )


def _at(mode: CloudMode, placed: Mapping[str, str]) -> str:
    return f"ip daddr {{ {', '.join(placed[name] for name in mode.web_at)} }} " if mode.web_at else ""


def _address_set(name: str, elements: Iterable[str], *, interval: bool = False) -> str:
    flags = " flags interval; auto-merge;" if interval else ""
    listed = ", ".join(elements)
    return f"set {name} {{ type ipv4_addr;{flags}{f' elements = {{ {listed} }}' if listed else ''} }}"


def _chain(name: str, head: str, rules: Iterable[str]) -> str:
    return "\n".join([f"chain {name} {{", head, *rules, "}"])
