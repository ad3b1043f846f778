"""What comments say. A profile may come from anybody, so its words are cut down to what no format reads as its own."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap

from readycheck.firewall.aggregate import wanting
from readycheck.firewall.rules import Need, Peer, Rule
from readycheck.firewall.sheet import Sheet
from readycheck.firewall.withdrawn import Closable
from readycheck.notation import PortRange
from readycheck.references import placeholders
from readycheck.render.clean import clean
from readycheck.spans import merged

WIDTH = 100
_HARMFUL = re.compile(r"[^A-Za-z0-9 .,:;()/_+*=@&<>'\[\]#~-]")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9.-]")


def plain(text: object, limit: int = 400) -> str:
    """One line of ASCII without quotes, backslashes, dollars, braces, and the question mark that asks a router."""
    folded = unicodedata.normalize("NFKD", str(text)[: 4 * limit])
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return _HARMFUL.sub(".", clean(letters, limit))


def identifier(text: str, limit: int = 60) -> str:
    """Fit to call an object by; a long one keeps its beginning and gets a mark of its own."""
    name = _NOT_A_NAME.sub("_", text.strip("{}"))
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def variable(text: str) -> str:
    """The same for languages whose names have no dots and hyphens."""
    return re.sub(r"\W", "_", identifier(text), flags=re.ASCII)


def commented(mark: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines behind a comment mark, if there is one, broken where they are too long."""
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        broken = wrap(
            line, WIDTH, subsequent_indent=f"{indent}    ", break_long_words=False, break_on_hyphens=False
        )
        yield from (f"{mark} {part}".rstrip() if mark else part for part in broken or [""])


def listed(ports: Iterable[PortRange], separator: str = ", ") -> str:
    return separator.join(map(str, ports))


def served(sheet: Sheet, rule: Rule, limit: int) -> str:
    """A short description that a device keeps with the rule: nothing but slugs."""
    text = f"{sheet.name} {identifier(sheet.revision, 24)}: " + ", ".join(
        f"{need.id} ({need.importance})" for need in rule.needs
    )
    return text if len(text) <= limit else text[: limit - 3] + "..."


def title(sheet: Sheet) -> Iterator[str]:
    yield plain(f"Firewall rules for {sheet.title} ({sheet.name}), revision {sheet.revision}")
    yield f"Roles: {', '.join(sheet.roles)}. The vendor's documents were read on {sheet.checked}:"
    yield from (f"    {plain(document)}" for document in sheet.documents)


def scope(sheet: Sheet, *, knows_sources: bool = True) -> Iterator[str]:
    """What is in force, what is not, and what that means."""
    if sheet.wish.everything:
        yield "In force: everything that the documents ask for, the optional and the legacy too."
    else:
        yield (
            "In force: what is required or recommended, and the fallbacks. What is optional or legacy is shown "
            "and not in force; --all makes rules of it."
        )
    if not knows_sources:
        yield "Source ports are not matched, as the platform cannot."
    elif sheet.wish.source_ports:
        yield "Source ports are matched. Address translation on the way here rewrites them: then leave them out."
    else:
        yield "Source ports are not matched, as address translation rewrites them (--source-ports matches them)."
    if _without_dns(sheet):
        yield "None of this lets DNS through: for these roles, the documents ask for none. --resolver adds it."
    if sheet.wish.any_name and any(rule.peer is Peer.ANY for rule in sheet.rules):
        yield (
            "--names any: where the documents give names, or tell the destination in words, the port is open to any "
            "destination. That is more than the product needs."
        )


def _without_dns(sheet: Sheet) -> bool:
    """A set of roles may have names and no requirement for the name servers that tell their addresses."""
    found = (*sheet.rules, *sheet.spare)
    named = any(rule.peer is Peer.NAMES for rule in found)
    return named and not any(span.low <= 53 <= span.high for rule in found for span in rule.ports)


def blanks(sheet: Sheet) -> Iterator[str]:
    """What has to be given before all rules are in force."""
    if not sheet.blanks:
        return
    yield "Only you can say these. Rules that need them are shown and not in force:"
    for blank in sheet.blanks:
        yield "    " + plain(f"{blank.name}: {blank.title} ({blank.option}); for {', '.join(blank.needs)}")


