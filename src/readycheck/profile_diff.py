"""Two profiles -> what a firewall must open for the second and may close after the first, and what else changed. Pure.

Places are compared as what they let through, not as they are written: a network that replaces two parts of itself
is wider than they were, and two halves of a network are that network.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from readycheck.coverage import Kind, Lack, around, lacking, sorting
from readycheck.net.address import is_address
from readycheck.notation import PortRange
from readycheck.overview import words
from readycheck.profile import Importance, Profile, Requirement
from readycheck.spans import merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way that one of the profiles has and the other has not.

    `change` is `new` or `widened` for what is to be opened, `gone` or `narrowed` for what may be closed. `so_far`
    is what the other profile has of it, and `exactly` the networks that make the difference, if it is not all.
    """

    change: Literal["new", "widened", "gone", "narrowed"]
    direction: str
    transport: str
    ports: str
    kind: Kind
    place: str
    so_far: tuple[str, ...]
    exactly: tuple[str, ...]
    requirements: tuple[str, ...]
    importance: Importance


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something else that is not as it was; one side is empty for what is new or gone."""

    what: str
    of: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All that it takes to follow from the first profile to the second."""

    to_open: tuple[Way, ...]
    to_close: tuple[Way, ...]
    changed: tuple[Change, ...]


def compare(before: Profile, after: Profile) -> Difference:
    """From the first to the second."""
    old, new = _uses(before), _uses(after)
    keys = sorted({*old, *new})
    to_open = [way for key in keys for way in _lacked(key, new.get(key, ()), old.get(key, ()), opens=True)]
    to_close = [way for key in keys for way in _lacked(key, old.get(key, ()), new.get(key, ()), opens=False)]
    return Difference(tuple(to_open), tuple(to_close), tuple(_changes(before, after)))


# --- ways ---------------------------------------------------------------------------------------------

Key = tuple[str, str, Kind]
Places = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Use:
    """One requirement's use of places on a range of ports; None where there are none, or none are told."""

    ports: PortRange | None
    places: Places
    requirement: Requirement


def _uses(profile: Profile) -> Mapping[Key, Sequence[_Use]]:
    networks = {key: frozenset(group.networks) for key, group in profile.networks.items()}
    names = {key: frozenset(d.pattern for d in group.domains) for key, group in profile.names.items()}
    found: dict[Key, list[_Use]] = {}
    for requirement in profile.requirements:
        if requirement.transport == "none" or requirement.direction == "none":
            continue
        for kind, places in _destinations(requirement, networks, names):
            uses = found.setdefault((requirement.direction, requirement.transport, kind), [])
            uses += [_Use(ports, places, requirement) for ports in requirement.ports or (None,)]
    return found


def _destinations(
    requirement: Requirement, networks: Mapping[str, Places], names: Mapping[str, Places]
) -> Iterator[tuple[Kind, Places]]:
    targets = requirement.targets
    yield from (("network", networks[group]) for group in targets.networks)
    yield from (("name", names[group]) for group in targets.names)
    for host in targets.hosts:
        if is_address(host):
            yield "network", frozenset([str(ipaddress.ip_network(host))])
        else:
            yield ("host" if "{" in host else "name"), frozenset([host])
    if targets.resolvers:
        yield "host", frozenset(["the name servers in use"])
    if not (targets.networks or targets.names or targets.hosts or targets.resolvers):
        yield "described", frozenset([targets.description])


def _lacked(key: Key, uses: Sequence[_Use], others: Sequence[_Use], *, opens: bool) -> Iterator[Way]:
    """What these have and the others have not, the ports of the same difference together."""
    kind = key[2]
    ports: dict[Lack, list[PortRange]] = {}
    needs: dict[Lack, dict[str, Requirement]] = {}
    compared = lru_cache(maxsize=None)(lacking)
    for span, here, there in _pieces(uses, others):
        for lack in compared(kind, _united(here), _united(there)):
            ports.setdefault(lack, []).extend([span] if span else [])
            wanted = {use.requirement.id: use.requirement for use in here if lack.place in use.places}
            needs.setdefault(lack, {}).update(wanted)
    for lack in sorted(ports, key=lambda lack: sorting(lack.place)):
        yield _way(key, lack, merged(ports[lack]), list(needs[lack].values()), others, opens=opens)


