"""Which addresses and ports stand for a network and a range: bounded, and the same for the same seed."""

import ipaddress
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from readycheck.notation import PortRange

PARTS = 4
PER_RUN = 600
PER_NETWORK = {"quick": 4, "normal": 16, "thorough": 32}


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of a port range that a firewall rule may treat alike, and the ports to try, edges first."""

    name: str
    ports: tuple[int, ...]


@lru_cache(maxsize=1024)
def strata(ports: PortRange, seed: int) -> tuple[Stratum, ...]:
    """One stratum for a single port; else blocks of the range, even and odd ports apart."""
    if len(ports) == 1:
        return (Stratum(str(ports.low), (ports.low,)),)
    blocks = 4 if len(ports) >= 400 else 1
    return tuple(
        Stratum(f"{low}-{high} {parity}", _pick(low, high, remainder, f"{seed}:{low}:{high}"))
        for low, high in _split(ports, blocks)
        for remainder, parity in ((0, "even"), (1, "odd"))
        if any(port % 2 == remainder for port in (low, min(low + 1, high)))
    )


def _split(ports: PortRange, blocks: int) -> list[tuple[int, int]]:
    size = len(ports) / blocks
    edges = [ports.low + round(size * i) for i in range(blocks + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]


def _pick(low: int, high: int, remainder: int, seed: str) -> tuple[int, ...]:
    """The lowest, the highest and two ports between of one parity."""
    first, last = low + (low % 2 != remainder), high - (high % 2 != remainder)
    inner = random.Random(seed).choices(range(first, last + 1, 2), k=2)
    return tuple(dict.fromkeys((first, last, *inner)))


@lru_cache(maxsize=8192)
def part_of(address: str, network: str) -> int:
    """Which quarter of its network an address lies in (0 to 3)."""
    net = ipaddress.ip_network(network)
    offset = int(ipaddress.ip_address(address)) - int(net.network_address)
    return min(PARTS - 1, offset * PARTS // net.num_addresses)


def addresses(network: str, count: int, seed: int, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Known addresses of the network first, then drawn ones up to `count` in all, from every quarter alike.

    A quarter without a known address gets one even when the known ones are `count` or more.
    """
    net = ipaddress.ip_network(network)
    inside = tuple(dict.fromkeys(a for a in known if _inside(a, net)))
    met = {part_of(a, network) for a in inside}
    drawn = [a for a in _draw(net, count, random.Random(f"{seed}:{network}")) if a not in inside]
    drawn.sort(key=lambda a: part_of(a, network) in met)
    room = max(count - len(inside), len({part_of(a, network) for a in drawn} - met))
    return (*inside, *drawn[:room])


_parsed = lru_cache(maxsize=8192)(ipaddress.ip_address)


def _inside(address: str, net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    parsed = _parsed(address)
    return parsed.version == net.version and parsed in net


def _draw(net: ipaddress.IPv4Network | ipaddress.IPv6Network, count: int, rng: random.Random) -> list[str]:
    """Round robin over the quarters, so that any prefix of the list is spread."""
    margin = 1 if net.num_addresses > 2 and net.prefixlen < net.max_prefixlen - 1 else 0
    usable = net.num_addresses - 2 * margin
    if usable <= count:
        return [str(net.network_address + margin + i) for i in range(usable)]
    drawn = []
    for index in range(count):
        part, size = index % PARTS, net.num_addresses
        low, high = max(margin, size * part // PARTS), min(size - margin, size * (part + 1) // PARTS)
        drawn.append(str(net.network_address + rng.randrange(low, max(low + 1, high))))
    return list(dict.fromkeys(drawn))


def per_network(networks: Iterable[str], effort: str) -> int:
    """How many addresses each network may have, so that the run stays within its total."""
    wanted = PER_NETWORK[effort]
    sizes = Counter(map(_capacity, networks))
    while wanted > 1 and sum(min(wanted, size) * often for size, often in sizes.items()) > PER_RUN:
        wanted -= 1
    return wanted


def _capacity(network: str) -> int:
    """How many of its addresses a run could ask; a network is written with its prefix length."""
    longest = 128 if ":" in network else 32
    return 1 << min(10, longest - int(network.rpartition("/")[2]))


def shares(sizes: Sequence[int], most: int) -> list[int]:
    """What each may have of `most`: an equal share, none more than it can use, and the last what is left over."""
    granted = [0] * len(sizes)
    for turn, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        granted[index] = min(sizes[index], most // (len(sizes) - turn))
        most -= granted[index]
    return granted


def pick(networks: Sequence[str], count: int, seed: str, known: Iterable[str] = ()) -> Sequence[str]:
    """Up to `count` of the networks: those of known addresses first, then drawn ones."""
    if count >= len(networks):
        return networks
    holders = _holders(known, {network.rpartition("/")[2] for network in networks})
    drawn = random.Random(seed).sample(networks, count)
    return tuple(dict.fromkeys((*(n for n in networks if n in holders), *drawn)))[:count]


def _holders(addresses: Iterable[str], lengths: Iterable[str]) -> frozenset[str]:
    """Every network of one of these prefix lengths that holds one of the addresses."""
    return frozenset(
        str(ipaddress.ip_network(f"{address}/{length}", strict=False))
        for address in addresses
        for length in lengths
        if int(length) <= _parsed(address).max_prefixlen
    )
