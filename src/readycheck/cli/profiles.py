"""`profile list`, `show`, `validate` and `schema`."""

import json
from datetime import date
from typing import Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import complain, tell, tell_lines
from readycheck.errors import ReadycheckError, UsageError

app = typer.Typer(help="Look into profiles and check them.", no_args_is_help=True, rich_markup_mode=None)

OLD_DAYS = 365


@app.command("list")
def list_profiles(profile_dir: o.ProfileDirs = None) -> None:
    """List the known ones: revision, number of requirements, age."""
    from readycheck.catalog import available, read

    folders = tuple(profile_dir or ())
    for name, _ in sorted(available(folders), key=lambda pair: pair[0]):
        try:
            profile = read(name, folders)
        except ReadycheckError as error:
            tell_lines(f"{name}  UNUSABLE: {error}")
            continue
        age = (date.today() - profile.checked).days
        warning = f"  (checked {age} days ago: compare with the vendor's page)" if age > OLD_DAYS else ""
        count = len(profile.requirements)
        tell_lines(f"{name}  {profile.title}, revision {profile.revision}, {count} requirements{warning}")


@app.command()
def show(
    profile: o.ProfileName,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="Only this role (repeat).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole profile as JSON.")] = False,
    profile_dir: o.ProfileDirs = None,
) -> None:
    """Show what a profile asks of a network."""
    from readycheck.catalog import read

    found = read(profile, tuple(profile_dir or ()))
    known = [r.name for r in found.roles]
    for name in role or ():
        if name not in known:
            raise UsageError(f"--role {name}: profile '{found.name}' has the roles {', '.join(known)}")
    if as_json:
        tell(found.model_dump_json(indent=2) + "\n")
        return
    tell_lines(
        f"{found.title} ({found.name}), revision {found.revision}, checked {found.checked}",
        "roles: " + ", ".join(f"{r.name}{' (default)' if r.default else ''}" for r in found.roles),
    )
    for requirement in found.requirements:
        if role and not set(role) & set(requirement.roles):
            continue
        ports = ", ".join(str(p) for p in requirement.ports)
        how = (
            requirement.probe
            if requirement.probe and not requirement.untestable
            else "not testable from here"
        )
        tell_lines(
            "",
            f"{requirement.id}  [{requirement.importance}] {requirement.title}",
            f"    {requirement.direction} {requirement.transport} {ports}".rstrip() + f"; {how}",
            f"    roles {', '.join(requirement.roles)}; source: {requirement.source.section}",
        )


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
def schema() -> None:
    """Print the JSON Schema of profiles, for editors."""
    from readycheck.profile import Profile

    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Profile.model_json_schema()}
    tell(json.dumps(body, indent=2) + "\n")
