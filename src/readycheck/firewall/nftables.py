"""A complete file for `nft -f`, and the lines of dnsmasq that fill its sets of names."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import by_domain, networks
from readycheck.firewall.rules import Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.notation import PortRange

LAN, WAN = "lan0", "wan0"
TABLE = "readycheck"

_IN = " " * 8
_LONGEST_COMMENT = 120
_VERSIONS = {"ip": 4, "ip6": 6}
_ECHO = {"ip": "icmp type echo-request", "ip6": "icmpv6 type echo-request"}
_UNKNOWN = (Peer.GIVEN, Peer.RESOLVERS)


def render(sheet: Sheet) -> str:
    rules = (*sheet.rules, *sheet.spare)
    lines = [
        "#!/usr/sbin/nft -f",
        *remarks.commented("#", _heading(sheet)),
        "",
        *_defines(sheet),
        "",
        f"table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        *(line for rule in rules for line in _sets(rule)),
        "    chain forward {",
        f"{_IN}type filter hook forward priority filter; policy drop;",
        "",
        f"{_IN}# Answers, and the ICMP errors of a connection: path MTU, time exceeded, unreachable.",
        f"{_IN}ct state established,related accept",
        *(line for rule in rules for line in _block(sheet, rule)),
        "    }",
        "}",
        *_dnsmasq(sheet),
        *remarks.closing("#", sheet, _able),
    ]
    return "\n".join(lines) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    yield from remarks.title(sheet)
    yield ""
    yield (
        "Check with nft -c -f FILE, load with nft -f FILE; loading it again replaces it, and empties the sets of "
        "names. All else that is forwarded is dropped: what the site needs besides this product goes into this "
        "chain too. Address translation is not in here."
    )
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _defines(sheet: Sheet) -> Iterator[str]:
    """Interfaces, networks, and behind comment marks what is yet to be given."""
    rules = (*sheet.rules, *sheet.spare)
    yield f'define lan = "{sheet.wish.lan or LAN}"'
    yield f'define wan = "{sheet.wish.wan or WAN}"'
    for rule in rules:
        if rule.peer is Peer.NETWORKS:
            for family in _VERSIONS:
                yield from _network_define(rule, family)
    names = {remarks.variable(blank): None for rule in rules for blank in rule.blanks}
    yield from (f"# define {name} = {{ ... }}" for name in names)


def _network_define(rule: Rule, family: str) -> Iterator[str]:
    found = _of_family(rule.peers, family)
    if found:
        yield f"define {_name(rule, family)} = {{"
        yield from wrap(", ".join(found), 100, initial_indent="    ", subsequent_indent="    ")
        yield "}"


def _name(rule: Rule, family: str) -> str:
    """What the set or the definition with the far ends of a rule is called."""
    return f"{remarks.variable(rule.label)}_v{_VERSIONS[family]}"


def _of_family(texts: Iterable[str], family: str) -> list[str]:
    return [str(n) for n in networks(texts) if n.version == _VERSIONS[family]]


def _sets(rule: Rule) -> Iterator[str]:
    if _has_names(rule):
        for family, version in _VERSIONS.items():
            yield f"    set {_name(rule, family)} {{"
            yield f"{_IN}type ipv{version}_addr"
            yield f"{_IN}flags timeout"
            yield "    }"


def _has_names(rule: Rule) -> bool:
    return rule.peer is Peer.NAMES and any(_able(rule, name) for name in rule.peers)


def _able(_: Rule, name: str) -> bool:
    """dnsmasq knows a domain with all that is under it, and no star inside a label."""
    return bool(_domain(name))


def _domain(name: str) -> str:
    return remarks.starred(name) or ("" if "*" in name else name)


def _block(sheet: Sheet, rule: Rule) -> Iterator[str]:
    if rule.peer is Peer.NAMES and not _has_names(rule):
        return
    reason = remarks.why_not(sheet, rule)
    yield ""
    yield from remarks.commented(f"{_IN}#", remarks.explained(sheet, rule))
    note = remarks.served(sheet, rule, _LONGEST_COMMENT)
    for match in _matches(rule):
        yield f'{_IN}{"# " if reason else ""}{match} counter accept comment "{note}"'


def _matches(rule: Rule) -> Iterator[str]:
    """A line for each family that there is something of, or one for both where no address is asked for."""
    for family in _VERSIONS:
        far, near = _far_end(rule, family), _hosts(rule, family)
        told = far or near or rule.transport == "icmp"
        if far is not None and near is not None and (told or family == "ip"):
            words = (*_interface(rule), *_addresses(rule, family, far, near), *_ports(rule, family))
            yield " ".join(words)


def _interface(rule: Rule) -> tuple[str, ...]:
    return {"outbound": ("iifname $lan",), "inbound": ("iifname $wan",)}.get(rule.direction, ())


def _addresses(rule: Rule, family: str, far: str, near: str) -> Iterator[str]:
    if far:
        yield f"{family} {'saddr' if rule.direction == 'inbound' else 'daddr'} {far}"
    if near:
        yield f"{family} daddr {near}"


def _far_end(rule: Rule, family: str) -> str | None:
    """Empty for any, None where there is nothing of this family. The unknown is shown as IPv4."""
    if rule.peer is Peer.NAMES:
        return f"@{_name(rule, family)}"
    if rule.peer is Peer.NETWORKS:
        return f"${_name(rule, family)}" if _of_family(rule.peers, family) else None
    if rule.peer in _UNKNOWN:
        return f"${remarks.variable(rule.blanks[0])}" if family == "ip" else None
    return ""


def _hosts(rule: Rule, family: str) -> str | None:
    if not rule.hosts:
        return ""
    known = [host for host in rule.hosts if host not in rule.blanks]
    unknown = [f"${remarks.variable(host)}" for host in rule.hosts if host in rule.blanks]
    shown = [*_of_family(known, family), *(unknown if family == "ip" else ())]
    return _braces(shown) if shown else None


def _ports(rule: Rule, family: str) -> Iterator[str]:
    if rule.transport == "icmp":
        yield _ECHO[family]
        return
    if rule.source_ports:
        yield f"{rule.transport} sport {_spans(rule.source_ports)}"
    ports = _spans(rule.ports) if rule.ports else f"${remarks.variable(rule.blanks[-1])}"
    yield f"{rule.transport} dport {ports}"


def _spans(ports: Iterable[PortRange]) -> str:
    return _braces(map(str, ports))


def _braces(items: Iterable[str]) -> str:
    return f"{{ {', '.join(items)} }}"


def _dnsmasq(sheet: Sheet) -> Iterator[str]:
    rules = [rule for rule in (*sheet.rules, *sheet.spare) if _has_names(rule)]
    if not rules:
        return
    yield ""
    yield from remarks.commented(
        "#",
        [
            "The sets of names are empty until dnsmasq, as the name server of all hosts behind this firewall, fills "
            "them from its answers: these lines are for its configuration. A domain covers all that is under it. An "
            "address stays in its set until the set is emptied."
        ],
    )
    domains = {domain for rule in rules for name in rule.peers if (domain := _domain(name))}
    for domain in sorted(domains, key=by_domain):
        sets = (
            f"{version}#inet#{TABLE}#{_name(rule, family)}"
            for rule in rules
            if _leads_to(rule, domain)
            for family, version in _VERSIONS.items()
        )
        yield f"# nftset=/{domain}/{','.join(sets)}"


def _leads_to(rule: Rule, domain: str) -> bool:
    """dnsmasq obeys the line of the longest domain only, so that it has to name the sets of shorter ones too."""
    mine = [_domain(name) for name in rule.peers]
    return any(one == domain or domain.endswith(f".{one}") for one in mine if one)
