"""Profiles as tables: fitted to a terminal, or a line for each row where the output goes to another program."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from io import StringIO
from textwrap import wrap

from readycheck.overview import words
from readycheck.overview.age import age, page_age, page_date
from readycheck.profile import Area, Profile, Requirement
from readycheck.render.clean import clean

Row = Sequence[str]
_LONGEST = 500
_HEADS = ("REQUIREMENT", "IMPORTANCE", "FROM", "TO", "PORTS", "VERIFIED BY", "SOURCE")
_LIST = ("PROFILE", "TITLE", "REVISION", "PAGE AGE", "COMPARED", "REQUIREMENTS", "FROM")


def listing(rows: Iterable[Row], width: int | None, *, colour: bool = False) -> str:
    """The known profiles; `width` is the terminal's, and None means that there is none."""
    return _table(_LIST, rows, width, colour)


def listed(name: str, profile: Profile, source: str, today: date) -> Row:
    """One row of the listing."""
    compared = age(profile.checked, today)
    return (
        name,
        profile.title,
        profile.revision,
        page_age(profile, today),
        compared if compared in ("today", "in the future") else f"{compared} ago",
        str(len(profile.requirements)),
        source,
    )


def show(profile: Profile, today: date, width: int | None, *, colour: bool = False) -> str:
    """What a profile asks for, area by area."""
    head = (clean(line, 2000) for line in _head(profile, today))
    blocks = ["".join(f"{line}\n" for text in head for line in (wrap(text, width) if width else [text]))]
    for area in Area:
        found = [_requirement(r, profile) for r in profile.requirements if r.area is area]
        if found:
            blocks.append(f"{area.value} ({len(found)})\n{_table(_HEADS, found, width, colour)}")
    return "\n".join(blocks)


def _head(profile: Profile, today: date) -> Iterator[str]:
    base = f", extends {profile.extends}" if profile.extends else ""
    dated = page_date(profile)
    old = f"page {age(dated, today)} old" if dated else "page of unknown age"
    compared = f"revision {profile.revision} ({old}), compared with it on {profile.checked}"
    yield f"{profile.title} ({profile.name}{base}), {compared}"
    yield profile.summary
    yield "roles: " + words.roles(profile.roles)
    more = [f"{what} ({len(found)})" for kind, what in _MORE.items() if (found := getattr(profile, kind))]
    yield f"--format markdown also has: {', '.join(['documents', *more])}"


_MORE = {
    "networks": "networks",
    "names": "names",
    "proxies": "proxies",
    "inspection": "TLS inspection",
    "cryptography": "cryptography",
    "qos": "QoS",
    "normalisations": "doubtful values",
    "contradictions": "contradictions",
    "withdrawn": "what was withdrawn",
}


def _requirement(requirement: Requirement, profile: Profile) -> Row:
    opener = ", ".join(
        part for part in (requirement.direction, words.opener(requirement)) if part != "none" and part
    )
    return (
        f"{requirement.id}: {requirement.title}",
        requirement.importance.value,
        opener,
        ", ".join(words.destinations(requirement, profile)),
        words.protocol(requirement.transport, requirement.ports),
        "not testable from here" if requirement.untestable else requirement.probe or "",
        requirement.source.section,
    )


def _table(heads: Row, rows: Iterable[Row], width: int | None, colour: bool) -> str:
    cleaned = [tuple(clean(cell, _LONGEST) for cell in row) for row in rows]
    return _plain(heads, cleaned) if width is None else _fitted(heads, cleaned, width, colour)


def _plain(heads: Row, rows: Sequence[Row]) -> str:
    """Columns as wide as they need to be, two spaces apart: fit for grep."""
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    padded = (
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in (heads, *rows)
    )
    return "".join(f"{line.rstrip()}\n" for line in padded)


def _fitted(heads: Row, rows: Sequence[Row], width: int, colour: bool) -> str:
    """Cells are broken to fit; looks at nothing but its arguments."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        file=(out := StringIO()),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold" if colour else "")
    whole = max((len(row[0]) for row in rows), default=0) <= width // 3
    for number, head in enumerate(heads):
        table.add_column(Text(head), overflow="fold", no_wrap=number == 0 and whole)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines() if line.strip())
