"""How addresses and ports are written on Cisco's firewalls and routers."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import networks
from readycheck.firewall.rules import NAME_SERVERS, Peer, Rule
from readycheck.notation import PortRange

PREFIX = "RC"
MARK = "!"
LONGEST_REMARK = 100
LISTS = {"outbound": "READYCHECK-OUT", "inbound": "READYCHECK-IN", "internal": "READYCHECK-BETWEEN"}
OPEN = (Peer.ANY, Peer.WORDS)
"""Far ends without an address."""


def group(rule: Rule, kind: str) -> str:
    return f"{PREFIX}-{rule.label}-{kind}"


def four(texts: Iterable[str]) -> Iterator[str]:
    """IPv4 networks as `host A` or `A MASK`."""
    for network in networks(texts):
        if isinstance(network, ipaddress.IPv4Network):
            address = str(network.network_address)
            yield f"host {address}" if network.prefixlen == 32 else f"{address} {network.netmask}"


def six(texts: Iterable[str]) -> list[str]:
    """IPv6 networks with their prefix lengths."""
    return [str(network) for network in networks(texts) if network.version == 6]


def operator(span: PortRange) -> str:
    return f"eq {span.low}" if span.low == span.high else f"range {span.low} {span.high}"


def is_everything(texts: Iterable[str]) -> bool:
    return any(network.prefixlen == 0 for network in networks(texts))


def unknown(rule: Rule) -> Sequence[str]:
    """Far ends that are yet to be given, in angle brackets."""
    if rule.peer is Peer.GIVEN:
        return [f"<{remarks.identifier(peer)}>" for peer in rule.peers]
    return [f"<{NAME_SERVERS}>"] if rule.peer is Peer.RESOLVERS else []


def unknown_ports(rule: Rule) -> str:
    return f"<{remarks.identifier(rule.blanks[-1])}>"
