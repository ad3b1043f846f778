"""For reading, and for the ticket that asks for the change."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from readycheck.firewall import remarks
from readycheck.firewall.rules import Peer, Rule
from readycheck.firewall.sheet import Sheet

_INDENT = "    "
_HEADINGS = {
    "outbound": "OUTBOUND: from hosts of this site",
    "inbound": "INBOUND: to hosts of this site",
    "internal": "INTERNAL: between segments of this site",
}


def render(sheet: Sheet) -> str:
    lines = [*remarks.commented("", _heading(sheet))]
    for direction, heading in _HEADINGS.items():
        rules = [rule for rule in (*sheet.rules, *sheet.spare) if rule.direction == direction]
        if rules:
            lines += ["", heading]
            lines += [line for rule in rules for line in _block(sheet, rule)]
    return "\n".join([*lines, *remarks.closing("", sheet, _able)]) + "\n"


def _heading(sheet: Sheet) -> Iterator[str]:
    yield from remarks.title(sheet)
    yield ""
    yield from remarks.scope(sheet)
    yield from remarks.blanks(sheet)


def _able(_: Rule, name: str) -> bool:
    return True


def _block(sheet: Sheet, rule: Rule) -> Iterator[str]:
    yield ""
    yield f"{rule.transport.upper()} {_ports(rule)}{_sources(rule)} {_way(rule)}"
    yield from _wrapped(rule.peers)
    yield from (f"{_INDENT}{line}" for line in remarks.explained(sheet, rule))


def _ports(rule: Rule) -> str:
    if rule.transport == "icmp":
        return "echo request"
    return remarks.listed(rule.ports) or "ports of your choice"


def _sources(rule: Rule) -> str:
    return f" from source ports {remarks.listed(rule.source_ports)}" if rule.source_ports else ""


def _way(rule: Rule) -> str:
    far = {
        Peer.NETWORKS: _count(rule, "network"),
        Peer.NAMES: _count(rule, "domain"),
        Peer.RESOLVERS: "your name servers",
        Peer.GIVEN: "what you give",
        Peer.WORDS: "what is told in words",
        Peer.ANY: "anywhere",
    }[rule.peer]
    hosts = ", ".join(remarks.plain(host.strip("{}")) for host in rule.hosts)
    return f"from {far} to {hosts}" if rule.direction == "inbound" else f"to {far}"


def _count(rule: Rule, what: str) -> str:
    return f"{len(rule.peers)} {what}{'s' if len(rule.peers) > 1 else ''}"


def _wrapped(peers: Iterable[str]) -> list[str]:
    text = ", ".join(remarks.plain(peer.replace("{", "<").replace("}", ">")) for peer in peers)
    return wrap(
        text, remarks.WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )
