"""`pin show` and `pin learn`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from readycheck.cli import options as o
from readycheck.errors import ReadycheckError

app = typer.Typer(help="The pins in force; learn issuer pins.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(profile: Annotated[str, typer.Argument(help="A name, or a path.")]) -> None:
    """Show the keys of the authorities that a profile accepts, and those learned here."""
    from readycheck import pins
    from readycheck.catalog import read

    found = read(profile)
    for pin in found.pins:
        typer.echo(f"{pin.spki_sha256}  {pin.name}  ({pin.source})")
    for key, subject in pins.load(found.name).items():
        typer.echo(f"{key}  {subject}  (learned here)")


@app.command()
def learn(
    profile: Annotated[str, typer.Argument(help="A name, or a path.")],
    force: Annotated[bool, typer.Option("--force", help="Learn although a pin in force mismatches.")] = False,
    resolver: Annotated[
        list[str] | None, typer.Option("--resolver", metavar="IP[:PORT]", help="Name server to use (repeat).")
    ] = None,
    trust_roots: Annotated[
        list[Path] | None, typer.Option("--trust-roots", metavar="FILE", help="The vendor's own authorities.")
    ] = None,
    deadline: o.Deadline = 15.0,
) -> None:
    """Learn issuer pins from this network, which must be known to be clean."""
    from readycheck import pins
    from readycheck.assess import assess
    from readycheck.cli.setting import Setting, prepare
    from readycheck.net.guard import refuse_outside

    refuse_outside()
    setting = Setting(
        profile=profile,
        only=("tls", "sip"),
        resolvers=tuple(o.endpoint("--resolver", text, 53) for text in resolver or ()),
        trust_roots=tuple(trust_roots or ()),
        deadline_s=deadline,
        controls=False,
    )
    request, shared, environment = prepare(setting)

    async def job() -> pins.Learned:
        report = await assess(request, shared(), environment)
        in_force = {p.spki_sha256 for p in request.profile.pins} | request.trusted_pins
        return pins.learn(report, in_force)

    learned = asyncio.run(job())
    bad = (*learned.mismatched, *learned.untrusted)
    if bad and not force:
        raise ReadycheckError(
            f"nothing learned: {len(bad)} handshakes do not match the pins in force, first {bad[0]}; "
            "is TLS inspected here? (--force learns all the same)"
        )
    if not learned.issuers:
        raise ReadycheckError("nothing learned: no handshake showed an issuer")
    kept = dict(pins.load(request.profile.name)) | dict(learned.issuers)
    path = pins.save(request.profile.name, kept)
    typer.echo(f"{len(learned.issuers)} issuer keys learned, {len(kept)} kept in {path}")
