"""Many rules -> few that let through the same, no more and no less, each with all the requirements that it serves."""

import ipaddress
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from itertools import chain

from readycheck.firewall.rules import DIRECTIONS, Need, Peer, Rule
from readycheck.spans import inside, merged

Network = IPv4Network | IPv6Network

_JOINED = (Peer.NETWORKS, Peer.NAMES)
_ORDER = tuple(Peer)
_SHORT = {"outbound": "out", "inbound": "in", "internal": "mid"}
_LONGEST = 24


def aggregate(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Rules of the same ports share their far ends, and those of the same far ends their ports."""
    found = [_tidy(rule) for rule in rules]
    count = len(found) + 1
    while len(found) < count:
        count = len(found)
        found = _joined(_joined(found, _by_ports), _by_peers)
    return tuple(sorted(found, key=_place))


def absorb(rules: Sequence[Rule], spare: Iterable[Rule]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """What is open already need not be offered: its requirements are named at the rule that opens it."""
    taken, left = list(rules), []
    alike: dict[Hashable, list[int]] = {}
    for place, rule in enumerate(taken):
        alike.setdefault(_by_kind(rule), []).append(place)
    for one in spare:
        index = next((i for i in alike.get(_by_kind(one), ()) if _covers(taken[i], one)), None)
        if index is None:
            left.append(one)
        else:
            taken[index] = replace(taken[index], needs=_needs(taken[index].needs, one.needs))
    return tuple(taken), tuple(left)


def labelled(rules: Iterable[Rule], seen: dict[str, int]) -> tuple[Rule, ...]:
    """Names that objects of a firewall can be called by, after direction, transport and first ports."""
    found = []
    for rule in rules:
        first = str(rule.ports[0]) if rule.ports else rule.peer.value.replace(" ", "-")
        stem = f"{_SHORT[rule.direction]}-{rule.transport}-{first}"[:_LONGEST]
        seen[stem] = seen.get(stem, 0) + 1
        found.append(replace(rule, label=stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"))
    return tuple(found)


def wanting(rule: Rule, value: str) -> tuple[Need, ...]:
    """The requirements that ask for one of the far ends of a rule."""
    if rule.peer is Peer.NETWORKS:
        mine = _parsed(value)
        return tuple(n for n in rule.needs if any(mine.overlaps(_parsed(p)) for p in n.peers))
    return tuple(need for need in rule.needs if value in need.peers)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """As few as there can be, IPv4 first."""
    return _fewest(tuple(texts))


@lru_cache(maxsize=1 << 10)
def _fewest(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Kept, because most requirements lead to the same few groups."""
    parsed = [_parsed(text) for text in texts]
    four = ipaddress.collapse_addresses(n for n in parsed if isinstance(n, IPv4Network))
    six = ipaddress.collapse_addresses(n for n in parsed if isinstance(n, IPv6Network))
    return (*four, *six)


@lru_cache(maxsize=1 << 16)
def _parsed(text: str) -> Network:
    return ipaddress.ip_network(text)


def _tidy(rule: Rule) -> Rule:
    peers: Iterable[str] = rule.peers
    if rule.peer is Peer.NETWORKS:
        peers = map(str, networks(peers))
    elif rule.peer is Peer.NAMES:
        peers = sorted(set(peers), key=by_domain)
    return replace(rule, peers=tuple(peers), ports=merged(rule.ports), source_ports=merged(rule.source_ports))


def by_domain(name: str) -> list[str]:
    """Names of one domain stand together."""
    return name.split(".")[::-1]


def _joined(rules: Iterable[Rule], key: Callable[[Rule], Hashable]) -> list[Rule]:
    groups: dict[Hashable, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(key(rule), []).append(rule)
    return [_union(group) for group in groups.values()]


def _union(group: Sequence[Rule]) -> Rule:
    """Rules that differ in their ports or in their far ends, but not in both."""
    if len(group) == 1:
        return group[0]
    return _tidy(
        replace(
            group[0],
            peers=tuple(dict.fromkeys(chain.from_iterable(rule.peers for rule in group))),
            ports=tuple(chain.from_iterable(rule.ports for rule in group)),
            needs=_needs(*(rule.needs for rule in group)),
        )
    )


def _needs(*rows: Iterable[Need]) -> tuple[Need, ...]:
    """The most important first, otherwise as they come."""
    unique = {need.id: need for need in chain.from_iterable(rows)}
    return tuple(sorted(unique.values(), key=lambda need: need.importance.rank))


def _by_ports(rule: Rule) -> Hashable:
    return (_by_kind(rule), rule.ports, () if rule.peer in _JOINED else rule.peers)


def _by_peers(rule: Rule) -> Hashable:
    """Ports that are yet to be said cannot be joined with known ones."""
    return (_by_kind(rule), rule.peers, bool(rule.ports))


def _by_kind(rule: Rule) -> Hashable:
    return (rule.direction, rule.transport, rule.peer, rule.hosts, rule.source_ports)


def _covers(rule: Rule, other: Rule) -> bool:
    """Names are compared as they are written: a firewall may know the single name and not the wildcard."""
    if not inside(other.ports, rule.ports) or bool(rule.ports) != bool(other.ports):
        return False
    if rule.peer is not Peer.NETWORKS:
        return set(other.peers) <= set(rule.peers)
    return networks((*rule.peers, *other.peers)) == networks(rule.peers)


def _place(rule: Rule) -> tuple[object, ...]:
    """The reader meets what matters most first."""
    ports = [(span.low, span.high) for span in rule.ports]
    sources = [(span.low, span.high) for span in rule.source_ports]
    return (
        *(DIRECTIONS.index(rule.direction), rule.importance.rank, rule.transport, ports),
        *(_ORDER.index(rule.peer), sources, rule.hosts, rule.peers),
    )
