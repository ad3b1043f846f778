"""Object groups and access lists of Cisco ASA 9; single names become FQDN objects."""

from collections.abc import Iterable, Iterator

from readycheck.firewall import cisco, remarks
from readycheck.firewall.rules import Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.net.address import is_network
from readycheck.notation import PortRange

LAN, WAN = "inside", "outside"

_ANY = "any"


def render(sheet: Sheet) -> str:
    lines = [
        *remarks.commented(cisco.MARK, _heading(sheet)),
        *(line for rule in (*sheet.rules, *sheet.spare) for line in _block(sheet, rule)),
        *remarks.closing(cisco.MARK, sheet, _able),
    ]
    return "\n".join(lines) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    lan, wan = sheet.wish.lan or LAN, sheet.wish.wan or WAN
    yield from remarks.title(sheet)
    yield ""
    yield (
        "For ASA 9.0 and later: paste into configuration mode, with a change window. Nothing is in force until an "
        "interface uses the lists; where it has a list already, give the entries the name of that list instead. An "
        "access list ends with an implicit deny."
    )
    yield f"    access-group {cisco.LISTS['outbound']} in interface {lan}"
    yield f"    access-group {cisco.LISTS['inbound']} in interface {wan}"
    yield f"FQDN objects need: dns domain-lookup {wan}, and a dns server-group with the name servers of the hosts."
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _able(_: Rule, name: str) -> bool:
    return "*" not in name


def _block(sheet: Sheet, rule: Rule) -> Iterator[str]:
    if rule.peer is Peer.NAMES and not any(_able(rule, name) for name in rule.peers):
        return
    reason = remarks.why_not(sheet, rule)
    yield cisco.MARK
    yield from remarks.commented(cisco.MARK, remarks.explained(sheet, rule))
    for line in (*_objects(rule), *_entries(sheet, rule)):
        yield f"{cisco.MARK} {line}" if reason else line


def _objects(rule: Rule) -> Iterator[str]:
    names = [name for name in rule.peers if rule.peer is Peer.NAMES and _able(rule, name)]
    for name in names:
        yield f"object network {_fqdn(name)}"
        yield f" fqdn v4 {name}"
    peers = [*_network_objects(rule.peers if rule.peer is Peer.NETWORKS else ())]
    peers += [f"object {_fqdn(name)}" for name in names]
    peers += [f"host {address}" for address in cisco.unknown(rule)]
    if _far_end(rule) != _ANY:
        yield from _network_group(cisco.group(rule, "net"), peers)
    if rule.hosts:
        known = [*_network_objects(host for host in rule.hosts if is_network(host))]
        known += [f"host <{remarks.identifier(h)}>" for h in rule.hosts if not is_network(h)]
        yield from _network_group(cisco.group(rule, "hosts"), known)
    if rule.transport != "icmp":
        yield from _port_group(rule, "ports", rule.ports)
        yield from _port_group(rule, "src", rule.source_ports) if rule.source_ports else ()


def _network_objects(texts: Iterable[str]) -> Iterator[str]:
    texts = tuple(texts)
    yield from cisco.four(texts)
    yield from cisco.six(texts)


def _network_group(name: str, objects: Iterable[str]) -> Iterator[str]:
    yield f"object-group network {name}"
    yield from (f" network-object {one}" for one in objects)


def _port_group(rule: Rule, kind: str, ports: Iterable[PortRange]) -> Iterator[str]:
    yield f"object-group service {cisco.group(rule, kind)} {rule.transport}"
    operators = [cisco.operator(span) for span in ports] or [f"eq {cisco.unknown_ports(rule)}"]
    yield from (f" port-object {one}" for one in operators)


def _fqdn(name: str) -> str:
    return f"{cisco.PREFIX}-{remarks.identifier(name)}"


def _far_end(rule: Rule) -> str:
    if rule.peer in cisco.OPEN or (rule.peer is Peer.NETWORKS and cisco.is_everything(rule.peers)):
        return _ANY
    return f"object-group {cisco.group(rule, 'net')}"


def _entries(sheet: Sheet, rule: Rule) -> Iterator[str]:
    name = cisco.LISTS[rule.direction]
    far = _far_end(rule)
    near = f"object-group {cisco.group(rule, 'hosts')}" if rule.hosts else _ANY
    source, target = (far, near) if rule.direction == "inbound" else (near, far)
    yield f"access-list {name} remark {remarks.served(sheet, rule, cisco.LONGEST_REMARK)}"
    if rule.transport == "icmp":
        yield from (
            f"access-list {name} extended permit {icmp} {source} {target} echo" for icmp in _icmp(rule)
        )
        return
    sources = f" object-group {cisco.group(rule, 'src')}" if rule.source_ports else ""
    ports = f"object-group {cisco.group(rule, 'ports')}"
    yield f"access-list {name} extended permit {rule.transport} {source}{sources} {target} {ports}"


def _icmp(rule: Rule) -> list[str]:
    """Each family has a protocol of its own."""
    if rule.peer is not Peer.NETWORKS:
        return ["icmp", "icmp6"] if rule.peer in cisco.OPEN else ["icmp"]
    return ["icmp"] * any(cisco.four(rule.peers)) + ["icmp6"] * bool(cisco.six(rule.peers))
