"""`set` commands of PAN-OS: single names become FQDN objects, wildcards a custom URL category."""

from collections.abc import Iterable, Iterator

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import networks
from readycheck.firewall.rules import NAME_SERVERS, Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.net.address import is_network

LAN, WAN = "trust", "untrust"
PREFIX = "RC"

_LONGEST_DESCRIPTION = 255
_MARK = "#"


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
        "For PAN-OS 10 and later: paste into configuration mode after 'set cli scripting-mode on', then commit. The "
        "lines behind a # are for the reader: leave them out with grep -v '^#'. New rules stand at the end of the "
        "rulebase: move them above what denies. On Panorama, each path begins with the device group."
    )
    yield (
        "A URL category matches what shows a name in TLS or HTTP. The rules match ports and not applications: narrow "
        "them to App-IDs once you have seen the traffic."
    )
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _able(rule: Rule, name: str) -> bool:
    """A URL category needs TCP, goes by the destination, and has its star in place of whole labels."""
    if "*" not in name:
        return True
    return bool(remarks.starred(name)) and rule.transport == "tcp" and rule.direction != "inbound"


def _block(sheet: Sheet, rule: Rule) -> Iterator[str]:
    lines = list(_commands(sheet, rule))
    if lines:
        held = f"{_MARK} " if remarks.why_not(sheet, rule) else ""
        yield _MARK
        yield from remarks.commented(_MARK, remarks.explained(sheet, rule))
        yield from (f"{held}{line}" for line in lines)


def _commands(sheet: Sheet, rule: Rule) -> Iterator[str]:
    name = f"{PREFIX}-{rule.label}"
    members = dict(_members(rule))
    hosts = dict(_hosts(rule))
    wildcards = [n for n in rule.peers if rule.peer is Peer.NAMES and "*" in n and _able(rule, n)]
    if not members and rule.peer is Peer.NAMES and not wildcards:
        return
    yield from _addresses(name, members)
    yield from _addresses(f"{name}-hosts", hosts)
    yield from _service(rule, name)
    if members or rule.peer is not Peer.NAMES:
        far = name if members else "any"
        yield from _rule(sheet, rule, name, far=far, near=f"{name}-hosts" if hosts else "any")
    if wildcards:
        yield from _category(name, wildcards)
        yield from _rule(sheet, rule, f"{name}-url", far="any", near="any", category=name, service=name)


def _members(rule: Rule) -> Iterator[tuple[str, str]]:
    """Address objects of the far end, and what each is."""
    if rule.peer is Peer.NETWORKS and not any(n.prefixlen == 0 for n in networks(rule.peers)):
        for network in networks(rule.peers):
            yield f"{PREFIX}-{remarks.identifier(str(network).replace('/', '-'))}", f"ip-netmask {network}"
    elif rule.peer is Peer.NAMES:
        for name in rule.peers:
            if "*" not in name:
                yield f"{PREFIX}-{remarks.identifier(name, 56)}", f"fqdn {name}"
    elif rule.peer in (Peer.GIVEN, Peer.RESOLVERS):
        yield from _unknown(rule.peers or (NAME_SERVERS,))


def _unknown(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        word = remarks.identifier(name, 56)
        yield f"{PREFIX}-{word}", f"ip-netmask <{word}>"


def _hosts(rule: Rule) -> Iterator[tuple[str, str]]:
    for host in rule.hosts:
        if is_network(host):
            yield f"{PREFIX}-{remarks.identifier(host)}", f"ip-netmask {host}"
        else:
            yield from _unknown([host])


def _addresses(group: str, members: dict[str, str]) -> Iterator[str]:
    for name, value in members.items():
        yield f"set address {name} {value}"
    yield from (f"set address-group {group} static {name}" for name in members)


def _service(rule: Rule, name: str) -> Iterator[str]:
    if rule.transport == "icmp":
        return
    ports = remarks.listed(rule.ports, ",") or f"<{remarks.identifier(rule.blanks[-1])}>"
    yield f"set service {name} protocol {rule.transport} port {ports}"
    if rule.source_ports:
        sources = remarks.listed(rule.source_ports, ",")
        yield f"set service {name} protocol {rule.transport} source-port {sources}"


def _category(name: str, wildcards: Iterable[str]) -> Iterator[str]:
    """A wildcard does not match the domain itself, and without the slash more than the domain."""
    yield f'set profiles custom-url-category {name} type "URL List"'
    for wildcard in wildcards:
        domain = remarks.starred(wildcard)
        yield f"set profiles custom-url-category {name} list {domain}/"
        yield f"set profiles custom-url-category {name} list *.{domain}/"


def _rule(
    sheet: Sheet, rule: Rule, name: str, *, far: str, near: str, category: str = "any", service: str = ""
) -> Iterator[str]:
    lan, wan = sheet.wish.lan or LAN, sheet.wish.wan or WAN
    zones = {"outbound": (lan, wan), "inbound": (wan, lan), "internal": (lan, "any")}[rule.direction]
    source, target = (far, near) if rule.direction == "inbound" else (near, far)
    application, ports = (
        ("ping", "application-default") if rule.transport == "icmp" else ("any", service or name)
    )
    path = f"set rulebase security rules {name}"
    yield (
        f"{path} from {zones[0]} to {zones[1]} source {source} destination {target} application {application} "
        f"service {ports} category {category} action allow"
    )
    yield f'{path} description "{remarks.served(sheet, rule, _LONGEST_DESCRIPTION)}"'
