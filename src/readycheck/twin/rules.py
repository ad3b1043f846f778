"""What the firewall at the site's edge forbids, told to nftables, to policy routing and to the remap."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from readycheck.wire.client_hello import unpack_server_name

LAN = "lan0"
WAN = "wan0"

MAIN_TABLE = 32766
"""The priority of the rule that looks up the main routing table."""

_LAST_PORT = 65535

Range = tuple[int, int]
Transport = Literal["tcp", "udp", "icmp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Packets that are dropped or rejected at the edge; an empty field means any.

    `incoming` rules see what comes from the vendor: their networks and ports are the source's.
    """

    action: Literal["drop", "reject"] = "drop"
    transport: Transport | None = None
    ports: tuple[Range, ...] = ()
    networks: tuple[str, ...] = ()
    incoming: bool = False

    def matches(self, transport: str, address: str, port: int) -> bool:
        """Whether an exchange with `address` and `port` meets this rule, on its way out or back."""
        inside = any(ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in self.networks)
        return (
            self.transport in (None, transport)
            and (not self.networks or inside)
            and (not self.ports or any(low <= port <= high for low, high in self.ports))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GreetingRule:
    """Greetings of TLS that a box on the site's uplink ends: that name a host of `zones`, or, `nameless`, none."""

    action: Literal["drop", "reject"] = "reject"
    zones: tuple[str, ...] = ()
    nameless: bool = False

    def matches(self, segment: bytes) -> bool:
        """Whether a TCP segment is such a greeting; the box looks at one segment, and at the first record in it."""
        try:
            name = unpack_server_name(segment)
        except ValueError:
            return False
        if name is None:
            return self.nameless
        return any(f".{name}".lower().endswith(f".{zone}") for zone in self.zones)


def nft_rules(rules: Iterable[Rule]) -> Iterator[str]:
    """One nftables rule each, for a chain that hooks `forward` in the family `ip`."""
    for rule in rules:
        side, interface = ("s", WAN) if rule.incoming else ("d", LAN)
        words = [f"iifname {interface}"]
        if rule.networks:
            words.append(f"ip {side}addr {{ {', '.join(_apart(rule.networks))} }}")
        if rule.ports:
            words.append(f"{rule.transport} {side}port {{ {', '.join(_dash(r) for r in rule.ports)} }}")
        elif rule.transport:
            words.append(f"ip protocol {rule.transport}")
        yield " ".join((*words, "counter", _verdict(rule)))


def ip_rules(rules: Iterable[Rule]) -> Iterator[str]:
    """Policy-routing rules for `ip -batch`, for an edge without nftables.

    A rejection is an ICMP message here, for routing cannot send a reset.
    """
    for rule in rules:
        side, interface = ("from", WAN) if rule.incoming else ("to", LAN)
        action = "prohibit" if rule.action == "reject" else "blackhole"
        protocol = f" ipproto {rule.transport}" if rule.transport else ""
        port = "sport" if rule.incoming else "dport"
        for network in rule.networks or ("0.0.0.0/0",):
            head = f"rule add iif {interface} {side} {network}{protocol}"
            yield from port_rules(head, port, rule.ports, action, MAIN_TABLE)


def port_rules(head: str, port: str, ranges: Sequence[Range], action: str, otherwise: int) -> Iterator[str]:
    """`action` for some ports, or for all; `otherwise` is the priority of the rule that others go to.

    The kernel refuses ranges that end at 65535, so there the ports that are not meant are let past.
    """
    if any(high == _LAST_PORT for _, high in ranges):
        yield from (f"{head} {port} {_dash(gap)} goto {otherwise} priority 99" for gap in _gaps(ranges))
        ranges = ()
    for ports in [f" {port} {_dash(r)}" for r in ranges] or [""]:
        yield f"{head}{ports} {action} priority 100"


def fate(rules: Sequence[Rule], transport: str, address: str, port: int) -> Literal["drop", "reject"] | None:
    """What becomes of an exchange with this address and port; None when it passes."""
    return next((r.action for r in rules if r.matches(transport, address, port)), None)


def _gaps(ranges: Sequence[Range]) -> Iterator[Range]:
    start = 1
    for low, high in sorted(ranges):
        if start < low:
            yield start, low - 1
        start = high + 1


def _apart(networks: Iterable[str]) -> Iterator[str]:
    """Networks inside others are left out, for nftables refuses a set that names an address twice."""
    yield from map(str, ipaddress.collapse_addresses(map(ipaddress.IPv4Network, networks)))


def _dash(ports: Range) -> str:
    low, high = ports
    return str(low) if low == high else f"{low}-{high}"


def _verdict(rule: Rule) -> str:
    if rule.action == "drop":
        return "drop"
    return "reject with tcp reset" if rule.transport == "tcp" else "reject with icmp admin-prohibited"
