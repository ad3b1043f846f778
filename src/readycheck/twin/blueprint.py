"""One stand-in world, complete and serialisable: what the processes of the twin are told."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from readycheck.twin.population import alive, living
from readycheck.twin.rules import GreetingRule, Range, Rule

RESOLVER = "203.0.113.53"
"""The ISP's name server, beyond the site's edge."""


class Chain(StrEnum):
    """What a server presents: the good chain, or one with one thing wrong."""

    GOOD = "good"
    STRANGER = "stranger"
    INSPECTED = "inspected"
    EXPIRED = "expired"
    INCOMPLETE = "incomplete"
    MISNAMED = "misnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong with the servers, or with what the client was told.

    `chains` has the TCP ports that do not present the good one, and `closed` those that refuse, but for `spared`
    hosts; `misnamed` ones present a certificate of somebody else; `rewritten` is the address given for names that do
    not exist, and the names in `filtered` are said not to. `proxy_script` is the text of one that the client is set to
    follow. Name servers take `dns_delay_ms` to answer. With `portal` plain HTTP is sent there, whatever host was asked.
    """

    chains: Mapping[int, Chain] = field(default_factory=dict)
    spared: tuple[str, ...] = ()
    misnamed: tuple[str, ...] = ()
    old_tls: bool = False
    closed: tuple[int, ...] = ()
    sip_silent: bool = False
    clock_skew_s: float = 0.0
    rewritten: str = ""
    filtered: tuple[str, ...] = ()
    proxy_script: str = ""
    dns_delay_ms: float = 0.0
    portal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """`ratio` of the addresses of `networks` are alive by `seed`, and so is every named address.

    `echo` are the UDP ports that send back what they get; `spoken` has the protocol of TCP ports whose servers
    must be told it; `page` is in every page that is shown; with `ping` hosts answer ICMP echo requests; `name_servers`
    answer DNS; `greetings` are those that a box on the uplink minds; packets longer than `wan_mtu` are lost on the
    site's line, and nobody says so; with `quic` web servers speak HTTP/3 and say so. A `scattered` NAT gives each
    destination another port.
    """

    networks: tuple[str, ...]
    addresses: Mapping[str, str]
    literals: tuple[str, ...]
    name_servers: tuple[str, ...]
    tcp: tuple[Range, ...]
    udp: tuple[Range, ...]
    echo: tuple[Range, ...]
    sip: tuple[int, ...]
    mutual: tuple[int, ...]
    seed: int
    ratio: float
    spoken: Mapping[int, str] = field(default_factory=dict)
    page: str = ""
    rules: tuple[Rule, ...] = ()
    faults: Faults = field(default_factory=Faults)
    carrier_nat: bool = False
    scattered: bool = False
    delay_ms: float = 0.0
    ping: bool = False
    greetings: GreetingRule | None = None
    wan_mtu: int = 0
    quic: bool = False

    def population(self) -> Iterator[str]:
        """Every address that answers, the resolver included."""
        yield RESOLVER
        named = {*self.addresses.values(), *self.literals}
        yield from sorted(named)
        for network in self.networks:
            yield from (a for a in living(network, self.seed, self.ratio) if a not in named)

    @property
    def spared(self) -> tuple[str, ...]:
        """The addresses of hosts that have no part in the faults of servers."""
        return tuple(self.addresses[host] for host in self.faults.spared if host in self.addresses)

    def answers(self, address: str) -> bool:
        """Whether an address is one of the population."""
        if address == RESOLVER or address in self.literals or address in self.addresses.values():
            return True
        homes = [n for n in map(IPv4Network, self.networks) if IPv4Address(address) in n]
        named = any(network.num_addresses == 1 for network in homes)
        return named or (bool(homes) and alive(address, self.seed, self.ratio))

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Blueprint":
        fields: dict[str, Any] = _tuples(json.loads(text))
        faults = fields.pop("faults")
        fields["spoken"] = {int(port): protocol for port, protocol in fields["spoken"].items()}
        chains = {int(port): Chain(chain) for port, chain in faults.pop("chains").items()}
        greetings = fields.pop("greetings")
        return cls(
            greetings=GreetingRule(**greetings) if greetings else None,
            rules=tuple(Rule(**rule) for rule in fields.pop("rules")),
            faults=Faults(chains=chains, **faults),
            **fields,
        )


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
