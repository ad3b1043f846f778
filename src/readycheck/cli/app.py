"""The tree of commands."""

from typing import Any

import typer

from readycheck.cli import demo, explain, firewall, pins, probes, profiles, responder, run
from readycheck.cli.grouped import GroupedCommand

_HELP = """Network readiness for cloud calling, meetings and PBX products.

Exit status of run and demo: 0 ready, 1 ready with warnings, 2 not ready, 3 unknown or unusable.
Every other command: 0 done, 3 error.
"""

profiles.app.command("firewall", cls=GroupedCommand)(firewall.firewall)


def command() -> Any:
    """The command group, ready to be invoked."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_version)
    app.command("run", cls=GroupedCommand)(run.run)
    app.command("demo", cls=GroupedCommand)(demo.demo)
    app.command("responder", cls=GroupedCommand)(responder.responder)
    app.add_typer(profiles.app, name="profile")
    app.add_typer(probes.app, name="probe")
    app.add_typer(pins.app, name="pin")
    app.command("explain")(explain.explain)
    app.command("report-schema")(explain.report_schema)
    return typer.main.get_command(app)


def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        from readycheck import __version__
        from readycheck.cli.output import tell_lines

        tell_lines(f"readycheck {__version__}")
        raise typer.Exit(0)
