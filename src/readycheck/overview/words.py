"""The parts of a profile in words, the same for a terminal and a page; nothing here is escaped yet."""

from collections.abc import Iterable, Mapping
from typing import Any

from readycheck.notation import PortRange
from readycheck.profile import Limit, Profile, Requirement, Role, Source

CATEGORIES = {
    "service": "Of the service itself",
    "related": "Of related services of the vendor",
    "third-party": "Of third parties",
    "cdn": "Of content delivery networks",
    "hybrid": "For hybrid services",
    "deprecated": "On their way out",
}
_CLASSES = {
    0: "CS0",
    8: "CS1",
    16: "CS2",
    24: "CS3",
    32: "CS4",
    40: "CS5",
    48: "CS6",
    56: "CS7",
    46: "EF",
    44: "VA",
}


def ports(ranges: Iterable[PortRange]) -> str:
    return ", ".join(map(str, ranges))


def protocol(transport: str, ranges: Iterable[PortRange]) -> str:
    """Such as `TCP 443, 5004-5006`; empty for what has neither."""
    name = {"none": "", "any": "TCP and UDP"}.get(transport, transport.upper())
    return f"{name} {ports(ranges)}".strip()


def opener(requirement: Requirement) -> str:
    """Who opens the connection, and from which ports."""
    source = (
        f"from {protocol(requirement.transport, requirement.source_ports)}"
        if requirement.source_ports
        else ""
    )
    return ", ".join(part for part in (requirement.origin, source) if part)


def destinations(requirement: Requirement, profile: Profile) -> list[str]:
    """Where it leads, in words."""
    targets = requirement.targets
    groups = [profile.networks[name].title for name in targets.networks]
    groups += [profile.names[name].title for name in targets.names]
    resolvers = ["the name servers in use"] if targets.resolvers else []
    responder = ["the responder that a run is given"] if targets.responder and not targets.hosts else []
    return [part for part in (targets.description, *groups, *targets.hosts, *resolvers, *responder) if part]


def verification(requirement: Requirement) -> str:
    """How a run finds out, or why it cannot; the probe comes first."""
    parts = [
        requirement.probe or "",
        *(f"{key} = {value(found)}" for key, found in requirement.params.items()),
    ]
    parts += [f"{name} {limit(found)}" for name, found in requirement.limits.items()]
    if requirement.measured_with:
        parts.append(f"measured with {requirement.measured_with}")
    if requirement.pinned:
        parts.append("by a pinned authority")
    if requirement.proxied:
        parts.append("through the proxy, where there is one")
    if requirement.untestable:
        parts.append(f"not testable from here: {requirement.untestable}")
    return "; ".join(part for part in parts if part)


def limit(band: Limit) -> str:
    """Such as `warns from 150, fails from 400 (source)`."""
    edge = "below" if band.higher else "from"
    edges = (("warns", band.warn), ("fails", band.fail))
    told = ", ".join(f"{verb} {edge} {number:g}" for verb, number in edges if number is not None)
    blurred = (("enough", band.of), ("a small", band.error), ("a", band.ended_by))
    told += "".join(f", given {amount} {metric}" for amount, metric in blurred if metric)
    return f"{told or 'is shown'}{f' ({band.source})' if band.source else ''}"


def value(anything: Any) -> str:
    """A parameter as a person writes it."""
    if isinstance(anything, Mapping):
        return "{ " + ", ".join(f"{key} = {value(below)}" for key, below in anything.items()) + " }"
    if isinstance(anything, list | tuple):
        return ", ".join(map(value, anything)) or "none"
    return str(anything).lower() if isinstance(anything, bool) else str(anything)


def marking(code_points: Iterable[int]) -> str:
    """DSCP by number, with the name of its class (RFC 4594)."""
    return ", ".join(
        f"{number} ({_class(number)})" if _class(number) else str(number) for number in code_points
    )


def _class(number: int) -> str:
    assured = 10 <= number <= 38 and number % 8 in (2, 4, 6)
    return f"AF{number // 8}{number % 8 // 2}" if assured else _CLASSES.get(number, "")


def roles(found: Iterable[Role]) -> str:
    return ", ".join(f"{role.name}{' (default)' if role.default else ''}" for role in found)


def citation(source: Source) -> str:
    """Section and document, as far as they are told."""
    return ", ".join(part for part in (source.section, source.document, source.revision) if part)


def narrowed(profile: Profile, names: Iterable[str]) -> Profile:
    """Only what these roles need; what nobody is led to was of the whole and stays."""
    wanted = frozenset(names)
    kept = tuple(r for r in profile.requirements if wanted & set(r.roles))
    gone = [r for r in profile.requirements if not wanted & set(r.roles)]
    others = {role.name for role in profile.roles} - wanted
    update: dict[str, Any] = {
        "roles": tuple(role for role in profile.roles if role.name in wanted),
        "requirements": kept,
        "qos": tuple(row for row in profile.qos if row.source_role not in others),
    }
    for kind in ("networks", "names"):
        used, unused = ({n for r in some for n in getattr(r.targets, kind)} for some in (kept, gone))
        groups = getattr(profile, kind).items()
        update[kind] = {name: group for name, group in groups if name in used or name not in unused}
    return profile.model_copy(update=update)
