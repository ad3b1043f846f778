"""What lies between the client and the cloud: routers, their links and addresses, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, ClassVar

from .boxes import Box
from .cloud import ELSEWHERE_IPV6, IPV6, RESOLVER
from .forwarder import Wire

CLOUD = "cloud"
CLIENT_ADDRESS = "10.77.1.20"
GATEWAY = "10.77.1.1"
CLIENT_IPV6 = "2001:db8:77::20"
_SITE_IPV6, _PROVIDER_IPV6 = "2001:db8:77", "2001:db8:e0"
ALL_IPV6 = f"{_SITE_IPV6}::/48"
_POOL = "198.51.100.248/30"
"""Public addresses that lead to the edge besides its own, for rules that translate to them."""
_SITES = {1: ("edge",), 2: ("site", "edge"), 3: ("site", "core", "edge")}
_NO_TIME_EXCEEDED = "icmp type time-exceeded drop"


class Table(StrEnum):
    """Where a rule goes: an nftables chain that filters or translates, for one family, or iptables."""

    FILTER = "filter"
    NAT = "nat"
    FILTER6 = "filter6"
    IPTABLES = "iptables"


class Ipv6(StrEnum):
    NONE = "none"
    DUAL = "dual"
    ONLY = "only"


@dataclass(frozen=True)
class Rule:
    """A rule at one place of the row: "client", "site", "edge", "isp1"..., at one hook of nftables.

    For iptables, `text` is what comes after the word iptables.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    at: str
    text: str
    hook: str = "forward"
    table: Table = Table.FILTER


@dataclass(frozen=True, kw_only=True)
class RowMode:
    """What varies between client and cloud.

    `site_hops`: routers of the site, the last of which is the edge. `carrier_nat`: the provider translates once more,
    and gives the site an address of the shared ones (RFC 6598). `isp_private`: its routers have private addresses,
    `isp_shared`: shared ones, and nothing is translated there for that. `radio_dbm`: the client's link is a radio.
    `silent`: routers that never say time exceeded. `mtu`: the largest packet beyond a router. `wire` is a long wire
    behind the router `wire_at`. `settings` of the kernel at a place go by their paths below /proc/sys, with dots.
    `tunnel`: the client reaches its first router through a tunnel device.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    site_hops: int = 2
    isps: int = 3
    rules: tuple[Rule, ...] = ()
    boxes: tuple[Box, ...] = ()
    settings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    mtu: Mapping[str, int] = field(default_factory=dict)
    wire: Wire | None = None
    wire_at: str = "isp1"
    nat: bool = True
    carrier_nat: bool = False
    isp_private: bool = False
    isp_shared: bool = False
    radio_dbm: int | None = None
    ipv6: Ipv6 = Ipv6.NONE
    tunnel: bool = False
    default_route: bool = True
    resolv_conf: str | None = f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n"

    @property
    def routers(self) -> tuple[str, ...]:
        return (*_SITES[self.site_hops], *(f"isp{i + 1}" for i in range(self.isps)))

    @property
    def carrier(self) -> str:
        """The router that translates for the provider: the one whose far side has a public address."""
        return f"isp{self.isps}" if self.isp_private else "isp1"

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        return (*self.rules, *(Rule(at, _NO_TIME_EXCEEDED, "output") for at in self.silent))


@dataclass(frozen=True, slots=True)
class Link:
    """Two neighbours. The end towards the cloud is called `wan`, the other `lan`."""

    low: str
    low_address: str
    high: str
    high_address: str
    length: int
    number: int
    device: str = "wan"

    @property
    def is_of_site(self) -> bool:
        return self.low_address.startswith("10.77.")

    def ipv6(self, end: str) -> str:
        if end == "client":
            return CLIENT_IPV6
        owner = _SITE_IPV6 if self.is_of_site else _PROVIDER_IPV6
        return f"{owner}:{self.number}::{2 - (end == self.high)}"


def links_of(row: RowMode, generation: int) -> list[Link]:
    """Private addresses in the site; the address of the edge outside changes with each scenario."""
    names = ["client", *row.routers, CLOUD]
    outside = 4 * (generation % 60)
    made = []
    for number, (low, high) in enumerate(pairwise(names)):
        beyond = number - row.site_hops
        if number == 0:
            base, ends, length = "10.77.1", (20, 1), 24
        elif beyond < 0:
            base, ends, length = f"10.77.{1 + number}", (2, 1), 30
        elif beyond == 0:
            base, ends, length = (
                "100.64.9" if row.carrier_nat else "198.51.100",
                (outside + 2, outside + 1),
                30,
            )
        elif (row.isp_private or row.isp_shared) and high != CLOUD:
            base = f"{'10.200' if row.isp_private else '100.64'}.{beyond}"
            ends, length = (2, 1), 30
        else:
            base, ends, length = "203.0.113", (126 + 4 * beyond, 125 + 4 * beyond), 30
        device = "tun0" if number == 0 and row.tunnel else "wan"
        made.append(Link(low, f"{base}.{ends[0]}", high, f"{base}.{ends[1]}", length, number, device))
    return made


def interfaces(name: str, links: Sequence[Link], row: RowMode) -> Iterator[str]:
    """The lines of `ip -batch` that give a namespace its addresses and routes."""
    if name != CLOUD:
        yield "link set lo up"
    for link in links:
        if link.high == name:
            yield from _low_side(link, links, row)
        if link.low == name:
            yield from _high_side(link, row)


def _low_side(link: Link, links: Sequence[Link], row: RowMode) -> Iterator[str]:
    yield from (f"addr add {link.high_address}/{link.length} dev lan", "link set lan up")
    if mtu := row.mtu.get(link.low):
        yield f"link set lan mtu {mtu}"
    yield from (f"route replace {net} via {link.low_address}" for net in _behind(links, link, row))
    if row.ipv6 is not Ipv6.NONE:
        yield f"addr add {link.ipv6(link.high)}/64 dev lan nodad"
        yield f"route replace {ALL_IPV6} via {link.ipv6(link.low)}"
    if row.ipv6 is not Ipv6.NONE and link.high == CLOUD:
        yield from (f"route replace local {prefix} dev lo" for prefix in (IPV6, ELSEWHERE_IPV6))


def _high_side(link: Link, row: RowMode) -> Iterator[str]:
    is_client = link.low == "client"
    speaks_ipv4 = not (is_client and row.ipv6 is Ipv6.ONLY)
    if speaks_ipv4:
        yield f"addr add {link.low_address}/{link.length} dev {link.device}"
    yield f"link set {link.device} up"
    if mtu := row.mtu.get(link.low):
        yield f"link set {link.device} mtu {mtu}"
    if speaks_ipv4 and (not is_client or row.default_route):
        yield f"route add default via {link.high_address}"
    if row.ipv6 is not Ipv6.NONE:
        yield f"addr add {link.ipv6(link.low)}/64 dev {link.device} nodad"
        yield f"route add ::/0 via {link.ipv6(link.high)}"


def _behind(links: Sequence[Link], last: Link, row: RowMode) -> list[str]:
    """What a router reaches through `lan`, besides the link itself."""
    if last.high == CLOUD:
        return ["default"]
    nearer = links[: links.index(last)]
    hidden = row.nat and not last.is_of_site
    seen = [link for link in nearer if not (hidden and link.is_of_site)]
    beyond = [_POOL] if hidden else ["10.77.1.0/24"] if nearer else []
    return [*(f"{link.low_address}/32" for link in seen), *beyond]
