"""Object groups and access lists of Cisco IOS and IOS XE, which know no names; IPv6 goes without groups."""

from collections.abc import Iterable, Iterator
from itertools import product

from readycheck.firewall import cisco, remarks
from readycheck.firewall.rules import DIRECTIONS, Direction, Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.net.address import is_network
from readycheck.notation import PortRange

LAN, WAN = "GigabitEthernet0/1", "GigabitEthernet0/0"

_ANY = "any"


def render(sheet: Sheet) -> str:
    rules = [rule for rule in (*sheet.rules, *sheet.spare) if rule.peer is not Peer.NAMES]
    lines = [*remarks.commented(cisco.MARK, _heading(sheet))]
    for rule in rules:
        held = f"{cisco.MARK} " if remarks.why_not(sheet, rule) else ""
        lines += [f"{held}{line}" for line in _groups(rule)]
    for direction in DIRECTIONS:
        lines += _list(sheet, [rule for rule in rules if rule.direction == direction], direction, six=False)
        lines += _list(sheet, [rule for rule in rules if rule.direction == direction], direction, six=True)
    return "\n".join([*lines, *remarks.closing(cisco.MARK, sheet, _able)]) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    lan, wan = sheet.wish.lan or LAN, sheet.wish.wan or WAN
    yield from remarks.title(sheet)
    yield ""
    yield (
        "For IOS 12.4(20)T, IOS XE 3.12 and later: paste into configuration mode, with a change window. Nothing is in "
        "force until an interface uses the lists; they end with an implicit deny. A list keeps no state: it lets the "
        "requests out and does not filter the answers. For a stateful firewall, match the list in a class-map of type "
        "inspect and inspect that class between the zones."
    )
    yield f"    interface {lan}"
    yield f"     ip access-group {cisco.LISTS['outbound']} in"
    yield f"    interface {wan}"
    yield f"     ip access-group {cisco.LISTS['inbound']} in, which also drops the answers unless they are inspected"
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _able(rule: Rule, name: str) -> bool:
    return False


def _groups(rule: Rule) -> Iterator[str]:
    """What the entries of a rule refer to."""
    if rule.peer not in cisco.OPEN and not cisco.is_everything(_networks(rule)):
        peers = [*cisco.four(_networks(rule)), *(f"host {address}" for address in cisco.unknown(rule))]
        yield from _network_group(cisco.group(rule, "net"), peers)
    hosts = [*cisco.four(host for host in rule.hosts if is_network(host))]
    hosts += [f"host <{remarks.identifier(h)}>" for h in rule.hosts if not is_network(h)]
    yield from _network_group(cisco.group(rule, "hosts"), hosts)
    if rule.transport != "icmp":
        yield f"object-group service {cisco.group(rule, 'ports')}"
        yield from (f" {rule.transport} {words}" for words in _service(rule))


def _networks(rule: Rule) -> tuple[str, ...]:
    return rule.peers if rule.peer is Peer.NETWORKS else ()


def _network_group(name: str, members: list[str]) -> Iterator[str]:
    """A group may not be empty."""
    if members:
        yield f"object-group network {name}"
        yield from (f" {member}" for member in members)


def _service(rule: Rule) -> Iterator[str]:
    ports = [cisco.operator(span) for span in rule.ports] or [f"eq {cisco.unknown_ports(rule)}"]
    sources = [f"source {cisco.operator(span)} " for span in rule.source_ports] or [""]
    yield from (source + port for source, port in product(sources, ports))


def _list(sheet: Sheet, rules: Iterable[Rule], direction: Direction, *, six: bool) -> Iterator[str]:
    """An access list with all rules of a direction that have something of the family."""
    entries = [(rule, list(_entries_six(rule) if six else _entries(rule))) for rule in rules]
    entries = [(rule, lines) for rule, lines in entries if lines]
    if not entries:
        return
    name = (
        f"ipv6 access-list {cisco.LISTS[direction]}-V6"
        if six
        else f"ip access-list extended {cisco.LISTS[direction]}"
    )
    unused = all(remarks.why_not(sheet, rule) for rule, _ in entries)
    yield cisco.MARK
    yield f"{cisco.MARK} {name}" if unused else name
    for rule, lines in entries:
        reason = remarks.why_not(sheet, rule)
        notes = () if six else remarks.explained(sheet, rule)
        yield from (f" {note}" for note in remarks.commented(cisco.MARK, notes))
        held = f"{cisco.MARK} " if reason else ""
        yield f" {held}remark {remarks.served(sheet, rule, cisco.LONGEST_REMARK)}"
        yield from (f" {held}{line}" for line in lines)


def _entries(rule: Rule) -> Iterator[str]:
    far, near = _far_end(rule), _near_end(rule)
    if far and near:
        source, target = (far, near) if rule.direction == "inbound" else (near, far)
        if rule.transport == "icmp":
            yield f"permit icmp {source} {target} echo"
        else:
            yield f"permit object-group {cisco.group(rule, 'ports')} {source} {target}"


def _far_end(rule: Rule) -> str:
    """Empty if there is no IPv4 in it."""
    if rule.peer in cisco.OPEN or "0.0.0.0/0" in _networks(rule):
        return _ANY
    some = any(cisco.four(_networks(rule))) or cisco.unknown(rule)
    return f"object-group {cisco.group(rule, 'net')}" if some else ""


def _near_end(rule: Rule) -> str:
    if not rule.hosts:
        return _ANY
    only_six = all(is_network(host) for host in rule.hosts) and not any(cisco.four(rule.hosts))
    return "" if only_six else f"object-group {cisco.group(rule, 'hosts')}"


def _entries_six(rule: Rule) -> Iterator[str]:
    """Each combination on a line of its own."""
    far = [_ANY] if rule.peer in cisco.OPEN or "::/0" in _networks(rule) else cisco.six(_networks(rule))
    near = cisco.six(host for host in rule.hosts if is_network(host)) if rule.hosts else [_ANY]
    if rule.transport == "icmp":
        ends = ((a, b) if rule.direction == "inbound" else (b, a) for a, b in product(far, near))
        yield from (f"permit icmp {source} {target} echo-request" for source, target in ends)
        return
    if not rule.ports:
        return
    sources = _operators(rule.source_ports) or [""]
    for a, b, source_port, port in product(far, near, sources, _operators(rule.ports)):
        source, target = (a, b) if rule.direction == "inbound" else (b, a)
        yield " ".join(filter(None, ("permit", rule.transport, source, source_port, target, port)))


def _operators(ports: Iterable[PortRange]) -> list[str]:
    return [cisco.operator(span) for span in ports]
