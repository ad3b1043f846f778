"""The namespaces of the twin, their links, addresses, routes and firewall rules, as text for `ip` and `nft`."""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from readycheck.twin.blueprint import RESOLVER, Blueprint
from readycheck.twin.rules import LAN, WAN, Range, ip_rules, nft_rules, port_rules

CLIENT = "client"
SITE = "site"
EDGE = "edge"
ACCESS = "isp-access"
METRO = "isp-metro"
CORE = "isp-core"
EXCHANGE = "exchange"
BORDER = "vendor-border"
CLOUD = "cloud"
ROW = (CLIENT, SITE, EDGE, ACCESS, METRO, CORE, EXCHANGE, BORDER, CLOUD)
"""The namespaces in the order in which a packet to the vendor meets them."""

ECHO_PORT = 7
LONG = 64
"""Ranges of more ports than this are served by one socket instead of one each."""
SLOW_LINK = (CORE, EXCHANGE)
UPLINK = (EDGE, ACCESS)
"""Wires that a program of ours carries, where it is to do something to the packets."""

_LOCAL_TABLE = 200
_PRIVATE = ("192.168.", "10.")
_CARRIER = "100.64."


@dataclass(frozen=True, slots=True)
class Link:
    """A wire between neighbours of the row; `low` is nearer to the client."""

    low: str
    low_name: str
    low_address: str
    high: str
    high_name: str
    high_address: str
    prefix: int = 30


def links(carrier_nat: bool) -> tuple[Link, ...]:
    wan = ("100.64.8.10", "100.64.8.9") if carrier_nat else ("198.51.100.10", "198.51.100.9")
    return (
        Link(CLIENT, "eth0", "192.168.20.10", SITE, LAN, "192.168.20.1", 24),
        Link(SITE, "up0", "10.20.0.2", EDGE, LAN, "10.20.0.1"),
        Link(EDGE, WAN, wan[0], ACCESS, "down0", wan[1]),
        Link(ACCESS, "up0", "198.51.100.18", METRO, "down0", "198.51.100.17"),
        Link(METRO, "up0", "198.51.100.26", CORE, "down0", "198.51.100.25"),
        Link(CORE, "up0", "203.0.113.2", EXCHANGE, "down0", "203.0.113.1"),
        Link(EXCHANGE, "up0", "203.0.113.10", BORDER, "down0", "203.0.113.9"),
        Link(BORDER, "up0", "203.0.113.18", CLOUD, "net0", "203.0.113.17"),
    )


def carried(blueprint: Blueprint) -> frozenset[tuple[str, str]]:
    """The wires of a world that a program of ours carries."""
    wanted = {SLOW_LINK: blueprint.delay_ms > 0, UPLINK: blueprint.greetings is not None}
    return frozenset(ends for ends, is_wanted in wanted.items() if is_wanted)


def interfaces(
    row: Sequence[Link], name: str, *, carried: Collection[tuple[str, str]] = (), translated: bool
) -> str:
    """The `ip -batch` text that brings one namespace up, once its interfaces are there.

    Without address translation every router knows the way back to the site.
    """
    lines = ["link set lo up"]
    for link in row:
        point_to_point = (link.low, link.high) in carried
        if link.low == name:
            lines += _up(link.low_name, link.low_address, link, link.high_address if point_to_point else "")
            lines.append(f"route add default via {link.high_address}")
        if link.high == name:
            lines += _up(link.high_name, link.high_address, link, link.low_address if point_to_point else "")
            lines += [f"route add {net} via {link.low_address}" for net in _behind(row, link, translated)]
    return "\n".join(lines) + "\n"


NARROW_LINK = (EDGE, ACCESS)
_SILENT_ICMP = "icmp type destination-unreachable icmp code frag-needed drop"


def narrowing(link: Link, name: str, mtu: int) -> str:
    """The `ip -batch` text that makes one end of the site's line carry no longer packets than `mtu`."""
    end = link.low_name if link.low == name else link.high_name
    return f"link set {end} mtu {mtu}\n"


def silence() -> str:
    """What keeps a router from saying that a packet is too long for its next link."""
    return _table(
        "readycheck_silence", {"output { type filter hook output priority 0; policy accept;": [_SILENT_ICMP]}
    )


def _up(interface: str, address: str, link: Link, peer: str) -> list[str]:
    where = f"{address} peer {peer}" if peer else f"{address}/{link.prefix}"
    return [f"addr add {where} dev {interface}", f"link set {interface} up"]