def about(rule: Rule) -> Iterator[str]:
    """The requirements that a rule serves."""
    for need in rule.needs:
        yield plain(f"{need.importance}: {need.title} [{need.id}]")
        yield from (f"    {plain(line)}" for line in _details(rule, need))
    if rule.peer is Peer.WORDS:
        yield "    The destination is told in words only: narrow it before you put the rule in force."


def _details(rule: Rule, need: Need) -> Iterator[str]:
    if need.condition:
        yield f"only if: {need.condition}"
    if need.about:
        yield f"{'to' if rule.direction != 'inbound' else 'from and to'}: {need.about}"
    if need.ports and merged(need.ports) != rule.ports:
        yield f"ports {listed(need.ports)}"
    if need.source_ports:
        yield f"from source ports {listed(need.source_ports)}"
    yield f"source: {need.source}"


def why_not(sheet: Sheet, rule: Rule) -> str:
    """Why a rule is shown and not in force; empty if it is."""
    reasons = [str(rule.importance)] if rule in sheet.spare else []
    if rule.blanks:
        names = (name for blank in rule.blanks for name in placeholders(blank) or (blank,))
        reasons.append(f"give {', '.join(map(identifier, names))}")
    if rule.peer is Peer.WORDS:
        reasons.append("the destination is told in words only")
    return f"not in force: {'; '.join(reasons)}" if reasons else ""


def between(sheet: Sheet) -> Iterator[str]:
    """What passes between segments of the site."""
    if not sheet.between:
        return
    yield "Between segments of your own network, where a firewall stands there (--internal makes rules of it):"
    for rule in sheet.between:
        yield f"    {rule.transport} {listed(rule.ports) or 'ports of your choice'}"
        yield from (f"        {line}" for line in about(rule))


def unsaid(sheet: Sheet, able: Callable[[Rule, str], bool]) -> Iterator[str]:
    """The domains that a format cannot express, with the ports that they need."""
    rows: list[str] = []
    for rule in (*sheet.rules, *sheet.spare):
        if rule.peer is Peer.NAMES:
            ports = listed(rule.ports) or "?"
            rows += [
                f"    {name}  {rule.direction} {rule.transport} {ports}, for {_asking(rule, name)}"
                for name in rule.peers
                if not able(rule, name)
            ]
    if rows:
        yield (
            "Domains that this format cannot express, so that nothing in here lets them through. Use a proxy or a "
            "firewall that can, or open their ports to any destination with --names any:"
        )
        yield from rows


def _asking(rule: Rule, name: str) -> str:
    return ", ".join(f"{need.id} ({need.importance})" for need in wanting(rule, name))


def withdrawn(sheet: Sheet) -> Iterator[str]:
    """Rules that a firewall may still carry."""
    if not sheet.wish.withdrawn:
        return
    yield "Withdrawn by the vendor. A rule that is there for nothing else may be closed:"
    if not sheet.closable:
        yield "    nothing is recorded in this profile"
    for row in sheet.closable:
        yield "    " + plain(f"{row.when}: {row.what} [{row.source}]")
        yield from (f"        {plain(line, 2000)}" for line in verdicts(row))


def closing(mark: str, sheet: Sheet, able: Callable[[Rule, str], bool]) -> Iterator[str]:
    """What is told below the rules, each part behind an empty comment."""
    for part in (unsaid(sheet, able), between(sheet), withdrawn(sheet)):
        lines = list(commented(mark, part))
        yield from ([mark, *lines] if lines else [])


def explained(sheet: Sheet, rule: Rule) -> tuple[str, ...]:
    """What stands above a rule."""
    reason = why_not(sheet, rule)
    return (*([reason] if reason else []), *about(rule))


def verdicts(row: Closable) -> Iterator[str]:
    """What to close of a withdrawn row, and what to keep."""
    places = ", ".join((*row.networks, *row.names))
    transport = "tcp and udp" if row.transport == "any" else row.transport
    ports = f"{transport} {listed(row.ports)}" if row.ports else ""
    if row.anything:
        yield f"close: {', '.join(filter(None, (places, ports)))}"
    yield from (f"{'but keep' if row.anything else 'still covered'}: {reason}" for reason in row.kept)
    if not row.anything and not row.kept:
        yield "no rule can be derived from what the document says"


def starred(name: str) -> str:
    """The domain of a leading wildcard, which stands for itself and all under it; empty for any other pattern."""
    domain = name.removeprefix("*.")
    return domain if domain != name and "*" not in domain else ""
