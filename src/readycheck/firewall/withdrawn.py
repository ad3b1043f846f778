"""What a vendor took back: which rules for it may be closed, and what of it the rules of today still need."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from readycheck.firewall.aggregate import Network, networks
from readycheck.firewall.rules import Known, Peer, Rule, read_rules
from readycheck.notation import PortRange
from readycheck.profile import Profile, Withdrawn
from readycheck.spans import merged, without

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Closable:
    """`networks`, `names` and `ports` are what may be closed, but for what `kept` says, with the reason.

    With networks or names, the ports are those towards them, and none means all.
    """

    what: str
    when: str
    source: str
    transport: str
    networks: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ports: tuple[PortRange, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        return bool(self.networks or self.names or self.ports)


def closable(profile: Profile) -> tuple[Closable, ...]:
    """Judged by the needs of all roles, the optional ones too: a firewall serves more than one of them."""
    roles = [role.name for role in profile.roles]
    today = tuple(read_rules(profile, roles, Known()))
    return tuple(_judged(row, today) for row in profile.withdrawn)


def _judged(row: Withdrawn, today: Sequence[Rule]) -> Closable:
    rules = [rule for rule in today if row.transport in ("any", rule.transport)]
    if row.ports:
        rules = [rule for rule in rules if not rule.ports or _shared(row.ports, rule.ports)]
    free, kept = _addresses(row, rules)
    free_names, kept_names = _names(row, rules)
    ports = merged(row.ports)
    if not row.networks and not row.names:
        ports = without(row.ports, [span for rule in rules for span in rule.ports])
        kept = list(_kept_ports(row, rules))
    elif not free and not free_names:
        ports = ()
    return Closable(
        what=row.what,
        when=row.when,
        source=f"{row.source.document}, {row.source.section}",
        transport=row.transport,
        networks=tuple(free),
        names=tuple(free_names),
        ports=ports,
        kept=(*kept, *kept_names),
    )


def _shared(ports: Iterable[PortRange], others: Iterable[PortRange]) -> tuple[PortRange, ...]:
    ports = tuple(ports)
    return without(ports, without(ports, others))


def _addresses(row: Withdrawn, rules: Iterable[Rule]) -> tuple[list[str], list[str]]:
    """The networks that are not in use as a whole, and what of them is."""
    needed = [
        (network, rule.needs[0].id)
        for rule in rules
        if rule.peer is Peer.NETWORKS
        for network in map(ipaddress.ip_network, rule.peers)
    ]
    free, kept = [], []
    for mine in map(ipaddress.ip_network, row.networks):
        users: dict[Network, list[str]] = {}
        for network, need in needed:
            if mine.overlaps(network):
                users.setdefault(network, []).append(need)
        used = networks(map(str, users))
        if networks((str(mine), *map(str, used))) != used:
            free.append(str(mine))
        for network, ids in users.items():
            within = network.prefixlen <= mine.prefixlen
            where = f"{mine} lies within {network}" if within else f"{network} of {mine}"
            kept.append(f"{where}, which {_by(ids)}")
    return free, kept


def _names(row: Withdrawn, rules: Iterable[Rule]) -> tuple[list[str], list[str]]:
    """The same of names."""
    needed = [(name, rule.needs[0].id) for rule in rules if rule.peer is Peer.NAMES for name in rule.peers]
    free, kept = [], []
    for mine in row.names:
        covering = [(name, need) for name, need in needed if _covers(name, mine)]
        if covering:
            kept.append(f"{mine} belongs to {covering[0][0]}, which {_by(need for _, need in covering)}")
            continue
        free.append(mine)
        kept += [f"{name} of {mine}, which {_by([need])}" for name, need in needed if _covers(mine, name)]
    return free, kept


def _covers(pattern: str, name: str) -> bool:
    """A star stands for anything, also within a label, and a leading one for the domain itself, too."""
    return fnmatchcase(name, pattern) or pattern == f"*.{name}"


def _kept_ports(row: Withdrawn, rules: Sequence[Rule]) -> Iterator[str]:
    for transport in dict.fromkeys(rule.transport for rule in rules):
        using = [rule for rule in rules if rule.transport == transport and _shared(row.ports, rule.ports)]
        if using:
            ports = _shared(row.ports, [span for rule in using for span in rule.ports])
            yield f"{transport} {', '.join(map(str, ports))}, which {_by(rule.needs[0].id for rule in using)}"


def _by(needs: Iterable[str]) -> str:
    unique = list(dict.fromkeys(needs))
    more = f" and {len(unique) - _NAMED} more" if len(unique) > _NAMED else ""
    return f"is needed by {', '.join(unique[:_NAMED])}{more}"
