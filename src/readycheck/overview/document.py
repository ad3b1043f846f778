"""A profile as a Markdown page: all that is in it, as a better version of the vendor's page."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from readycheck.overview import words
from readycheck.profile import Area, Contradiction, NameGroup, NetworkGroup, Profile, Requirement, Source
from readycheck.render.clean import clean, markdown
from readycheck.render.clean import code as code_span

_LONGEST = 20_000
_BREAK = "<br>"
_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&*+,;=%-]+")
_ODD = re.compile(r"[^a-z0-9]+")
_MARKS = re.compile(r"[^\w -]")
Row = Sequence[str]


def render(profile: Profile) -> str:
    """Every string of the profile is escaped: none can become markup that it should not be."""
    sections = [(title, list(section(profile))) for title, section in _SECTIONS.items()]
    written = [(title, lines) for title, lines in sections if lines]
    return "\n".join([*_head(profile, [title for title, _ in written]), *_body(written)]) + "\n"


def _head(profile: Profile, titles: Iterable[str]) -> Iterator[str]:
    yield from (f"# {md(profile.title)}", "")
    if profile.summary:
        yield from (md(profile.summary), "")
    base = f", which extends {code(profile.extends)}" if profile.extends else ""
    yield f"Profile {code(profile.name)}{base}, revision {md(profile.revision)}, compared with the vendor's page"
    yield f"on {profile.checked}. `readycheck run {clean(profile.name)}` tests it,"
    yield f"`readycheck profile firewall {clean(profile.name)}` prints the rules that it needs, and"
    yield f"`readycheck profile show {clean(profile.name)} --format markdown` prints this page."
    yield from ("", " · ".join(f"[{title}](#{_heading(title)})" for title in titles))


def _body(written: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    for title, lines in written:
        yield from ("", f"## {title}", "", *lines)


# --- who and what -------------------------------------------------------------------------------------


def _documents(profile: Profile) -> Iterator[str]:
    heads = ("cited as", "document", "publisher", "revision", "language", "note")
    rows = (
        (code(key), _linked(d.title, d.url), md(d.publisher), md(d.revision), md(d.language), md(d.note))
        for key, d in profile.documents.items()
    )
    yield from _table(heads, rows)


def _roles(profile: Profile) -> Iterator[str]:
    counts = {role.name: sum(role.name in r.roles for r in profile.requirements) for role in profile.roles}
    rows = (
        (code(role.name), md(role.title), "yes" if role.default else "", str(counts[role.name]))
        for role in profile.roles
    )
    yield from _table(("role", "who that is", "tested by default", "requirements"), rows)


def _placeholders(profile: Profile) -> Iterator[str]:
    heads = ("give", "what it is", "example", "choices", "needed")
    rows = (
        (
            code(f"--set {name}=..."),
            md(found.title),
            code(found.example) if found.example else "",
            ", ".join(map(code, found.choices)),
            "for any run" if found.required else "for what it leads to",
        )
        for name, found in profile.placeholders.items()
    )
    yield from _table(heads, rows)


# --- requirements -------------------------------------------------------------------------------------

_HEADS = ("what", "who opens it", "to", "ports", "importance", "when", "how it is verified", "source")


def _requirements(profile: Profile) -> Iterator[str]:
    for area in Area:
        found = [r for r in profile.requirements if r.area is area]
        if found:
            weight = profile.weights.get(area)
            share = "" if weight is None else f", with a weight of {weight:g} in the score"
            yield from (f"### {area.value.capitalize()}", "", f"{len(found)} of them{share}.", "")
            yield from _table(_HEADS, (_requirement(r, profile) for r in found))
            yield ""


def _requirement(requirement: Requirement, profile: Profile) -> Row:
    r = requirement
    weight = f"weight {r.weight:g}" if r.weight != 1 else ""
    return (
        _lines(f"**{md(r.title)}**", code(r.id), f"for {', '.join(map(code, r.roles))}"),
        _lines(md(words.opener(r)), "" if r.direction == "none" else r.direction),
        _lines(*_destinations(r, profile)),
        md(words.protocol(r.transport, r.ports)),
        _lines(r.importance.value, weight),
        _lines(md(r.condition), md(r.note)),
        _verification(r),
        _cite(r.source),
    )


def _verification(requirement: Requirement) -> str:
    told = words.verification(requirement)
    if requirement.probe is None:
        return md(told)
    return code(requirement.probe) + md(told.removeprefix(requirement.probe))


def _destinations(requirement: Requirement, profile: Profile) -> Iterator[str]:
    """Groups lead to their own sections."""
    targets = requirement.targets
    yield md(targets.description)
    for name in targets.networks:
        yield f"[{md(profile.networks[name].title)}](#{_anchor('networks', name)})"
    for name in targets.names:
        yield f"[{md(profile.names[name].title)}](#{_anchor('names', name)})"
    yield from map(code, targets.hosts)
    yield "the name servers in use" if targets.resolvers else ""
    yield "the responder that a run is given" if targets.responder and not targets.hosts else ""


# --- networks and names -------------------------------------------------------------------------------


def _networks(profile: Profile) -> Iterator[str]:
    for key, group in profile.networks.items():
        yield from _group(profile, "networks", key, group)
        yield from ("```text", *group.networks, "```", "")


def _names(profile: Profile) -> Iterator[str]:
    for category, title in words.CATEGORIES.items():
        groups = {key: group for key, group in profile.names.items() if group.category == category}
        if groups:
            yield from (f"### {title} ({code(category)})", "")
        for key, group in groups.items():
            yield from _group(profile, "names", key, group)
            yield from _domains(group)
            yield ""


def _group(profile: Profile, kind: str, key: str, group: NetworkGroup | NameGroup) -> Iterator[str]:
    level = "###" if kind == "networks" else "####"
    users = [r.id for r in profile.requirements if key in getattr(r.targets, kind)]
    used = f" For {', '.join(map(code, users))}." if users else ""
    yield from (f'<a id="{_anchor(kind, key)}"></a>', "", f"{level} {md(group.title)}", "")
    yield from (f"{code(key)}, {_cite(group.source)}.{used}", "")


def _domains(group: NameGroup) -> Iterator[str]:
    heads = ("name", "purpose", "used by", "tested as")
    rows = (
        (
            code(entry.pattern),
            md(entry.purpose),
            md(", ".join(entry.used_by)),
            _lines(
                ", ".join(map(code, entry.representatives)), "printed by the page" if entry.certain else ""
            ),
        )
        for entry in group.domains
    )
    yield from _table(heads, rows)


# --- what is on the way -------------------------------------------------------------------------------


def _proxies(profile: Profile) -> Iterator[str]:
    heads = ("product", "configuration", "authentication", "cannot", "note", "source")
    rows = (
        (
            md(row.product),
            md(", ".join(row.configuration)),
            md(", ".join(row.authentication)),
            md(", ".join(row.unsupported)),
            md(row.note),
            _cite(row.source),
        )
        for row in profile.proxies
    )
    yield from _table(heads, rows)


def _inspection(profile: Profile) -> Iterator[str]:
    rows = ((md(r.product), r.support, md(r.note), _cite(r.source)) for r in profile.inspection)
    yield from _table(("product", "a custom authority is", "note", "source"), rows)
    if profile.inspection and profile.exemptions:
        yield ""
    exempt = ((", ".join(map(code, r.names)), md(r.reason), _cite(r.source)) for r in profile.exemptions)
    yield from _table(("never to be opened", "because", "source"), exempt)


def _access(profile: Profile) -> Iterator[str]:
    rows = (
        (md(row.product), md(", ".join(row.methods)) or "none: it cannot", md(row.note), _cite(row.source))
        for row in profile.network_access
    )
    yield from _table(("product", "methods", "note", "source"), rows)


def _cryptography(profile: Profile) -> Iterator[str]:
    heads = ("purpose", "versions", "refused versions", "suites", "ports", "note", "source")
    rows = (
        (
            md(row.purpose),
            md(", ".join(row.versions)),
            md(", ".join(row.refused_versions)),
            _lines(*map(code, row.suites)),
            words.ports(row.ports) or "all",
            md(row.note),
            _cite(row.source),
        )
        for row in profile.cryptography
    )
    yield from _table(heads, rows)


def _qos(profile: Profile) -> Iterator[str]:
    heads = ("sender", "traffic", "source ports", "ports", "DSCP", "as printed", "source")
    rows = (
        (
            code(row.source_role),
            md(row.traffic),
            words.ports(row.source_ports),
            words.ports(row.ports),
            words.marking(row.dscp),
            md(row.printed),
            _cite(row.source),
        )
        for row in profile.qos
    )
    yield from _table(heads, rows)


def _reserved(profile: Profile) -> Iterator[str]:
    rows = (
        (words.protocol(row.transport, row.ports), md(row.reason), _cite(row.source))
        for row in profile.reserved
    )
    yield from _table(("ports", "because", "source"), rows)


# --- what a run relies on -----------------------------------------------------------------------------


def _pins(profile: Profile) -> Iterator[str]:
    rows = ((md(pin.name), code(pin.spki_sha256), md(pin.source)) for pin in profile.pins)
    yield from _table(("authority", "SHA-256 of its public key", "source"), rows)


def _controls(profile: Profile) -> Iterator[str]:
    rows = (
        (
            code(control.host),
            words.protocol(control.transport, ()) + f" {control.port}",
            f"{code(control.path)}: {md(control.contains)}" if control.contains else "",
            md(control.purpose),
        )
        for control in profile.controls
    )
    yield from _table(("host", "port", "page, and what it must contain", "what for"), rows)


# --- what was made of the page ------------------------------------------------------------------------


def _normalisations(profile: Profile) -> Iterator[str]:
    rows = (
        (md(row.printed), md(row.used), md(row.reason), md(row.alternative), _cite(row.source))
        for row in profile.normalisations
    )
    yield from _table(("printed", "used here", "because", "could also mean", "source"), rows)


def _contradictions(profile: Profile) -> Iterator[str]:
    yield from _table(
        ("about", "the page says", "used here", "because"), map(_contradiction, profile.contradictions)
    )


def _contradiction(found: Contradiction) -> Row:
    says = (f"{md(statement.says)} ({_cite(statement.source)})" for statement in found.statements)
    return md(found.about), _lines(*says), md(found.used), md(found.reason)


def _withdrawn(profile: Profile) -> Iterator[str]:
    heads = ("what", "withdrawn", "a rule for it", "source")
    rows = (
        (
            md(row.what),
            md(row.when),
            _lines(
                ", ".join(map(code, (*row.networks, *row.names))),
                words.protocol(row.transport, row.ports) if row.ports or row.transport != "any" else "",
            ),
            _cite(row.source),
        )
        for row in profile.withdrawn
    )
    yield from _table(heads, rows)


_SECTIONS: dict[str, Callable[[Profile], Iterator[str]]] = {
    "Documents": _documents,
    "Roles": _roles,
    "Values to give": _placeholders,
    "Requirements": _requirements,
    "Networks": _networks,
    "Names": _names,
    "Proxies": _proxies,
    "TLS inspection": _inspection,
    "802.1X": _access,
    "Cryptography": _cryptography,
    "Quality of service": _qos,
    "Reserved ports": _reserved,
    "Pinned authorities": _pins,
    "Controls": _controls,
    "Damaged and doubtful values": _normalisations,
    "Contradictions": _contradictions,
    "Withdrawn": _withdrawn,
}


# --- Markdown -----------------------------------------------------------------------------------------


def md(text: object) -> str:
    return markdown(text, _LONGEST)


def code(text: object) -> str:
    return code_span(text, _LONGEST)


def _table(heads: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Nothing without rows; a column that is empty in all of them is left out."""
    found = [tuple(row) for row in rows]
    kept = [n for n, _ in enumerate(heads) if any(row[n] for row in found)]
    if found:
        yield f"| {' | '.join(heads[n] for n in kept)} |"
        yield f"|{' --- |' * len(kept)}"
    yield from (f"| {' | '.join(row[n] for n in kept)} |" for row in found)


def _lines(*parts: str) -> str:
    return _BREAK.join(part for part in parts if part)


def _cite(source: Source) -> str:
    revision = f", {md(source.revision)}" if source.revision else ""
    return f"{md(source.section)} ({code(source.document)}{revision})"


def _linked(title: str, url: str) -> str:
    """Only what is surely an address becomes a link."""
    if _LINK.fullmatch(url):
        return f"[{md(title)}]({url})"
    return _lines(md(title), md(url))


def _anchor(kind: str, key: str) -> str:
    return f"{kind}-{_slug(key)}"


def _heading(title: str) -> str:
    """The anchor that GitHub and GitLab give a heading: they drop its marks, and make hyphens of its spaces."""
    return _MARKS.sub("", title.lower()).replace(" ", "-")


def _slug(text: str) -> str:
    return _ODD.sub("-", text.lower()).strip("-")
