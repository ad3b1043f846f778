"""Commands of FortiOS; single names and leading wildcards become FQDN addresses."""

from collections.abc import Iterable, Iterator
from itertools import product

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import networks
from readycheck.firewall.rules import NAME_SERVERS, Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.net.address import is_network

LAN, WAN = "internal", "wan1"
PREFIX = "RC"

_LONGEST_COMMENT = 255
_MARK = "#"
_OPEN = (Peer.ANY, Peer.WORDS)


def render(sheet: Sheet) -> str:
    lines = [
        *remarks.commented(_MARK, _heading(sheet)),
        *(line for rule in (*sheet.rules, *sheet.spare) for line in _block(sheet, rule)),
        *remarks.closing(_MARK, sheet, _able),
    ]
    return "\n".join(lines) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    yield from remarks.title(sheet)
    yield ""
    yield (
        "For FortiOS 6.4 and later: paste into the CLI, or upload as a script. New policies stand at the end: move "
        "them above what denies, and set nat enable in those whose addresses this unit translates."
    )
    yield (
        "The addresses of a wildcard are learned from DNS answers that pass this unit: its hosts have to ask through "
        "it, and not over HTTPS."
    )
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _able(_: Rule, name: str) -> bool:
    return bool(remarks.starred(name)) or "*" not in name


def _block(sheet: Sheet, rule: Rule) -> Iterator[str]:
    names = [name for name in rule.peers if rule.peer is Peer.NAMES and _able(rule, name)]
    if rule.peer is Peer.NAMES and not names:
        return
    reason = remarks.why_not(sheet, rule)
    yield _MARK
    yield from remarks.commented(_MARK, remarks.explained(sheet, rule))
    for line in _commands(sheet, rule, names):
        yield f"{_MARK} {line}" if reason else line


def _commands(sheet: Sheet, rule: Rule, names: Iterable[str]) -> Iterator[str]:
    far = {4: _far_end(rule, names, 4), 6: _far_end(rule, names, 6)}
    near = {4: _hosts(rule, 4), 6: _hosts(rule, 6)}
    yield from _config("firewall address", _objects({**far[4], **near[4]}))
    yield from _config("firewall address6", _objects({**far[6], **near[6]}))
    if rule.transport != "icmp":
        yield from _config("firewall service custom", _service(rule))
    for version in (4, 6):
        if (far[version] or rule.peer in _OPEN) and (near[version] or not rule.hosts):
            yield from _config("firewall policy", _policy(sheet, rule, version, far[version], near[version]))


def _config(path: str, rows: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    """A table with its entries; nothing if there are none."""
    rows = list(rows)
    if not rows:
        return
    yield f"config {path}"
    for name, settings in rows:
        yield f"    edit {name}"
        yield from (f"        set {setting}" for setting in settings)
        yield "    next"
    yield "end"


def _objects(addresses: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    yield from ((_quoted(name), settings) for name, settings in addresses.items() if settings)


def _far_end(rule: Rule, names: Iterable[str], version: int) -> dict[str, list[str]]:
    """Address objects, and what each is."""
    if rule.peer is Peer.NETWORKS:
        return dict(_subnets(rule.peers, version))
    if version == 6:
        return {}
    if rule.peer is Peer.NAMES:
        return {
            f"{PREFIX}-{remarks.identifier(fqdn)}": ["type fqdn", f"fqdn {_quoted(fqdn)}"]
            for fqdn in _fqdns(names)
        }
    if rule.peer in (Peer.GIVEN, Peer.RESOLVERS):
        return dict(_unknown(rule.peers or (NAME_SERVERS,)))
    return {}


def _fqdns(names: Iterable[str]) -> Iterator[str]:
    """A wildcard does not match the domain itself."""
    for name in names:
        yield from (remarks.starred(name), name) if remarks.starred(name) else (name,)


def _subnets(texts: Iterable[str], version: int) -> Iterator[tuple[str, list[str]]]:
    for network in networks(texts):
        if network.version == version:
            name = f"{PREFIX}-{remarks.identifier(str(network).replace('/', '-'))}"
            subnet = f"subnet {network.network_address} {network.netmask}"
            yield name, [subnet if version == 4 else f"ip6 {network}"]


def _unknown(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for name in names:
        word = remarks.identifier(name)
        yield f"{PREFIX}-{word}", [f"subnet <{word}> 255.255.255.255"]


def _hosts(rule: Rule, version: int) -> dict[str, list[str]]:
    known = dict(_subnets((host for host in rule.hosts if is_network(host)), version))
    unknown = dict(_unknown(host for host in rule.hosts if not is_network(host))) if version == 4 else {}
    return {**known, **unknown}


def _service(rule: Rule) -> Iterator[tuple[str, list[str]]]:
    """Ports as `destination` or `destination:source`."""
    ports = [str(span) for span in rule.ports] or [f"<{remarks.identifier(rule.blanks[-1])}>"]
    sources = [f":{span}" for span in rule.source_ports] or [""]
    spans = " ".join(port + source for port, source in product(ports, sources))
    yield _quoted(f"{PREFIX}-{rule.label}"), ["protocol TCP/UDP/SCTP", f"{rule.transport}-portrange {spans}"]


def _policy(
    sheet: Sheet, rule: Rule, version: int, far: Iterable[str], near: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    lan, wan = sheet.wish.lan or LAN, sheet.wish.wan or WAN
    interfaces = {"outbound": (lan, wan), "inbound": (wan, lan), "internal": (lan, "any")}[rule.direction]
    ends = [" ".join(map(_quoted, names)) or '"all"' for names in (near, far)]
    source, target = ends[::-1] if rule.direction == "inbound" else ends
    six = "6" if version == 6 else ""
    name = f"{PREFIX}-{rule.label}" + ("-v6" if six else "")
    service = {4: "PING", 6: "PING6"}[version] if rule.transport == "icmp" else f"{PREFIX}-{rule.label}"
    yield (
        "0",
        [
            f"name {_quoted(name)}",
            f"srcintf {_quoted(interfaces[0])}",
            f"dstintf {_quoted(interfaces[1])}",
            f"srcaddr{six} {source}",
            f"dstaddr{six} {target}",
            f"service {_quoted(service)}",
            'schedule "always"',
            "action accept",
            "logtraffic all",
            f"comments {_quoted(remarks.served(sheet, rule, _LONGEST_COMMENT))}",
        ],
    )


def _quoted(text: str) -> str:
    return f'"{text}"'
