"""CSV: a row for each far end of a rule, and one for each thing that was withdrawn."""

import csv
from collections.abc import Iterator
from io import StringIO
from operator import attrgetter

from readycheck.firewall import remarks
from readycheck.firewall.aggregate import wanting
from readycheck.firewall.rules import Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.firewall.withdrawn import Closable
from readycheck.render.clean import cell

COLUMNS = (
    *("profile", "revision", "rule", "state", "direction", "transport", "ports", "source_ports"),
    *(
        "far_end",
        "value",
        "own_hosts",
        "importance",
        "requirements",
        "titles",
        "conditions",
        "sources",
        "note",
    ),
)


def render(sheet: Sheet) -> str:
    """Text that a spreadsheet would read as a formula is marked as text."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(sheet):
        writer.writerow([cell(value, 4000) for value in (sheet.name, sheet.revision, *row)])
    return out.getvalue()


def _rows(sheet: Sheet) -> Iterator[tuple[str, ...]]:
    for rule in (*sheet.rules, *sheet.spare):
        yield from _rule(rule, remarks.why_not(sheet, rule) or "in force")
    for rule in sheet.between:
        yield from _rule(rule, "between segments")
    for row in sheet.closable:
        yield _withdrawn(row)


def _rule(rule: Rule, state: str) -> Iterator[tuple[str, ...]]:
    for value in rule.peers or ("",):
        needs = wanting(rule, value) if value else rule.needs
        yield (
            *(rule.label, state, rule.direction, rule.transport, remarks.listed(rule.ports, " ")),
            remarks.listed(dict.fromkeys(s for need in needs for s in need.source_ports), " "),
            *(rule.peer.value, "any" if rule.peer is Peer.ANY else value, " ".join(rule.hosts)),
            min((need.importance for need in needs), key=attrgetter("rank")).value,
            " ".join(need.id for need in needs),
            "; ".join(need.title for need in needs),
            "; ".join(dict.fromkeys(need.condition for need in needs if need.condition)),
            "; ".join(dict.fromkeys(need.source for need in needs)),
            "; ".join(dict.fromkeys(need.about for need in needs if need.about)),
        )


def _withdrawn(row: Closable) -> tuple[str, ...]:
    state = "withdrawn: may be closed" if row.anything else "withdrawn: still covered"
    return (
        *("", state, "", "" if row.transport == "any" else row.transport, remarks.listed(row.ports, " "), ""),
        *("", " ".join((*row.networks, *row.names)), "", "", "", row.what, row.when, row.source),
        "; ".join(remarks.verdicts(row)),
    )
