"""What a profile makes its vendor's cloud offer: networks, names and the ports that answer."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from readycheck.check import filled_host, open_placeholders
from readycheck.profile import Area, Importance, Profile, Requirement
from readycheck.twin.dialogue import DIALOGUES, SIP
from readycheck.twin.rules import Range

_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_COUNTS = (Importance.REQUIRED, Importance.RECOMMENDED)
_MEDIA = (Area.MEDIA_REACHABILITY, Area.MEDIA_QUALITY)
# No typed field says it of a trunk that is probed as SIP.
_MUTUAL = re.compile(r"certificate-based", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`names` maps each name to the vendor networks that it may live in; none means elsewhere.

    `sip` are the ports of SIP requirements, most wanted last; `mutual` those that ask for a client
    certificate; `spoken` has the protocol of TCP ports whose servers must be told it; `media` all UDP ports
    of media, `echo` those of them that carry RTP; `https` the names of the most important web requirement;
    `page` has what pages must contain; `ping` says that hosts are to answer ICMP echo requests; `name_servers` are
    addresses of the product's own.
    `controls` are the names outside the product, which no scenario may break with the vendor's servers;
    `vital` are the TCP ports that the default roles cannot do without, most wanted first, and `ranges` the media
    ranges that they use: those are what scenarios break.
    """

    networks: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    literals: tuple[str, ...]
    tcp: tuple[Range, ...]
    udp: tuple[Range, ...]
    sip: tuple[int, ...]
    mutual: tuple[int, ...]
    spoken: Mapping[int, str]
    media: tuple[Range, ...]
    echo: tuple[Range, ...]
    https: tuple[str, ...]
    page: str
    ping: bool
    name_servers: tuple[str, ...]
    controls: tuple[str, ...]
    vital: tuple[int, ...]
    ranges: tuple[Range, ...]


def filled(profile: Profile, values: Mapping[str, str]) -> Profile:
    """A profile whose hosts are the customer's: `values` of placeholders, else the examples of the profile."""
    known = {name: p.example for name, p in profile.placeholders.items() if p.example} | dict(values)
    rows = tuple(
        r.model_copy(update={"targets": r.targets.model_copy(update={"hosts": tuple(fill(r, known))})})
        for r in profile.requirements
    )
    return profile.model_copy(update={"requirements": rows})


def fill(requirement: Requirement, known: Mapping[str, str]) -> Iterator[str]:
    """The hosts of a requirement, those left out whose placeholders are not all known."""
    for host in requirement.targets.hosts:
        if not open_placeholders(host, known):
            yield filled_host(host, known)


def read_offer(profile: Profile) -> Offer:
    """Everything that the stand-in world needs to know of a profile."""
    outbound = [r for r in profile.requirements if _is_served(r)]
    outbound.sort(key=lambda r: r.importance is not Importance.REQUIRED)
    names = _names(profile, outbound)
    return Offer(
        networks=_networks(profile),
        names=names,
        literals=tuple(sorted({h for r in outbound for h in r.targets.hosts if _is_ipv4(h)})),
        tcp=_ports(profile, outbound, "tcp"),
        udp=_ports(profile, outbound, "udp"),
        sip=_sip(profile, outbound),
        mutual=_mutual(outbound),
        spoken=_spoken(outbound),
        media=_merge(
            _range(p) for r in outbound if r.transport == "udp" and r.area in _MEDIA for p in r.ports
        ),
        echo=_merge(_range(p) for r in outbound if r.probe == "rtp" for p in r.ports),
        https=_https(profile, outbound),
        page="\n".join(dict.fromkeys(c.contains for c in profile.controls if c.contains)),
        ping=any(r.transport == "icmp" for r in outbound),
        name_servers=tuple(sorted(set(_name_servers(profile, outbound)))),
        controls=tuple(dict.fromkeys(control.host for control in profile.controls)),
        vital=_vital(profile, outbound),
        ranges=_ranges(profile, outbound),
    )


def _is_served(requirement: Requirement) -> bool:
    """Also what is inside the site, if it is asked for: the cloud plays the customer's servers too."""
    asked = requirement.direction == "internal" and requirement.probe and not requirement.untestable
    return requirement.transport != "none" and (requirement.direction == "outbound" or bool(asked))


def _networks(profile: Profile) -> tuple[str, ...]:
    found = {n for group in profile.networks.values() for n in group.networks if ":" not in n}
    return tuple(sorted(found, key=ipaddress.IPv4Network))


def _ports(profile: Profile, outbound: Iterable[Requirement], transport: str) -> tuple[Range, ...]:
    asked = [_range(p) for r in outbound if r.transport == transport for p in r.ports]
    controls = [(c.port, c.port) for c in profile.controls if c.transport == transport]
    return _merge([*asked, *controls])


def _merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _range(ports: object) -> Range:
    low, _, high = str(ports).partition("-")
    return int(low), int(high or low)