def _pieces(
    uses: Sequence[_Use], others: Sequence[_Use]
) -> Iterator[tuple[PortRange | None, list[_Use], list[_Use]]]:
    """The ports, cut wherever a range begins or ends, and who uses each piece; first of all what has no ports."""
    both = [[use for use in side if use.ports is None] for side in (uses, others)]
    if any(both):
        yield None, both[0], both[1]
    events: dict[int, list[tuple[int, _Use, bool]]] = {}
    for side, members in enumerate((uses, others)):
        for use in members:
            if use.ports:
                events.setdefault(use.ports.low, []).append((side, use, True))
                events.setdefault(use.ports.high + 1, []).append((side, use, False))
    edges = sorted(events)
    active: tuple[dict[int, _Use], dict[int, _Use]] = {}, {}
    for edge, after in zip(edges, [*edges[1:], 0], strict=False):
        for side, use, begins in events[edge]:
            if begins:
                active[side][id(use)] = use
            else:
                del active[side][id(use)]
        if active[0]:
            yield PortRange(low=edge, high=after - 1), list(active[0].values()), list(active[1].values())


def _united(uses: Iterable[_Use]) -> Places:
    """Of requirements that share a group, the group itself, which need not be hashed again."""
    sets = {id(use.places): use.places for use in uses}
    return next(iter(sets.values())) if len(sets) == 1 else frozenset().union(*sets.values())


def _way(
    key: Key,
    lack: Lack,
    ports: Sequence[PortRange],
    needs: Sequence[Requirement],
    others: Iterable[_Use],
    *,
    opens: bool,
) -> Way:
    direction, transport, kind = key
    so_far = lack.so_far or _on_other_ports(kind, lack.place, transport, others)
    return Way(
        change=("widened" if so_far else "new") if opens else ("narrowed" if so_far else "gone"),
        direction=direction,
        transport=transport,
        ports=words.ports(ports),
        kind=kind,
        place=lack.place,
        so_far=so_far,
        exactly=lack.exactly,
        requirements=tuple(sorted(need.id for need in needs)),
        importance=min((need.importance for need in needs), key=list(Importance).index),
    )


def _on_other_ports(kind: Kind, place: str, transport: str, others: Iterable[_Use]) -> tuple[str, ...]:
    """The ports on which the others have the whole place."""
    holders = around(kind, place)
    ports = merged(use.ports for use in others if use.ports and not holders.isdisjoint(use.places))
    return (words.protocol(transport, ports),) if ports else ()


# --- what else changed --------------------------------------------------------------------------------


def _changes(before: Profile, after: Profile) -> Iterator[Change]:
    common = {r.id for r in before.requirements} & {r.id for r in after.requirements}
    one, other = (
        {r.id: f"{r.title} ({r.importance.value})" for r in p.requirements if r.id not in common}
        for p in (before, after)
    )
    yield from _altered("requirement", one, other)
    for what, table in _TABLES.items():
        yield from _altered(what, table(before), table(after))
    for what, of in _PROPERTIES.items():
        one, other = ({r.id: of(r) for r in p.requirements if r.id in common} for p in (before, after))
        yield from _altered(what, one, other)
    yield from _altered("limit", *(dict(_limits(profile, common)) for profile in (before, after)))


def _altered(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*after, *before)):
        one, other = before.get(name, ""), after.get(name, "")
        if one != other:
            yield Change(what=what, of=name, before=one, after=other)


def _limits(profile: Profile, ids: set[str]) -> Iterator[tuple[str, str]]:
    for requirement in profile.requirements:
        if requirement.id in ids:
            for name, band in requirement.limits.items():
                yield f"{name} of {requirement.id}", words.limit(band)


_TABLES: Mapping[str, Callable[[Profile], dict[str, str]]] = {
    "role": lambda p: {r.name: f"{r.title}{' (tested by default)' if r.default else ''}" for r in p.roles},
    "value to give": lambda p: {
        name: f"{found.title}{' (needed)' if found.required else ''}"
        for name, found in p.placeholders.items()
    },
    "pin": lambda p: {pin.spki_sha256: pin.name for pin in p.pins},
    "never to be inspected": lambda p: {name: row.reason for row in p.exemptions for name in row.names},
}
_PROPERTIES: Mapping[str, Callable[[Requirement], str]] = {
    "title": lambda r: r.title,
    "importance": lambda r: r.importance.value,
    "roles": lambda r: ", ".join(r.roles),
    "source ports": lambda r: words.ports(r.source_ports),
    "condition": lambda r: r.condition,
    "verified by": lambda r: "not testable from here" if r.untestable else r.probe or "",
}
