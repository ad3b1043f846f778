"""`pin show` and `pin learn`."""

from typing import TYPE_CHECKING, Annotated

import typer

from readycheck.cli import options as o
from readycheck.cli.output import tell_lines
from readycheck.errors import ReadycheckError

if TYPE_CHECKING:
    from readycheck.pins import Learned

app = typer.Typer(
    help="The pins in force; learn issuer pins.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def show(profile: o.ProfileName, profile_dir: o.ProfileDirs = None) -> None:
    """Show the keys of the authorities that are accepted.

    They are those of the profile, and those that were learned here.
    """
    from readycheck import pins
    from readycheck.catalog import read

    found = read(profile, tuple(profile_dir or ()))
    learned = pins.load(found.name)
    tell_lines(*(f"{pin.spki_sha256}  {pin.name}  ({pin.source})" for pin in found.pins))
    tell_lines(*(f"{key}  {subject}  (learned here)" for key, subject in learned.items()))


@app.command()
def learn(
    profile: o.ProfileName,
    profile_dir: o.ProfileDirs = None,
    force: Annotated[bool, typer.Option("--force", help="Learn although a pin in force mismatches.")] = False,
    resolver: o.Resolvers = None,
    trust_roots: o.TrustRoots = None,
    deadline: o.Deadline = 15.0,
) -> None:
    """Learn issuers' keys from a network known to be clean.

    Nothing is learned where a handshake shows none of the pins in force, unless --force is given.
    """
    from readycheck import pins
    from readycheck.assess import assess
    from readycheck.cli.interrupt import Interruption
    from readycheck.cli.setting import Setting, prepare
    from readycheck.net.guard import refuse_outside

    refuse_outside()
    setting = Setting(
        profile=profile,
        profile_dirs=tuple(profile_dir or ()),
        only=("mtls", "sip", "tls"),
        resolvers=tuple(o.endpoint("--resolver", text, 53) for text in resolver or ()),
        trust_roots=tuple(trust_roots or ()),
        deadline_s=deadline,
        controls=False,
    )
    request, shared, environment = prepare(setting)
    before = dict(pins.load(request.profile.name))
    interruption = Interruption()
    with interruption.minded():
        report = interruption.run(lambda: assess(request, shared(), environment))
    if interruption.came:
        raise ReadycheckError("nothing learned: interrupted")
    in_force = {pin.spki_sha256 for pin in request.profile.pins} | request.trusted_pins
    learned = pins.learn(report, in_force)
    if learned.doubtful and not force:
        raise ReadycheckError(_doubt(learned))
    if not learned.issuers:
        raise ReadycheckError("nothing learned: no server showed an issuer in a chain that verifies")
    kept = before | dict(learned.issuers)
    path = pins.save(request.profile.name, kept)
    tell_lines(f"{len(kept) - len(before)} issuer keys learned, {len(kept)} kept in {path}")


def _doubt(learned: "Learned") -> str:
    """What casts doubt on this network. A chain that is not trusted teaches nothing, with --force neither."""
    if learned.mismatched:
        servers, what, way = (
            learned.mismatched,
            "do not show the pins in force",
            "--force learns all the same",
        )
    else:
        servers, what = learned.untrusted, "show chains that do not verify"
        way = "--force learns from the others, --trust-roots FILE names an authority that is the vendor's"
    return (
        f"nothing learned: {len(servers)} servers {what}, first {servers[0]}; is TLS inspected here? ({way})"
    )