def _sip(profile: Profile, outbound: Iterable[Requirement]) -> tuple[int, ...]:
    """The port that the default roles need comes last, for it is the one that scenarios break."""
    defaults = set(profile.default_roles())
    wanted: dict[int, bool] = {}
    for requirement in outbound:
        if requirement.probe == "sip" and requirement.transport == "tcp":
            needed = requirement.importance is Importance.REQUIRED and bool(defaults & set(requirement.roles))
            for ports in requirement.ports:
                wanted[ports.low] = wanted.get(ports.low, False) or needed
    return tuple(sorted(wanted, key=lambda port: (wanted[port], port)))


def _vital(profile: Profile, outbound: Iterable[Requirement]) -> tuple[int, ...]:
    """SIP before all else, then what most requirements lead to."""
    needed = [
        r
        for r in _of_default_roles(profile, outbound)
        if r.transport == "tcp" and r.importance is Importance.REQUIRED and r.area is Area.SIGNALLING
    ]
    votes = Counter(ports.low for r in needed for ports in r.ports if not r.untestable)
    sip = {ports.low for r in needed if r.probe == "sip" for ports in r.ports}
    return tuple(sorted(votes, key=lambda port: (port not in sip, -votes[port], port)))


def _ranges(profile: Profile, outbound: Iterable[Requirement]) -> tuple[Range, ...]:
    mine = [r for r in _of_default_roles(profile, outbound) if r.probe == "rtp" and r.importance in _COUNTS]
    return _merge(_range(p) for r in mine for p in r.ports if len(p) > 1)


def _of_default_roles(profile: Profile, outbound: Iterable[Requirement]) -> list[Requirement]:
    defaults = set(profile.default_roles())
    return [r for r in outbound if defaults & set(r.roles)]


def _mutual(outbound: Iterable[Requirement]) -> tuple[int, ...]:
    """Ports of `mtls` requirements, and those of certificate-based SIP trunks that no other SIP shares."""
    sip = [r for r in outbound if r.probe == "sip"]
    trunks = {p.low for r in sip if _MUTUAL.search(r.condition) for p in r.ports}
    trunks -= {p.low for r in sip if not _MUTUAL.search(r.condition) for p in r.ports}
    asked = {
        port for r in outbound if r.probe == "mtls" for p in r.ports for port in range(p.low, p.high + 1)
    }
    return tuple(sorted(trunks | asked))


def _spoken(outbound: Iterable[Requirement]) -> dict[int, str]:
    return {
        port: protocol
        for requirement in outbound
        if (protocol := _protocol(requirement))
        for ports in requirement.ports
        for port in range(ports.low, ports.high + 1)
    }


def _protocol(requirement: Requirement) -> str:
    """What a server of this requirement must be told to speak; empty where first bytes are enough."""
    if requirement.probe == "sip" and requirement.params.get("transport") == "tcp":
        return SIP
    speaks = requirement.params.get("speaks") if requirement.probe == "tcp" else None
    return str(speaks) if speaks in DIALOGUES else ""


def _https(profile: Profile, outbound: Iterable[Requirement]) -> tuple[str, ...]:
    defaults = set(profile.default_roles())
    for requirement in outbound:
        secure = requirement.probe == "tls" or requirement.params.get("scheme") == "https"
        hosts = tuple(_hosts(profile, requirement))
        if secure and hosts and defaults & set(requirement.roles):
            return hosts
    return ()


def _names(profile: Profile, outbound: Iterable[Requirement]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for requirement in outbound:
        homes = tuple(_homes(profile, requirement))
        for host in (*_hosts(profile, requirement), *_mentioned(requirement.params)):
            names[host] = names.get(host) or homes
    others = (
        *(host for group in profile.names.values() for entry in group.domains for host in entry.hosts),
        *(control.host for control in profile.controls),
        *(p.example for p in profile.placeholders.values() if _NAME.fullmatch(p.example)),
    )
    return names | {host: () for host in others if host not in names}


def _hosts(profile: Profile, requirement: Requirement) -> Iterator[str]:
    for group in requirement.targets.names:
        for entry in profile.names[group].domains:
            yield from entry.hosts
    yield from (host for host in requirement.targets.hosts if _NAME.fullmatch(host))


def _name_servers(profile: Profile, outbound: Iterable[Requirement]) -> Iterator[str]:
    for requirement in outbound:
        if requirement.probe == "dns":
            yield from (host for host in requirement.targets.hosts if _is_ipv4(host))
            for group in requirement.targets.networks:
                yield from (n[:-3] for n in profile.networks[group].networks if n.endswith("/32"))


def _homes(profile: Profile, requirement: Requirement) -> Iterator[str]:
    """Networks of requirements with a role and a port in common: the vendor's own nodes live there.

    A name that needs no pin is a third party's, and has no home in the vendor's networks.
    """
    if not requirement.pinned:
        return
    for other in profile.requirements:
        alike = other.transport == requirement.transport and set(other.roles) & set(requirement.roles)
        if alike and set(other.ports) & set(requirement.ports):
            for group in other.targets.networks:
                yield from profile.networks[group].networks


def _mentioned(value: object) -> Iterator[str]:
    """Host names anywhere in the parameters of a probe."""
    if isinstance(value, str):
        yield from [value] if _NAME.fullmatch(value) else []
    elif isinstance(value, Mapping):
        yield from (name for item in value.values() for name in _mentioned(item))
    elif isinstance(value, list | tuple):
        yield from (name for item in value for name in _mentioned(item))


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False