def _behind(row: Sequence[Link], link: Link, translated: bool) -> Iterator[str]:
    """The networks that a router reaches through its lower neighbour, besides the one they share."""
    for other in row[: row.index(link)]:
        if not (translated and _hidden(other, link.high)):
            yield str(ipaddress.ip_interface(f"{other.low_address}/{other.prefix}").network)


def _hidden(link: Link, router: str) -> bool:
    """Whether address translation hides the addresses of a link from a router."""
    private = link.low_address.startswith(_PRIVATE) and router != EDGE
    return private or link.low_address.startswith(_CARRIER)


def population_routes(population: Iterable[str]) -> str:
    """What makes the cloud answer for an address; any other is silent, as its kernel does not forward."""
    return "".join(f"route add local {address} dev lo\n" for address in population)


def cloud_firewall(blueprint: Blueprint) -> str:
    """Ports that nobody asked for are silent, and long ranges lead to one socket each."""
    long_udp = [r for r in blueprint.udp if is_long(r)]
    long_tcp = [r for r in blueprint.tcp if is_long(r)]
    redirects = (
        [f"fib daddr type local udp dport {_set(long_udp)} redirect to :{ECHO_PORT}"] if long_udp else []
    )
    redirects += (
        [f"fib daddr type local tcp dport {_set(long_tcp)} redirect to :{ECHO_PORT}"] if long_tcp else []
    )
    accepts = ["iifname lo accept", "ct status dnat accept"]
    accepts += [f"tcp dport {_set(blueprint.tcp)} accept"] if blueprint.tcp else []
    accepts += [f"udp dport {_set(blueprint.udp)} accept"] if blueprint.udp else []
    accepts += ["tcp dport 53 accept", "udp dport 53 accept"]
    accepts += ["udp dport 443 accept"] if blueprint.quic else []
    accepts += ["icmp type echo-request accept"] if blueprint.ping else []
    return _table(
        "readycheck_cloud",
        {
            "services { type nat hook prerouting priority dstnat; policy accept;": redirects,
            "input { type filter hook input priority filter; policy drop;": accepts,
        },
    )


def cloud_silence(blueprint: Blueprint) -> str:
    """The same without nftables, for `ip -batch`: nobody serves the long ranges, so they stay silent."""
    lines = [f"rule add priority {_LOCAL_TABLE} lookup local", "rule del priority 0"]
    ranges = [r for r in blueprint.udp if is_long(r)]
    if ranges:
        head = "rule add iif net0 ipproto udp"
        lines += port_rules(head, "dport", ranges, "blackhole", _LOCAL_TABLE)
    return "\n".join(lines) + "\n"


def edge_firewall(blueprint: Blueprint) -> str:
    """Address translation, a stateful firewall that lets the site out, and what the scenario forbids."""
    return _table(
        "readycheck_edge",
        {
            "translate { type nat hook postrouting priority srcnat; policy accept;": [
                f"oifname {WAN} masquerade{' fully-random' if blueprint.scattered else ''}"
            ],
            "broken { type filter hook forward priority -10; policy accept;": list(
                nft_rules(blueprint.rules)
            ),
            "forward { type filter hook forward priority filter; policy drop;": [
                "ct state established,related accept",
                f"iifname {LAN} accept",
            ],
        },
    )


def carrier_firewall() -> str:
    rules = {
        "translate { type nat hook postrouting priority srcnat; policy accept;": ["oifname up0 masquerade"]
    }
    return _table("readycheck_carrier", rules)


def edge_policy(blueprint: Blueprint) -> str:
    """What the scenario forbids, for an edge without nftables."""
    return "".join(f"{line}\n" for line in ip_rules(blueprint.rules))


def is_long(ports: Range) -> bool:
    return ports[1] - ports[0] > LONG


def single_ports(ranges: Iterable[Range]) -> Iterator[int]:
    """The ports that have a socket of their own."""
    for low, high in ranges:
        if not is_long((low, high)):
            yield from range(low, high + 1)


def resolv_conf() -> str:
    return f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n"


NSSWITCH_CONF = "passwd: files\ngroup: files\nhosts: files dns\n"
HOSTS = "127.0.0.1 localhost\n"


def _table(name: str, chains: Mapping[str, Iterable[str]]) -> str:
    body = "\n".join(f"chain {head}\n" + "\n".join(rules) + "\n}" for head, rules in chains.items())
    return f"table ip {name} {{\n{body}\n}}\n"


def _set(ranges: Iterable[Range]) -> str:
    return "{ " + ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) + " }"
