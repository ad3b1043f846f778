"""Profile, roles and values -> what a firewall has to let through, a rule for each kind of far end of a requirement."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from readycheck.errors import UsageError
from readycheck.net.address import is_network
from readycheck.notation import Pattern, PortRange, Ports
from readycheck.profile import Importance, Profile, Requirement
from readycheck.references import PLACEHOLDER, placeholders

Direction = Literal["outbound", "inbound", "internal"]
DIRECTIONS: tuple[Direction, ...] = ("outbound", "inbound", "internal")
NAME_SERVERS = "name-servers"
OWN_HOST = "own-host"
"""What hosts are asked for by that are called from outside and belong to several roles."""

_DNS: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")
_PATTERN: TypeAdapter[str] = TypeAdapter(Pattern)
_PORTS: TypeAdapter[PortRange] = TypeAdapter(Ports)


class Peer(StrEnum):
    """What is known of the far end. A rule has one kind, because firewalls match each in a way of its own."""

    NETWORKS = "networks"
    NAMES = "names"
    RESOLVERS = "name servers"
    GIVEN = "to be given"
    WORDS = "in words"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The requirement behind a rule: what it asks for by itself, and what a comment tells of it."""

    id: str
    title: str
    importance: Importance
    source: str
    condition: str = ""
    about: str = ""
    peers: tuple[str, ...] = ()
    ports: tuple[PortRange, ...] = ()
    source_ports: tuple[PortRange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Traffic to let through; the far end is the destination, and of `inbound` rules the source.

    `peers` are networks, name patterns, hosts such as `{ntp-server}` or words, as `peer` says. `hosts` are the
    customer's own, which inbound traffic is for: networks, or `{role}` until they are given. No `ports` means
    that the document leaves them to the customer; no `source_ports` that any will do.
    """

    direction: Direction
    transport: Literal["tcp", "udp", "icmp"]
    peer: Peer
    peers: tuple[str, ...] = ()
    ports: tuple[PortRange, ...] = ()
    source_ports: tuple[PortRange, ...] = ()
    hosts: tuple[str, ...] = ()
    needs: tuple[Need, ...]
    label: str = ""

    @property
    def importance(self) -> Importance:
        """That of the most important requirement."""
        return min((need.importance for need in self.needs), key=attrgetter("rank"))

    @property
    def blanks(self) -> tuple[str, ...]:
        """What only the customer can say: nothing if the rule can be loaded as it stands."""
        far = {Peer.GIVEN: self.peers, Peer.RESOLVERS: (f"{{{NAME_SERVERS}}}",)}.get(self.peer, ())
        ports = () if self.ports or self.transport == "icmp" else (f"{{{ports_of(self.needs[0].id)}}}",)
        return (*far, *(host for host in self.hosts if not is_network(host)), *ports)

    @property
    def is_complete(self) -> bool:
        return not self.blanks and self.peer is not Peer.WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the customer said: values of placeholders and of other blanks by name, and the name servers in use."""

    values: Mapping[str, str] = field(default_factory=dict)
    resolvers: tuple[str, ...] = ()


def read_rules(profile: Profile, roles: Iterable[str], known: Known) -> Iterator[Rule]:
    """Each requirement by itself, in the order of the profile; statements and settings need no rule."""
    wanted = set(roles)
    for requirement in profile.requirements:
        if wanted & set(requirement.roles) and requirement.importance is not Importance.INFORMATIONAL:
            called = [role for role in requirement.roles if role in wanted]
            yield from _rules(profile, requirement, called, known)


def lookups(rules: Iterable[Rule], known: Known) -> Iterator[Rule]:
    """DNS to the given name servers, for documents that name domains and forget what finds their addresses."""
    found = tuple(rules)
    servers = tuple(str(ipaddress.ip_network(address)) for address in known.resolvers)
    asked = any(set(rule.peers) & set(servers) and any(53 in span for span in rule.ports) for rule in found)
    if asked or not servers or not any(rule.peer is Peer.NAMES for rule in found):
        return
    ports = (PortRange(low=53, high=53),)
    need = Need(
        id=NAME_SERVERS,
        title="DNS, by which the addresses of the domains are found",
        importance=Importance.REQUIRED,
        source="not in the documents: you gave the name servers",
        peers=servers,
        ports=ports,
    )
    for transport in _DNS:
        yield Rule(
            direction="outbound",
            transport=transport,
            peer=Peer.NETWORKS,
            peers=servers,
            ports=ports,
            needs=(need,),
        )


def _rules(profile: Profile, requirement: Requirement, called: Sequence[str], known: Known) -> Iterator[Rule]:
    if requirement.transport == "none" or requirement.direction == "none":
        return
    inbound = requirement.direction == "inbound"
    ports = requirement.ports or _given_ports(requirement, known)
    for peer, peers in _far_ends(profile, requirement, known):
        yield Rule(
            direction=requirement.direction,
            transport=requirement.transport,
            peer=peer,
            peers=peers,
            ports=ports,
            source_ports=requirement.source_ports,
            hosts=_own_hosts(requirement, called, known) if inbound else (),
            needs=(_need(profile, requirement, peers),),
        )


def _far_ends(
    profile: Profile, requirement: Requirement, known: Known
) -> Iterator[tuple[Peer, tuple[str, ...]]]:
    """Of inbound requirements, `hosts` are the customer's own: the others call them."""
    targets = requirement.targets
    inbound = requirement.direction == "inbound"
    hosts = [] if inbound else [fill(host, known.values) for host in targets.hosts]
    networks = [n for group in targets.networks for n in profile.networks[group].networks]
    networks += [str(ipaddress.ip_network(host)) for host in hosts if is_network(host)]
    names = [d.pattern for group in targets.names for d in profile.names[group].domains]
    names += [host for host in hosts if _is_pattern(host)]
    given = [host for host in hosts if placeholders(host)]
    words = [host for host in hosts if not (is_network(host) or _is_pattern(host) or host in given)]
    if targets.resolvers and known.resolvers:
        networks += [str(ipaddress.ip_network(address)) for address in known.resolvers]
    found: list[tuple[Peer, tuple[str, ...]]] = [
        *([(Peer.NETWORKS, tuple(networks))] if networks else []),
        *([(Peer.NAMES, tuple(names))] if names else []),
        *([(Peer.RESOLVERS, ())] if targets.resolvers and not known.resolvers else []),
        *((Peer.GIVEN, (host,)) for host in given),
        *((Peer.WORDS, (text,)) for text in words),
    ]
    if not found:
        found.append((Peer.ANY, ()) if inbound else (Peer.WORDS, (targets.description or "not named",)))
    yield from found


def _given_ports(requirement: Requirement, known: Known) -> tuple[PortRange, ...]:
    """Raises `UsageError` for what is no port."""
    name = ports_of(requirement.id)
    if name not in known.values or requirement.transport == "icmp":
        return ()
    try:
        return (_PORTS.validate_python(known.values[name]),)
    except ValidationError:
        raise UsageError(f"--set {name}={known.values[name]}: not a port or a range of ports") from None


def ports_of(name: str) -> str:
    """The blank for the ports of a requirement that has none."""
    return f"{name}-ports"


def _own_hosts(requirement: Requirement, roles: Sequence[str], known: Known) -> tuple[str, ...]:
    """Hosts are asked for by their role where the profile has no name for them."""
    unknown = roles[0] if len(roles) == 1 else OWN_HOST
    name = next((name for name in (*roles, OWN_HOST) if name in known.values), unknown)
    hosts = requirement.targets.hosts or (f"{{{name}}}",)
    return tuple(fill(host, known.values) for host in hosts)


def _need(profile: Profile, requirement: Requirement, peers: tuple[str, ...]) -> Need:
    return Need(
        id=requirement.id,
        title=requirement.title,
        importance=requirement.importance,
        source=_citation(profile, requirement),
        condition=requirement.condition,
        about=requirement.targets.description,
        peers=peers,
        ports=requirement.ports,
        source_ports=requirement.source_ports,
    )


def _citation(profile: Profile, requirement: Requirement) -> str:
    source = requirement.source
    revision = source.revision or profile.documents[source.document].revision
    return f"{source.document}, {source.section}" + (f", revision {revision}" if revision else "")


def fill(host: str, values: Mapping[str, str]) -> str:
    """Placeholders that have no value stay as they are."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), host)


def _is_pattern(text: str) -> bool:
    try:
        _PATTERN.validate_python(text)
    except ValidationError:
        return False
    return True
