"""`profile list`, `show`, `validate`, `diff`, `new` and `schema`."""

import json
import os
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readycheck.cli import firewall
from readycheck.cli import options as o
from readycheck.cli.grouped import GroupedCommand
from readycheck.cli.output import complain, screen, tell, tell_lines
from readycheck.errors import ReadycheckError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from readycheck.catalog import Place
    from readycheck.profile import Profile

app = typer.Typer(
    help="Look into profiles and check them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class ShowFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class DiffFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


@app.command("list")
def list_profiles(profile_dir: o.ProfileDirs = None) -> None:
    """List the known ones: revision, age, number of requirements.

    What is older than a year is warned of.
    """
    from readycheck.catalog import places, read_at
    from readycheck.overview import tables
    from readycheck.overview.age import warnings

    folders, today = tuple(profile_dir or ()), date.today()
    known: dict[str, list[Place]] = {}
    for place in places(folders):
        known.setdefault(place.name, []).append(place)
    rows, troubles = [], []
    for name, found in sorted(known.items()):
        try:
            profile = read_at(found[0], folders)
        except ReadycheckError as error:
            troubles.append(f"{name}: UNUSABLE: {error}")
            continue
        rows.append(tables.listed(name, profile, _source(found), today))
        troubles += [f"warning: {name}: {text}" for text in warnings(profile, today)]
    width, colour = screen()
    tell(tables.listing(rows, width, colour=colour))
    if troubles:
        tell_lines("", *troubles)


def _source(found: "Sequence[Place]") -> str:
    """Who brought it, and what it hides."""
    hidden = f" (hides {', '.join(place.source for place in found[1:])})" if len(found) > 1 else ""
    return found[0].source + hidden


@app.command()
def show(
    profile: o.ProfileName,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="Only what this role needs (repeat).")
    ] = None,
    format_: Annotated[
        ShowFormat,
        typer.Option("--format", "-f", metavar="FORMAT", help=f"How: {', '.join(ShowFormat)}."),
    ] = ShowFormat.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    profile_dir: o.ProfileDirs = None,
) -> None:
    """Show what a profile asks of a network.

    The table has the requirements; JSON and Markdown have all of it.
    """
    from readycheck.catalog import read

    found = _narrowed(read(profile, tuple(profile_dir or ())), role or [])
    if as_json or format_ is ShowFormat.JSON:
        from readycheck.report import escaped

        tell(escaped(found.model_dump_json(indent=2)) + "\n")
    elif format_ is ShowFormat.MARKDOWN:
        from readycheck.overview.document import render

        tell(render(found))
    else:
        from readycheck.overview import tables

        width, colour = screen()
        tell(tables.show(found, date.today(), width, colour=colour))


def _narrowed(profile: "Profile", roles: list[str]) -> "Profile":
    from readycheck.overview.words import narrowed

    known = [role.name for role in profile.roles]
    for name in roles:
        if name not in known:
            raise UsageError(f"--role {name}: profile '{profile.name}' has the roles {', '.join(known)}")
    return narrowed(profile, roles) if roles else profile


@app.command()
def validate(profile: o.ProfileName, profile_dir: o.ProfileDirs = None) -> int:
    """Check one against the schema and the installed probes.

    All that is wrong goes to stderr: file, line, table and key.
    """
    from readycheck.catalog import draft
    from readycheck.plan import examine
    from readycheck.registry import find

    written = draft(profile, tuple(profile_dir or ()))
    found, problems = examine(written, find())
    if found is None:
        complain(written.listed(problems))
        return 3
    tell_lines(f"{profile}: usable, {len(found.requirements)} requirements")
    return 0


@app.command()
def diff(
    before: Annotated[
        str, typer.Argument(metavar="A", help="A name, NAME@REVISION or a path: what was in force.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same: what is to be in force.")],
    format_: Annotated[
        DiffFormat,
        typer.Option("--format", "-f", metavar="FORMAT", help=f"How: {', '.join(DiffFormat)}."),
    ] = DiffFormat.TEXT,
    profile_dir: o.ProfileDirs = None,
) -> None:
    """Compare two profiles: what to open, what to close.

    Also what changed of importance, limits, roles and pins.
    """
    from dataclasses import asdict

    from readycheck.catalog import read
    from readycheck.overview.changes import render
    from readycheck.profile_diff import compare

    old, new = (read(name, tuple(profile_dir or ())) for name in (before, after))
    found = compare(old, new)
    if format_ is DiffFormat.JSON:
        ends = {
            end: {"name": p.name, "revision": p.revision, "hash": p.hash}
            for end, p in (("before", old), ("after", new))
        }
        tell(json.dumps({**ends, **asdict(found)}, indent=2) + "\n")
    else:
        tell(render(old, new, found))


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the profile is to be called.")
    ] = "my-product",
    extends: Annotated[
        str,
        typer.Option(
            "--extends", metavar="PROFILE", help="Only what differs from this one, by name or path."
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write FILE, which must not be there yet."),
    ] = None,
    profile_dir: o.ProfileDirs = None,
) -> None:
    """Start a profile of your own from a commented template."""
    from readycheck.catalog import is_path, read
    from readycheck.profile_template import template

    if extends:
        read(extends, tuple(profile_dir or ()))
        if is_path(extends):  # from where the new file is
            extends = os.path.relpath(extends, output.parent if output else ".")
    text = template(name, date.today(), extends)
    if output is None:
        tell(text)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror or error}") from None
    tell_lines(f"{output}: edit it, and check it with 'readycheck profile validate {_as_path(output)}'")


def _as_path(path: Path) -> str:
    """So that it is taken for a path and not for a name."""
    return str(path) if path.suffix == ".toml" or "/" in str(path) else f"./{path}"


@app.command()
def schema() -> None:
    """Print the JSON Schema of profiles, for editors."""
    from readycheck import profile_schema

    tell(json.dumps(profile_schema.schema(), indent=2) + "\n")


app.command("firewall", cls=GroupedCommand)(firewall.firewall)
